//! Which rows a source has to yield, by the command and its filters.

use super::Settings;
use crate::filter::Filter;
use crate::model::socket::Family;
use crate::model::wanted::{AddressCondition, WantedRows};
use crate::tcp::state::State;
use crate::tcp::state_set::StateSet;

/// Which rows a command needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum NeededRows {
    /// All, since one socket says something about another.
    #[default]
    All,
    /// The rows of the sockets that are followed, whatever state they are in, and of their peers.
    Followed,
    /// The rows of the sockets that are shown.
    Shown,
}

impl Settings {
    /// The rows to read. A recording holds all sockets, whatever the filter.
    pub(crate) fn wanted_rows(&self) -> WantedRows {
        if self.record.is_some() {
            return WantedRows::default();
        }
        let Filter { family, states, listening, .. } = &self.filter;
        let all = WantedRows {
            other_listeners: *family == Some(Family::Ipv4)
                && self.asks_for_listeners
                && self.filter.shows_state(State::Listen),
            ..WantedRows::of_family(*family)
        };
        match self.needs {
            NeededRows::All => all,
            NeededRows::Followed => {
                let addrs = self.filter.address_condition();
                WantedRows { addrs: AddressCondition::OneOf(vec![addrs.of_peer(), addrs]), ..all }
            }
            NeededRows::Shown if *listening => {
                WantedRows { states: Some(StateSet::of(State::Listen)), ..all }
            }
            NeededRows::Shown => {
                WantedRows { states: states.clone(), addrs: self.filter.address_condition(), ..all }
            }
        }
    }

    /// Whether one poll answers, unless that is repeated as it leaves something open.
    pub(crate) const fn is_one_look(&self) -> bool {
        matches!(self.needs, NeededRows::Shown)
    }

    /// The settings of a command that asks about the sockets that match.
    pub(crate) fn of_question(self) -> Self {
        Self { needs: NeededRows::Followed, ..self }
    }
}
