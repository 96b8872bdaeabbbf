//! The states that a socket must, or may, have passed between two observed ones.

use super::edge::leaving;
use super::state::State;
use foldhash::fast::RandomState;
use std::cell::RefCell;
use std::collections::HashMap;

/// The states between two observed ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Between {
    /// Those on every legal path, in the order in which they are passed.
    pub certain: Vec<State>,
    /// Those on some legal path but not on all, in the order of [`State::NAMED`].
    pub possible: Vec<State>,
}

/// What is proven of a socket besides the two states: it rules paths out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[allow(clippy::struct_excessive_bools)] // each a fact of its own
pub struct Proof {
    /// A listener made the socket, so it never was in `SYN_SENT`.
    pub passive: bool,
    /// A listener made the other end, so this one started in `SYN_SENT` and received a SYN+ACK.
    pub active: bool,
    /// The state before was a request socket (`TCP_NEW_SYN_RECV`): its child is `ESTABLISHED`
    /// before it does anything else (`tcp_rcv_state_process()`).
    pub request: bool,
    /// The other end received our FIN: this one sent it before it closed.
    pub sent_fin: bool,
    /// And it did so before it received the other's, so it never was in `CLOSE_WAIT`.
    pub closed_first: bool,
    /// The other end received our FIN before it sent its own, which acknowledged ours: no `CLOSING`.
    pub uncrossed: bool,
}

impl Proof {
    fn allows(self, from: State, to: State) -> bool {
        let passes = |state| from == state || to == state;
        let skips_established =
            from == State::SynRecv && matches!(to, State::FinWait1 | State::CloseWait);
        let starts_otherwise = from == State::Closed && to != State::SynSent;
        let without_fin = to == State::Closed
            && matches!(
                from,
                State::SynSent | State::SynRecv | State::Established | State::CloseWait
            );
        let ruled_out = self.passive && passes(State::SynSent)
            || self.active && (passes(State::SynRecv) || starts_otherwise)
            || self.request && skips_established
            || self.sent_fin && without_fin
            || self.closed_first && (passes(State::CloseWait) || passes(State::LastAck))
            || self.uncrossed && passes(State::Closing);
        !ruled_out
    }
}

/// What lies between two different states; `None` where no legal path leads from one to the other.
/// `CLOSED` as `from` stands for the socket's creation, as `to` for its end. A state that no kernel
/// names has unknown edges: every state may have been passed.
pub fn between(from: State, to: State, proof: Proof) -> Option<Between> {
    if matches!(from, State::Unknown(_)) || matches!(to, State::Unknown(_)) {
        return Some(anything_between(from, to));
    }
    FOUND.with_borrow_mut(|found| {
        let found = found.entry((from, to, proof)).or_insert_with(|| search(from, to, proof));
        found.clone()
    })
}

thread_local! {
    /// What [`between`] has found: every transition asks for it, and it is always the same.
    static FOUND: RefCell<HashMap<Question, Option<Between>, RandomState>> = RefCell::default();
}

/// From where, to where, and what rules paths out.
type Question = (State, State, Proof);

fn search(from: State, to: State, proof: Proof) -> Option<Between> {
    let mut paths = PathCounts::default();
    walk(&mut vec![from], to, proof, &mut |path| paths.add(path));
    paths.between()
}

/// Every legal path from one state to another, as the states that are passed; the shortest first.
pub(crate) fn paths(from: State, to: State) -> Vec<Vec<State>> {
    let mut found = Vec::new();
    walk(&mut vec![from], to, Proof::default(), &mut |path| found.push(path.to_vec()));
    found.sort_by_key(Vec::len);
    found
}

/// What lies between two states with others observed on the way, which then are certain.
pub(crate) fn between_all(from: State, observed: &[State], to: State, proof: Proof) -> Between {
    let mut all = Between::default();
    let mut here = from;
    for next in observed.iter().chain([&to]) {
        let Between { certain, possible } = between(here, *next, proof)
            // A proof that rules every path out was none.
            .or_else(|| between(here, *next, Proof::default()))
            .unwrap_or_default();
        all.certain.extend(certain);
        all.possible.extend(possible);
        if *next != to {
            all.certain.push(*next);
        }
        here = *next;
    }
    let Between { certain, possible } = &mut all;
    possible.retain(|state| !certain.contains(state));
    possible.sort_unstable();
    possible.dedup();
    all
}

