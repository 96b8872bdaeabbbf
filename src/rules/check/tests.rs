use super::*;
use crate::model::binding::Binding;
use crate::model::event::{HeldFrom, Listeners, OwnerClues, SocketRef};
use crate::model::process::OwnerSource;
use crate::model::socket::{AddressPair, Endpoint, Family};
use crate::model::socket_row::Details;
use crate::tcp::state::State;
use crate::tcp::state_set::StateSet;

/// A socket by its number, in a state since a second.
pub(crate) fn socket(number: u64, state: State, since: u64) -> SocketStatus {
    let end = Endpoint { addr: Family::Ipv4.unspecified(), port: 80 };
    SocketStatus {
        socket: SocketRef {
            id: SocketId { run: 1, number },
            netns: None,
            addrs: AddressPair::new(Family::Ipv4, end, end),
            binding: Binding::default(),
        },
        state,
        since: at(since),
        held_from: HeldFrom::Observed,
        held_at_least: since == 0,
        missed_by_last_poll: false,
        row: 0,
        withheld: false,
        clues: OwnerClues {
            inode: number,
            last_inode: number,
            listeners: Listeners::default(),
            uid: None,
        },
        details: Details::NONE,
        netns_name: None,
    }
}

pub(crate) fn at(second: u64) -> Stamp {
    Stamp { wall: 0, boot: second * 1_000_000 }
}

fn limits(states: &str, limit: impl Fn(&str, StateSet) -> Limit) -> Limits {
    Limits(vec![limit(states, states.parse().unwrap())])
}

fn stuck(states: &str, seconds: u64) -> Limits {
    limits(states, |text, set| Limit::stuck(text, set, Duration::from_secs(seconds)))
}

fn most(states: &str, count: u64) -> Limits {
    limits(states, |text, set| Limit::max(text, set, count))
}

fn growing(states: &str) -> Limits {
    limits(states, Limit::growing)
}

/// The violations after polls a second apart, with the seconds that each was in its state, and the
/// sentences.
fn checked(limits: &Limits, polls: &[Vec<SocketStatus>]) -> (Vec<(u64, u64)>, Vec<String>) {
    let mut checker = Checker::new(limits);
    let (mut now, mut last) = (at(0), &Vec::new());
    for (second, sockets) in (0..).zip(polls) {
        (now, last) = (at(second), sockets);
        checker.apply_poll(now, sockets, &mut |_| no_owner());
    }
    let violations = checker.violations(now, last, &mut |_| no_owner());
    let sockets = violations.iter().map(|Violation { socket, at, .. }| {
        (socket.socket.id.number, at.since(socket.since).as_secs())
    });
    (sockets.collect(), checker.sentences(now, last, true))
}

pub(crate) fn no_owner() -> Attribution {
    Attribution { main: None, holders: Vec::new(), source: OwnerSource::Unknown }
}

const HALF: State = State::CloseWait;

#[test]
fn a_socket_is_stuck_after_the_age() {
    let poll = || vec![socket(1, HALF, 0), socket(2, HALF, 2), socket(3, State::Listen, 0)];
    let polls: Vec<_> = (0..5).map(|_| poll()).collect();
    let (violations, sentences) = checked(&stuck("CLOSE_WAIT", 3), &polls);
    assert_eq!(violations, [(1, 4)]);
    let sentence = "1 socket in CLOSE_WAIT for 3s or longer; 1 more for less, or for an unknown time \
                    (--for 3s watches them, too)";
    assert_eq!(sentences, [sentence]);
    assert_eq!(checked(&stuck("CLOSE_WAIT", 5), &polls).0, []);
}

#[test]
fn the_longest_in_its_state_comes_first() {
    let polls = vec![vec![socket(1, HALF, 3), socket(2, HALF, 1), socket(3, HALF, 2)]; 9];
    assert_eq!(checked(&stuck("CLOSE_WAIT", 1), &polls).0, [(2, 7), (3, 6), (1, 5)]);
}

#[test]
fn a_socket_that_was_stuck_remains_a_violation() {
    let stay = || vec![socket(1, HALF, 0)];
    let polls = [stay(), stay(), stay(), vec![], vec![]];
    assert_eq!(checked(&stuck("CLOSE_WAIT", 2), &polls).0, [(1, 2)]);
}

