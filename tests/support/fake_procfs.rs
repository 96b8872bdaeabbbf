//! A procfs made by a test. Its tables are FIFOs: the program reads exactly what each poll writes,
//! one after the other, and the next poll waits until the program begins to read it. Whatever the
//! machine does meanwhile, the program sees the same tables in the same order.

use super::program::{Outcome, Program, command, unprivileged};
use super::record::Event;
use super::stall::{self, repeat_if_stalled};
use super::wait::until_or;
use nix::sys::signal::Signal;
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use std::cell::Cell;
use std::fmt::Write as _;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The thread of the kernel whose children all others of the kernel are.
const KTHREADD: i32 = 2;

/// Polls that are further apart than this were kept from being taken in time: the program may
/// report a gap if it is two seconds.
const STALL: Duration = Duration::from_millis(1800);

/// A procfs that never changes, with sockets in every state; its README says which process holds
/// which of them.
pub(crate) fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/linux-6.18")
}

/// A procfs, and the program that reads it.
pub(crate) struct FakeProcfs {
    folder: TempDir,
    /// Folders that were made unreadable.
    unreadable: Vec<PathBuf>,
    program: Option<Program>,
    /// When the last poll ended.
    polled: Cell<Option<Instant>>,
}

impl FakeProcfs {
    /// Runs the body of a test with a new procfs, whose tables are given poll by poll; again if it
    /// fails in a run in which the machine stalled, since the program may then rightly report a
    /// gap.
    pub(crate) fn session(body: impl Fn(Self)) {
        repeat_if_stalled(|| body(Self::new()));
    }

    /// One without processes, whose tables are given poll by poll.
    pub(crate) fn new() -> Self {
        let procfs = Self::empty();
        for table in ["net/tcp", "net/tcp6"] {
            mknodat(CWD, procfs.file(table), FileType::Fifo, Mode::RWXU, 0).expect("a FIFO");
        }
        procfs
    }

    /// One without processes whose table for IPv4 is an ordinary file that never changes.
    pub(crate) fn with_table(tcp: impl AsRef<[u8]>) -> Self {
        let procfs = Self::empty();
        fs::write(procfs.file("net/tcp"), tcp).expect("the folder is ours");
        procfs
    }

    /// One without processes and without tables.
    pub(crate) fn empty() -> Self {
        // In memory where that is possible: there may be thousands of descriptors.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let folder = folder.expect("a folder");
        fs::create_dir(folder.path().join("net")).expect("the folder is ours");
        let procfs =
            Self { folder, unreadable: Vec::new(), program: None, polled: Cell::default() };
        procfs.process(1, "init", 0, &[]);
        procfs.process(KTHREADD, "kthreadd", 1, &[]);
        let stat = format!("{KTHREADD} (kthreadd) S 0 0 0 0 -1 2129984{} 1 0 1", " 0".repeat(10));
        fs::write(procfs.file("2/stat"), stat + &" 0".repeat(30) + "\n").expect("it is ours");
        procfs
    }

    /// Makes it a procfs that shows some processes alone, as one of another pid namespace does, or
    /// one mounted with `hidepid`: only the initial namespace has threads of the kernel.
    pub(crate) fn hide_processes(&self) {
        self.remove_process(KTHREADD);
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The path of a file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Adds a process that holds these sockets, in place of one with the same pid. `start` is its
    /// start time in clock ticks.
    pub(crate) fn process(&self, pid: i32, comm: &str, start: u64, inodes: &[u64]) {
        self.remove_process(pid);
        let home = self.file(&pid.to_string());
        fs::create_dir_all(home.join("fd")).expect("the folder is ours");
        let stat = format!("{pid} ({comm}) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {start}");
        for (name, text) in [
            ("comm", format!("{comm}\n")),
            ("cmdline", format!("{comm}\0")),
            ("stat", stat + &" 0".repeat(30) + "\n"),
        ] {
            fs::write(home.join(name), text).expect("the folder is ours");
        }
        for (fd, inode) in (3..).zip(inodes) {
            symlink(format!("socket:[{inode}]"), home.join(format!("fd/{fd}"))).expect("new");
        }
    }

    /// Adds a process whose descriptors programs started by [`Self::run_unprivileged`] may not
    /// list.
    pub(crate) fn unreadable_process(&mut self, pid: i32, comm: &str) {
        self.process(pid, comm, 50, &[]);
        let descriptors = self.file(&format!("{pid}/fd"));
        fs::set_permissions(&descriptors, Permissions::from_mode(0o000)).expect("it is ours");
        self.unreadable.push(descriptors);
    }

    pub(crate) fn remove_process(&self, pid: i32) {
        let home = self.file(&pid.to_string());
        if home.exists() {
            fs::remove_dir_all(home).expect("it is ours");
        }
    }

    /// Starts `watch -j`, which ends by itself after this many records.
    pub(crate) fn watch(&mut self, records: usize, args: &[&str]) {
        self.watch_every("1ms", records, args);
    }

    /// As [`Self::watch`], with an interval.
    pub(crate) fn watch_every(&mut self, interval: &str, records: usize, args: &[&str]) {
        let records = records.to_string();
        let watch = ["-j", "-i", interval, "--max-cpu", "100", "-m", &records];
        self.run(&[&watch, args].concat());
    }

    /// Starts any command on this procfs.
    pub(crate) fn run(&mut self, args: &[&str]) {
        self.program = Some(Program::spawn(self.command(args)));
    }

    /// As [`Self::run`]; standard output is left to the test.
    pub(crate) fn run_unread(&mut self, args: &[&str]) {
        self.program = Some(Program::spawn_unread(self.command(args)));
    }

    /// Takes over a program that the test has started on this procfs.
    pub(crate) fn adopt(&mut self, program: Program) {
        self.program = Some(program);
    }

    /// A command that reads this procfs, not started yet.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = command(args);
        command.arg("--procfs").arg(self.path());
        command
    }

