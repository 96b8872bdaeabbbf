use super::*;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

const PARENT: i32 = 10;
const CHILD: i32 = 11;

/// A procfs of processes that hold sockets.
struct Procfs(tempfile::TempDir);

/// The flags of the first thread of the kernel (PF_KTHREAD and others), where a process has none.
const KTHREADD: &str = "0 -1 2129984";

impl Procfs {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Adds a process, or sets how long it has run.
    fn set_run_time(&self, pid: i32, nanos: u64) {
        let home = self.0.path().join(pid.to_string());
        fs::create_dir_all(home.join("fd")).unwrap();
        let stat = format!("{pid} (x) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {pid}");
        fs::write(home.join("stat"), stat + &" 0".repeat(30) + "\n").unwrap();
        fs::write(home.join("schedstat"), format!("{nanos} 0 1\n")).unwrap();
    }

    fn edit_stat(&self, pid: i32, from: &str, to: &str) {
        let stat = self.0.path().join(pid.to_string()).join("stat");
        let line = fs::read_to_string(&stat).unwrap();
        fs::write(&stat, line.replacen(from, to, 1)).unwrap();
    }

    /// Adds a second thread to a process; returns the folder of its table.
    fn add_thread(&self, pid: i32, tid: i32) -> PathBuf {
        self.edit_stat(pid, "20 0 1 0", "20 0 2 0");
        let table = self.0.path().join(format!("{pid}/task/{tid}/fd"));
        fs::create_dir_all(&table).unwrap();
        table
    }

    fn open_fd(&self, pid: i32, fd: i32, inode: u64) {
        symlink(format!("socket:[{inode}]"), self.fd_dir(pid).join(fd.to_string())).unwrap();
    }

    fn close_fd(&self, pid: i32, fd: i32) {
        fs::remove_file(self.fd_dir(pid).join(fd.to_string())).unwrap();
    }

    fn fd_dir(&self, pid: i32) -> PathBuf {
        self.0.path().join(pid.to_string()).join("fd")
    }

    /// A scan that remembers all processes there are.
    fn scan(&self) -> Scan {
        let mut scan = Scan::new(self.0.path());
        scan.processes.pretend_procfs();
        found(&mut scan, &[]);
        found(&mut scan, &[]);
        scan
    }
}

/// The inodes that are found, with the pid and the descriptor of each holder.
fn found(scan: &mut Scan, wanted: &[u64]) -> Vec<(u64, i32, i32)> {
    let all = ProcessFilter::default();
    let found = scan.find(SearchScope::All(&all), &wanted.iter().copied().collect());
    let mut holders: Vec<_> =
        found.holders.iter().map(|(inode, holder)| (*inode, holder.pid, holder.fd)).collect();
    holders.sort_unstable();
    holders
}

#[test]
fn a_process_that_has_not_run_is_not_read_again() {
    let procfs = Procfs::new();
    procfs.set_run_time(PARENT, 5);
    procfs.open_fd(PARENT, 3, 77);
    let mut scan = procfs.scan();
    procfs.open_fd(PARENT, 4, 78);
    assert_eq!(found(&mut scan, &[77, 78]), [(77, PARENT, 3)]);
    procfs.set_run_time(PARENT, 6);
    assert_eq!(found(&mut scan, &[77, 78]), [(77, PARENT, 3), (78, PARENT, 4)]);
}

/// They have no descriptors.
#[test]
fn kernel_threads_are_not_searched() {
    let procfs = Procfs::new();
    procfs.set_run_time(PARENT, 5);
    procfs.open_fd(PARENT, 3, 77);
    let mut scan = Scan::new(procfs.0.path());
    assert_eq!(found(&mut scan, &[77]), [(77, PARENT, 3)]);
    // The flags as of kworker/0:0 (PF_KTHREAD, PF_WQ_WORKER and others).
    procfs.edit_stat(PARENT, "0 -1 0", "0 -1 69238880");
    assert_eq!(found(&mut Scan::new(procfs.0.path()), &[77]), []);
}

