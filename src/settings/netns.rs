//! Which network namespaces are read: the values of `--netns`.

use super::Result;
use crate::error::{UsageError, ValueError};
pub(crate) use crate::filter::netns::NetnsPattern;
use crate::filter::workload::NamePattern;
use crate::model::netns_name::mount_name;
use crate::values::{self, pid};
use std::path::PathBuf;

/// A value of `--netns`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NetnsChoice {
    /// Every one.
    All,
    /// One that `ip netns` or docker has named.
    Name(String),
    /// One that is mounted somewhere, or `/proc/PID/ns/net`.
    Path(PathBuf),
    /// That of a process.
    Process(i32),
    /// Those of the processes of a container.
    Container(NamePattern),
}

/// The network namespaces of a recording that are asked for; none for all.
///
/// # Errors
/// What says nothing about a recording: processes may have other numbers now.
pub(crate) fn of_recording(choices: &[NetnsChoice]) -> Result<Vec<NetnsPattern>> {
    if choices.contains(&NetnsChoice::All) {
        return Ok(Vec::new());
    }
    let pattern = |choice: &NetnsChoice| {
        let text = match choice {
            NetnsChoice::Name(name) => name.clone(),
            NetnsChoice::Path(path) => mount_name(path),
            _ => return Err(UsageError::NetnsOfRecording),
        };
        values::netns(&text).map_err(|cause| UsageError::value("--netns", cause))
    };
    choices.iter().map(pattern).collect()
}

/// Parses the values of the flag.
pub(super) fn netns(texts: &[String]) -> Result<Vec<NetnsChoice>> {
    let parse = |text: &String| choice(text).map_err(|cause| UsageError::value("--netns", cause));
    texts.iter().map(parse).collect()
}

fn choice(text: &str) -> std::result::Result<NetnsChoice, ValueError> {
    if let Some(number) = text.strip_prefix("pid:") {
        return pid(number).map(NetnsChoice::Process);
    }
    if let Some(name) = text.strip_prefix("container:") {
        return values::name(name).map(NetnsChoice::Container);
    }
    match text {
        "" | "." | ".." => Err(ValueError::EmptyName),
        "all" => Ok(NetnsChoice::All),
        path if path.contains('/') => Ok(NetnsChoice::Path(path.into())),
        name => Ok(NetnsChoice::Name(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_are_chosen_by_name_path_process_and_container() {
        let texts = ["all", "blue", "/proc/7/ns/net", "pid:7", "container:web"].map(str::to_owned);
        let web = NamePattern::new("web").unwrap();
        let expected = [
            NetnsChoice::All,
            NetnsChoice::Name("blue".to_owned()),
            NetnsChoice::Path("/proc/7/ns/net".into()),
            NetnsChoice::Process(7),
            NetnsChoice::Container(web),
        ];
        assert_eq!(netns(&texts).unwrap(), expected);
        for wrong in ["", "pid:", "pid:x", "pid:-1", "container:", ".."] {
            assert!(netns(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
