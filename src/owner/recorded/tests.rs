use super::*;
use crate::model::process::Exe;
use regex::bytes::Regex;

fn process(pid: i32, comm: &str) -> Process {
    let comm = comm.as_bytes().to_vec();
    Process { start: 1, comm, exe: Exe::None, cmdline: Vec::new(), ..Process::unknown(pid) }
}

/// What a look at these processes and their one descriptor each finds.
fn survey(holders: &[(u64, &Process)], denied: &[&Process]) -> Survey {
    let holder = |process: &Process| Holder { pid: process.pid, start: 1, fd: 3, task: None };
    let mut found = Found::default();
    for (inode, process) in holders {
        found.holders.push((*inode, holder(process)));
        found.processes.push((*process).clone());
    }
    let denied = denied.iter().map(|process| (*process).clone()).collect();
    Survey { found, denied, hidden: false }
}

fn wanted(inodes: &[u64]) -> Inodes {
    inodes.iter().copied().collect()
}

fn named(pattern: &str) -> ProcessFilter {
    let patterns = vec![Regex::new(pattern).unwrap()];
    ProcessFilter { patterns, ..ProcessFilter::default() }
}

/// A round at this boot time in which a survey is made.
fn learn(register: &mut RecordedOwners, boot: u64, inodes: &[u64], survey: Survey) -> OwnerUpdate {
    let mut owners = register.news(survey, &wanted(inodes));
    owners.time = Stamp { wall: 0, boot };
    register.begin_round(boot);
    register.learn(owners.clone());
    owners
}

/// The pids that a search among those of this name finds, and how many may not be read.
fn found(register: &mut RecordedOwners, pattern: &str, inodes: &[u64]) -> (Vec<i32>, u64) {
    let filter = named(pattern);
    let found = register.find(Among::Matching(&filter), &wanted(inodes));
    let mut pids: Vec<i32> = found.holders.iter().map(|(_, holder)| holder.pid).collect();
    pids.sort_unstable();
    (pids, found.denied)
}

#[test]
fn any_filter_finds_what_a_look_of_its_own_would_have() {
    let (server, client) = (process(10, "server"), process(20, "client"));
    let root = process(30, "server-of-root");
    let mut register = RecordedOwners::default();
    let seen = survey(&[(7, &server), (7, &client), (8, &client), (99, &client)], &[&root]);
    learn(&mut register, 1, &[7, 8], seen);
    assert_eq!(found(&mut register, "client", &[7, 8]), (vec![20, 20], 0));
    assert_eq!(found(&mut register, "server", &[7, 8]), (vec![10], 1));
    assert_eq!(register.holders(99), [], "nobody asked for it");
}

#[test]
fn what_was_not_seen_for_the_reading_at_hand_is_not_passed_off_as_seen() {
    let server = process(10, "server");
    let mut register = RecordedOwners::default();
    learn(&mut register, 1, &[7, 8], survey(&[(7, &server), (8, &server)], &[]));
    let holder = register.holders(7)[0];
    assert_eq!(register.still_holds(&holder, 7).as_deref(), Some(&b"server"[..]));
    register.begin_round(2);
    assert_eq!(register.still_holds(&holder, 7), None);
    assert_eq!(found(&mut register, "server", &[7, 8]).0, Vec::<i32>::new());
    let time = Stamp { wall: 0, boot: 2 };
    register.learn(OwnerUpdate { time, proven: vec![7], ..OwnerUpdate::default() });
    assert!(register.still_holds(&holder, 7).is_some());
    assert_eq!(found(&mut register, "server", &[7, 8]).0, [10], "the other one was not looked at");
}

#[test]
fn a_new_name_brings_all_sockets_of_its_process_to_light() {
    let mut register = RecordedOwners::default();
    learn(&mut register, 1, &[7], survey(&[(7, &process(10, "sh"))], &[]));
    let owners = learn(&mut register, 2, &[7], survey(&[(7, &process(10, "client"))], &[]));
    assert_eq!((owners.processes.len(), owners.holders.len()), (1, 0), "that alone is new");
    assert!(register.looks_again());
    assert_eq!(found(&mut register, "client", &[]).0, [10]);
}

#[test]
fn news_are_what_differs_and_bring_another_register_to_the_same() {
    let (server, client) = (process(10, "server"), process(20, "client"));
    let root = process(30, "init");
    let (mut first, mut second) = (RecordedOwners::default(), RecordedOwners::default());
    let looks = [
        survey(&[(7, &server), (8, &client)], &[&root]),
        survey(&[(7, &server), (8, &client)], &[&root]),
        survey(&[(7, &client)], &[]),
        survey(&[(7, &client)], &[&root]),
    ];
    let mut sizes = Vec::new();
    for (round, look) in (1..).zip(looks) {
        let told = learn(&mut first, round, &[7, 8], look);
        let size = told.processes.len() + told.denied.len() + told.allowed.len();
        sizes.push((size, told.holders.len()));
        second.learn(told);
    }
    assert_eq!(sizes, [(3, 2), (0, 0), (1, 2), (1, 0)]);
    assert_eq!(first.whole(Stamp::default()), second.whole(Stamp::default()));
    let mut third = RecordedOwners::default();
    third.learn(process_of_another_run());
    third.learn(first.whole(Stamp::default()));
    assert_eq!(third.whole(Stamp::default()), first.whole(Stamp::default()));
}

fn process_of_another_run() -> OwnerUpdate {
    RecordedOwners::default().news(survey(&[(7, &process(1, "init"))], &[]), &wanted(&[7]))
}

#[test]
fn the_register_stays_small_however_many_sockets_and_processes_come_and_go() {
    let mut register = RecordedOwners::default();
    let (server, mut told) = (process(1, "server"), OwnerUpdate::default());
    for round in 1..=200_u64 {
        let inodes: Vec<u64> = [7].into_iter().chain(round * 50..(round + 1) * 50).collect();
        let worker = |inode: &u64| process(i32::try_from(*inode + 100).unwrap(), "worker");
        let workers: Vec<Process> = inodes.iter().map(worker).collect();
        let held = inodes.iter().copied().zip(&workers);
        let holders: Vec<_> = held.chain([(7, &server)]).collect();
        let root = process(50_000 + i32::try_from(round).unwrap(), "root");
        told = learn(&mut register, round, &inodes, survey(&holders, &[&root]));
        let callers = workers.clone();
        register.learn(OwnerUpdate { callers, ..OwnerUpdate::default() });
        register
            .learn(OwnerUpdate { time: Stamp { wall: 0, boot: round }, ..OwnerUpdate::default() });
        let sizes = [register.processes.len(), register.holders.len(), register.denied.len()];
        assert_eq!(sizes, [52, 51, 1], "in round {round}");
        assert!(register.callers.len() <= CALLERS, "{}", register.callers.len());
    }
    assert!(told.all);
}
