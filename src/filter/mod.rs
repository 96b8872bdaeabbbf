//! Which sockets: pure predicates on addresses, states and processes. Different filters must all
//! hold, the values of one are alternatives. A new filter by something that a socket shows is a
//! field of [`Filter`] and of [`Candidate`], and a line in [`Filter::shows`].

pub(crate) mod addr;
pub(crate) mod netns;
pub(crate) mod workload;

use crate::model::binding::{Binding, Device};
use crate::model::event::{SocketRef, SocketStatus, Transition};
use crate::model::process::{Exe, Process};
use crate::model::process_tree::ProcessTree;
use crate::model::socket::{AddressPair, Endpoint, Family};
use crate::model::socket_row::SocketRow;
use crate::model::wanted::{AddressCondition, EndpointPattern};
use crate::tcp::state::State;
use crate::tcp::state_set::StateSet;
use addr::AddrFilter;
use netns::NetnsPattern;
use regex::bytes::Regex;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use workload::WorkloadFilter;

/// Every filter of the command line or of a rule. Empty lists and `None` let everything pass.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// By owner.
    pub process: ProcessFilter,
    /// By state; acts on what is printed, not on what is followed.
    pub states: Option<StateSet>,
    /// By local address and port.
    pub local: Vec<AddrFilter>,
    /// By remote address and port.
    pub remote: Vec<AddrFilter>,
    /// By local or remote port.
    pub ports: Vec<RangeInclusive<u16>>,
    /// By address family.
    pub family: Option<Family>,
    /// Only listeners; like `states`.
    pub listening: bool,
    /// By the network namespace, of a rule: a run reads those that are asked for and no others.
    pub netns: Vec<NetnsPattern>,
}

/// Filters by the process that owns a socket.
#[derive(Debug, Clone, Default)]
pub struct ProcessFilter {
    /// By name, or by command line where `full`.
    pub patterns: Vec<Regex>,
    /// Patterns are matched against the whole command line.
    pub full: bool,
    /// By process id.
    pub pids: Vec<i32>,
    /// By real uid, or by the uid of a socket without an owner.
    pub users: Vec<u32>,
    /// Only members of this tree.
    pub tree: Option<ProcessTree>,
    /// By what the process runs in.
    pub workload: WorkloadFilter,
    /// Records show what processes run in, so that has to be read.
    pub shows_workload: bool,
    /// Rules have filters by process of their own, so every attribute of a process has to be read,
    /// not only what this filter needs.
    pub for_rules: bool,
}

/// Whether a process passes a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// It passes.
    Yes,
    /// It does not pass.
    No,
    /// What decides cannot be read: no permission, or the source does not show it.
    Unreadable,
}

impl Match {
    pub(crate) const fn of(matches: bool) -> Self {
        if matches { Self::Yes } else { Self::No }
    }

    /// That of two conditions which both have to hold.
    const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Unreadable, _) | (_, Self::Unreadable) => Self::Unreadable,
            (Self::Yes, Self::Yes) => Self::Yes,
        }
    }

    /// That of two processes of which one suffices.
    pub(crate) const fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::Unreadable, _) | (_, Self::Unreadable) => Self::Unreadable,
            (Self::No, Self::No) => Self::No,
        }
    }
}

impl ProcessFilter {
    /// Every process passes, and so does a socket without an owner.
    pub const fn is_empty(&self) -> bool {
        !self.needs_owner() && self.users.is_empty()
    }

    /// A socket without an owner cannot pass.
    pub const fn needs_owner(&self) -> bool {
        !(self.patterns.is_empty()
            && self.pids.is_empty()
            && self.tree.is_none()
            && self.workload.is_empty())
    }

    /// Whether a process passes all filters.
    pub fn matches(&self, process: &Process) -> Match {
        self.matches_owner(process, None)
    }

    /// Whether the owner of a socket with this uid passes all filters. The uid counts where that of the
    /// process is not known.
    pub fn matches_owner(&self, process: &Process, socket_uid: Option<u32>) -> Match {
        if !self.pids.is_empty() && !self.pids.contains(&process.pid) {
            return Match::No;
        }
        if self.tree.as_ref().is_some_and(|tree| !tree.contains(process.identity())) {
            return Match::No;
        }
        self.user_matches(process.uid.or(socket_uid))
            .and(self.workload.matches(process.workload.as_deref()))
            .and(self.name_matches(process))
    }

    /// Whether a socket without a known owner passes, by the uid that the kernel shows for it.
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
            let is_nameless = process.cmdline.is_empty() && process.exe == Exe::Denied;
            return match any(&process.full_command()) {
                true => Match::Yes,
                // It may be in what was left out.
                false if is_nameless || process.is_cut() => Match::Unreadable,
                false => Match::No,
            };
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

/// What a filter looks at beside the owner: a socket as a row or an event shows it.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Its addresses and ports.
    pub addrs: &'a AddressPair,
    /// What it is bound to besides its local address.
    pub binding: &'a Binding,
    /// The inode of its network namespace, and what that is called, as far as these are known.
    pub netns: (Option<u64>, Option<&'a str>),
    /// The state that it leaves, where it changes.
    pub from: Option<State>,
    /// The state that it is in, or enters.
    pub state: State,
}

impl<'a> From<&'a SocketRow> for Candidate<'a> {
    fn from(row: &'a SocketRow) -> Self {
        Self {
            addrs: &row.addrs,
            binding: &row.binding,
            netns: (None, None),
            from: None,
            state: row.state,
        }
    }
}

