//! Which socket the records of each id are about.
//!
//! Several sockets may have the same addresses, one after the other, and ids come in the same
//! order. Of all assignments that keep the order the one with the fewest violations counts.

use super::claims::{Case, Claim, Report, Violation};
use super::truth::{AddressPair, Socket};
use crate::support::record::Event;
use std::collections::{BTreeSet, HashMap};
use std::ops::Deref;

/// The sockets that the records of one id are about, and what is wrong with them.
pub(crate) struct Explanation {
    pub(crate) sockets: Vec<usize>,
    pub(crate) report: Report,
    /// It is not the first id of its socket.
    pub(crate) restarted: bool,
}

impl Explanation {
    fn new(sockets: Vec<usize>, report: Report) -> Self {
        Self { sockets, report, restarted: false }
    }
}

/// How bad an assignment is: by violations, then by what is left undecided.
type Cost = (usize, usize);

/// An id that is about no socket at all is worse than one that is wrong about one of them.
const NO_SUCH_SOCKET: usize = 2;

/// Explains the records of all ids with the same addresses.
pub(crate) fn explain(groups: &[&[Record<'_>]], case: &Case<'_>) -> Vec<Explanation> {
    let addrs = addrs_of(&groups[0][0]);
    if addrs.remote.port() == 0 {
        return explain_listeners(groups, case);
    }
    let with_addrs = if case.truth.is_watched(addrs) { case.truth.with_addrs(addrs) } else { &[] };
    let restarts: Vec<bool> = groups.iter().map(|group| is_undecidable(&group[0], case)).collect();
    let all_options = groups.iter().enumerate().map(|(index, group)| {
        let last = !restarts[index + 1..].contains(&true);
        options(group, last, with_addrs, case)
    });
    let mut options: Vec<Vec<Explanation>> = all_options.collect();
    let due: Vec<usize> = (0..with_addrs.len()).filter(|i| case.is_due(&with_addrs[*i])).collect();
    let skipped = |from: usize, to: usize| due.iter().filter(|i| (from..to).contains(*i)).count();
    // The best way to explain the groups so far, by how many sockets are behind: with the choices.
    let mut ways: Vec<Option<(Cost, Vec<usize>)>> = vec![None; with_addrs.len() + 1];
    ways[0] = Some(((0, 0), Vec::new()));
    for of_group in &options {
        let mut next: Vec<Option<(Cost, Vec<usize>)>> = vec![None; ways.len()];
        for (behind, way) in ways.iter().enumerate() {
            let Some((cost, choices)) = way else { continue };
            for (choice, option) in of_group.iter().enumerate() {
                let Some((to, missed)) = advance(option, behind, &skipped) else { continue };
                let violations = cost.0 + missed + option.report.violations.len();
                let none = option.sockets.is_empty() && !option.report.violations.is_empty();
                let violations = violations + if none { NO_SUCH_SOCKET } else { 0 };
                let cost = (violations, cost.1 + option.report.undecided);
                if next[to].as_ref().is_none_or(|(best, _)| cost < *best) {
                    next[to] = Some((cost, [&choices[..], &[choice]].concat()));
                }
            }
        }
        ways = next;
    }
    let total = |(behind, way): (usize, Option<(Cost, Vec<usize>)>)| {
        way.map(|((violations, undecided), choices)| {
            ((violations + skipped(behind, with_addrs.len()), undecided), choices)
        })
    };
    let best = ways.into_iter().enumerate().filter_map(total).min();
    let choices = best.expect("an id can always be about no socket").1;
    let chosen = options.iter_mut().zip(choices);
    chosen.map(|(of_group, choice)| of_group.swap_remove(choice)).collect()
}

/// Several listeners of one address (SO_REUSEPORT) are there at one time, in no order.
fn explain_listeners(groups: &[&[Record<'_>]], case: &Case<'_>) -> Vec<Explanation> {
    let with_addrs = case.truth.with_addrs(addrs_of(&groups[0][0]));
    let mut taken = BTreeSet::new();
    let best = |group: &&[Record<'_>]| {
        let mut options = options(group, true, with_addrs, case);
        options.retain(|option| option.sockets.iter().all(|socket| !taken.contains(socket)));
        let best = options
            .into_iter()
            .min_by_key(|option| (option.report.violations.len(), option.sockets.is_empty()));
        let best = best.expect("an id can always be about no socket");
        taken.extend(best.sockets.iter().copied());
        best
    };
    groups.iter().map(best).collect()
}

/// How many sockets are behind after an option, and how many were left out on the way that have to
/// be reported; `None` if it would turn the order around.
fn advance(
    option: &Explanation,
    behind: usize,
    skipped: &impl Fn(usize, usize) -> usize,
) -> Option<(usize, usize)> {
    match option.sockets[..] {
        [] => Some((behind, 0)),
        [socket] if option.restarted => (socket < behind).then_some((behind, 0)),
        [first, ..] => {
            let last = option.sockets.last()?;
            (first >= behind).then(|| (last + 1, skipped(behind, first)))
        }
    }
}

/// All that the records of one id can be about; unless it is the last, another id may go on with
/// its socket.
fn options(
    group: &[Record<'_>],
    last: bool,
    with_addrs: &[Socket],
    case: &Case<'_>,
) -> Vec<Explanation> {
    let mut options = Vec::new();
    for (index, socket) in with_addrs.iter().enumerate() {
        let mut report = case.check(group, socket, None);
        if report.violations.is_empty() {
            options.extend(absorbing(&[index], report.claims, group, with_addrs, case));
        }
        if last {
            case.check_end(group, socket, &mut report);
        }
        options.push(Explanation::new(vec![index], report));
    }
    options.extend(request_only(group, case).map(|report| Explanation::new(Vec::new(), report)));
    if is_undecidable(&group[0], case) {
        for (index, socket) in with_addrs.iter().enumerate() {
            let report = case.check(group, socket, None);
            if report.violations.is_empty() {
                let report = Report { undecided: 1, ..report };
                let sockets = vec![index];
                options.push(Explanation { sockets, report, restarted: true });
            }
        }
    }
    if case.source == "proc" && with_addrs.len() > 1 {
        options.extend(joined(group, with_addrs, case));
    }
    let mut report = Report::default();
    report.claim(Claim::NoSuchSocket, false, || {
        let known: Vec<String> = with_addrs.iter().map(super::claims::brief).collect();
        format!("{group:?}\nwhile there were {known:#?}")
    });
    options.push(Explanation::new(Vec::new(), report));
    options
}

/// A request that never became a connection, which the trace does not know, after a SYN.
fn request_only(group: &[Record<'_>], case: &Case<'_>) -> Option<Report> {
    let addrs = addrs_of(&group[0]);
    let time = case.boot(group[0].time.0);
    let is_request_socket = |event: &Record<'_>| match event.event.as_str() {
        "opened" | "present" => event.to == "SYN_RECV" && event.via.is_empty(),
        "closed" => event.from.as_deref() == Some("SYN_RECV") && event.via.is_empty(),
        _ => false,
    };
    if !group.iter().all(is_request_socket) || !case.truth.syn_before(addrs, time) {
        return None;
    }
    let mut report = Report { claims: 1, ..Report::default() };
    for event in group.iter().filter(|event| event.pid.is_some()) {
        report.claim(Claim::NotTheListener, case.may_be_listener(event, addrs, 0), || {
            format!("{:?}\nof a request", **event)
        });
    }
    Some(report)
}

/// `/proc` shows a mini-socket whose timer was restarted like a new one, and where a lookup has found another
/// socket only an inode distinguishes the two, as only one that was there before and after a gap does: else a
/// socket gets another id, and is `present`.
fn is_undecidable(first: &Record<'_>, case: &Case<'_>) -> bool {
    let gap = case.readings.lost.contains("gap");
    let begun = case.readings.passes.first().is_some_and(|(_, end)| *end < case.boot(first.time.0));
    let states = ["FIN_WAIT1", "FIN_WAIT2", "CLOSING", "LAST_ACK", "TIME_WAIT"];
    let orphan = states.contains(&first.to.as_str()) && first.inode.is_none();
    first.event == "present" && begun && (gap || case.source == "proc" && orphan)
}

/// `/proc` shows one mini-socket like the next with the same addresses if only their timers differ,
/// by less than passes can measure: no record is about the next one.
fn absorbing(
    sockets: &[usize],
    claims: usize,
    group: &[Record<'_>],
    with_addrs: &[Socket],
    case: &Case<'_>,
) -> Vec<Explanation> {
    let mut all = sockets.to_vec();
    let mut options = Vec::new();
    let state = group.last().map_or("", |last| last.to.as_str());
    if case.source != "proc" || !matches!(state, "TIME_WAIT" | "FIN_WAIT2") {
        return options;
    }
    for next in all[all.len() - 1] + 1..with_addrs.len() {
        if !case.looks_the_same(&with_addrs[all[all.len() - 1]], &with_addrs[next], state) {
            break;
        }
        all.push(next);
        let report = Report { claims, undecided: all.len() - 1, ..Report::default() };
        options.push(Explanation::new(all.clone(), report));
    }
    options
}

/// Polls cannot distinguish sockets with the same addresses if one of them was seen without an
/// inode alone: an inode that comes is taken for an accept, one that goes for a close. The records
/// of one id are then about several, one after the other.
fn joined(group: &[Record<'_>], with_addrs: &[Socket], case: &Case<'_>) -> Vec<Explanation> {
    let mut options = Vec::new();
    // Parts that are explained: how many records, by which sockets.
    let mut open: Vec<(usize, Vec<usize>, usize)> = vec![(0, Vec::new(), 0)];
    while let Some((done, sockets, claims)) = open.pop() {
        let first = sockets.last().map_or(0, |last| last + 1);
        let before = done.checked_sub(1).map(|last| &group[last]);
        let preceding = before.zip(sockets.last().map(|last| &with_addrs[*last]));
        for until in done + 1..=group.len() {
            let provable = until < group.len()
                && group[until - 1].inode.is_some()
                && group[until].inode.is_some();
            if provable {
                continue;
            }
            for (index, socket) in with_addrs.iter().enumerate().skip(first) {
                let told_apart = sockets.last().is_some_and(|last| {
                    case.last_shown_with_inode(&with_addrs[*last])
                        && case.first_shown_with_inode(socket)
                });
                if told_apart {
                    continue;
                }
                let found = case.check(&group[done..until], socket, preceding);
                if !found.violations.is_empty() {
                    continue;
                }
                let sockets = [&sockets[..], &[index]].concat();
                let claims = claims + found.claims;
                if until < group.len() {
                    open.push((until, sockets, claims));
                } else {
                    options.extend(absorbing(&sockets, claims, group, with_addrs, case));
                    let undecided = sockets.len() - 1;
                    let report = Report { claims, undecided, ..Report::default() };
                    let several = undecided > 0;
                    options.extend(several.then(|| Explanation::new(sockets, report)));
                }
            }
        }
    }
    options
}

/// A record, and what follows from its place in the output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    inner: &'a Event,
    /// When all that was looked up for it had been looked up (boot clock, µs).
    pub(crate) done_by: i64,
}

impl Deref for Record<'_> {
    type Target = Event;

    fn deref(&self) -> &Event {
        self.inner
    }
}

/// The records of each id, in the order of their output. Owners are looked up for a record before
/// the next reading is over; a record that waited for another one comes behind later ones.
pub(crate) fn by_id<'a>(events: &'a [Event], case: &Case<'_>) -> Vec<Vec<Record<'a>>> {
    let mut places = HashMap::new();
    let mut groups: Vec<Vec<Record<'_>>> = Vec::new();
    let mut latest = 0;
    for event in events {
        let place = *places.entry(&event.id).or_insert(groups.len());
        if place == groups.len() {
            groups.push(Vec::new());
        }
        latest = case.boot(event.time.0).max(latest);
        groups[place].push(Record { inner: event, done_by: case.readings.next_after(latest) });
    }
    groups
}

pub(crate) fn addrs_of(event: &Event) -> AddressPair {
    AddressPair { ipv6: event.family == "ipv6", local: event.local(), remote: event.remote() }
}

/// The violations of a report by what they are about, most frequent first.
pub(crate) fn by_claim(violations: &[Violation]) -> Vec<(Claim, usize)> {
    let mut counts: HashMap<String, (Claim, usize)> = HashMap::new();
    for violation in violations {
        counts.entry(format!("{:?}", violation.claim)).or_insert((violation.claim, 0)).1 += 1;
    }
    let mut counts: Vec<(Claim, usize)> = counts.into_values().collect();
    counts.sort_by_key(|(claim, count)| (std::cmp::Reverse(*count), *claim));
    counts
}
