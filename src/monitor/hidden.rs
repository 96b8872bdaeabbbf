//! Sockets that cannot be shown or counted for certain: their owners are not known, or rows of the
//! tables could not be read.

use super::Monitor;
use super::owners::Owners;
use crate::error::{
    Error, HiddenOwners, Inconclusive, ProcessError, Question, Reason, UnshownBindings,
};
use crate::filter::{Match, ProcessFilter};
use crate::model::counted::counted;
use crate::model::event::{OwnerClues, SocketRef, SocketStatus};
use crate::model::process::{ByInode, Inodes, Process};
use crate::owner::SearchScope;
use crate::owner::table::SearchResult;
use crate::privileges::Remedy;
use crate::tcp::state::State;
use std::collections::HashMap;

/// What a search of all processes says of the owners of sockets, for a filter by process.
struct Holdings {
    /// Whether a holder of a socket matches: the best of them.
    by_inode: ByInode<Match>,
    /// A process that may match may hold any socket of which no holder was found.
    may_hide: bool,
    /// A process that matches may hold any socket, also one that others hold.
    may_share: bool,
    /// Every descriptor of every process was read.
    is_whole: bool,
    /// What to do about it, where it is no matter of permission.
    remedy: Option<Remedy>,
}

impl Holdings {
    fn of(found: &SearchResult, filter: &ProcessFilter) -> Self {
        let processes = found.processes.iter();
        let matches: HashMap<_, _> =
            processes.map(|process| (process.identity(), filter.matches(process))).collect();
        let mut by_inode: ByInode<Match> = ByInode::default();
        for (inode, holder) in &found.holders {
            let Some(matches) = matches.get(&holder.process()) else { continue };
            let best = by_inode.entry(*inode).or_insert(Match::No);
            *best = best.or(*matches);
        }
        let unnamed = found
            .processes
            .iter()
            .filter_map(|process| filter.workload.unnamed(process.workload.as_deref()?));
        let best_of = |processes: &[Process]| {
            let matches = processes.iter().map(|process| filter.matches(process));
            matches.fold(Match::No, Match::or)
        };
        let (denied, unread) = (best_of(&found.denied), best_of(&found.unread));
        let remedy = if unread == Match::No {
            unnamed.min().map(Remedy::WriteId)
        } else {
            Some(Remedy::OwnersByBpf)
        };
        Self {
            by_inode,
            may_hide: denied != Match::No || unread != Match::No || found.hidden,
            may_share: denied == Match::Yes,
            // Where processes are named, nothing is known of others.
            is_whole: found.is_whole() && filter.pids.is_empty(),
            remedy: remedy.filter(|_| denied == Match::No && !found.hidden),
        }
    }

    /// Whether an owner of a socket matches.
    fn matches(&self, clues: &OwnerClues) -> Match {
        let unless =
            |doubt, matches: Match| if doubt { matches.or(Match::Unreadable) } else { matches };
        let holder = |inode| match self.by_inode.get(&inode) {
            Some(matches) => unless(self.may_share, *matches),
            None => unless(self.may_hide, Match::No),
        };
        let found = clues.inodes().map(holder).reduce(Match::or);
        found.unwrap_or_else(|| unless(self.may_hide, Match::No))
    }

    /// Whether no process has a descriptor of a socket that has an inode: it is the kernel's own, as those
    /// of NFS are, its descriptor is on the way from one process to another, or an io_uring without a
    /// descriptor holds it, say.
    fn is_unheld(&self, clues: &OwnerClues) -> bool {
        self.is_whole && clues.inode != 0 && !self.by_inode.contains_key(&clues.inode)
    }
}

/// How often (µs) the owners of sockets that are not shown are determined again before these are
/// reported.
const REVIEW_INTERVAL: u64 = 1_000_000;