impl<'a> From<&'a SocketStatus> for Candidate<'a> {
    fn from(status: &'a SocketStatus) -> Self {
        let SocketRef { addrs, binding, netns, .. } = &status.socket;
        let netns = (*netns, status.netns_name.as_deref());
        Self { addrs, binding, netns, from: None, state: status.state }
    }
}

impl<'a> From<&'a Transition> for Candidate<'a> {
    fn from(transition: &'a Transition) -> Self {
        let SocketRef { addrs, binding, netns, .. } = &transition.socket;
        let netns = (*netns, transition.netns_name.as_deref());
        Self { addrs, binding, netns, from: transition.from, state: transition.to }
    }
}

impl Filter {
    /// Whether a socket is asked for, whichever process owns it: it is followed, and shown as it is now.
    pub fn matches<'a>(&self, candidate: impl Into<Candidate<'a>>) -> bool {
        let candidate = candidate.into();
        let (inode, name) = candidate.netns;
        let is_in = |pattern: &NetnsPattern| pattern.matches(inode, name);
        (self.netns.is_empty() || self.netns.iter().any(is_in))
            && self.may_follow(candidate.addrs, candidate.binding) == Match::Yes
            && self.shows(candidate)
    }

    /// Whether a socket is known to be followed at all. This is the part of the filter that does not change
    /// during the life of a socket, but for a filter by family where IPV6_ADDRFORM changes that.
    pub fn follows(&self, socket: &SocketRef) -> bool {
        self.may_follow(&socket.addrs, &socket.binding) == Match::Yes
    }

    /// Whether a socket between these addresses is followed. Sources may not show what decides: whether a
    /// listener on `::` accepts IPv4, too, and which interface a socket is bound to.
    pub fn may_follow(&self, addrs: &AddressPair, binding: &Binding) -> Match {
        let as_shown = self.passes(addrs, binding);
        // What accepts IPv4 is as good as a listener of that family.
        let as_ipv4 = || {
            let addr =
                |addr: IpAddr| if addr.is_ipv4() { addr } else { Family::Ipv4.unspecified() };
            let end = |end: Endpoint| Endpoint { addr: addr(end.addr), ..end };
            let (local, remote) = (end(addrs.local), end(addrs.remote));
            self.passes(&AddressPair { family: Family::Ipv4, local, remote, ..*addrs }, binding)
        };
        match binding.accepts_ipv4(addrs) {
            _ if as_shown == Match::Yes => Match::Yes,
            Some(false) => as_shown,
            Some(true) => as_shown.or(as_ipv4()),
            None => as_shown.or(as_ipv4().and(Match::Unreadable)),
        }
    }

    fn passes(&self, addrs: &AddressPair, binding: &Binding) -> Match {
        let is_end = |AddrFilter(end): &AddrFilter, endpoint: &Endpoint| {
            let device = match (end.device, binding.device) {
                (None, _) => Match::Yes,
                (Some(_), Device::Unknown) => Match::Unreadable,
                (Some(wanted), device) => Match::of(device.name() == Some(wanted)),
            };
            Match::of(end.matches(endpoint, addrs.family)).and(device)
        };
        let passes = |filters: &[AddrFilter], endpoint: &Endpoint| {
            let passes = filters.iter().map(|filter| is_end(filter, endpoint));
            passes.reduce(Match::or).unwrap_or(Match::Yes)
        };
        let has_port =
            |endpoint: &Endpoint| self.ports.iter().any(|range| range.contains(&endpoint.port));
        let is_shown = self.family.is_none_or(|family| family == addrs.family)
            && (self.ports.is_empty() || has_port(&addrs.local) || has_port(&addrs.remote));
        Match::of(is_shown)
            .and(passes(&self.local, &addrs.local))
            .and(passes(&self.remote, &addrs.remote))
    }

    /// The condition on its addresses that every socket that is followed fulfils, and no other one of
    /// the family.
    pub fn address_condition(&self) -> AddressCondition {
        let one_of = |filters: &[AddrFilter], of: fn(EndpointPattern) -> AddressCondition| {
            let alternatives = filters.iter().map(|filter| of(filter.0.clone())).collect();
            (!filters.is_empty()).then_some(AddressCondition::OneOf(alternatives))
        };
        let ports = self.ports.iter().flat_map(|ports| {
            let endpoint =
                EndpointPattern { ports: Some(ports.clone()), ..EndpointPattern::default() };
            [AddressCondition::Local(endpoint.clone()), AddressCondition::Remote(endpoint)]
        });
        let ports = (!self.ports.is_empty()).then(|| AddressCondition::OneOf(ports.collect()));
        let local = one_of(&self.local, AddressCondition::Local);
        let conditions =
            local.into_iter().chain(one_of(&self.remote, AddressCondition::Remote)).chain(ports);
        AddressCondition::All(conditions.collect())
    }

    /// Whether a socket that is followed is printed as it is now: the part of the filter that acts
    /// on output alone. A change of state is shown where the state before or the one after is.
    pub fn shows<'a>(&self, candidate: impl Into<Candidate<'a>>) -> bool {
        let Candidate { from, state, .. } = candidate.into();
        self.shows_change(from, state)
    }

    /// Whether a socket that is in this state can be shown.
    pub fn shows_state(&self, state: State) -> bool {
        self.shows_change(None, state)
    }

    fn shows_change(&self, from: Option<State>, to: State) -> bool {
        self.states.as_ref().is_none_or(|set| set.passes(from, to))
            && (!self.listening || from == Some(State::Listen) || to == State::Listen)
    }
}

#[cfg(test)]
mod tests;
