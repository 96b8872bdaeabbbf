//! The processes that one process has started, directly or not.

use std::cell::RefCell;
use std::collections::{HashSet, VecDeque};
use std::rc::Rc;

/// A command may start a thousand processes a second for hours. This many that have exited are
/// kept: a socket of theirs is reported seconds later at most, and needs no owner after that to stay
/// matched.
const EXITED: usize = 65_536;

/// The processes that one has started, directly or not, as far as they have been seen. All clones
/// share one set, which changes while filters use it.
#[derive(Debug, Clone)]
pub struct ProcessTree {
    root: i32,
    members: Rc<RefCell<Members>>,
}

#[derive(Debug, Default)]
struct Members {
    all: HashSet<(i32, u64)>,
    running: HashSet<(i32, u64)>,
    /// Those that have exited, the latest last.
    exited: VecDeque<(i32, u64)>,
}

impl ProcessTree {
    /// An empty tree below the process `root`, which does not belong to it.
    pub(crate) fn new(root: i32) -> Self {
        Self { root, members: Rc::default() }
    }

    /// The process whose descendants these are.
    pub(crate) const fn root(&self) -> i32 {
        self.root
    }

    /// Sets the processes, by pid and start, that run now. Others have exited, and stay in the tree
    /// for a while.
    pub(crate) fn set_running(&self, running: HashSet<(i32, u64)>) {
        let Members { all, running: before, exited } = &mut *self.members.borrow_mut();
        exited.extend(before.difference(&running));
        all.extend(&running);
        *before = running;
        let too_many = exited.len().saturating_sub(EXITED);
        for process in exited.drain(..too_many) {
            if !before.contains(&process) {
                all.remove(&process);
            }
        }
    }

    /// Adds a process that runs.
    pub(crate) fn add(&self, process: (i32, u64)) {
        let mut members = self.members.borrow_mut();
        members.all.insert(process);
        members.running.insert(process);
    }

    /// Whether a process with this pid and start belongs to the tree.
    pub(crate) fn contains(&self, process: (i32, u64)) -> bool {
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
            tree.set_running([shell, (pid, 5)].into());
            let (known, exited) = {
                let members = tree.members.borrow();
                (members.all.len(), members.exited.len())
            };
            assert!(known <= EXITED + 2 && exited <= EXITED, "{known} known, {exited} exited");
            assert!(tree.contains(shell) && tree.contains((pid, 5)));
            assert!(pid == 10 || tree.contains((pid - 1, 5)), "one that has just exited is known");
        }
        assert!(!tree.contains((10, 5)));
    }
}
