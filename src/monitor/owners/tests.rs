use super::*;
use crate::owner::table::SearchResult;
use crate::privileges::Remedy;

const LISTENER: u64 = 7;
/// When the server has run for four seconds (boot time, µs).
const SERVER_IS_OLD: u64 = 5_000_000;

/// A server that listens, and a child of it that was a holder at every search and is none since.
struct ChildThatLetGo;

fn holder(pid: i32, start: u64) -> Holder {
    Holder { pid, start, fd: 4, task: None }
}

impl OwnerLookup for ChildThatLetGo {
    fn start_reading(&mut self, _: u64) {}

    fn take_due_retry(&mut self) -> bool {
        false
    }

    fn find(&mut self, _: SearchScope<'_>, _: &Inodes) -> SearchResult {
        // Clock ticks: the child was started 10 ms before the search.
        let (server, child) = (holder(1, 100), holder(2, 499));
        let process = |holder: Holder| Process {
            start: holder.start,
            comm: b"server".to_vec(),
            ..Process::unknown(holder.pid)
        };
        SearchResult {
            processes: vec![process(server), process(child)],
            holders: vec![(LISTENER, server), (LISTENER, child)],
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
