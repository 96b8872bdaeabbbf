//! Which sockets: pure predicates on processes, ends and states. Different filters must all hold,
//! the values of one are alternatives.

pub mod addr;

use crate::model::process::{Exe, Process};
use crate::model::process_tree::ProcessTree;
use crate::model::socket::{AddressPair, Endpoint, Family};
use crate::tcp::state::State;
use crate::tcp::state_set::StateSet;
use addr::AddrFilter;
use regex::bytes::Regex;
use std::ops::RangeInclusive;

/// Everything a user can ask of a socket.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Who owns it.
    pub process: ProcessFilter,
    /// Its states; acts on what is printed alone.
    pub states: Option<StateSet>,
    /// Its local end.
    pub local: Vec<AddrFilter>,
    /// Its remote end.
    pub remote: Vec<AddrFilter>,
    /// A port of either end.
    pub ports: Vec<RangeInclusive<u16>>,
    /// Its family.
    pub family: Option<Family>,
    /// Listeners alone.
    pub listening: bool,
}

/// What is asked of a process that owns a socket.
#[derive(Debug, Clone, Default)]
pub struct ProcessFilter {
    /// Patterns for its name, or for its command line where `full`.
    pub patterns: Vec<Regex>,
    /// Match the command line.
    pub full: bool,
    /// Its id.
    pub pids: Vec<i32>,
    /// Its real user, or that of a socket without an owner.
    pub users: Vec<u32>,
    /// Who started it.
    pub tree: Option<ProcessTree>,
    /// Rules ask for more of a process than this filter does: all is read of it.
    pub for_rules: bool,
}

/// Whether a process satisfies a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// What decides may not be read.
    Unreadable,
}

impl ProcessFilter {
    /// Nothing is asked: every process will do, and so will none.
    pub const fn is_empty(&self) -> bool {
        !self.needs_owner() && self.users.is_empty()
    }

    /// A socket without an owner cannot satisfy it.
    pub const fn needs_owner(&self) -> bool {
        !(self.patterns.is_empty() && self.pids.is_empty() && self.tree.is_none())
    }

    /// Whether a process satisfies all of it.
    pub fn matches(&self, process: &Process) -> Match {
        if !self.pids.is_empty() && !self.pids.contains(&process.pid) {
            return Match::No;
        }
        if self.tree.as_ref().is_some_and(|tree| !tree.contains(process.identity())) {
            return Match::No;
        }
        let user = self.user_matches(process.uid);
        match (user, self.name_matches(process)) {
            (Match::No, _) | (_, Match::No) => Match::No,
            (Match::Yes, name) => name,
            (Match::Unreadable, _) => Match::Unreadable,
        }
    }

    /// Whether a socket that belongs to no known process passes by its own uid.
    pub fn matches_socket_uid(&self, uid: Option<u32>) -> bool {
        !self.needs_owner()
            && (self.users.is_empty() || uid.is_some_and(|uid| self.users.contains(&uid)))
    }

    fn user_matches(&self, uid: Option<u32>) -> Match {
        match uid {
            _ if self.users.is_empty() => Match::Yes,
            Some(uid) if self.users.contains(&uid) => Match::Yes,
            Some(_) => Match::No,
            None => Match::Unreadable,
        }
    }

    fn name_matches(&self, process: &Process) -> Match {
        if self.patterns.is_empty() {
            return Match::Yes;
        }
        let any = |name: &[u8]| self.patterns.iter().any(|pattern| pattern.is_match(name));
        if self.full {
            return if any(&process.full_command()) { Match::Yes } else { Match::No };
        }
        let argv0 = process.argv0();
        if any(&process.comm) || !argv0.is_empty() && any(argv0) {
            return Match::Yes;
        }
        match &process.exe {
            Exe::Name(name) if any(name) => Match::Yes,
            Exe::Denied => Match::Unreadable,
            _ => Match::No,
        }
    }
}

impl Filter {
    /// Whether a socket with these ends is wanted.
    pub fn wants_addrs(&self, addrs: &AddressPair) -> bool {
        let end_passes = |filters: &[AddrFilter], end: &Endpoint| {
            filters.is_empty() || filters.iter().any(|filter| filter.matches(end, addrs.family))
        };
        let has_port = |end: &Endpoint| self.ports.iter().any(|range| range.contains(&end.port));
        self.family.is_none_or(|family| family == addrs.family)
            && end_passes(&self.local, &addrs.local)
            && end_passes(&self.remote, &addrs.remote)
            && (self.ports.is_empty() || has_port(&addrs.local) || has_port(&addrs.remote))
    }

    /// Whether a socket in this state is wanted.
    pub fn wants_state(&self, state: State) -> bool {
        self.states.as_ref().is_none_or(|set| set.contains(state))
            && (!self.listening || state == State::Listen)
    }

    /// Whether a change is wanted.
    pub fn wants_change(&self, from: Option<State>, to: State) -> bool {
        self.states.as_ref().is_none_or(|set| set.passes(from, to))
            && (!self.listening || from == Some(State::Listen) || to == State::Listen)
    }
}

#[cfg(test)]
mod tests;
