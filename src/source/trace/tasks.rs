//! Who the threads are that ran in the kernel: their names and network namespaces at the time of
//! an event, also of those that have ended since. Pure.

use super::record::{Event, What};
use std::collections::HashMap;

/// What is known of one thread.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Task {
    /// Its name.
    pub comm: Option<Vec<u8>>,
    /// The inode of its network namespace.
    pub netns: Option<u64>,
    /// A thread of the kernel's own: what it does, it does for others.
    pub kernel: bool,
}

/// The threads by their ids.
#[derive(Debug, Default)]
pub struct Tasks {
    known: HashMap<i32, Task>,
}

impl Tasks {
    /// Learns what a thread tells of itself; other events are none of its business.
    pub fn take(&mut self, event: &Event, look: &mut dyn FnMut(i32) -> Option<Task>) {
        match &event.what {
            // The namespace follows, the name is the parent's.
            What::Forked { parent } => {
                let parent = self.get(*parent, look).cloned().unwrap_or_default();
                self.known.insert(event.tid, parent);
            }
            What::Named { comm } => {
                self.known.entry(event.tid).or_default().comm = Some(comm.clone());
            }
            What::Entered { netns } => {
                self.known.entry(event.tid).or_default().netns = Some(*netns);
            }
            What::Exited => {
                self.known.remove(&event.tid);
            }
            _ => {}
        }
    }

    /// What is known of a thread; one that has told nothing yet is looked for, since then it has
    /// been there, and as it is, from before the first event.
    pub fn get(&mut self, tid: i32, look: &mut dyn FnMut(i32) -> Option<Task>) -> Option<&Task> {
        let known = self.known.get(&tid);
        if known.is_none_or(|task| task.netns.is_none() || task.comm.is_none())
            && let Some(seen) = look(tid)
        {
            let told = self.known.entry(tid).or_default();
            *told = Task {
                comm: told.comm.take().or(seen.comm),
                netns: told.netns.or(seen.netns),
                kernel: seen.kernel,
            };
        }
        self.known.get(&tid)
    }

    /// What threads told was lost: only what they tell from now on is known.
    pub fn forget(&mut self) {
        self.known.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::Context;
    use super::*;

    fn told(tasks: &mut Tasks, tid: i32, what: What) {
        let event = Event { time: 0, pid: tid, tid, context: Context::Task, what };
        tasks.take(&event, &mut |tid| (tid == 1).then(|| task("shell", 7)));
    }

    fn task(comm: &str, netns: u64) -> Task {
        Task { comm: Some(comm.into()), netns: Some(netns), kernel: false }
    }

    #[test]
    fn a_child_is_known_although_nobody_could_look_at_it() {
        let mut tasks = Tasks::default();
        told(&mut tasks, 5, What::Forked { parent: 1 });
        told(&mut tasks, 5, What::Entered { netns: 8 });
        assert_eq!(tasks.get(5, &mut |_| None), Some(&task("shell", 8)));
        told(&mut tasks, 5, What::Named { comm: b"curl".to_vec() });
        assert_eq!(tasks.get(5, &mut |_| None), Some(&task("curl", 8)));
        told(&mut tasks, 5, What::Exited);
        assert_eq!(tasks.get(5, &mut |_| None), None);
    }

    #[test]
    fn what_a_thread_told_counts_more_than_a_later_look() {
        let mut tasks = Tasks::default();
        told(&mut tasks, 9, What::Named { comm: b"old".to_vec() });
        assert_eq!(tasks.get(9, &mut |_| Some(task("new", 7))), Some(&task("old", 7)));
    }
}