/// How many sockets have no known owner.
#[derive(Debug, Default)]
pub(super) struct HiddenSockets {
    /// Not shown, and nobody's.
    hidden: u64,
    /// Of these, such as have no inode: no process holds them, since they are closed or not accepted.
    released: u64,
    /// Not shown, as no owner was found among the processes that match, and permission was denied to
    /// inspect some.
    doubtful: Vec<OwnerClues>,
    /// Shown, but without the owner, which permission is denied to inspect.
    denied: u64,
    /// The boot time (µs) from which on the owners of the doubtful ones are determined again.
    next_review: u64,
    /// How many of those that were reported may match, once they are.
    reported: Option<u64>,
    /// Not shown, as the source does not show whether they match.
    pub(super) unshown: UnshownBindings,
    unshown_reported: bool,
}

impl HiddenSockets {
    /// Counts a socket without a known owner. `denied`: permission to inspect its owner may be
    /// denied.
    pub(super) fn count(&mut self, shown: bool, denied: bool, clues: &OwnerClues) {
        if self.reported.is_some() {
            return;
        }
        match (shown, denied) {
            (true, denied) => self.denied += u64::from(denied),
            (false, true) => self.doubtful.push(clues.clone()),
            // Its listener is known, and what holds that does not match.
            (false, false) if !clues.listeners.is_empty() => {}
            (false, false) => {
                self.hidden += 1;
                self.released += u64::from(clues.inode == 0);
            }
        }
    }

    /// Whether sockets without a known owner may match: such were reported.
    pub(super) fn may_match(&self) -> bool {
        self.reported.is_some_and(|may_match| may_match > 0)
    }

    /// How many sockets are not shown, as the source does not show whether they match; once.
    pub(super) fn unshown_warning(&mut self) -> Option<String> {
        let is_new = self.unshown != UnshownBindings::default() && !self.unshown_reported;
        self.unshown_reported |= is_new;
        is_new.then(|| format!("not shown: {}", self.unshown))
    }

    /// How many sockets are not shown, or are shown without an owner; `None` for none, and once it
    /// has been reported. Inspects all processes, where some of these sockets may be known ones'.
    pub(super) fn warning(&mut self, owners: &mut Owners<'_>) -> Option<String> {
        if self.reported.is_some() || self.next_review > owners.now {
            return None;
        }
        let doubtful = std::mem::take(&mut self.doubtful);
        let (mut hidden_denied, mut other_remedy) = (0, None);
        if !doubtful.is_empty() {
            self.next_review = owners.now + REVIEW_INTERVAL;
            let filter = owners.filter();
            let wanted: Inodes = doubtful.iter().flat_map(OwnerClues::inodes).collect();
            let found = owners.finder.find(SearchScope::All(filter), &wanted);
            let holdings = Holdings::of(&found, filter);
            let may_match = |clues: &&OwnerClues| holdings.matches(clues) != Match::No;
            hidden_denied = doubtful.iter().filter(may_match).count() as u64;
            other_remedy.clone_from(&holdings.remedy);
        }
        let count = |n: u64| format!("{n} socket{}", if n == 1 { "" } else { "s" });
        let hidden = self.hidden + hidden_denied;
        if hidden + self.denied == 0 {
            return None;
        }
        self.reported = Some(hidden_denied);
        Some(match (hidden, hidden_denied) {
            (0, _) => {
                let remedy = owners.finder.remedy();
                format!("cannot inspect the owners of {}; {remedy}", count(self.denied))
            }
            (hidden, 0) if hidden == self.released => {
                format!("{} hidden: held by no process", count(hidden))
            }
            (hidden, 0) => format!("{} hidden: unknown owner", count(hidden)),
            (hidden, denied) => {
                let hidden = count(hidden);
                match other_remedy {
                    Some(remedy) => {
                        format!("{hidden} hidden: {denied} {}; {remedy}", remedy.doubt())
                    }
                    None => format!(
                        "{hidden} hidden: unknown owner ({denied} may match, but cannot be inspected; {})",
                        owners.finder.remedy()
                    ),
                }
            }
        })
    }
}