/// Whether one socket can be observed in `from` and later in `to`.
pub(crate) fn reachable(from: State, to: State) -> bool {
    // A row in CLOSED is the end of a socket.
    let is_end = from == State::Closed || to == State::Closed;
    from == to || !is_end && between(from, to, Proof::default()).is_some()
}

/// The states that every socket now in `state` has passed since its creation.
pub(crate) fn certain_since_birth(state: State, proof: Proof) -> Vec<State> {
    match state {
        State::Closed => Vec::new(),
        _ => between(State::Closed, state, proof).unwrap_or_default().certain,
    }
}

fn anything_between(from: State, to: State) -> Between {
    let possible = State::NAMED
        .into_iter()
        .filter(|state| *state != from && *state != to && *state != State::Closed)
        .collect();
    Between { certain: Vec::new(), possible }
}

/// Calls `visit` with every legal path from the end of `trail` to `to`, as the states that are passed,
/// depth first. The table of edges has no cycle but through `CLOSED`.
fn walk(trail: &mut Vec<State>, to: State, proof: Proof, visit: &mut impl FnMut(&[State])) {
    let here = trail[trail.len() - 1];
    for edge in leaving(here).filter(|edge| proof.allows(edge.from, edge.to)) {
        if edge.to == to {
            visit(&trail[1..]);
        } else if edge.to != State::Closed {
            trail.push(edge.to);
            walk(trail, to, proof, visit);
            trail.pop();
        }
    }
}

/// How many paths there are, and how many of them pass each state.
#[derive(Default)]
struct PathCounts {
    paths: u32,
    /// By the place of the state in [`State::NAMED`].
    passing: [u32; State::NAMED.len()],
    first: Vec<State>,
}

impl PathCounts {
    fn add(&mut self, path: &[State]) {
        if self.paths == 0 {
            self.first.extend(path);
        }
        self.paths += 1;
        for (state, passing) in State::NAMED.iter().zip(&mut self.passing) {
            *passing += u32::from(path.contains(state));
        }
    }

    /// `None` if there is no path.
    fn between(self) -> Option<Between> {
        let Self { paths, passing, first } = self;
        let count = |state| {
            let mut counts = State::NAMED.into_iter().zip(passing);
            counts.find(|(named, _)| *named == state).map_or(0, |(_, count)| count)
        };
        // What is on every path is on the first one.
        let certain = first.into_iter().filter(|state| count(*state) == paths).collect();
        let possible = State::NAMED.into_iter().filter(|state| (1..paths).contains(&count(*state)));
        let possible = possible.collect();
        (paths > 0).then_some(Between { certain, possible })
    }
}

#[cfg(test)]
mod tests {
    use super::super::edge::EDGES;
    use super::*;
    use State::{
        CloseWait, Closed, Closing, Established, FinWait1, FinWait2, LastAck, Listen, SynRecv,
        SynSent, TimeWait,
    };

    fn proven(from: State, to: State, proof: Proof) -> String {
        let names =
            |states: &[State]| states.iter().map(State::to_string).collect::<Vec<_>>().join(" ");
        match between(from, to, proof) {
            Some(b) => format!("[{}] {{{}}}", names(&b.certain), names(&b.possible)),
            None => "no path".to_owned(),
        }
    }

    fn plain(from: State, to: State) -> String {
        proven(from, to, Proof::default())
    }

    #[test]
    fn usual_pairs_have_known_states_between() {
        assert_eq!(plain(Closed, Established), "[] {SYN_SENT SYN_RECV}");
        assert_eq!(plain(Established, FinWait2), "[FIN_WAIT1] {}");
        assert_eq!(plain(Established, TimeWait), "[FIN_WAIT1] {FIN_WAIT2 CLOSING}");
        assert_eq!(plain(FinWait1, TimeWait), "[] {FIN_WAIT2 CLOSING}");
        assert_eq!(plain(Established, LastAck), "[CLOSE_WAIT] {}");
        assert_eq!(
            plain(Established, Closed),
            "[] {CLOSE_WAIT LAST_ACK FIN_WAIT1 FIN_WAIT2 CLOSING TIME_WAIT}"
        );
        assert_eq!(
            plain(Closed, TimeWait),
            "[FIN_WAIT1] {SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT2 CLOSING}"
        );
        assert_eq!(plain(Closing, TimeWait), "[] {}");
        assert_eq!(plain(SynSent, Established), "[] {SYN_RECV}");
        assert_eq!(plain(TimeWait, Established), "no path");
        assert_eq!(plain(Established, SynRecv), "no path");
        assert_eq!(plain(CloseWait, FinWait1), "no path");
        assert_eq!(plain(Listen, Established), "no path");
    }

