//! States in which no table shows a socket, or only some views do.

use super::Result;
use crate::cli::Options;
use crate::error::UsageError;
use crate::filter::Filter;
use crate::tcp::state_set::StateSet;

/// Whether sockets are to be shown that are merely bound: where their state is asked for, or a port.
///
/// # Errors
/// Their state is asked for where they are not shown: they have no transitions, and only sock_diag
/// lists them.
pub(super) fn bound(options: &Options, filter: &Filter) -> Result<bool> {
    let is_named = filter.states.as_ref().is_some_and(StateSet::names_bound);
    let are_shown = options.view.view.traits().is_of_one_instant
        && options.source.source.interface().is_some_and(|source| source.traits().shows_bound)
        && options.record.record.is_none()
        && options.view.rules.is_none();
    match (is_named, are_shown) {
        (true, false) => Err(UsageError::Bound("--state")),
        (_, are_shown) => Ok(are_shown && (is_named || !filter.ports.is_empty())),
    }
}

/// Refuses to count sockets in CLOSED alone, which no table shows, so that the answer says nothing, and
/// those in BOUND, which are only shown.
pub(super) fn refuse_uncounted(flag: &'static str, states: &StateSet) -> Result<()> {
    match () {
        () if states.is_closed_alone() => Err(UsageError::CountsClosed(flag)),
        () if states.names_bound() => Err(UsageError::Bound(flag)),
        () => Ok(()),
    }
}
