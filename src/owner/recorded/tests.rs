use super::*;
use crate::model::process::Exe;
use crate::model::time::Stamp;
use regex::bytes::Regex;

fn process(pid: i32, comm: &str) -> Process {
    let comm = comm.as_bytes().to_vec();
    Process {
        start: 1,
        comm,
        exe: Exe::None,
        cmdline: std::sync::Arc::default(),
        ..Process::unknown(pid)
    }
}

/// What a scan finds of these processes, each of which has one descriptor per socket.
fn scan(holders: &[(u64, &Process)], denied: &[&Process]) -> SearchResult {
    let holder = |process: &Process| Holder { pid: process.pid, start: 1, fd: 3, task: None };
    let mut found = SearchResult::default();
    for (inode, process) in holders {
        found.holders.push((*inode, holder(process)));
        found.processes.push((*process).clone());
    }
    found.denied = denied.iter().map(|process| (*process).clone()).collect();
    found
}

fn wanted(inodes: &[u64]) -> Inodes {
    inodes.iter().copied().collect()
}

fn named(pattern: &str) -> ProcessFilter {
    let patterns = vec![Regex::new(pattern).unwrap()];
    ProcessFilter { patterns, ..ProcessFilter::default() }
}

/// Applies what a scan found in a reading that ended at this boot time.
fn update(owners: &mut RecordedOwners, boot: u64, scan: SearchResult) -> OwnerUpdate {
    let mut update = owners.update_to(scan);
    update.time = Stamp { wall: 0, boot };
    owners.start_reading(boot);
    owners.apply(update.clone());
    update
}

/// The pids that a search among processes of this name finds, and how many cannot be inspected.
fn found(owners: &mut RecordedOwners, pattern: &str, inodes: &[u64]) -> (Vec<i32>, usize) {
    let filter = named(pattern);
    let found = owners.find(SearchScope::Matching(&filter), &wanted(inodes));
    let mut pids: Vec<i32> = found.holders.iter().map(|(_, holder)| holder.pid).collect();
    pids.sort_unstable();
    (pids, found.denied.len())
}

#[test]
fn any_filter_finds_what_its_own_scan_would_have() {
    let (server, client) = (process(10, "server"), process(20, "client"));
    let root = process(30, "server-of-root");
    let mut owners = RecordedOwners::default();
    let seen = scan(&[(7, &server), (7, &client), (8, &client)], &[&root]);
    update(&mut owners, 1, seen);
    assert_eq!(found(&mut owners, "client", &[7, 8]), (vec![20, 20], 0));
    assert_eq!(found(&mut owners, "server", &[7, 8]), (vec![10], 1));
}

#[test]
fn only_what_was_seen_in_this_reading_is_proven() {
    let server = process(10, "server");
    let mut owners = RecordedOwners::default();
    update(&mut owners, 1, scan(&[(7, &server), (8, &server)], &[]));
    let holder = owners.holders(7)[0];
    assert_eq!(owners.still_holds(&holder, 7).as_deref(), Some(&b"server"[..]));
    owners.start_reading(2);
    assert_eq!(owners.still_holds(&holder, 7), None);
    assert_eq!(found(&mut owners, "server", &[7, 8]).0, Vec::<i32>::new());
    let time = Stamp { wall: 0, boot: 2 };
    owners.apply(OwnerUpdate { time, proven: vec![7], ..OwnerUpdate::default() });
    assert!(owners.still_holds(&holder, 7).is_some());
    assert_eq!(found(&mut owners, "server", &[7, 8]).0, [10], "the other was not checked");
}

#[test]
fn a_renamed_process_is_found_with_all_its_sockets() {
    let mut owners = RecordedOwners::default();
    update(&mut owners, 1, scan(&[(7, &process(10, "sh"))], &[]));
    let changes = update(&mut owners, 2, scan(&[(7, &process(10, "client"))], &[]));
    assert_eq!((changes.processes.len(), changes.holders.len()), (1, 0), "nothing else changed");
    assert!(owners.take_due_retry());
    assert_eq!(found(&mut owners, "client", &[]).0, [10]);
}

#[test]
fn updates_hold_what_differs_and_yield_the_same_state() {
    let (server, client) = (process(10, "server"), process(20, "client"));
    let root = process(30, "init");
    let (mut first, mut second) = (RecordedOwners::default(), RecordedOwners::default());
    let scans = [
        scan(&[(7, &server), (8, &client)], &[&root]),
        scan(&[(7, &server), (8, &client)], &[&root]),
        scan(&[(7, &client)], &[]),
        scan(&[(7, &client)], &[&root]),
    ];
    let mut sizes = Vec::new();
    for (reading, scan) in (1..).zip(scans) {
        let changes = update(&mut first, reading, scan);
        let size = changes.processes.len() + changes.denied.len() + changes.allowed.len();
        sizes.push((size, changes.holders.len()));
        second.apply(changes);
    }
    assert_eq!(sizes, [(3, 2), (0, 0), (1, 2), (1, 0)]);
    assert_eq!(first.complete_update(), second.complete_update());
    let mut third = RecordedOwners::default();
    third.apply(update_of_another_run());
    third.apply(first.complete_update());
    assert_eq!(third.complete_update(), first.complete_update());
}

fn update_of_another_run() -> OwnerUpdate {
    RecordedOwners::default().update_to(scan(&[(7, &process(1, "init"))], &[]))
}

#[test]
fn recorded_owners_stay_few_through_churn() {
    let mut owners = RecordedOwners::default();
    let (server, mut last) = (process(1, "server"), OwnerUpdate::default());
    for reading in 1..=200_u64 {
        let inodes: Vec<u64> = [7].into_iter().chain(reading * 50..(reading + 1) * 50).collect();
        let worker = |inode: &u64| process(i32::try_from(*inode + 100).unwrap(), "worker");
        let workers: Vec<Process> = inodes.iter().map(worker).collect();
        let held = inodes.iter().copied().zip(&workers);
        let holders: Vec<_> = held.chain([(7, &server)]).collect();
        let root = process(50_000 + i32::try_from(reading).unwrap(), "root");
        last = update(&mut owners, reading, scan(&holders, &[&root]));
        let callers = workers.clone();
        owners.apply(OwnerUpdate { callers, ..OwnerUpdate::default() });
        owners.apply(OwnerUpdate {
            time: Stamp { wall: 0, boot: reading },
            ..OwnerUpdate::default()
        });
        let sizes = [owners.processes.len(), owners.holders.len(), owners.denied.len()];
        assert_eq!(sizes, [52, 51, 1], "in reading {reading}");
        assert!(owners.callers.len() <= CALLERS, "{}", owners.callers.len());
    }
    assert!(last.all_inspected);
}
