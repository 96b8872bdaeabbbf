//! The sockets that a run wants, as the kernel is asked for them. It reads nothing itself.

use super::bytecode::program;
use super::wire::StateMask;
use crate::model::socket::Family;
use crate::model::wanted::WantedRows;
use crate::tcp::state::State;

/// Which sockets are dumped, as the kernel is asked for them.
#[derive(Debug, Clone)]
pub(crate) struct ChosenRows {
    /// `None` for both.
    pub(super) family: Option<Family>,
    /// The listeners of the other family are dumped, too.
    pub(super) other_listeners: bool,
    states: StateMask,
    program: Vec<u8>,
}

impl ChosenRows {
    /// The wanted rows, and all listeners.
    pub(crate) fn new(wanted: &WantedRows) -> Self {
        let states = match &wanted.states {
            None => StateMask::ALL,
            Some(states) => {
                StateMask::of(State::NAMED.into_iter().filter(|state| states.contains(*state)))
            }
        };
        let WantedRows { family, other_listeners, .. } = *wanted;
        Self { family, other_listeners, states, program: program(&wanted.addrs) }
    }

    /// The program, without which more sockets would come.
    pub(crate) fn program(&self) -> &[u8] {
        &self.program
    }

    /// The dumps to make, in the order of the kernel's tables, which has listeners first: they are
    /// not chosen by the program. One dump where it chooses nothing.
    pub(super) fn parts(&self) -> impl Iterator<Item = (StateMask, &[u8])> {
        let others = self.states.without(StateMask::LISTEN);
        let parts = if self.program.is_empty() && self.states == StateMask::ALL {
            [(self.states, &[][..]), (StateMask::NONE, &[])]
        } else {
            [(StateMask::LISTEN, &[][..]), (others, &self.program)]
        };
        parts.into_iter().filter(|(states, _)| !states.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::wanted::{AddressCondition, EndpointPattern};

    #[test]
    fn the_kernel_is_asked_for_wanted_rows_and_listeners() {
        let parts = |wanted: &WantedRows| {
            let chosen = ChosenRows::new(wanted);
            chosen.parts().map(|(states, program)| (states, program.to_vec())).collect::<Vec<_>>()
        };
        let all = WantedRows::default();
        assert_eq!(parts(&all), [(StateMask::ALL, vec![])]);
        let waiting = Some("CLOSE_WAIT".parse().unwrap());
        let waiting = WantedRows { states: waiting, ..WantedRows::default() };
        let close_wait = StateMask::of([State::CloseWait]);
        assert_eq!(parts(&waiting), [(StateMask::LISTEN, vec![]), (close_wait, vec![])]);
        let addrs = AddressCondition::Local(EndpointPattern {
            ports: Some(80..=80),
            ..EndpointPattern::default()
        });
        let chosen = program(&addrs);
        assert!(!chosen.is_empty());
        let others = StateMask::ALL.without(StateMask::LISTEN);
        let on_port = WantedRows { addrs, ..WantedRows::default() };
        assert_eq!(parts(&on_port), [(StateMask::LISTEN, vec![]), (others, chosen)]);
    }
}
