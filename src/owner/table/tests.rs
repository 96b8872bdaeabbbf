use super::*;
use crate::model::event::OwnerClues;
use crate::model::growth::SPARE;
use regex::bytes::Regex;

fn clues(inode: u64, last_inode: u64, listener: u64) -> OwnerClues {
    let listeners = [listener].into_iter().filter(|inode| *inode != 0).collect();
    OwnerClues { inode, last_inode, listeners, uid: None }
}

fn process(pid: i32, start: u64, comm: &str) -> Process {
    let comm = comm.as_bytes().to_vec();
    Process { start, comm, ..Process::unknown(pid) }
}

fn found(holders: &[(u64, &Process, i32)], hidden: bool) -> SearchResult {
    let holder = |(inode, process, fd): &(u64, &Process, i32)| {
        let Process { pid, start, .. } = **process;
        (*inode, Holder { pid, start, fd: *fd, task: None })
    };
    let processes = holders.iter().map(|(_, process, _)| (*process).clone()).collect();
    SearchResult {
        processes,
        holders: holders.iter().map(holder).collect(),
        hidden,
        ..SearchResult::default()
    }
}

fn wanted(inodes: &[u64]) -> Inodes {
    inodes.iter().copied().collect()
}

/// The main owner's pid, and how it is known.
fn main_owner(
    table: &OwnerTable,
    inode: u64,
    last: u64,
    listener: u64,
) -> (Option<i32>, OwnerSource) {
    let owner = table.attribute(&clues(inode, last, listener), &ProcessFilter::default());
    (owner.main.map(|process| process.pid), owner.source)
}

#[test]
fn an_owner_is_proven_when_seen_and_remembered_after() {
    let mut table = OwnerTable::default();
    table.start_reading(1);
    table.insert(&wanted(&[7]), found(&[(7, &process(10, 1, "client"), 3)], false));
    assert_eq!(main_owner(&table, 7, 7, 0), (Some(10), OwnerSource::Proven));
    assert_eq!(main_owner(&table, 0, 7, 0), (Some(10), OwnerSource::Remembered), "an orphan");
    table.start_reading(2);
    assert_eq!(main_owner(&table, 7, 7, 0), (Some(10), OwnerSource::Remembered));
    let holders: Vec<Holder> = table.holders(7).collect();
    table.confirm(7, &holders);
    assert_eq!(main_owner(&table, 7, 7, 0), (Some(10), OwnerSource::Proven));
}

#[test]
fn the_main_owner_matches_the_filter_and_started_first() {
    let (old, new, other) =
        (process(30, 1, "server"), process(20, 2, "server"), process(10, 0, "inetd"));
    let mut table = OwnerTable::default();
    let holders = [(7, &new, 5), (7, &old, 4), (7, &other, 3)];
    table.insert(&wanted(&[7]), found(&holders, false));
    let filter =
        ProcessFilter { patterns: vec![Regex::new("server").unwrap()], ..ProcessFilter::default() };
    let owner = table.attribute(&clues(7, 7, 0), &filter);
    assert_eq!(owner.main.map(|process| process.pid), Some(30));
    let pids: Vec<_> = owner.holders.iter().map(|(holder, _)| holder.pid).collect();
    assert_eq!(pids, [10, 30, 20], "all that were found");
    assert_eq!(main_owner(&table, 7, 7, 0).0, Some(10), "without a filter the first of all");
}

#[test]
fn every_holder_of_a_listener_may_own_its_children() {
    let (master, worker) = (process(10, 1, "server"), process(11, 2, "worker"));
    let mut table = OwnerTable::default();
    table.insert(&wanted(&[5]), found(&[(5, &master, 3), (5, &master, 4)], false));
    assert_eq!(main_owner(&table, 0, 0, 5), (Some(10), OwnerSource::Listener));
    assert_eq!(main_owner(&table, 9, 9, 5), (Some(10), OwnerSource::Listener), "by nobody seen");
    assert_eq!(main_owner(&table, 9, 9, 0), (None, OwnerSource::Unknown));
    table.insert(&wanted(&[5]), found(&[(5, &master, 3), (5, &worker, 3)], false));
    table.insert(&wanted(&[6]), found(&[(6, &worker, 4)], false));
    let filter =
        ProcessFilter { patterns: vec![Regex::new("worker").unwrap()], ..ProcessFilter::default() };
    let group = OwnerClues { listeners: [6, 5].into_iter().collect(), ..clues(0, 0, 0) };
    let owner = table.attribute(&group, &filter);
    assert_eq!(owner.main.as_ref().map(|process| process.pid), Some(11));
    let pids: Vec<_> = owner.holders.iter().map(|(holder, _)| holder.pid).collect();
    assert_eq!((pids, owner.source), (vec![10, 11], OwnerSource::Listener));
}