/// The search for a filter reads other threads than the one for all, which may follow at once.
#[test]
fn a_search_of_all_reads_threads_that_a_narrower_one_did_not() {
    let procfs = Procfs::new();
    procfs.set_run_time(PARENT, 5);
    let table = procfs.add_thread(PARENT, 12);
    symlink("socket:[77]", table.join("3")).unwrap();
    let mut scan = Scan::new(procfs.0.path());
    let other = ProcessFilter { pids: vec![CHILD], ..ProcessFilter::default() };
    let narrow = scan.find(SearchScope::Matching(&other), &[77].into_iter().collect());
    assert!(narrow.holders.is_empty());
    assert_eq!(found(&mut scan, &[77]), [(77, PARENT, 3)]);
}

/// It has as many descriptors as its process, and the newest eight are the same.
#[test]
fn tables_that_look_alike_are_read_as_far_as_there_is_time() {
    let procfs = Procfs::new();
    procfs.set_run_time(PARENT, 5);
    let table = procfs.add_thread(PARENT, 12);
    let fds = 3..=11;
    for fd in fds.clone() {
        procfs.open_fd(PARENT, fd, 70 + u64::from(fd.unsigned_abs()));
    }
    // A file system lists them in any order; the eight that come last count as the newest.
    let first = fs::read_dir(procfs.fd_dir(PARENT)).unwrap().next().unwrap().unwrap().file_name();
    for fd in fds {
        let inode = if first == *fd.to_string() { 99 } else { 70 + fd };
        symlink(format!("socket:[{inode}]"), table.join(fd.to_string())).unwrap();
    }
    let holders = |most_read| {
        let all = ProcessFilter::default();
        let mut scan = Scan::new(procfs.0.path());
        scan.searcher.threads.most_read = most_read;
        let found = scan.find_for_certain(SearchScope::All(&all), &[99].into_iter().collect());
        let holders = found.holders.into_iter().filter(|(inode, _)| *inode == 99).count();
        (holders, found.unread.len())
    };
    assert_eq!((holders(9), holders(8)), ((1, 0), (0, 1)));
}

/// Something may be mounted in its place.
#[test]
fn a_listed_process_without_files_is_not_gone() {
    let procfs = Procfs::new();
    for pid in [1, 2, PARENT] {
        procfs.set_run_time(pid, 5);
    }
    procfs.edit_stat(2, "0 -1 0", KTHREADD);
    let is_whole = || {
        let all = ProcessFilter::default();
        let wanted = [77].into_iter().collect();
        Scan::new(procfs.0.path()).find_for_certain(SearchScope::All(&all), &wanted).is_whole()
    };
    assert!(is_whole());
    fs::create_dir(procfs.0.path().join(CHILD.to_string())).unwrap();
    assert!(!is_whole());
}

/// A security module may let a process see threads of the kernel, and not all processes.
#[test]
fn not_all_are_listed_where_the_first_process_is_hidden() {
    let procfs = Procfs::new();
    procfs.set_run_time(2, 5);
    procfs.edit_stat(2, "0 -1 0", KTHREADD);
    assert!(!Scan::new(procfs.0.path()).processes.lists_all());
    procfs.set_run_time(1, 5);
    assert!(Scan::new(procfs.0.path()).processes.lists_all());
}

#[test]
fn a_remembered_descriptor_is_checked_before_it_counts() {
    let procfs = Procfs::new();
    procfs.set_run_time(PARENT, 5);
    procfs.open_fd(PARENT, 3, 77);
    procfs.open_fd(PARENT, 4, 78);
    let mut scan = procfs.scan();
    procfs.close_fd(PARENT, 3);
    procfs.set_run_time(CHILD, 9);
    procfs.open_fd(CHILD, 3, 77);
    procfs.open_fd(CHILD, 5, 79);
    let of_others = found(&mut scan, &[79]);
    assert_eq!(of_others, [(79, CHILD, 5)], "no unchecked holder");
    assert_eq!(found(&mut scan, &[77]), [(77, CHILD, 3), (78, PARENT, 4)]);
    procfs.close_fd(PARENT, 4);
    procfs.open_fd(PARENT, 4, 80);
    assert_eq!(
        found(&mut scan, &[78]),
        [(80, PARENT, 4)],
        "the descriptor leads to another socket"
    );
}
