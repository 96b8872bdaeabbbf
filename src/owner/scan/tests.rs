use super::*;
use std::fs;
use std::os::unix::fs::symlink;

const PARENT: i32 = 10;
const CHILD: i32 = 11;

/// A procfs of processes that hold sockets, each with the time for which it has run.
struct Procfs(tempfile::TempDir);

impl Procfs {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn ran(&self, pid: i32, nanos: u64) {
        let home = self.0.path().join(pid.to_string());
        fs::create_dir_all(home.join("fd")).unwrap();
        let stat = format!("{pid} (x) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {pid}");
        fs::write(home.join("stat"), stat + &" 0".repeat(30) + "\n").unwrap();
        fs::write(home.join("schedstat"), format!("{nanos} 0 1\n")).unwrap();
    }

    fn opens(&self, pid: i32, fd: i32, inode: u64) {
        symlink(format!("socket:[{inode}]"), self.table_of(pid).join(fd.to_string())).unwrap();
    }

    fn closes(&self, pid: i32, fd: i32) {
        fs::remove_file(self.table_of(pid).join(fd.to_string())).unwrap();
    }

    fn table_of(&self, pid: i32) -> PathBuf {
        self.0.path().join(pid.to_string()).join("fd")
    }

    /// A scan that remembers all of these processes.
    fn scan(&self) -> Scan {
        let mut scan = Scan::new(self.0.path());
        scan.home = Some(File::open(self.0.path()).unwrap());
        found(&mut scan, &[]);
        found(&mut scan, &[]);
        scan
    }
}

/// Inodes with the pid and the descriptor of each holder found.
fn found(scan: &mut Scan, wanted: &[u64]) -> Vec<(u64, i32, i32)> {
    let all = ProcessFilter::default();
    let found = scan.find(Among::All(&all), &wanted.iter().copied().collect());
    let mut holders: Vec<_> =
        found.holders.iter().map(|(inode, holder)| (*inode, holder.pid, holder.fd)).collect();
    holders.sort_unstable();
    holders
}

#[test]
fn an_idle_process_keeps_its_sockets_without_a_scan() {
    let procfs = Procfs::new();
    procfs.ran(PARENT, 5);
    procfs.opens(PARENT, 3, 77);
    let mut scan = procfs.scan();
    procfs.opens(PARENT, 4, 78);
    assert_eq!(found(&mut scan, &[77, 78]), [(77, PARENT, 3)]);
    procfs.ran(PARENT, 6);
    assert_eq!(found(&mut scan, &[77, 78]), [(77, PARENT, 3), (78, PARENT, 4)]);
}

#[test]
fn sockets_of_an_idle_process_are_checked_if_others_hold_them() {
    let procfs = Procfs::new();
    procfs.ran(PARENT, 5);
    procfs.opens(PARENT, 3, 77);
    procfs.opens(PARENT, 4, 78);
    let mut scan = procfs.scan();
    procfs.closes(PARENT, 3);
    procfs.ran(CHILD, 9);
    procfs.opens(CHILD, 3, 77);
    procfs.opens(CHILD, 5, 79);
    let of_others = found(&mut scan, &[79]);
    assert_eq!(of_others, [(79, CHILD, 5)], "nothing unchecked, and no holder without the others");
    assert_eq!(found(&mut scan, &[77]), [(77, CHILD, 3), (78, PARENT, 4)]);
    procfs.closes(PARENT, 4);
    procfs.opens(PARENT, 4, 80);
    assert_eq!(found(&mut scan, &[78]), [(80, PARENT, 4)], "another socket has the descriptor");
}
