//! Sockets whose owner is not known: how many, told once.

/// Sockets whose owner is not known, until they have been told of.
#[derive(Debug, Default)]
pub(super) struct Unowned {
    /// Not shown, because a filter by process cannot decide.
    hidden: u64,
    /// Of these, such as could belong to a process that may not be read.
    hidden_denied: u64,
    /// Shown, without the owner that may not be read.
    denied: u64,
    told: bool,
}

impl Unowned {
    pub(super) const fn count(&mut self, shown: bool, denied: bool) {
        let denied = denied as u64;
        if shown {
            self.denied += denied;
        } else {
            self.hidden += 1;
            self.hidden_denied += denied;
        }
    }

    /// Counts such as a filter by process cannot decide, because not all may be read.
    pub(super) const fn leave_out(&mut self, sockets: u64) {
        self.hidden += sockets;
        self.hidden_denied += sockets;
    }

    /// Tells once how many sockets are not shown, or are shown without an owner.
    pub(super) fn notice(&mut self) -> Option<String> {
        let count = |n: u64| format!("{n} socket{}", if n == 1 { "" } else { "s" });
        if self.told || self.hidden + self.denied == 0 {
            return None;
        }
        self.told = true;
        Some(match (self.hidden, self.hidden_denied) {
            (0, _) => format!(
                "the owners of {} cannot be told, because not all processes may be read",
                count(self.denied)
            ),
            (hidden, 0) => format!("{} without a known owner not shown", count(hidden)),
            (hidden, denied) => format!(
                "{} without a known owner not shown; {denied} of them could belong to processes \
                 that may not be read",
                count(hidden)
            ),
        })
    }
}