#[test]
fn a_missed_socket_violates_nothing() {
    let missed = SocketStatus { missed_by_last_poll: true, ..socket(1, HALF, 0) };
    let polls = [vec![socket(1, HALF, 0)], vec![missed.clone()], vec![missed]];
    assert_eq!(checked(&stuck("CLOSE_WAIT", 2), &polls).0, []);
    assert_eq!(checked(&most("CLOSE_WAIT", 0), &polls[1..]).0, []);
}

#[test]
fn more_than_allowed_are_all_violations() {
    let two = || vec![socket(1, HALF, 0), socket(2, HALF, 1)];
    let (violations, sentences) = checked(&most("CLOSE_WAIT,FIN_WAIT2", 1), &[two(), two()]);
    assert_eq!(violations, [(1, 1), (2, 0)]);
    assert_eq!(sentences, ["2 sockets in CLOSE_WAIT,FIN_WAIT2, more than 1"]);
    assert_eq!(checked(&most("CLOSE_WAIT", 2), &[two(), two()]), (vec![], vec![]));
    let (violations, sentences) = checked(&most("CLOSE_WAIT", 1), &[two(), vec![]]);
    assert_eq!(violations, [(1, 0), (2, 0)], "also where they are fewer again");
    assert_eq!(sentences.len(), 1);
}

#[test]
fn growth_is_measured_from_the_second_poll() {
    let grown = |counts: &[u64]| {
        let polls: Vec<Vec<SocketStatus>> = counts
            .iter()
            .map(|count| (1..=*count).map(|number| socket(number, HALF, 0)).collect())
            .collect();
        let (violations, sentences) = checked(&growing("CLOSE_WAIT"), &polls);
        assert_eq!(violations.is_empty(), sentences.is_empty(), "{counts:?}");
        sentences.first().cloned()
    };
    assert_eq!(grown(&[2, 2, 3]).unwrap(), "sockets in CLOSE_WAIT grew from 2 to 3");
    assert_eq!(grown(&[2, 2, 5, 3]).unwrap(), "sockets in CLOSE_WAIT grew from 2 to 3");
    assert_eq!(grown(&[2, 2, 1, 3]), None, "fewer in between");
    assert_eq!(grown(&[2, 2, 4, 2]), None, "as many as at the start");
    assert_eq!(grown(&[2, 3]), None, "the first poll may have missed one");
}

#[test]
fn sockets_that_may_violate_leave_it_undecided() {
    let undecided = |limits: &Limits, polls: u64, sockets: &[_], candidates: &[_]| {
        let mut checker = Checker::new(limits);
        for poll in 0..polls {
            checker.apply_poll(at(poll), sockets, &mut |_| no_owner());
        }
        checker.undecided(at(polls - 1), sockets, candidates)
    };
    let (old, new) = ([socket(1, HALF, 0)], [socket(2, HALF, 2)]);
    let three = stuck("CLOSE_WAIT", 3);
    assert_eq!(undecided(&three, 1, &[], &[]), Some(Undecided::TooFewPolls));
    assert_eq!(undecided(&three, 3, &[], &[]), None);
    assert_eq!(
        undecided(&three, 3, &old, &[]),
        Some(Undecided::UnknownAge),
        "for two seconds, or longer"
    );
    assert_eq!(undecided(&three, 3, &new, &[]), None, "it is known to be new");
    assert_eq!(undecided(&three, 5, &[], &old), Some(Undecided::Candidates));
    assert_eq!(undecided(&three, 5, &[], &new), None, "even if it matches, it is not stuck");
    assert_eq!(undecided(&most("CLOSE_WAIT", 1), 2, &old, &new), Some(Undecided::Candidates));
    assert_eq!(undecided(&most("CLOSE_WAIT", 2), 2, &old, &new), None);
    assert_eq!(undecided(&growing("CLOSE_WAIT"), 2, &old, &new), Some(Undecided::Candidates));
    assert_eq!(undecided(&growing("LISTEN"), 2, &old, &new), None);
}