/// Sockets that pass the other filters and do not match by process, as far as that is known.
#[derive(Debug, Default)]
pub(crate) struct PossibleMatches {
    /// Sockets that may belong to a matching process that cannot be inspected, or that are known only
    /// now to match.
    pub(crate) sockets: Vec<SocketStatus>,
    /// Others, of which no process has a descriptor.
    pub(crate) unheld: Vec<SocketStatus>,
    /// What to do about the former, if it is not a matter of permission.
    pub(crate) remedy: Option<Remedy>,
}

impl UnshownBindings {
    /// Counts a socket.
    pub(super) fn count(&mut self, SocketRef { addrs, binding, .. }: &SocketRef) {
        let is_listener = binding.accepts_ipv4(addrs).is_none();
        *(if is_listener { &mut self.listeners } else { &mut self.bound }) += 1;
    }
}

impl Monitor<'_> {
    /// What to do where processes cannot be inspected.
    pub(crate) fn remedy(&self) -> Remedy {
        self.reporter.owners.finder.remedy()
    }

    /// A process that is asked for and whose sockets cannot be seen, since it is in another network
    /// namespace.
    pub(crate) fn elsewhere(&mut self) -> Option<ProcessError> {
        let filter = &self.reporter.filter.process;
        if filter.is_empty() {
            return None;
        }
        let process = self.reporter.owners.finder.elsewhere(filter)?;
        Some(ProcessError::Elsewhere { pid: process.pid, name: process.name() })
    }

    /// The sockets in states that matter that pass the other filters and may match by process. One with owners that do not
    /// match is none of them, unless a process matches whose descriptors cannot be read; nor is one
    /// that has been closed, which nobody holds.
    ///
    /// This looks into all processes, so it is for the moment when an absence decides.
    pub(crate) fn possible_matches(&mut self, matters: impl Fn(State) -> bool) -> PossibleMatches {
        let filter = &self.reporter.filter.process;
        if filter.is_empty() {
            return PossibleMatches::default();
        }
        let may_match = |now: &SocketStatus| matters(now.state) && self.may_match(now);
        let mut sockets: Vec<SocketStatus> = self.with_wanted_addrs().filter(may_match).collect();
        if sockets.is_empty() {
            return PossibleMatches::default();
        }
        let wanted: Inodes = sockets.iter().flat_map(|now| now.clues.inodes()).collect();
        let owners = &mut self.reporter.owners;
        let found = owners.finder.find_for_certain(SearchScope::All(filter), &wanted);
        let holdings = Holdings::of(&found, filter);
        // What was recorded is not proven by it.
        let proven = if owners.finder.is_recorded() {
            owners.finder.find(SearchScope::All(filter), &wanted)
        } else {
            found
        };
        owners.table.insert(&wanted, proven);
        let matched = self.rematch();
        let unheld = sockets.iter().filter(|now| holdings.is_unheld(&now.clues)).cloned().collect();
        sockets.retain(|now| {
            matched.contains(&now.socket.id) || holdings.matches(&now.clues) != Match::No
        });
        PossibleMatches { sockets, unheld, remedy: holdings.remedy }
    }

    /// The sockets in states that matter that pass the other filters, do not match by process, and may
    /// do so, since not all processes can be inspected that may match.
    pub(crate) fn doubtful(&self, matters: impl Fn(State) -> bool) -> Vec<SocketStatus> {
        if self.reporter.filter.process.is_empty() || !self.reporter.owners.table.was_denied() {
            return Vec::new();
        }
        let may_match = |now: &SocketStatus| matters(now.state) && self.may_match(now);
        self.with_wanted_addrs().filter(may_match).collect()
    }

    /// The sockets in states that matter of which the source does not show whether their addresses match, and
    /// whose owners may match.
    fn unshown(&self, matters: impl Fn(State) -> bool) -> Vec<SocketStatus> {
        let (filter, owners) = (self.reporter.filter, &self.reporter.owners);
        let is_doubtful = |now: &SocketStatus| {
            let SocketRef { addrs, binding, id, .. } = &now.socket;
            matters(now.state)
                && filter.shows(now)
                && filter.may_follow(addrs, binding) == Match::Unreadable
                && (filter.process.is_empty() || {
                    let owner = owners.of(*id, &now.clues);
                    owner.main.is_none()
                        || owner.verdict(&filter.process, now.clues.uid) != Match::No
                })
        };
        self.tracker.statuses().filter(is_doubtful).collect()
    }

    /// How many these are.
    pub(crate) fn unshown_bindings(&self, matters: impl Fn(State) -> bool) -> UnshownBindings {
        let mut unshown = UnshownBindings::default();
        self.unshown(matters).iter().for_each(|now| unshown.count(&now.socket));
        unshown
    }

    fn may_match(&self, now: &SocketStatus) -> bool {
        self.reporter.filter.shows(now) && has_owner(now) && !self.is_matched(now)
    }
}

