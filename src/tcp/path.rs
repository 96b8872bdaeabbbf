//! What must, and what may, lie between two states of one socket.

use super::edge::leaving;
use super::state::State;

/// The states between two observed ones that were not seen themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Between {
    /// On every legal way, in the order they are passed.
    pub certain: Vec<State>,
    /// On some legal way but not on all, in the order of the edge table.
    pub possible: Vec<State>,
}

/// What is proven about a life beyond the two states: it strikes ways out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // each a fact of its own
pub struct Proof {
    /// A listener made this socket, so it never was in `SYN_SENT`.
    pub passive: bool,
    /// A listener made the other end, so this one began in `SYN_SENT` and got a SYN+ACK.
    pub active: bool,
    /// The state before was a request socket (`TCP_NEW_SYN_RECV`): its child is `ESTABLISHED`
    /// before it does anything else (`tcp_rcv_state_process()`).
    pub request: bool,
    /// The other end had our FIN: this one sent it before it was gone.
    pub sent_fin: bool,
    /// And it did so before it had the other's, so it never was in `CLOSE_WAIT`.
    pub closed_first: bool,
    /// The other end had our FIN before it sent its own, which acknowledged ours: no `CLOSING`.
    pub uncrossed: bool,
}

impl Proof {
    fn allows(self, from: State, to: State) -> bool {
        let passes = |state| from == state || to == state;
        let skips_established =
            from == State::SynRecv && matches!(to, State::FinWait1 | State::CloseWait);
        let begins_otherwise = from == State::Closed && to != State::SynSent;
        let without_fin = to == State::Closed
            && matches!(
                from,
                State::SynSent | State::SynRecv | State::Established | State::CloseWait
            );
        let struck = self.passive && passes(State::SynSent)
            || self.active && (passes(State::SynRecv) || begins_otherwise)
            || self.request && skips_established
            || self.sent_fin && without_fin
            || self.closed_first && (passes(State::CloseWait) || passes(State::LastAck))
            || self.uncrossed && passes(State::Closing);
        !struck
    }
}

/// What lies between two different states, or `None` where no legal way leads from one to the
/// other. `CLOSED` as `from` is a birth, as `to` a death. A state that no kernel names has
/// unknown edges: everything may have been passed.
pub fn between(from: State, to: State, proof: Proof) -> Option<Between> {
    if matches!(from, State::Unknown(_)) || matches!(to, State::Unknown(_)) {
        return Some(anything_between(from, to));
    }
    let mut ways = Summary::default();
    walk(&mut vec![from], to, proof, &mut |way| ways.add(way));
    ways.between()
}

/// Every legal way from one state to another, as the states that are passed; the shortest first.
pub fn ways(from: State, to: State) -> Vec<Vec<State>> {
    let mut found = Vec::new();
    walk(&mut vec![from], to, Proof::default(), &mut |way| found.push(way.to_vec()));
    found.sort_by_key(Vec::len);
    found
}

/// What lies between two states with others seen on the way, which then are certain.
pub fn between_all(from: State, seen: &[State], to: State, proof: Proof) -> Between {
    let mut all = Between::default();
    let mut here = from;
    for station in seen.iter().chain([&to]) {
        let way = between(here, *station, proof);
        let Between { certain, possible } = way
            // A proof that leaves no way was none.
            .or_else(|| between(here, *station, Proof::default()))
            .unwrap_or_default();
        all.certain.extend(certain);
        all.possible.extend(possible);
        if *station != to {
            all.certain.push(*station);
        }
        here = *station;
    }
    let Between { certain, possible } = &mut all;
    possible.retain(|state| !certain.contains(state));
    possible.sort_unstable();
    possible.dedup();
    all
}

/// Whether one socket may be seen in `from` and later in `to`.
pub fn reachable(from: State, to: State) -> bool {
    // A row in CLOSED is an end, not a step: a life does not go on from there.
    let over = from == State::Closed || to == State::Closed;
    from == to || !over && between(from, to, Proof::default()).is_some()
}

