use super::*;
use crate::model::event::{OwnerClues, SocketRef};
use crate::model::process::OwnerSource;
use crate::model::socket::{AddressPair, Endpoint, Family};
use crate::model::socket_row::Details;

/// A socket by its number, in a state since a second.
pub(crate) fn socket(number: u64, state: State, since: u64) -> SocketStatus {
    let end = Endpoint { addr: Family::Ipv4.unspecified(), port: 80 };
    SocketStatus {
        socket: SocketRef {
            id: SocketId { run: 1, number },
            netns: None,
            addrs: AddressPair { family: Family::Ipv4, local: end, remote: end },
        },
        state,
        since: at(since),
        held_at_least: since == 0,
        missed: false,
        row: 0,
        withheld: false,
        clues: OwnerClues { inode: number, last_inode: number, listener: 0, uid: None },
        details: Details::NONE,
    }
}

pub(crate) fn at(second: u64) -> Stamp {
    Stamp { wall: 0, boot: second * 1_000_000 }
}

fn limit<T>(states: &str, allowed: T) -> Limit<T> {
    Limit { states: states.parse().unwrap(), allowed, text: states.to_owned() }
}

fn stuck(states: &str, seconds: u64) -> Limits {
    Limits { stuck: vec![limit(states, Duration::from_secs(seconds))], ..Limits::default() }
}

fn most(states: &str, count: u64) -> Limits {
    Limits { most: vec![limit(states, count)], ..Limits::default() }
}

fn growing(states: &str) -> Limits {
    Limits { growing: vec![limit(states, ())], ..Limits::default() }
}

/// The offenders of looks a second apart, with the seconds each has been in its state, what is
/// charged and what is open.
fn judged(limits: &Limits, looks: &[Vec<SocketStatus>]) -> (Vec<(u64, u64)>, Vec<String>) {
    let mut judge = Checker::new(limits);
    let (mut now, mut last) = (at(0), &Vec::new());
    for (second, sockets) in (0..).zip(looks) {
        (now, last) = (at(second), sockets);
        judge.look(now, sockets, &mut |_| nobody());
    }
    let offenders = judge.offenders(now, last, &mut |_| nobody());
    let told = offenders.iter().map(|Violation { socket, at, .. }| {
        (socket.socket.id.number, at.since(socket.since).as_secs())
    });
    (told.collect(), judge.charges(last))
}

fn nobody() -> Attribution {
    Attribution { main: None, holders: Vec::new(), source: OwnerSource::Unknown }
}

const HALF: State = State::CloseWait;

#[test]
fn a_socket_is_stuck_once_it_was_watched_for_long_enough() {
    let look = || vec![socket(1, HALF, 0), socket(2, HALF, 2), socket(3, State::Listen, 0)];
    let looks: Vec<_> = (0..5).map(|_| look()).collect();
    let (offenders, charges) = judged(&stuck("CLOSE_WAIT", 3), &looks);
    assert_eq!(offenders, [(1, 4)]);
    assert_eq!(charges, ["1 socket in CLOSE_WAIT for 3s or longer"]);
    assert_eq!(judged(&stuck("CLOSE_WAIT", 5), &looks).0, []);
}

#[test]
fn the_longest_in_its_state_is_the_worst() {
    let looks = vec![vec![socket(1, HALF, 3), socket(2, HALF, 1), socket(3, HALF, 2)]; 9];
    assert_eq!(judged(&stuck("CLOSE_WAIT", 1), &looks).0, [(2, 7), (3, 6), (1, 5)]);
}

#[test]
fn who_was_stuck_and_got_free_offends_as_it_was_when_it_began_to() {
    let stay = || vec![socket(1, HALF, 0)];
    let looks = [stay(), stay(), stay(), vec![], vec![]];
    assert_eq!(judged(&stuck("CLOSE_WAIT", 2), &looks).0, [(1, 2)]);
}

