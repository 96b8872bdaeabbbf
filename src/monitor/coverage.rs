//! The closing line: how many sockets were seen, and what was missed.

use crate::model::reading::Interface;
use std::fmt;

/// Counts of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // one for each thing that may be said
pub struct Coverage {
    /// Sockets that matched the filters.
    pub sockets: u64,
    /// Of these, such as have not reached CLOSED.
    pub open: usize,
    /// Others that may match, whose processes could not be read.
    pub undecided: u64,
    /// More may match, of which no owner was found.
    pub others_may_match: bool,
    /// Sockets that were shown without an owner, which cannot be inspected.
    pub without_owner: u64,
    /// Sockets with wanted addresses that no poll saw while they were open: known by the destroy
    /// event of their end, or by the mini-socket they left. Their owners are not known.
    pub missed: u64,
    /// There is a filter by state: these counts are of sockets in any state.
    pub any_state: bool,
    /// There is a filter by process, which `missed` knows nothing of.
    pub of_all: bool,
    /// Network namespaces are read that `--netns` has asked for: there `--source auto` takes no kernel
    /// events.
    pub of_netns: bool,
    /// The kernel had more destroy events than room for them: `missed` is a lower bound.
    pub destroy_events_lost: bool,
    /// Readings lost, as far as they can be counted.
    pub lost: u64,
    /// Where the readings came from; `None` before the first.
    pub interface: Option<Interface>,
}

impl Coverage {
    /// Whether every state of every socket was seen that the filters ask for.
    pub(crate) fn has_all(&self) -> bool {
        self.sees_every_change()
            && self.missed == 0
            && self.lost == 0
            && self.undecided == 0
            && !self.others_may_match
    }

    /// Whether a socket can have come and gone without being counted as missed.
    fn is_lower_bound(&self) -> bool {
        let has_events = |source: Interface| source.traits().has_destroy_events;
        self.destroy_events_lost || !self.interface.is_none_or(has_events)
    }

    fn sees_every_change(&self) -> bool {
        self.interface.is_some_and(|source| source.traits().yields_every_change)
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sockets, open, missed, lost, .. } = *self;
        let state = if self.any_state { " in any state" } else { "" };
        let (sockets, open) = (counted(sockets, "socket"), grouped(open as u64));
        write!(f, "seen: {sockets}{state} ({open} still there)")?;
        match (self.undecided, self.others_may_match) {
            (0, false) => {}
            (0, true) => f.write_str("; more may match")?,
            (undecided, others) => {
                let least = if others { "at least " } else { "" };
                write!(f, "; {least}{} more may match", grouped(undecided))?;
            }
        }
        if self.without_owner > 0 {
            let many = grouped(self.without_owner);
            write!(f, "; {many} shown without an owner, which cannot be inspected")?;
        }
        if missed > 0 {
            let least = if self.is_lower_bound() { "at least " } else { "" };
            let whose = if self.of_all { " of any process" } else { "" };
            let number = counted(missed, "socket");
            write!(f, "; {least}{number}{whose} opened and closed by their process between polls")?;
            if !self.sees_every_change() {
                f.write_str(if self.of_netns {
                    " (--source trace, where permitted, sees them)"
                } else {
                    " (--source auto sees them where kernel events are permitted)"
                })?;
            }
        }
        if lost > 0 {
            write!(f, "; {} lost", counted(lost, "sample"))?;
        }
        Ok(())
    }
}

/// `1 socket`, `7,329 sockets`
fn counted(count: u64, thing: &str) -> String {
    format!("{} {thing}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// A number with a comma between thousands.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_match_too_is_no_all_clear() {
        let all = Coverage { interface: Some(Interface::Trace), ..Coverage::default() };
        let says = |coverage: Coverage, words: &str| {
            assert_eq!(coverage.to_string(), format!("seen: 0 sockets (0 still there){words}"));
            assert_eq!(coverage.has_all(), words.is_empty());
        };
        says(all, "");
        says(Coverage { undecided: 2, ..all }, "; 2 more may match");
        says(Coverage { others_may_match: true, ..all }, "; more may match");
        let both = Coverage { undecided: 2000, others_may_match: true, ..all };
        says(both, "; at least 2,000 more may match");
    }

    #[test]
    fn what_was_missed_is_said_with_what_to_do() {
        let mut coverage = Coverage { sockets: 1, open: 1, ..Coverage::default() };
        assert_eq!(coverage.to_string(), "seen: 1 socket (1 still there)");
        let by_state = Coverage { any_state: true, ..coverage };
        assert_eq!(by_state.to_string(), "seen: 1 socket in any state (1 still there)");
        (coverage.sockets, coverage.open, coverage.missed) = (10_400, 2, 7329);
        coverage.interface = Some(Interface::Proc);
        assert_eq!(
            coverage.to_string(),
            "seen: 10,400 sockets (2 still there); at least 7,329 sockets opened and closed by their \
             process between polls (--source auto sees them where kernel events are permitted)"
        );
        let of_netns = Coverage { of_netns: true, ..coverage };
        assert!(of_netns.to_string().ends_with(" (--source trace, where permitted, sees them)"));
        (coverage.missed, coverage.of_all, coverage.lost) = (1, true, 1);
        coverage.interface = Some(Interface::Trace);
        assert_eq!(
            coverage.to_string(),
            "seen: 10,400 sockets (2 still there); 1 socket of any process opened and closed \
             by their process between polls; 1 sample lost"
        );
    }
}
