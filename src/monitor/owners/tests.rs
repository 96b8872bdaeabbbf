use super::*;
use crate::filter::Match;
use crate::model::process::Exe;
use crate::model::reading::{Lookups, OwnerUpdate};
use crate::model::time::Stamp;
use crate::owner::event_search::tests::transition;
use crate::owner::recorded::RecordedOwners;
use crate::owner::table::SearchResult;
use crate::privileges::Remedy;
use std::cell::Cell;

const LISTENER: u64 = 7;
/// When the server has run for four seconds (boot time, µs).
const SERVER_IS_OLD: u64 = 5_000_000;

/// A server that listens, and a child of it that was a holder at every search and is none since.
struct ChildThatLetGo;

const SERVER: Holder = Holder { pid: 1, start: 100, fd: 4, task: None };
/// Clock ticks: it was started 10 ms before that.
const CHILD: Holder = Holder { pid: 2, start: 499, ..SERVER };

fn process(holder: Holder) -> Process {
    let Holder { pid, start, .. } = holder;
    Process { start, comm: b"server".to_vec(), ..Process::unknown(pid) }
}

impl OwnerLookup for ChildThatLetGo {
    fn start_reading(&mut self, _: u64) {}

    fn take_due_retry(&mut self) -> bool {
        false
    }

    fn find(&mut self, _: SearchScope<'_>, _: &Inodes) -> SearchResult {
        let both = [SERVER, CHILD];
        SearchResult {
            processes: both.map(process).to_vec(),
            holders: both.map(|holder| (LISTENER, holder)).to_vec(),
            ..SearchResult::default()
        }
    }

    fn remedy(&self) -> Remedy {
        unreachable!("every process can be inspected")
    }

    fn still_holds(&mut self, holder: &Holder, _: u64) -> Option<Vec<u8>> {
        (holder.pid == 1).then(|| b"server".to_vec())
    }

    fn describe_caller(&mut self, caller: &Caller, _: &ProcessFilter) -> Process {
        Process::unknown(caller.pid)
    }
}

/// A machine whose processes hold none of the sockets; counts the searches of all of them. They run `sleep`, and can
/// be read as long as they still have the name of what they ran before.
struct NobodyHolds(Rc<Cell<u32>>);

impl OwnerLookup for NobodyHolds {
    fn start_reading(&mut self, _: u64) {}

    fn take_due_retry(&mut self) -> bool {
        false
    }

    fn find(&mut self, _: SearchScope<'_>, _: &Inodes) -> SearchResult {
        self.0.set(self.0.get() + 1);
        SearchResult::default()
    }

    fn remedy(&self) -> Remedy {
        unreachable!("every process can be inspected")
    }

    fn still_holds(&mut self, _: &Holder, _: u64) -> Option<Vec<u8>> {
        None
    }

    fn describe_caller(&mut self, caller: &Caller, _: &ProcessFilter) -> Process {
        let unread = Process::unreadable(caller.pid);
        let is_alive = caller.comm.as_deref() == Some(b"python3");
        let exe = if is_alive { Exe::Name(b"sleep".to_vec()) } else { unread.exe.clone() };
        Process { start: 100, exe, ..unread }.named(caller)
    }
}

#[test]
fn an_event_that_a_lookup_has_decided_leads_to_no_search_of_all_processes() {
    let filter = Filter::default();
    let searches = Rc::new(Cell::new(0));
    let mut owners = Owners::new(Box::new(NobodyHolds(Rc::clone(&searches))), &filter);
    let answers = Vec::new();
    let (start, end) = (Stamp::default(), Stamp::default());
    let lookups = Reading::Lookups(Lookups { start, end, netns: None, answers });
    let mut searches_for = |after: Option<Stamp>| {
        owners.begin(&lookups, false, 0);
        let changed = Transition { after, ..transition(State::Established, 9, None, &[]) };
        owners.prove(&[TrackerEvent::Transition(Box::new(changed))]);
        searches.replace(0)
    };
    assert_eq!(searches_for(Some(Stamp::default())), 0, "the kernel said when it happened");
    assert_eq!(searches_for(None), 1, "the tables showed it");
}

#[test]
fn a_process_that_was_only_started_is_asked_again_at_each_event() {
    let filter = Filter::default();
    let mut owners = Owners::new(Box::new(ChildThatLetGo), &filter);
    let mut holders_at = |time: u64| -> Vec<i32> {
        owners.begin_round(time);
        owners.search_for_events(&[], Inodes::from_iter([LISTENER]));
        owners.table.holders(LISTENER).map(|holder| holder.pid).collect()
    };
    assert_eq!(holders_at(SERVER_IS_OLD), [1, 2], "both were found");
    assert_eq!(holders_at(SERVER_IS_OLD + 1000), [1], "the child has let go of it since");
}

