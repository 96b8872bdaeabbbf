use super::*;
use crate::filter::Filter;
use crate::model::event::{Ages, EventKind, OwnerClues, Roles, Transition, Verdict};
use crate::model::process::OwnerSource;
use crate::rules::check::tests::{at, socket};
use crate::rules::{Conditions, Step};
use crate::tcp::state::State;
use std::time::Duration;

const HALF: State = State::CloseWait;

fn watch(conditions: Conditions) -> Watch {
    Watch::new(Rule {
        name: "leak".to_owned(),
        filter: Filter::default(),
        conditions,
        exec: Vec::new(),
        definition: String::new(),
    })
}

fn nobody() -> Attribution {
    Attribution { main: None, holders: Vec::new(), source: OwnerSource::Unknown }
}

/// What is told at a second when these sockets stand: on or off, and how many offend.
fn look(watch: &mut Watch, second: u64, sockets: &[SocketStatus]) -> Option<(bool, Vec<u64>)> {
    told(watch.take(at(second), sockets, &[], &mut |_| nobody()))
}

fn told(alert: Option<Alert>) -> Option<(bool, Vec<u64>)> {
    let alert = alert?;
    assert_eq!(alert.rule, "leak");
    Some((alert.active, alert.sockets.iter().map(|life| life.number).collect()))
}

/// A connection that ends at a second.
fn reset(number: u64, second: u64) -> SocketEvent {
    let SocketStatus { socket, .. } = socket(number, State::Established, 1);
    let transition = Transition {
        socket,
        kind: EventKind::Closed,
        time: at(second),
        after: None,
        from: Some(State::Established),
        via: Vec::new(),
        maybe: Vec::new(),
        to: State::Closed,
        ages: Ages {
            since: None,
            held: Some(Duration::from_secs(number)),
            held_at_least: false,
            lived: Duration::ZERO,
            lived_at_least: false,
        },
        clues: OwnerClues { inode: 0, last_inode: 0, listener: 0, uid: None },
        roles: Roles::default(),
        verdict: Some(Verdict::Reset),
        caller: None,
    };
    SocketEvent { transition, owner: nobody(), passes: true }
}

/// What is told at a second when these connections were reset just now.
fn after(watch: &mut Watch, second: u64, resets: &[u64]) -> Option<(bool, Vec<u64>)> {
    let resets: Vec<SocketEvent> = resets.iter().map(|number| reset(*number, second)).collect();
    let happened: Vec<&SocketEvent> = resets.iter().collect();
    told(watch.take(at(second), &[], &happened, &mut |_| panic!("nobody stands")))
}

fn ended(verdict: Verdict) -> Conditions {
    Conditions { verdict: Some(verdict), ..Conditions::default() }
}

#[test]
fn an_offence_is_told_once_and_again_when_it_is_over() {
    let age = Some(Duration::from_secs(2));
    let mut watch = watch(Conditions { longer_than: age, ..Conditions::default() });
    let both = [socket(1, HALF, 1), socket(2, HALF, 2)];
    assert_eq!(look(&mut watch, 3, &both), None, "for two seconds, not longer");
    assert_eq!(look(&mut watch, 5, &both), Some((true, vec![1, 2])), "the longest first");
    assert_eq!(look(&mut watch, 6, &both[1..]), None, "there is still one");
    assert_eq!(look(&mut watch, 7, &[socket(3, HALF, 7)]), Some((false, vec![])));
    assert_eq!(look(&mut watch, 8, &[]), None);
    assert_eq!(look(&mut watch, 10, &[socket(3, HALF, 7)]), Some((true, vec![3])), "a new offence");
}

#[test]
fn a_look_that_misses_a_socket_begins_and_ends_nothing() {
    let two = Conditions { at_least: Some(2), ..Conditions::default() };
    let mut watch = watch(two);
    let missed = SocketStatus { missed: true, ..socket(1, HALF, 1) };
    let other = socket(2, HALF, 1);
    assert_eq!(look(&mut watch, 1, &[missed, other]), None);
    assert_eq!(look(&mut watch, 2, &[socket(1, HALF, 1), other]), Some((true, vec![1, 2])));
    assert_eq!(look(&mut watch, 3, &[missed, other]), None);
    assert_eq!(look(&mut watch, 4, &[other]), Some((false, vec![2])), "too few are left");
}

