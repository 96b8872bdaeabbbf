//! The processes that one process has started, directly or not.

use std::cell::RefCell;
use std::collections::{HashSet, VecDeque};
use std::rc::Rc;

/// A command may start a thousand processes a second for hours. So many that have exited are still
/// known: their sockets are told when they are first seen, seconds after that at most, and need no
/// owner to stay in the story.
const EXITED: usize = 65_536;

/// The processes that one has started, directly or not, as far as they have been seen: a set that
/// changes while it is in use, in all its copies.
#[derive(Debug, Clone)]
pub struct ProcessTree {
    root: i32,
    members: Rc<RefCell<Members>>,
}

#[derive(Debug, Default)]
struct Members {
    all: HashSet<(i32, u64)>,
    living: HashSet<(i32, u64)>,
    /// Those that have exited, in that order.
    exited: VecDeque<(i32, u64)>,
}

impl ProcessTree {
    /// Nobody yet, of those that this process starts. It does not belong to them.
    pub fn new(root: i32) -> Self {
        Self { root, members: Rc::default() }
    }

    /// Who starts them.
    pub const fn root(&self) -> i32 {
        self.root
    }

    /// Takes in the processes, by pid and start, that run now. The others have exited, and stay for
    /// a while.
    pub fn grow(&self, living: HashSet<(i32, u64)>) {
        let Members { all, living: before, exited } = &mut *self.members.borrow_mut();
        exited.extend(before.difference(&living));
        all.extend(&living);
        *before = living;
        let too_many = exited.len().saturating_sub(EXITED);
        for process in exited.drain(..too_many) {
            if !before.contains(&process) {
                all.remove(&process);
            }
        }
    }

    /// Takes in one more that runs.
    pub fn add(&self, process: (i32, u64)) {
        let mut members = self.members.borrow_mut();
        members.all.insert(process);
        members.living.insert(process);
    }

    /// Whether a process of this pid and start belongs to it.
    pub fn holds(&self, process: (i32, u64)) -> bool {
        self.members.borrow().all.contains(&process)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_forgets_processes_that_exited_long_ago() {
        let tree = ProcessTree::new(1);
        let shell = (2, 1);
        for pid in 10..1000 + i32::try_from(EXITED).unwrap() {
            tree.grow([shell, (pid, 5)].into());
            let (known, exited) = {
                let members = tree.members.borrow();
                (members.all.len(), members.exited.len())
            };
            assert!(known <= EXITED + 2 && exited <= EXITED, "{known} known, {exited} exited");
            assert!(tree.holds(shell) && tree.holds((pid, 5)));
            assert!(pid == 10 || tree.holds((pid - 1, 5)), "one that has just exited is known");
        }
        assert!(!tree.holds((10, 5)));
    }
}