#[test]
fn a_process_is_not_asked_again_for_events_from_before_it_was_asked() {
    let filter = Filter::default();
    let mut owners = Owners::new(Box::new(ChildThatLetGo), &filter);
    let mut holders_at = |time: u64, events_until: u64| -> Vec<i32> {
        owners.events_until = events_until;
        owners.begin_round(time);
        owners.search_for_events(&[], Inodes::from_iter([LISTENER]));
        owners.table.holders(LISTENER).map(|holder| holder.pid).collect()
    };
    let read = SERVER_IS_OLD + 5000;
    assert_eq!(holders_at(SERVER_IS_OLD, read), [1, 2], "both were found");
    assert_eq!(holders_at(read, read), [1, 2], "as they were at the event, or later");
    assert_eq!(holders_at(read + 1, read + 5000), [1], "the child may have let go of it");
}

#[test]
fn what_is_recorded_of_a_process_that_was_only_started_counts_at_each_event() {
    let update = |time, holders: &[Holder]| OwnerUpdate {
        time: Stamp { wall: 0, boot: time },
        processes: holders.iter().copied().map(process).collect(),
        holders: vec![(LISTENER, holders.to_vec())],
        ..OwnerUpdate::default()
    };
    let filter = Filter::default();
    let mut owners = Owners::new(Box::new(RecordedOwners::default()), &filter);
    let mut holders_after = |time, holders: &[Holder]| -> Vec<i32> {
        owners.begin_round(time);
        owners.finder.apply(update(time, holders));
        owners.search_for_events(&[], Inodes::from_iter([LISTENER]));
        owners.table.holders(LISTENER).map(|holder| holder.pid).collect()
    };
    assert_eq!(holders_after(SERVER_IS_OLD, &[SERVER, CHILD]), [1, 2]);
    assert_eq!(holders_after(SERVER_IS_OLD + 1000, &[SERVER]), [1], "the child has let go of it");
}

/// A server that binds its port as root, and is another user's from the next reading on.
#[derive(Default)]
struct DropsPrivileges {
    now: u64,
}

impl OwnerLookup for DropsPrivileges {
    fn start_reading(&mut self, now: u64) {
        self.now = now;
    }

    fn take_due_retry(&mut self) -> bool {
        true
    }

    fn find(&mut self, among: SearchScope<'_>, _: &Inodes) -> SearchResult {
        let uid = Some(if self.now > SERVER_IS_OLD { 33 } else { 0 });
        let mut processes = vec![Process { uid, ..process(SERVER) }];
        processes.retain(|process| among.includes(process) == Match::Yes);
        let holders = processes.iter().map(|_| (LISTENER, SERVER)).collect();
        SearchResult { processes, holders, ..SearchResult::default() }
    }

    fn remedy(&self) -> Remedy {
        unreachable!("every process can be inspected")
    }

    fn still_holds(&mut self, _: &Holder, _: u64) -> Option<Vec<u8>> {
        Some(b"server".to_vec())
    }

    fn describe_caller(&mut self, caller: &Caller, _: &ProcessFilter) -> Process {
        Process::unknown(caller.pid)
    }
}

#[test]
fn a_process_that_changes_its_user_matches_from_then_on() {
    let process = ProcessFilter { users: vec![33], ..ProcessFilter::default() };
    let filter = Filter { process, ..Filter::default() };
    let mut owners = Owners::new(Box::new(DropsPrivileges::default()), &filter);
    let mut matches_at = |time: u64| {
        owners.begin_round(time);
        owners.search_new(vec![LISTENER], &mut [LISTENER].into_iter());
        owners.table.is_matched(LISTENER, &filter.process)
    };
    assert!(!matches_at(SERVER_IS_OLD));
    assert!(matches_at(SERVER_IS_OLD + 1));
}

#[test]
fn a_process_is_named_as_the_kernel_names_it_at_its_last_call() {
    let filter = Filter::default();
    let mut owners = Owners::new(Box::new(NobodyHolds(Rc::default())), &filter);
    let mut name_at = |time: u64, state: State, comm: &[u8]| {
        owners.begin_round(time);
        let mut call = transition(state, 9, Some(1), &[]);
        call.time.boot = time;
        call.caller.as_mut().expect("it has one").comm = Some(comm.to_vec());
        owners.note_caller(&call);
        let main = owners.of(call.socket.id, &call.clues).main.expect("it called");
        (main.name().expect("it has one"), main.exe.clone())
    };
    let sleep = Exe::Name(b"sleep".to_vec());
    let opened = name_at(SERVER_IS_OLD, State::SynSent, b"python3");
    assert_eq!(opened, ("python3".to_owned(), sleep.clone()));
    let closed = name_at(SERVER_IS_OLD + 1_000_000, State::Closed, b"sleep");
    assert_eq!(closed, ("sleep".to_owned(), sleep));
}
