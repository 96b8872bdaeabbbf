//! What `--view summary` counts by.

use super::Result;
use crate::cli::{GroupName, ViewArgs};
use crate::error::UsageError;

/// The one or two keys to group by besides the state; none where sockets are counted by state alone.
pub(super) fn by(view: &ViewArgs) -> Result<[Option<GroupName>; 2]> {
    let by = &view.by.by;
    if !view.view.traits().has_groups && !by.is_empty() {
        return Err(UsageError::NoEffect { flag: "--by", needs: "--view summary" });
    }
    match by.as_slice() {
        [] => Ok([Some(GroupName::Process), None]),
        [one] => Ok([Some(*one), None]),
        [one, other] if one != other => Ok([Some(*one), Some(*other)]),
        _ => Err(UsageError::ByTooMuch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser;

    fn of(line: &str) -> Result<[Option<GroupName>; 2]> {
        by(&Cli::parse_from(line.split(' ')).options.view)
    }

    #[test]
    fn a_summary_is_by_one_or_two_things() {
        use GroupName::{Process, Remote};
        let line = |rest: &str| format!("tcplapse --view summary{rest}");
        assert_eq!(of(&line("")).unwrap(), [Some(Process), None]);
        assert_eq!(of(&line(" --by remote,process")).unwrap(), [Some(Remote), Some(Process)]);
        assert_eq!(of(&line(" --by remote --by process")).unwrap(), [Some(Remote), Some(Process)]);
        for wrong in [" --by remote,process,state", " --by remote,remote"] {
            assert!(matches!(of(&line(wrong)), Err(UsageError::ByTooMuch)), "{wrong}");
        }
        let useless = of("tcplapse --by remote");
        assert!(matches!(useless, Err(UsageError::NoEffect { flag: "--by", .. })), "{useless:?}");
    }
}