#[test]
fn a_holder_that_is_found_later_joins_those_known() {
    let (master, worker) = (process(10, 1, "server"), process(11, 2, "worker"));
    let mut table = OwnerTable::default();
    table.start_reading(1);
    table.insert(&wanted(&[5]), found(&[(5, &master, 3)], false));
    table.start_reading(2);
    table.insert_more(found(&[(5, &worker, 4), (9, &worker, 7)], false));
    let pids: Vec<_> = table.holders(5).map(|holder| holder.pid).collect();
    assert_eq!(pids, [10, 11]);
    assert_eq!(main_owner(&table, 5, 5, 0), (Some(10), OwnerSource::Remembered), "not seen again");
    assert_eq!(main_owner(&table, 9, 9, 5), (Some(11), OwnerSource::Proven));
    assert!(table.was_searched(5) && !table.was_searched(9), "others may hold it, too");
    // All that are known are seen again, by a search after the socket was opened.
    table.start_reading(3);
    table.insert_more(found(&[(9, &worker, 7)], false));
    table.forget_holders_before(9, 3);
    assert_eq!(main_owner(&table, 9, 9, 0), (Some(11), OwnerSource::Proven));
}

#[test]
fn without_permission_the_owner_is_denied_else_unknown() {
    let mut table = OwnerTable::default();
    table.insert(&wanted(&[7]), found(&[], true));
    assert_eq!(main_owner(&table, 7, 7, 0), (None, OwnerSource::Denied));
    assert_eq!(main_owner(&table, 0, 0, 0), (None, OwnerSource::Unknown));
}

#[test]
fn sockets_not_in_use_are_dropped() {
    let mut table = OwnerTable::default();
    table.start_reading(1);
    let client = process(10, 1, "client");
    for inode in 1..=SPARE as u64 + 3 {
        table.insert(&wanted(&[inode]), found(&[(inode, &client, 3)], false));
    }
    table.sweep(1, [7].into_iter());
    assert!(table.was_searched(7) && !table.was_searched(8));
    assert_eq!((table.sockets.len(), table.processes.len()), (1, 1));
}

#[test]
fn the_table_stays_small_through_churn() {
    let mut table = OwnerTable::default();
    let sockets = 1000;
    for reading in 1..=50 {
        table.start_reading(reading);
        let inodes = reading * sockets..(reading + 1) * sockets;
        let client = |inode: u64| process(i32::try_from(inode).unwrap(), 1, "client");
        let clients: Vec<Process> = inodes.clone().map(client).collect();
        let holders: Vec<_> = inodes.clone().zip(&clients).map(|(i, c)| (i, c, 3)).collect();
        table.insert(&inodes.clone().collect(), found(&holders, false));
        let sockets = usize::try_from(sockets).unwrap();
        table.sweep(sockets, inodes);
        let most = most_kept(sockets);
        assert!(
            table.sockets.len() <= most && table.processes.len() <= most,
            "in reading {reading}"
        );
        assert!(table.sockets.capacity() <= 4 * most, "{}", table.sockets.capacity());
    }
}

#[test]
fn processes_that_left_a_socket_are_dropped() {
    let mut table = OwnerTable::default();
    let (master, other) = (process(1, 1, "server"), process(2, 1, "other"));
    for pid in 10..10 + 3 * i32::try_from(SPARE).unwrap() {
        let worker = process(pid, 2, "server");
        let holders = [(7, &master, 3), (7, &worker, 3), (8, &other, 4), (9, &other, 5)];
        table.start_reading(u64::try_from(pid).unwrap());
        table.insert(&wanted(&[7]), found(&holders, false));
        table.sweep(1, [7].into_iter());
        assert!(table.processes.len() <= 2 * SPARE, "{}", table.processes.len());
        let pids: Vec<i32> = table.holders(7).map(|holder| holder.pid).collect();
        assert_eq!(pids, [1, pid]);
    }
    assert!(!table.was_searched(8), "not wanted");
    assert_eq!(main_owner(&table, 7, 7, 0), (Some(1), OwnerSource::Proven));
}

#[test]
fn a_descriptor_of_a_thread_keeps_its_thread() {
    let mut table = OwnerTable::default();
    let server = process(10, 1, "server");
    let mut seen = found(&[(7, &server, 3), (8, &server, 4), (8, &server, 5)], false);
    seen.holders[0].1.task = Some(12);
    table.insert(&wanted(&[7, 8]), seen);
    let tasks = |inode| table.holders(inode).map(|holder| (holder.task, holder.fd));
    assert_eq!(tasks(7).collect::<Vec<_>>(), [(Some(12), 3)]);
    assert_eq!(tasks(8).collect::<Vec<_>>(), [(None, 4), (None, 5)]);
}

#[test]
fn an_entry_is_small() {
    assert!(size_of::<(u64, KnownHolders)>() <= 40, "{} bytes", size_of::<(u64, KnownHolders)>());
}
