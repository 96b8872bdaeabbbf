//! Sets of states.

use crate::tcp::state::State;

/// A set of states as the kernel masks them: `1 << code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateMask(pub(super) u32);

impl StateMask {
    /// All states that a table shows. CLOSE (7) and `TCP_BOUND_INACTIVE` (13), which it does not,
    /// are sockets that are merely bound.
    pub const ALL: Self = Self(0x1f7e);
    /// Sockets that are merely bound, since Linux 6.8; older kernels know none. Their rows are in CLOSE.
    pub(crate) const BOUND: Self = Self(1 << 13);
    /// No state.
    pub(crate) const NONE: Self = Self(0);
    /// Listeners: the kernel then skips its large table of connections.
    pub const LISTEN: Self = Self(1 << 10);
}

impl StateMask {
    /// These states. A request is in one of its own (`TCP_NEW_SYN_RECV`), which is shown as
    /// SYN_RECV.
    pub(crate) fn of(states: impl IntoIterator<Item = State>) -> Self {
        const NEW_SYN_RECV: u32 = 1 << 12;
        let bit = |state: State| 1_u32.checked_shl(state.code().into()).unwrap_or_default();
        let requests = |state| if state == State::SynRecv { NEW_SYN_RECV } else { 0 };
        let all = states.into_iter().fold(0, |set, state| set | bit(state) | requests(state));
        Self(all & Self::ALL.0)
    }

    /// The states of this set that are not in another one.
    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether it has no state.
    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }
}
