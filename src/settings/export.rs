//! The settings of `export`.

use super::{Result, Settings};
use crate::cli::{ExportKey, ExportOptions};
use crate::error::UsageError;
use crate::tcp::state::State;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// So many groups are a database's problem, and not one of memory.
const MOST_GROUPS: usize = 10_000;

/// Where metrics go, and what they are grouped by.
#[derive(Debug)]
pub struct ExportSettings {
    /// The settings that commands share.
    pub(crate) settings: Settings,
    /// Where metrics go.
    pub(crate) target: MetricsTarget,
    /// What sockets are grouped by, each once; without any, by their states alone.
    pub(crate) by: Vec<ExportKey>,
    /// How many groups have names.
    pub(crate) limit: usize,
}

/// Where metrics go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MetricsTarget {
    /// They are served on this address.
    Tcp(SocketAddr),
    /// They are served on a Unix socket.
    Unix(PathBuf),
    /// They are written to a file.
    File(PathBuf),
}

impl ExportSettings {
    /// Checks the options of `export`.
    pub fn new(options: ExportOptions) -> Result<Self> {
        let target = match &options.textfile {
            Some(path) => MetricsTarget::File(text_file(path)?),
            None => listen(options.listen())?,
        };
        let (by, limit) = (by(&options.by)?, limit(options.limit())?);
        if options.limit.is_some() && by.is_empty() {
            let needs = "groups, of which --by state makes none";
            return Err(UsageError::NoEffect { flag: "--limit", needs });
        }
        let mut settings = Settings::new(options.shared.options(options.duration))?;
        settings.filter.process.shows_workload =
            by.contains(&ExportKey::Unit) || by.contains(&ExportKey::Container);
        Ok(Self { settings, target, by, limit })
    }

    /// The states that the filters ask for: of others it is not known whether a socket is in them.
    pub(crate) fn states(&self) -> Vec<State> {
        let asks_for = |state: &State| self.settings.filter.shows_state(*state);
        State::NAMED.into_iter().filter(asks_for).collect()
    }
}

/// `127.0.0.1:9713`, `[::1]:9713` or `unix:PATH`
fn listen(text: &str) -> Result<MetricsTarget> {
    if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
        return Ok(MetricsTarget::Unix(path.into()));
    }
    let address = text.parse().map_err(|_| UsageError::Listen(text.to_owned()))?;
    Ok(MetricsTarget::Tcp(address))
}

fn text_file(path: &Path) -> Result<PathBuf> {
    if path.extension().is_none_or(|extension| extension != "prom") {
        return Err(UsageError::TextFile(path.to_owned()));
    }
    Ok(path.to_owned())
}

fn by(keys: &[ExportKey]) -> Result<Vec<ExportKey>> {
    let mut by: Vec<ExportKey> = Vec::new();
    for key in keys {
        if !by.contains(key) {
            by.push(*key);
        }
    }
    match by.as_slice() {
        [] => Ok(vec![ExportKey::Process]),
        [ExportKey::State] => Ok(Vec::new()),
        keys if keys.contains(&ExportKey::State) => Err(UsageError::ByStateAndOthers),
        _ => Ok(by),
    }
}

fn limit(text: &str) -> Result<usize> {
    let limit = text.parse().ok().filter(|limit| (1..=MOST_GROUPS).contains(limit));
    limit.ok_or_else(|| UsageError::Limit(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn settings(line: &str) -> Result<ExportSettings> {
        let cli =
            Cli::parse_from(["tcplapse", "export"].into_iter().chain(line.split_whitespace()));
        let Some(Command::Export(options)) = cli.command else { panic!("{line}") };
        ExportSettings::new(options)
    }

    #[test]
    fn metrics_go_to_one_place() {
        let target = |line: &str| settings(line).expect(line).target;
        let tcp = |address: &str| MetricsTarget::Tcp(address.parse().expect("an address"));
        assert_eq!(target(""), tcp("127.0.0.1:9713"));
        assert_eq!(target("--listen [::1]:0"), tcp("[::1]:0"));
        assert_eq!(target("--listen unix:/run/a"), MetricsTarget::Unix("/run/a".into()));
        assert_eq!(target("--textfile a/b.prom"), MetricsTarget::File("a/b.prom".into()));
        for wrong in ["9713", ":9713", "localhost:9713", "unix:", "1.2.3.4"] {
            let error = settings(&format!("--listen {wrong}")).expect_err(wrong);
            assert!(matches!(error, UsageError::Listen(_)), "{wrong}: {error:?}");
        }
        assert!(matches!(settings("--textfile a.txt"), Err(UsageError::TextFile(_))));
    }

    #[test]
    fn groups_are_bounded() {
        let by = |line: &str| settings(line).expect(line).by;
        assert_eq!(by(""), [ExportKey::Process]);
        assert_eq!(by("--by state"), []);
        assert_eq!(
            by("--by local-port --by process,process"),
            [ExportKey::LocalPort, ExportKey::Process]
        );
        assert!(matches!(settings("--by state,process"), Err(UsageError::ByStateAndOthers)));
        assert_eq!(settings("--limit 10000").expect("a limit").limit, 10_000);
        for wrong in ["0", "10001", "-1", "x"] {
            assert!(matches!(settings(&format!("--limit {wrong}")), Err(UsageError::Limit(_))));
        }
    }

    #[test]
    fn zeros_are_of_states_that_are_asked_for() {
        let states = |line: &str| settings(line).expect(line).states();
        assert_eq!(states("").len(), State::NAMED.len());
        assert_eq!(states("-s close-wait"), [State::CloseWait]);
        assert_eq!(states("-l"), [State::Listen]);
    }
}