    #[test]
    fn paths_are_sorted_by_length() {
        assert_eq!(paths(Established, CloseWait), [vec![]]);
        assert_eq!(paths(SynSent, Established), [vec![], vec![SynRecv]]);
        assert_eq!(
            paths(Established, TimeWait),
            [vec![FinWait1, FinWait2], vec![FinWait1, Closing]]
        );
        assert_eq!(paths(Established, Closed).len(), 8);
        assert_eq!(paths(SynSent, Closed).len(), 25);
        assert!(paths(TimeWait, Established).is_empty());
        assert!(paths(Listen, Listen).is_empty());
    }

    #[test]
    fn next_to_an_unknown_state_all_others_are_possible_once() {
        let between = between_all(SynSent, &[FinWait1], State::Unknown(31), Proof::default());
        assert_eq!(between.certain, [FinWait1]);
        let rest = [
            Listen,
            SynSent,
            SynRecv,
            Established,
            CloseWait,
            LastAck,
            FinWait2,
            Closing,
            TimeWait,
        ];
        assert_eq!(between.possible, rest);
        assert!(!reachable(Closed, Listen), "a closed socket stays closed");
    }

    #[test]
    fn proof_rules_paths_out() {
        let passive = Proof { passive: true, ..Proof::default() };
        let request = Proof { request: true, ..passive };
        let active = Proof { active: true, ..Proof::default() };
        let sent = Proof { sent_fin: true, ..Proof::default() };
        let first = Proof { closed_first: true, uncrossed: true, ..sent };
        assert_eq!(proven(Closed, Established, active), "[SYN_SENT] {}");
        assert_eq!(proven(SynSent, Established, active), "[] {}");
        assert_eq!(proven(CloseWait, Closed, sent), "[LAST_ACK] {}");
        assert_eq!(proven(Established, Closed, sent), plain(Established, Closed));
        assert_eq!(proven(Established, TimeWait, first), "[FIN_WAIT1 FIN_WAIT2] {}");
        assert_eq!(proven(Established, Closed, first), "[FIN_WAIT1] {FIN_WAIT2 TIME_WAIT}");
        assert_eq!(proven(Closed, Established, passive), "[] {SYN_RECV}");
        assert_eq!(proven(SynRecv, FinWait1, passive), "[] {ESTABLISHED}");
        assert_eq!(proven(SynRecv, FinWait1, request), "[ESTABLISHED] {}");
        assert_eq!(proven(SynRecv, CloseWait, request), "[ESTABLISHED] {}");
    }

    #[test]
    fn an_unknown_state_rules_nothing_out() {
        let between = between(Established, State::Unknown(31), Proof::default()).unwrap();
        assert!(between.certain.is_empty());
        assert_eq!(between.possible.len(), 9);
    }

    /// Whether a path exists that avoids one state: an independent check of `certain`.
    fn avoidable(from: State, to: State, without: Option<State>) -> bool {
        let mut reached = vec![from];
        let mut i = 0;
        while i < reached.len() {
            let here = reached[i];
            for edge in EDGES.iter().filter(|edge| edge.from == here) {
                if edge.to == to {
                    return true;
                }
                let dead_end = edge.to == Closed || Some(edge.to) == without;
                if !dead_end && !reached.contains(&edge.to) {
                    reached.push(edge.to);
                }
            }
            i += 1;
        }
        false
    }

    #[test]
    fn certain_is_on_all_paths_and_possible_on_some() {
        for from in State::NAMED {
            for to in State::NAMED {
                let between = between(from, to, Proof::default());
                assert_eq!(between.is_some(), avoidable(from, to, None), "{from} {to}");
                let Some(between) = between else { continue };
                for state in State::NAMED.into_iter().filter(|s| ![from, to, Closed].contains(s)) {
                    let on_some = avoidable(from, state, None) && avoidable(state, to, None);
                    let on_all = on_some && !avoidable(from, to, Some(state));
                    assert_eq!(between.certain.contains(&state), on_all, "{from} {to} {state}");
                    assert_eq!(
                        between.possible.contains(&state),
                        on_some && !on_all,
                        "{from} {to} {state}"
                    );
                }
            }
        }
    }
}
