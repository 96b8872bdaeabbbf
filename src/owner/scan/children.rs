//! Which process was started by which: the processes of a command and of all that it starts.

use super::process::{parent_of, start_of};
use super::process_files::ProcessFiles;
use crate::model::process::Process;
use crate::model::process_tree::ProcessTree;
use procfs::process::all_processes_with_root;
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// The longest line of parents that is followed. A longer one can only come of pids that were used
/// again meanwhile.
const GENERATIONS: usize = 1000;

/// The processes of a command, which grow more while it runs.
#[derive(Debug)]
pub(super) struct CommandTree {
    tree: ProcessTree,
    /// The members that ran when the tree was last brought up to date.
    running: Vec<i32>,
}

impl CommandTree {
    /// Keeps this tree up to date.
    pub(super) const fn new(tree: ProcessTree) -> Self {
        Self { tree, running: Vec::new() }
    }

    /// The processes that run.
    pub(super) fn running(&self) -> &[i32] {
        &self.running
    }

    /// Adds the processes to the tree that were started since the last call. One that has exited
    /// stays in the tree, since its sockets may be reported later, but is not searched any more.
    pub(super) fn update(&mut self, processes: &ProcessFiles) {
        self.running = descendants(processes.root(), self.tree.root());
        let identity = |pid: &i32| Some((*pid, start_of(&processes.open(*pid).ok()?)?));
        self.tree.set_running(self.running.iter().filter_map(identity).collect());
    }

    /// Adds a process if it is known to be a descendant of the tree's root, also where it has ended
    /// since, or if its parents show that it is one.
    pub(super) fn add(&self, process: &Process, is_descendant: bool, processes: &ProcessFiles) {
        if is_descendant {
            self.tree.add(process.identity());
        } else {
            self.add_by_parents(process, processes);
        }
    }

    /// There may be thousands of system calls a second, so the parents of this process are read, and no
    /// other.
    fn add_by_parents(&self, process: &Process, processes: &ProcessFiles) {
        let mut line = Vec::new();
        let mut next = process.identity();
        while !self.tree.contains(next) {
            let entry = processes.open(next.0).ok().filter(|it| start_of(it) == Some(next.1));
            let parent = entry.and_then(|entry| parent_of(&entry));
            let Some(parent) = parent.filter(|_| line.len() < GENERATIONS) else { return };
            line.push(next);
            if parent == self.tree.root() {
                break;
            }
            let start = processes.open(parent).ok().and_then(|entry| start_of(&entry));
            let Some(start) = start else { return };
            next = (parent, start);
        }
        for member in line {
            self.tree.add(member);
        }
    }
}

/// The children of a process, their children, and so on. Every thread has children of its own; a
/// kernel without these lists (`CONFIG_PROC_CHILDREN`) still shows every process's parent.
fn descendants(procfs: &Path, root: i32) -> Vec<i32> {
    let mut found = vec![root];
    let mut known = HashSet::from([root]);
    let mut parents = None;
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        let children = listed_children(procfs, pid).unwrap_or_else(|| {
            let parents = parents.get_or_insert_with(|| all_parents(procfs));
            parents.get(&pid).cloned().unwrap_or_default()
        });
        found.extend(children.into_iter().filter(|child| known.insert(*child)));
        next += 1;
    }
    found.split_off(1)
}

/// `None` where the kernel does not list children. A process that is gone has none.
fn listed_children(procfs: &Path, pid: i32) -> Option<Vec<i32>> {
    let mut children = Vec::new();
    let Ok(threads) = std::fs::read_dir(procfs.join(format!("{pid}/task"))) else {
        return Some(children);
    };
    for thread in threads.flatten() {
        match std::fs::read_to_string(thread.path().join("children")) {
            Ok(list) => {
                let pids = list.split_whitespace().map(str::parse::<i32>);
                children.extend(pids.map_while(Result::ok));
            }
            // The thread is there, its list is not.
            Err(_) if thread.path().join("stat").exists() => return None,
            Err(_) => {}
        }
    }
    Some(children)
}

/// The children of every process, as the processes name their parents.
fn all_parents(procfs: &Path) -> HashMap<i32, Vec<i32>> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    let processes = all_processes_with_root(procfs).into_iter().flatten().flatten();
    for stat in processes.filter_map(|process| process.stat().ok()) {
        children.entry(stat.ppid).or_default().push(stat.pid);
    }
    children
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A procfs of these processes, each with its parent; with lists of children or without.
    fn procfs(processes: &[(i32, i32)], listed: bool) -> tempfile::TempDir {
        let procfs = tempfile::tempdir().unwrap();
        for (pid, parent) in processes {
            let home = procfs.path().join(pid.to_string());
            let thread = home.join(format!("task/{pid}"));
            fs::create_dir_all(&thread).unwrap();
            let stat = format!("{pid} (x) S {parent} 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {pid}");
            let stat = stat + &" 0".repeat(30) + "\n";
            fs::write(home.join("stat"), &stat).unwrap();
            fs::write(thread.join("stat"), &stat).unwrap();
            if listed {
                let own = processes.iter().filter(|(_, parent)| parent == pid);
                let list: Vec<String> = own.map(|(child, _)| child.to_string()).collect();
                fs::write(thread.join("children"), list.join(" ") + " ").unwrap();
            }
        }
        procfs
    }

    #[test]
    fn all_descendants_are_found_and_no_others() {
        let processes = [(10, 1), (11, 10), (12, 11), (13, 11), (20, 1), (21, 20)];
        for listed in [true, false] {
            let procfs = procfs(&processes, listed);
            let mut found = descendants(procfs.path(), 10);
            found.sort_unstable();
            assert_eq!(found, [11, 12, 13], "listed: {listed}");
            assert_eq!(descendants(procfs.path(), 21), [0_i32; 0]);
        }
    }

    #[test]
    fn a_caller_is_added_if_an_ancestor_is_in_the_tree() {
        let procfs = procfs(&[(10, 1), (11, 10), (12, 11), (20, 1), (21, 20)], true);
        let (tree, processes) = (ProcessTree::new(10), ProcessFiles::new(procfs.path()));
        let followed = CommandTree::new(tree.clone());
        for pid in [12, 21, 10, 99] {
            let process = Process { start: u64::try_from(pid).unwrap(), ..Process::unknown(pid) };
            followed.add(&process, false, &processes);
        }
        followed.add(&Process { start: 1, ..Process::unknown(11) }, false, &processes);
        assert!(tree.contains((12, 12)) && tree.contains((11, 11)));
        assert!(
            ![(21, 21), (20, 20), (10, 10), (99, 99), (11, 1)].iter().any(|it| tree.contains(*it))
        );
    }

    #[test]
    fn a_process_that_has_exited_stays_in_the_tree() {
        let procfs = procfs(&[(10, 1), (11, 10)], true);
        let (tree, processes) = (ProcessTree::new(10), ProcessFiles::new(procfs.path()));
        let mut followed = CommandTree::new(tree.clone());
        followed.update(&processes);
        fs::remove_dir_all(procfs.path().join("11")).unwrap();
        fs::write(procfs.path().join("10/task/10/children"), "").unwrap();
        followed.update(&processes);
        assert!(tree.contains((11, 11)) && !tree.contains((10, 10)) && !tree.contains((11, 12)));
    }
}