/// The states that every socket now in `state` has passed since its birth.
pub fn certain_since_birth(state: State, proof: Proof) -> Vec<State> {
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

/// Shows every legal way on from the end of a trail, as the states that are passed, depth first. The
/// table has no cycle but through `CLOSED`.
fn walk(trail: &mut Vec<State>, to: State, proof: Proof, show: &mut impl FnMut(&[State])) {
    let here = trail[trail.len() - 1];
    for edge in leaving(here).filter(|edge| proof.allows(edge.from, edge.to)) {
        if edge.to == to {
            show(&trail[1..]);
        } else if edge.to != State::Closed {
            trail.push(edge.to);
            walk(trail, to, proof, show);
            trail.pop();
        }
    }
}

/// What many ways have in common; states are counted by their place in [`State::NAMED`].
#[derive(Default)]
struct Summary {
    ways: u32,
    passed: [u32; State::NAMED.len()],
    first: Vec<State>,
}

impl Summary {
    fn add(&mut self, way: &[State]) {
        if self.ways == 0 {
            self.first.extend(way);
        }
        self.ways += 1;
        for (state, passed) in State::NAMED.iter().zip(&mut self.passed) {
            *passed += u32::from(way.contains(state));
        }
    }

    fn between(mut self) -> Option<Between> {
        let counted = || State::NAMED.into_iter().zip(self.passed);
        let possible = counted().filter(|(_, passed)| (1..self.ways).contains(passed));
        let possible = possible.map(|(state, _)| state).collect();
        self.first.retain(|state| counted().any(|counted| counted == (*state, self.ways)));
        (self.ways > 0).then_some(Between { certain: self.first, possible })
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

    fn told(from: State, to: State, proof: Proof) -> String {
        let names =
            |states: &[State]| states.iter().map(State::to_string).collect::<Vec<_>>().join(" ");
        match between(from, to, proof) {
            Some(b) => format!("[{}] {{{}}}", names(&b.certain), names(&b.possible)),
            None => "no way".to_owned(),
        }
    }

    fn plain(from: State, to: State) -> String {
        told(from, to, Proof::default())
    }

    #[test]
    fn the_pairs_that_people_meet() {
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
        assert_eq!(plain(TimeWait, Established), "no way");
        assert_eq!(plain(Established, SynRecv), "no way");
        assert_eq!(plain(CloseWait, FinWait1), "no way");
        assert_eq!(plain(Listen, Established), "no way");
    }

    #[test]
    fn ways_are_all_that_the_table_has_the_shortest_first() {
        assert_eq!(ways(Established, CloseWait), [vec![]]);
        assert_eq!(ways(SynSent, Established), [vec![], vec![SynRecv]]);
        assert_eq!(
            ways(Established, TimeWait),
            [vec![FinWait1, FinWait2], vec![FinWait1, Closing]]
        );
        assert_eq!(ways(Established, Closed).len(), 8);
        assert_eq!(ways(SynSent, Closed).len(), 25);
        assert!(ways(TimeWait, Established).is_empty());
        assert!(ways(Listen, Listen).is_empty());
    }

    #[test]
    fn beside_a_state_without_a_name_every_other_is_said_once() {
        let way = between_all(SynSent, &[FinWait1], State::Unknown(31), Proof::default());
        assert_eq!(way.certain, [FinWait1]);
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
        assert_eq!(way.possible, rest);
        assert!(!reachable(Closed, Listen), "who is over does not go on");
    }

    #[test]
    fn proof_strikes_ways_out() {
        let passive = Proof { passive: true, ..Proof::default() };
        let request = Proof { request: true, ..passive };
        let active = Proof { active: true, ..Proof::default() };
        let sent = Proof { sent_fin: true, ..Proof::default() };
        let first = Proof { closed_first: true, uncrossed: true, ..sent };
        assert_eq!(told(Closed, Established, active), "[SYN_SENT] {}");
        assert_eq!(told(SynSent, Established, active), "[] {}");
        assert_eq!(told(CloseWait, Closed, sent), "[LAST_ACK] {}");
        assert_eq!(told(Established, Closed, sent), plain(Established, Closed));
        assert_eq!(told(Established, TimeWait, first), "[FIN_WAIT1 FIN_WAIT2] {}");
        assert_eq!(told(Established, Closed, first), "[FIN_WAIT1] {FIN_WAIT2 TIME_WAIT}");
        assert_eq!(told(Closed, Established, passive), "[] {SYN_RECV}");
        assert_eq!(told(SynRecv, FinWait1, passive), "[] {ESTABLISHED}");
        assert_eq!(told(SynRecv, FinWait1, request), "[ESTABLISHED] {}");
        assert_eq!(told(SynRecv, CloseWait, request), "[ESTABLISHED] {}");
    }

    #[test]
    fn a_code_without_a_name_rules_nothing_out() {
        let between = between(Established, State::Unknown(31), Proof::default()).unwrap();
        assert!(between.certain.is_empty());
        assert_eq!(between.possible.len(), 9);
    }

    /// Whether a way exists that keeps clear of one state: an independent check of `certain`.
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
    fn certain_means_on_all_ways_and_possible_on_some_for_every_pair() {
        for from in State::NAMED {
            for to in State::NAMED {
                let told = between(from, to, Proof::default());
                assert_eq!(told.is_some(), avoidable(from, to, None), "{from} {to}");
                let Some(told) = told else { continue };
                for state in State::NAMED.into_iter().filter(|s| ![from, to, Closed].contains(s)) {
                    let on_some = avoidable(from, state, None) && avoidable(state, to, None);
                    let on_all = on_some && !avoidable(from, to, Some(state));
                    assert_eq!(told.certain.contains(&state), on_all, "{from} {to} {state}");
                    assert_eq!(
                        told.possible.contains(&state),
                        on_some && !on_all,
                        "{from} {to} {state}"
                    );
                }
            }
        }
    }
}
