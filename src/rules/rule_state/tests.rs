use super::*;
use crate::filter::Filter;
use crate::model::event::{Ages, EventKind, Listeners, OwnerClues, Roles, Transition, Verdict};
use crate::rules::check::tests::{at, no_owner, socket};
use crate::rules::condition::{
    Age, Comparison, Condition, EventPattern, Quantity, TransitionPattern,
};
use crate::rules::growth::Window;
use crate::rules::parse::RuleTable;
use crate::tcp::state::State;
use std::time::Duration;

const HALF: State = State::CloseWait;

/// Any socket.
fn any() -> Condition {
    Condition { states: None, age: None, event: None, quantity: at_least(1), growing: None }
}

fn at_least(count: u64) -> Quantity {
    Quantity::Count(Comparison::AtLeast, count)
}

fn rule(condition: Condition) -> RuleState {
    RuleState::new(Rule {
        name: "leak".to_owned(),
        filter: Filter::default(),
        condition,
        exec: Vec::new(),
        table: RuleTable::default(),
    })
}

/// The alert at a second when there are these sockets: whether it is active, and its sockets.
fn poll(rule: &mut RuleState, second: u64, sockets: &[SocketStatus]) -> Option<(bool, Vec<u64>)> {
    shown(rule.update(at(second), sockets, &[], &mut |_| no_owner()))
}

fn shown(alert: Option<Alert>) -> Option<(bool, Vec<u64>)> {
    let alert = alert?;
    assert_eq!(alert.rule, "leak");
    Some((alert.active, alert.sockets.iter().map(|id| id.number).collect()))
}

/// A connection that is reset at a second.
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
            held_from: None,
            lived: Duration::ZERO,
            lived_at_least: false,
            idle: None,
        },
        clues: OwnerClues { inode: 0, last_inode: 0, listeners: Listeners::default(), uid: None },
        roles: Roles::default(),
        verdict: Some(Verdict::Reset),
        reset_by: None,
        caller: None,
        netns_name: None,
    };
    SocketEvent { transition, owner: no_owner(), passes: true, tcp_info: None }
}

/// The alert at a second when these connections were reset just now.
fn after(rule: &mut RuleState, second: u64, resets: &[u64]) -> Option<(bool, Vec<u64>)> {
    let resets: Vec<SocketEvent> = resets.iter().map(|number| reset(*number, second)).collect();
    let events: Vec<&SocketEvent> = resets.iter().collect();
    shown(rule.update(at(second), &[], &events, &mut |_| panic!("there are no sockets")))
}

fn closed(verdict: Verdict) -> Condition {
    Condition { event: Some(EventPattern { transition: None, verdict: Some(verdict) }), ..any() }
}

#[test]
fn an_alert_is_raised_once_and_cleared_once() {
    let age = Age::MoreThan(Duration::from_secs(2));
    let mut rule = rule(Condition { age: Some(age), ..any() });
    let both = [socket(1, HALF, 1), socket(2, HALF, 2)];
    assert_eq!(poll(&mut rule, 3, &both), None, "for two seconds, not longer");
    assert_eq!(poll(&mut rule, 5, &both), Some((true, vec![1, 2])), "the longest first");
    assert_eq!(poll(&mut rule, 6, &both[1..]), None, "there is still one");
    assert_eq!(poll(&mut rule, 7, &[socket(3, HALF, 7)]), Some((false, vec![])));
    assert_eq!(poll(&mut rule, 8, &[]), None);
    assert_eq!(poll(&mut rule, 10, &[socket(3, HALF, 7)]), Some((true, vec![3])), "a new alert");
}

#[test]
fn a_missed_socket_raises_and_clears_nothing() {
    let mut rule = rule(Condition { quantity: at_least(2), ..any() });
    let missed = SocketStatus { missed_by_last_poll: true, ..socket(1, HALF, 1) };
    let other = socket(2, HALF, 1);
    assert_eq!(poll(&mut rule, 1, &[missed.clone(), other.clone()]), None);
    assert_eq!(poll(&mut rule, 2, &[socket(1, HALF, 1), other.clone()]), Some((true, vec![1, 2])));
    assert_eq!(poll(&mut rule, 3, &[missed, other.clone()]), None);
    assert_eq!(poll(&mut rule, 4, &[other]), Some((false, vec![2])), "too few are left");
}

