//! A procfs of our own that changes from poll to poll. Its tables are FIFOs: the program reads
//! exactly what each step writes, one after the other, and the next step waits until it has.

use crate::old_support::record::{Event, Line};
use crate::old_support::wait::until;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};
use std::fmt::Write as _;
use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use tempfile::TempDir;

pub(crate) struct Stage {
    procfs: TempDir,
    /// Folders that were made unreadable.
    forbidden: Vec<PathBuf>,
    program: Option<(Child, BufReader<ChildStdout>)>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let procfs = tempfile::tempdir().expect("a folder");
        fs::create_dir(procfs.path().join("net")).unwrap();
        for table in ["net/tcp", "net/tcp6"] {
            mknodat(CWD, procfs.path().join(table), FileType::Fifo, Mode::RWXU, 0).unwrap();
        }
        Self { procfs, forbidden: Vec::new(), program: None }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.procfs.path().join(name)
    }

    /// A process that holds these sockets, in place of one with the same pid.
    pub(crate) fn process(&self, pid: i32, comm: &str, start: u64, inodes: &[u64]) {
        self.exit(pid);
        let home = self.path(&pid.to_string());
        fs::create_dir_all(home.join("fd")).unwrap();
        fs::write(home.join("comm"), format!("{comm}\n")).unwrap();
        fs::write(home.join("cmdline"), format!("{comm}\0")).unwrap();
        let stat = format!("{pid} ({comm}) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {start}");
        fs::write(home.join("stat"), stat + &" 0".repeat(30) + "\n").unwrap();
        for (fd, inode) in (3..).zip(inodes) {
            symlink(format!("socket:[{inode}]"), home.join(format!("fd/{fd}"))).unwrap();
        }
    }

    /// A process whose descriptors may not be listed, to those started by [`Self::run_unprivileged`].
    pub(crate) fn forbidden_process(&mut self, pid: i32, comm: &str) {
        self.process(pid, comm, 50, &[]);
        let descriptors = self.path(&format!("{pid}/fd"));
        fs::set_permissions(&descriptors, Permissions::from_mode(0o000)).unwrap();
        self.forbidden.push(descriptors);
    }

    pub(crate) fn exit(&self, pid: i32) {
        let home = self.path(&pid.to_string());
        if home.exists() {
            fs::remove_dir_all(home).unwrap();
        }
    }

    /// Starts `tcplapse -j`, which ends by itself after this many records.
    pub(crate) fn start(&mut self, records: usize, args: &[&str]) {
        self.start_polling("1ms", records, args);
    }

    pub(crate) fn start_polling(&mut self, interval: &str, records: usize, args: &[&str]) {
        let records = records.to_string();
        let watch = ["-j", "-i", interval, "--max-cpu", "100", "-m", &records];
        self.run(&[&watch, args].concat());
    }

    /// Starts any command.
    pub(crate) fn run(&mut self, args: &[&str]) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tcplapse"))
            .args(args)
            .arg("--procfs")
            .arg(self.procfs.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let stdout = BufReader::new(child.stdout.take().unwrap());
        self.program = Some((child, stdout));
    }

    /// Starts any command without the right to read what is forbidden.
    pub(crate) fn run_unprivileged(&mut self, args: &[&str]) {
        let start = || {
            for right in [CapabilitySet::DAC_OVERRIDE, CapabilitySet::DAC_READ_SEARCH] {
                // Whoever may not give up a right has none.
                let _ = remove_capability_from_bounding_set(right);
            }
            self.run(args);
        };
        // The rights are given up by this thread, and so by what it starts.
        std::thread::scope(|scope| scope.spawn(start).join()).expect("it starts");
    }

    /// One poll: rows as `local-port remote-port state/inode`, between two addresses of ours.
    pub(crate) fn poll(&self, rows: &[&str]) {
        self.poll_after("", rows);
    }

    /// A poll with a line that is no row.
    pub(crate) fn poll_with_bad_row(&self, rows: &[&str]) {
        self.poll_after("   0: torn\n", rows);
    }

    /// The same poll again and again until the program has ended.
    pub(crate) fn poll_on(&mut self, rows: &[&str]) {
        while self.program().try_wait().unwrap().is_none() {
            self.offer(rows);
        }
    }

    /// A poll, if the program is about to take one.
    pub(crate) fn offer(&self, rows: &[&str]) {
        if let Some(mut table) = self.opened("net/tcp") {
            table.write_all(rendered("", rows).as_bytes()).expect("a pipe holds a small table");
            drop(table);
            self.write("net/tcp6", "");
        } else {
            std::thread::park_timeout(std::time::Duration::from_millis(1));
        }
    }

    fn poll_after(&self, line: &str, rows: &[&str]) {
        self.write("net/tcp", &rendered(line, rows));
        self.write("net/tcp6", "");
    }

    pub(crate) fn procfs(&self) -> &Path {
        self.procfs.path()
    }

    /// Opens a table once the program has opened it.
    pub(crate) fn open(&self, table: &str) -> File {
        until("the program reads", || self.opened(table))
    }

    fn opened(&self, table: &str) -> Option<File> {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        rustix::fs::open(self.path(table), flags, Mode::empty()).ok().map(File::from)
    }

    fn write(&self, table: &str, text: &str) {
        let mut fifo = self.open(table);
        fifo.write_all(text.as_bytes()).expect("a pipe holds a small table");
    }

    /// The program.
    pub(crate) fn program(&mut self) -> &mut Child {
        &mut self.program.as_mut().expect("it was started").0
    }

    /// Its standard output, of which nothing was read yet: for another thread.
    pub(crate) fn stdout(&self) -> File {
        let (_, stdout) = self.program.as_ref().expect("it was started");
        stdout.get_ref().as_fd().try_clone_to_owned().expect("a descriptor").into()
    }

    /// Sends a signal to the program.
    pub(crate) fn signal(&mut self, signal: Signal) {
        let child = self.program();
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
        kill(pid, signal).expect("it is our child");
    }

    /// The next line of standard output.
    pub(crate) fn line(&mut self) -> String {
        let (_, stdout) = self.program.as_mut().expect("it was started");
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a record");
        line
    }

    /// The next record.
    pub(crate) fn told(&mut self) -> Event {
        match Line::parse(&self.line()) {
            Line::Event(event) => *event,
            Line::Lost(lost) => panic!("{lost:?}"),
        }
    }

    /// Waits for its end: status, standard output, standard error.
    pub(crate) fn outcome(mut self) -> (Option<i32>, String, String) {
        let (child, stdout) = self.program.as_mut().expect("it was started");
        let status = until("its end", || child.try_wait().unwrap());
        let (mut printed, mut told) = (String::new(), String::new());
        stdout.read_to_string(&mut printed).unwrap();
        child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        (status.code(), printed, told)
    }

    /// Its end: all records have been told. Returns standard error.
    pub(crate) fn end(self) -> String {
        let (status, rest, told) = self.outcome();
        assert_eq!((status, rest.as_str()), (Some(0), ""));
        told
    }
}

/// A table with a line before its rows.
fn rendered(line: &str, rows: &[&str]) -> String {
    let mut table = format!("  sl  local_address\n{line}");
    for row in rows {
        let words: Vec<&str> = row.split([' ', '/']).collect();
        let port = |i: usize| words[i].parse::<u16>().unwrap();
        let mini = words[3] == "0" && ["06", "05", "03"].contains(&words[2]);
        let tail = if mini { "" } else { " 20 4 30 10 -1" };
        let _ = writeln!(
            table,
            "   0: 0100000A:{:04X} 0200000A:{:04X} {} 00000000:00000000 00:00000000 00000000 \
                 1000 0 {} 1 0{tail}",
            port(0),
            port(1),
            words[2],
            words[3]
        );
    }
    table
}

impl Drop for Stage {
    fn drop(&mut self) {
        for folder in &self.forbidden {
            let _ = fs::set_permissions(folder, Permissions::from_mode(0o700));
        }
        if let Some((child, _)) = &mut self.program {
            // After a failed test it may still wait for a poll.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