#[test]
fn a_look_that_misses_a_socket_proves_no_further_stay() {
    let missed = SocketStatus { missed: true, ..socket(1, HALF, 0) };
    let looks = [vec![socket(1, HALF, 0)], vec![missed], vec![missed]];
    assert_eq!(judged(&stuck("CLOSE_WAIT", 2), &looks).0, []);
    assert_eq!(judged(&most("CLOSE_WAIT", 0), &looks[1..]).0, []);
}

#[test]
fn all_offend_where_there_were_more_than_allowed() {
    let two = || vec![socket(1, HALF, 0), socket(2, HALF, 1)];
    let (offenders, charges) = judged(&most("CLOSE_WAIT,FIN_WAIT2", 1), &[two(), two()]);
    assert_eq!(offenders, [(1, 1), (2, 0)]);
    assert_eq!(charges, ["2 sockets in CLOSE_WAIT,FIN_WAIT2, more than 1"]);
    assert_eq!(judged(&most("CLOSE_WAIT", 2), &[two(), two()]), (vec![], vec![]));
    let (offenders, charges) = judged(&most("CLOSE_WAIT", 1), &[two(), vec![]]);
    assert_eq!(offenders, [(1, 0), (2, 0)], "also where they are fewer again");
    assert_eq!(charges.len(), 1);
}

#[test]
fn growing_is_more_at_the_end_and_never_fewer_than_at_the_start() {
    let grown = |counts: &[u64]| {
        let looks: Vec<Vec<SocketStatus>> = counts
            .iter()
            .map(|count| (1..=*count).map(|number| socket(number, HALF, 0)).collect())
            .collect();
        let (offenders, charges) = judged(&growing("CLOSE_WAIT"), &looks);
        assert_eq!(offenders.is_empty(), charges.is_empty(), "{counts:?}");
        charges.first().cloned()
    };
    assert_eq!(grown(&[2, 2, 3]).unwrap(), "sockets in CLOSE_WAIT grew from 2 to 3");
    assert_eq!(grown(&[2, 2, 5, 3]).unwrap(), "sockets in CLOSE_WAIT grew from 2 to 3");
    assert_eq!(grown(&[2, 2, 1, 3]), None, "fewer in between");
    assert_eq!(grown(&[2, 2, 4, 2]), None, "as many as at the start");
    assert_eq!(grown(&[2, 3]), None, "the first look may have missed one");
}

#[test]
fn what_was_not_seen_leaves_the_answer_open() {
    let open =
        |limits: &Limits, looks: usize, sockets: &[SocketStatus], candidates: &[SocketStatus]| {
            let mut judge = Checker::new(limits);
            let now = |look| at(look as u64);
            for look in 0..looks {
                judge.look(now(look), sockets, &mut |_| nobody());
            }
            judge.open(now(looks - 1), sockets, candidates)
        };
    let (old, new) = ([socket(1, HALF, 0)], [socket(2, HALF, 2)]);
    let three = stuck("CLOSE_WAIT", 3);
    assert_eq!(open(&three, 1, &[], &[]), Some(Open::PollCount));
    assert_eq!(open(&three, 3, &[], &[]), None);
    assert_eq!(open(&three, 3, &old, &[]), Some(Open::Watched), "for two seconds, or longer");
    assert_eq!(open(&three, 3, &new, &[]), None, "it is known to be new");
    assert_eq!(open(&three, 5, &[], &old), Some(Open::Candidates));
    assert_eq!(open(&three, 5, &[], &new), None, "whoever owns it, it is not stuck");
    assert_eq!(open(&most("CLOSE_WAIT", 1), 2, &old, &new), Some(Open::Candidates));
    assert_eq!(open(&most("CLOSE_WAIT", 2), 2, &old, &new), None);
    assert_eq!(open(&growing("CLOSE_WAIT"), 2, &old, &new), Some(Open::Candidates));
    assert_eq!(open(&growing("LISTEN"), 2, &old, &new), None);
}