    /// As [`Self::run`], without the right to read what is made unreadable.
    pub(crate) fn run_unprivileged(&mut self, args: &[&str]) {
        unprivileged(|| self.run(args));
    }

    /// One poll. A row is `local-port remote-port state/inode`, between two addresses.
    pub(crate) fn poll(&self, rows: &[&str]) {
        self.poll_with("", rows);
    }

    /// One poll with a line that is not a row.
    pub(crate) fn poll_with_bad_row(&self, rows: &[&str]) {
        self.poll_with("   0: torn\n", rows);
    }

    /// One poll in the middle of which the program gets a signal: it has taken it in once the poll
    /// is over.
    pub(crate) fn poll_with_signal(&mut self, signal: Signal, rows: &[&str]) {
        let mut fifo = self.open("net/tcp");
        self.program().signal(signal);
        fifo.write_all(table("", rows).as_bytes()).expect("a pipe holds a small table");
        drop(fifo);
        self.end_poll();
    }

    fn poll_with(&self, line: &str, rows: &[&str]) {
        let mut fifo = self.open("net/tcp");
        fifo.write_all(table(line, rows).as_bytes()).expect("a pipe holds a small table");
        drop(fifo);
        self.end_poll();
    }

    /// One poll with this table, of any length.
    pub(crate) fn poll_table(&self, table: &str) {
        let mut fifo = self.open("net/tcp");
        rustix::fs::fcntl_setfl(&fifo, OFlags::WRONLY).expect("it is open");
        fifo.write_all(table.as_bytes()).expect("the program reads all of it");
        drop(fifo);
        self.end_poll();
    }

    /// Ends a poll whose table for IPv4 was given, with an empty one for IPv6.
    fn end_poll(&self) {
        drop(self.open("net/tcp6"));
        let before = self.polled.replace(Some(Instant::now()));
        if before.is_some_and(|before| before.elapsed() > STALL) {
            stall::note();
        }
    }

    /// The same poll again and again until the program has ended.
    pub(crate) fn poll_until_exit(&mut self, rows: &[&str]) {
        until_or(
            || {
                self.offer(rows);
                (!self.program().is_running()).then_some(())
            },
            || "the program to end".to_owned(),
        );
    }

    /// One poll, if the program is about to take one: whether it was.
    pub(crate) fn offer(&self, rows: &[&str]) -> bool {
        let Some(mut fifo) = self.try_open("net/tcp") else { return false };
        fifo.write_all(table("", rows).as_bytes()).expect("a pipe holds a small table");
        drop(fifo);
        self.end_poll();
        true
    }

    /// Opens a table for writing once the program has opened it for reading.
    ///
    /// # Panics
    /// If it does not do so in time, or ends instead.
    pub(crate) fn open(&self, table: &str) -> File {
        let wanted = || {
            let stderr = self.program.as_ref().map(Program::stderr).unwrap_or_default();
            format!("the program to read {table}; it printed: {stderr}")
        };
        let open = || {
            let file = self.try_open(table);
            let ended = file.is_none() && self.program.as_ref().is_some_and(Program::has_ended);
            assert!(!ended, "it has ended; waited for {}", wanted());
            file
        };
        until_or(open, wanted)
    }

    fn try_open(&self, table: &str) -> Option<File> {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        rustix::fs::open(self.file(table), flags, Mode::empty()).ok().map(File::from)
    }

    /// The program.
    ///
    /// # Panics
    /// If none was started.
    pub(crate) fn program(&mut self) -> &mut Program {
        self.program.as_mut().expect("it was started")
    }

    /// Leaves a program that has ended to the test: this procfs is removed.
    ///
    /// # Panics
    /// If none was started.
    pub(crate) fn into_program(mut self) -> Program {
        self.program.take().expect("it was started")
    }

    /// The next event on standard output.
    pub(crate) fn event(&mut self) -> Event {
        self.program().event()
    }

    /// Waits until the program ends by itself.
    pub(crate) fn finish(mut self) -> Outcome {
        self.program.take().expect("it was started").finish()
    }

    /// Waits for the end of a program all of whose records have been taken; returns its messages.
    pub(crate) fn end(mut self) -> String {
        let mut program = self.program.take().expect("it was started");
        let outcome_rest = program.rest();
        let outcome = program.finish();
        assert_eq!((outcome.code, outcome_rest), (Some(0), Vec::new()), "{outcome:?}");
        outcome.messages()
    }
}

/// A table with a line before its rows.
fn table(line: &str, rows: &[&str]) -> String {
    let mut table = format!("  sl  local_address\n{line}");
    for row in rows {
        let words: Vec<&str> = row.split([' ', '/']).collect();
        let [local, remote, state, inode] = words[..] else { panic!("a row of a test: {row}") };
        let port = |text: &str| text.parse::<u16>().expect("a port");
        // As the kernel prints mini-sockets: shorter.
        let mini = inode == "0" && ["06", "05", "03"].contains(&state);
        let tail = if mini { "" } else { " 20 4 30 10 -1" };
        let _ = writeln!(
            table,
            "   0: 0100000A:{:04X} {}:{:04X} {state} 00000000:00000000 00:00000000 00000000 \
                 1000 0 {inode} 1 0{tail}",
            port(local),
            if remote == "0" { "00000000" } else { "0200000A" },
            port(remote),
        );
    }
    table
}

impl Drop for FakeProcfs {
    fn drop(&mut self) {
        for folder in &self.unreadable {
            let _ = fs::set_permissions(folder, Permissions::from_mode(0o700));
        }
    }
}
