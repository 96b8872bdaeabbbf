use super::*;
use crate::model::event::OwnerClues;
use crate::model::process::Exe;
use regex::bytes::Regex;

fn clues(inode: u64, last_inode: u64, listener: u64) -> OwnerClues {
    OwnerClues { inode, last_inode, listener, uid: None }
}

fn process(pid: i32, start: u64, comm: &str) -> Process {
    let comm = comm.as_bytes().to_vec();
    Process { pid, start, comm, exe: Exe::None, cmdline: Vec::new(), uid: None }
}

fn found(holders: &[(u64, &Process, i32)], denied: u64) -> Found {
    let holder = |(inode, process, fd): &(u64, &Process, i32)| {
        let Process { pid, start, .. } = **process;
        (*inode, Holder { pid, start, fd: *fd, task: None })
    };
    let processes = holders.iter().map(|(_, process, _)| (*process).clone()).collect();
    Found { processes, holders: holders.iter().map(holder).collect(), denied }
}

fn wanted(inodes: &[u64]) -> Inodes {
    inodes.iter().copied().collect()
}

/// Main owner's pid and provenance.
fn told(book: &OwnerTable, inode: u64, last: u64, listener: u64) -> (Option<i32>, OwnerSource) {
    let owner = book.attribute(clues(inode, last, listener), &ProcessFilter::default());
    (owner.main.map(|process| process.pid), owner.source)
}

#[test]
fn an_owner_is_proven_in_the_round_it_was_seen_and_remembered_after() {
    let mut book = OwnerTable::default();
    book.begin_round(1);
    book.learn(&wanted(&[7]), found(&[(7, &process(10, 1, "client"), 3)], 0));
    assert_eq!(told(&book, 7, 7, 0), (Some(10), OwnerSource::Proven));
    assert_eq!(told(&book, 0, 7, 0), (Some(10), OwnerSource::Remembered), "an orphan");
    book.begin_round(2);
    assert_eq!(told(&book, 7, 7, 0), (Some(10), OwnerSource::Remembered));
    let holders: Vec<Holder> = book.holders(7).collect();
    book.confirm(7, &holders);
    assert_eq!(told(&book, 7, 7, 0), (Some(10), OwnerSource::Proven));
}

#[test]
fn the_main_owner_matches_the_filter_and_started_first() {
    let (old, new, other) =
        (process(30, 1, "server"), process(20, 2, "server"), process(10, 0, "inetd"));
    let mut book = OwnerTable::default();
    let holders = [(7, &new, 5), (7, &old, 4), (7, &other, 3)];
    book.learn(&wanted(&[7]), found(&holders, 0));
    let filter =
        ProcessFilter { patterns: vec![Regex::new("server").unwrap()], ..ProcessFilter::default() };
    let owner = book.attribute(clues(7, 7, 0), &filter);
    assert_eq!(owner.main.map(|process| process.pid), Some(30));
    let pids: Vec<_> = owner.holders.iter().map(|(holder, _)| holder.pid).collect();
    assert_eq!(pids, [10, 30, 20], "all that were found");
    assert_eq!(told(&book, 7, 7, 0).0, Some(10), "without a filter the first of all");
}

#[test]
fn a_listener_speaks_for_its_children_only_if_one_process_holds_it() {
    let (master, worker) = (process(10, 1, "server"), process(11, 2, "server"));
    let mut book = OwnerTable::default();
    book.learn(&wanted(&[5]), found(&[(5, &master, 3), (5, &master, 4)], 0));
    assert_eq!(told(&book, 0, 0, 5), (Some(10), OwnerSource::Listener));
    assert_eq!(told(&book, 9, 9, 5), (None, OwnerSource::Unknown), "it was accepted");
    book.learn(&wanted(&[5]), found(&[(5, &master, 3), (5, &worker, 3)], 0));
    assert_eq!(told(&book, 0, 0, 5), (None, OwnerSource::Unknown));
}

#[test]
fn what_could_not_be_read_is_denied_and_an_orphan_unknown() {
    let mut book = OwnerTable::default();
    book.learn(&wanted(&[7]), found(&[], 3));
    assert_eq!(told(&book, 7, 7, 0), (None, OwnerSource::Denied));
    assert_eq!(told(&book, 0, 0, 0), (None, OwnerSource::Unknown));
}

#[test]
fn what_no_life_refers_to_is_forgotten() {
    let mut book = OwnerTable::default();
    let client = process(10, 1, "client");
    for inode in 1..=SLACK as u64 + 3 {
        book.learn(&wanted(&[inode]), found(&[(inode, &client, 3)], 0));
    }
    book.sweep(1, [7].into_iter());
    assert!(book.knows(7) && !book.knows(8));
    assert_eq!((book.sockets.len(), book.processes.len()), (1, 1));
}

#[test]
fn the_book_stays_small_however_many_sockets_and_processes_come_and_go() {
    let mut book = OwnerTable::default();
    let lives = 1000;
    for round in 1..=50 {
        book.begin_round(round);
        let inodes = round * lives..(round + 1) * lives;
        let client = |inode: u64| process(i32::try_from(inode).unwrap(), 1, "client");
        let clients: Vec<Process> = inodes.clone().map(client).collect();
        let holders: Vec<_> = inodes.clone().zip(&clients).map(|(i, c)| (i, c, 3)).collect();
        book.learn(&inodes.clone().collect(), found(&holders, 0));
        let lives = usize::try_from(lives).unwrap();
        book.sweep(lives, inodes);
        let most = 2 * lives + SLACK;
        assert!(book.sockets.len() <= most && book.processes.len() <= most, "in round {round}");
        assert!(book.sockets.capacity() <= 4 * most, "{}", book.sockets.capacity());
    }
}

#[test]
fn who_inherited_a_socket_that_stays_and_has_gone_is_forgotten() {
    let mut book = OwnerTable::default();
    let (master, other) = (process(1, 1, "server"), process(2, 1, "other"));
    for pid in 10..10 + 3 * i32::try_from(SLACK).unwrap() {
        let worker = process(pid, 2, "server");
        let holders = [(7, &master, 3), (7, &worker, 3), (8, &other, 4), (9, &other, 5)];
        book.begin_round(u64::try_from(pid).unwrap());
        book.learn(&wanted(&[7]), found(&holders, 0));
        book.sweep(1, [7].into_iter());
        assert!(book.processes.len() <= 2 * SLACK, "{}", book.processes.len());
        let pids: Vec<i32> = book.holders(7).map(|holder| holder.pid).collect();
        assert_eq!(pids, [1, pid]);
    }
    assert!(!book.knows(8), "nobody asked for it");
    assert_eq!(told(&book, 7, 7, 0), (Some(1), OwnerSource::Proven));
}

#[test]
fn a_descriptor_in_a_table_of_a_thread_is_told_with_its_thread() {
    let mut book = OwnerTable::default();
    let server = process(10, 1, "server");
    let mut seen = found(&[(7, &server, 3), (8, &server, 4), (8, &server, 5)], 0);
    seen.holders[0].1.task = Some(12);
    book.learn(&wanted(&[7, 8]), seen);
    let tasks = |inode| book.holders(inode).map(|holder| (holder.task, holder.fd));
    assert_eq!(tasks(7).collect::<Vec<_>>(), [(Some(12), 3)]);
    assert_eq!(tasks(8).collect::<Vec<_>>(), [(None, 4), (None, 5)]);
}

#[test]
fn a_line_of_the_book_is_short() {
    assert!(size_of::<(u64, Entry)>() <= 40, "{} bytes", size_of::<(u64, Entry)>());
}