/// Whether a process can hold a socket, or the listener that has not handed it on: what is left of
/// one that was closed nobody holds.
pub(super) fn has_owner(now: &SocketStatus) -> bool {
    now.clues.inode != 0 || now.clues.last_inode == 0 && may_be_queued(now.state)
}

/// Whether a socket without an inode waits in this state for its listener to accept it.
const fn may_be_queued(state: State) -> bool {
    matches!(state, State::SynRecv | State::Established | State::CloseWait)
}

/// This many polls in a row must leave an answer open before the run gives up: a process that ends
/// during a poll hides its sockets for one or two.
pub(crate) const MAX_INCONCLUSIVE_POLLS: u32 = 5;

/// Why the last poll may not have shown every matching socket.
pub(crate) struct BlindSpots {
    /// What to do where processes cannot be inspected.
    remedy: Remedy,
    /// Sockets that may match by process.
    pub(crate) candidates: PossibleMatches,
    /// A process that is asked for in another network namespace.
    elsewhere: Option<ProcessError>,
    /// Sockets of which the source does not show whether their addresses match.
    unshown: UnshownBindings,
    /// What could not be read of the kernel's tables.
    unread: Option<Reason>,
}

impl BlindSpots {
    /// What the monitor's last poll may not have shown of sockets in states that matter. Inspects all
    /// processes.
    pub(crate) fn of(monitor: &mut Monitor<'_>, matters: impl Fn(State) -> bool) -> Self {
        let mut candidates = monitor.possible_matches(&matters);
        let mut unshown = UnshownBindings::default();
        if candidates.sockets.is_empty() {
            candidates.sockets = monitor.unshown(&matters);
            candidates.sockets.iter().for_each(|now| unshown.count(&now.socket));
        }
        Self {
            remedy: candidates.remedy.clone().unwrap_or_else(|| monitor.remedy()),
            unread: monitor.polls().unread(),
            elsewhere: monitor.elsewhere(),
            candidates,
            unshown,
        }
    }

    /// All was read: what is missing may only be among the candidates.
    pub(crate) const fn only_candidates(&self) -> bool {
        self.unread.is_none() && self.elsewhere.is_none()
    }

    /// The sentence for the sockets that no descriptor leads to.
    pub(crate) fn unheld(&self) -> String {
        let unheld = counted(self.candidates.unheld.len() as u64, "socket");
        format!(
            "no process has a descriptor of {unheld}: the kernel's own, in transfer, or held without one"
        )
    }

    /// The error that `question` cannot be answered.
    pub(crate) fn error(&self, question: Question) -> Error {
        let reason = match &self.elsewhere {
            _ if let Some(unread) = &self.unread => unread.clone(),
            Some(error) => Reason::Elsewhere(error.clone()),
            None if self.unshown != UnshownBindings::default() => {
                Reason::UnshownBindings(self.unshown)
            }
            None => Reason::HiddenOwners(HiddenOwners {
                sockets: self.candidates.sockets.len(),
                remedy: self.remedy.clone(),
            }),
        };
        Inconclusive { question, reason }.into()
    }
}