#[test]
fn an_event_counts_for_a_minute() {
    let mut rule = rule(closed(Verdict::Reset));
    assert_eq!(after(&mut rule, 1, &[7]), Some((true, vec![7])));
    assert_eq!(after(&mut rule, 30, &[8]), None, "the same burst");
    assert_eq!(after(&mut rule, 61, &[]), None, "the second is not a minute old");
    assert_eq!(after(&mut rule, 90, &[]), Some((false, vec![])));
    assert_eq!(after(&mut rule, 200, &[9]), Some((true, vec![9])));
}

#[test]
fn events_within_a_minute_add_up() {
    let mut rule = rule(Condition { quantity: at_least(3), ..closed(Verdict::Reset) });
    assert_eq!(after(&mut rule, 1, &[1, 2]), None);
    assert_eq!(after(&mut rule, 62, &[3]), None, "the first two are past");
    assert_eq!(after(&mut rule, 63, &[5, 4]), Some((true, vec![5, 4, 3])), "the latest first");
    assert_eq!(after(&mut rule, 122, &[]), Some((false, vec![5, 4])));
}

#[test]
fn an_event_has_to_match_all_of_a_pattern() {
    let raises = |condition| after(&mut rule(condition), 1, &[5]).is_some();
    assert!(!raises(closed(Verdict::Refused)));
    let goes = |from: Option<&str>, to: &str| {
        let (from, to) = (from.map(|set| set.parse().unwrap()), to.parse().unwrap());
        let transition = Some(TransitionPattern { from, to });
        Condition {
            event: Some(EventPattern { transition, verdict: Some(Verdict::Reset) }),
            ..any()
        }
    };
    assert!(raises(goes(Some("ESTABLISHED"), "CLOSED")));
    assert!(!raises(goes(Some("CLOSE_WAIT"), "CLOSED")));
    assert!(!raises(goes(Some("ESTABLISHED"), "FIN_WAIT1")));
    assert!(!raises(goes(None, "CLOSED")), "it did not appear");
    let held = |seconds| Condition {
        age: Some(Age::MoreThan(Duration::from_secs(seconds))),
        ..closed(Verdict::Reset)
    };
    assert!(raises(held(4)) && !raises(held(5)));
}

#[test]
fn a_growing_number_raises_an_alert_until_it_stops_growing() {
    let window = Window::Last(Duration::from_secs(3));
    let alerts = |counts: &[u64]| {
        let mut rule = rule(Condition { growing: Some(window), ..any() });
        let mut alerts = Vec::new();
        for (second, count) in (1..).zip(counts) {
            let sockets: Vec<_> = (1..=*count).map(|number| socket(number, HALF, 1)).collect();
            alerts.extend(poll(&mut rule, second, &sockets).map(|(on, _)| (second, on)));
        }
        alerts
    };
    assert_eq!(alerts(&[1, 1, 1, 1, 1, 1]), [], "as many");
    assert_eq!(alerts(&[1, 2, 3]), [], "not for so long");
    assert_eq!(alerts(&[1, 2, 2, 3]), [(4, true)]);
    assert_eq!(alerts(&[1, 2, 2, 3, 3, 3, 3]), [(4, true), (7, false)], "no more since then");
    assert_eq!(alerts(&[2, 1, 3, 4]), [], "fewer in between");
    assert_eq!(alerts(&[2, 1, 3, 4, 5]), [(5, true)], "but not since the second poll");
}

#[test]
fn a_missed_socket_is_no_growth() {
    let window = Window::Last(Duration::from_secs(1));
    let mut rule = rule(Condition { growing: Some(window), ..any() });
    let (first, second) = (socket(1, HALF, 1), socket(2, HALF, 1));
    let missed = SocketStatus { missed_by_last_poll: true, ..second };
    assert_eq!(poll(&mut rule, 1, std::slice::from_ref(&first)), None);
    assert_eq!(poll(&mut rule, 2, &[first.clone(), missed]), None, "it may be gone");
    assert_eq!(poll(&mut rule, 3, &[first]), None);
}

#[test]
fn a_removed_rule_clears_its_alert() {
    let mut rule = rule(any());
    assert_eq!(shown(rule.clear(at(1), Vec::new())), None);
    assert!(poll(&mut rule, 1, &[socket(1, HALF, 1)]).is_some());
    assert_eq!(shown(rule.clear(at(2), Vec::new())), Some((false, vec![])));
}
