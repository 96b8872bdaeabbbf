//! Numbers of sockets of which only bounds are known, and answers with three values: yes, no, and
//! `None` where it depends on sockets that may or may not be there.

use std::ops::Add;

/// Bounds of a number of sockets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// Sockets that are there and match.
    pub(crate) certain: u64,
    /// Further sockets, which may be gone or may not match.
    pub(crate) possible: u64,
}

impl Count {
    /// The upper bound.
    pub(crate) const fn most(self) -> u64 {
        self.certain + self.possible
    }

    /// Whether there are at least `n`.
    pub(crate) const fn at_least(self, n: u64) -> Option<bool> {
        if self.certain >= n {
            Some(true)
        } else if self.most() < n {
            Some(false)
        } else {
            None
        }
    }

    /// This count of sockets of which it is not certain that they match.
    #[must_use]
    pub(crate) const fn as_possible(self) -> Self {
        Self { certain: 0, possible: self.most() }
    }
}

impl Add for Count {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self { certain: self.certain + more.certain, possible: self.possible + more.possible }
    }
}

/// The opposite of an answer.
pub(crate) const fn not(known: Option<bool>) -> Option<bool> {
    match known {
        Some(known) => Some(!known),
        None => None,
    }
}

/// Whether both hold: one that does not decides, whatever is not known of the other.
pub(crate) const fn both(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}