#[test]
fn an_instant_counts_for_a_minute() {
    let mut watch = watch(ended(Verdict::Reset));
    assert_eq!(after(&mut watch, 1, &[7]), Some((true, vec![7])));
    assert_eq!(after(&mut watch, 30, &[8]), None, "the same burst");
    assert_eq!(after(&mut watch, 61, &[]), None, "the second is not a minute old");
    assert_eq!(after(&mut watch, 90, &[]), Some((false, vec![])));
    assert_eq!(after(&mut watch, 200, &[9]), Some((true, vec![9])));
}

#[test]
fn at_least_so_many_instants_within_a_minute() {
    let mut watch = watch(Conditions { at_least: Some(3), ..ended(Verdict::Reset) });
    assert_eq!(after(&mut watch, 1, &[1, 2]), None);
    assert_eq!(after(&mut watch, 62, &[3]), None, "the first two are past");
    assert_eq!(after(&mut watch, 63, &[5, 4]), Some((true, vec![5, 4, 3])), "the latest first");
    assert_eq!(after(&mut watch, 122, &[]), Some((false, vec![5, 4])));
}

#[test]
fn all_that_is_asked_for_has_to_hold() {
    let of = |conditions| after(&mut watch(conditions), 1, &[5]).is_some();
    assert!(!of(ended(Verdict::Refused)));
    let step = |from: Option<&str>, to: &str| {
        let (from, to) = (from.map(|set| set.parse().unwrap()), to.parse().unwrap());
        Some(Step { from, to })
    };
    let going = |transition| Conditions { transition, ..ended(Verdict::Reset) };
    assert!(of(going(step(Some("ESTABLISHED"), "CLOSED"))));
    assert!(!of(going(step(Some("CLOSE_WAIT"), "CLOSED"))));
    assert!(!of(going(step(Some("ESTABLISHED"), "FIN_WAIT1"))));
    assert!(!of(going(step(None, "CLOSED"))), "it did not appear");
    let held = |seconds| Conditions {
        longer_than: Some(Duration::from_secs(seconds)),
        ..ended(Verdict::Reset)
    };
    assert!(of(held(4)) && !of(held(5)));
}

#[test]
fn growing_is_more_than_that_long_ago_and_never_fewer_since() {
    let growing =
        || watch(Conditions { growing_for: Some(Duration::from_secs(3)), ..Conditions::default() });
    let told = |counts: &[u64]| {
        let mut watch = growing();
        let mut told = Vec::new();
        for (second, count) in (1..).zip(counts) {
            let sockets: Vec<_> = (1..=*count).map(|number| socket(number, HALF, 1)).collect();
            told.extend(look(&mut watch, second, &sockets).map(|(on, _)| (second, on)));
        }
        told
    };
    assert_eq!(told(&[1, 1, 1, 1, 1, 1]), [], "as many");
    assert_eq!(told(&[1, 2, 3]), [], "not for so long");
    assert_eq!(told(&[1, 2, 2, 3]), [(4, true)]);
    assert_eq!(told(&[1, 2, 2, 3, 3, 3, 3]), [(4, true), (7, false)], "no more since then");
    assert_eq!(told(&[2, 1, 3, 4]), [], "fewer in between");
    assert_eq!(told(&[2, 1, 3, 4, 5]), [(5, true)], "but not since the second look");
}

#[test]
fn the_alert_of_a_rule_that_is_gone_is_over() {
    let mut watch = watch(Conditions { at_least: Some(1), ..Conditions::default() });
    assert_eq!(told(watch.end(at(1), Vec::new())), None);
    assert!(look(&mut watch, 1, &[socket(1, HALF, 1)]).is_some());
    assert_eq!(told(watch.end(at(2), Vec::new())), Some((false, vec![])));
}
