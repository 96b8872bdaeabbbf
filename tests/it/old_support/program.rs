//! The program under test: watching beside a test, or taking one look.

use super::record::{Event, Line, Listed};
use super::wait::until;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

const TCPLAPSE: &str = env!("CARGO_BIN_EXE_tcplapse");

const NOBODY: u32 = 65534;

/// `tcplapse list -j` with these arguments.
///
/// # Panics
/// If it fails, or says what the interface does not know.
pub(crate) fn list(args: &[&str]) -> Vec<Listed> {
    listed(Command::new(TCPLAPSE).args(["list", "-j"]).args(args).output())
}

/// The same as a user without rights; `None` if that may not be tried.
///
/// # Panics
/// As [`list`].
pub(crate) fn list_as_nobody(args: &[&str]) -> Option<Vec<Listed>> {
    let mut command = Command::new(TCPLAPSE);
    let output = command.args(["list", "-j"]).args(args).uid(NOBODY).gid(NOBODY).output();
    output.is_ok().then(|| listed(output))
}

/// A run that ends by itself, as a user without rights: status, output and errors; `None` if that
/// may not be tried.
pub(crate) fn run_as_nobody(args: &[&str]) -> Option<Output> {
    Command::new(TCPLAPSE).args(args).uid(NOBODY).gid(NOBODY).output().ok()
}

/// The same where no thread can be made.
pub(crate) fn run_without_threads(args: &[&str]) -> Option<Output> {
    let mut command = Command::new("prlimit");
    command.arg("--nproc=1").arg(TCPLAPSE).args(args).uid(NOBODY).gid(NOBODY);
    // prlimit ends so where it may not run the program.
    command.output().ok().filter(|output| !matches!(output.status.code(), Some(126 | 127)))
}

fn listed(output: std::io::Result<Output>) -> Vec<Listed> {
    let output = output.expect("the program was built for this test");
    assert!(output.status.code().is_some_and(|code| code < 2), "{output:?}");
    String::from_utf8(output.stdout).expect("JSON is UTF-8").lines().map(Listed::parse).collect()
}

/// A running `tcplapse` that answers by its exit status; killed when dropped.
pub(crate) struct Asked(Child);

impl Asked {
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut command = Command::new(TCPLAPSE);
        command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().expect("the program was built for this test"))
    }

    /// It has not ended.
    pub(crate) fn goes_on(&mut self) -> bool {
        self.0.try_wait().expect("it is our child").is_none()
    }

    /// Waits for the next line on its standard output.
    pub(crate) fn line(&mut self) -> String {
        let stdout = self.0.stdout.as_mut().expect("not read to its end yet");
        let mut line = Vec::new();
        // Byte by byte: what follows is for the answer.
        while line.last() != Some(&b'\n') {
            let mut byte = [0];
            stdout.read_exact(&mut byte).expect("it says something");
            line.extend(byte);
        }
        String::from_utf8(line).expect("UTF-8")
    }

    /// Waits for its end; exit status, standard output, standard error.
    pub(crate) fn answer(&mut self) -> (i32, String, String) {
        let status = until("its end", || self.0.try_wait().expect("it is our child"));
        let (mut printed, mut told) = (String::new(), String::new());
        let _ = self.0.stdout.take().map(|mut out| out.read_to_string(&mut printed));
        let _ = self.0.stderr.take().map(|mut err| err.read_to_string(&mut told));
        (status.code().expect("it was not killed"), printed, told)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        // Where it has ended already there is nothing to kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running `tcplapse -j`; killed when dropped.
pub(crate) struct Watch {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
    stderr: ChildStderr,
}

impl Watch {
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::keeping(args, |_| true)
    }

    /// One of whose lines only those are kept that `keep` says.
    pub(crate) fn keeping(args: &[&str], keep: impl Fn(&str) -> bool + Send + 'static) -> Self {
        let mut command = Command::new(TCPLAPSE);
        command.arg("-j").args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program was built for this test");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let stderr = child.stderr.take().expect("piped");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let reader = std::thread::spawn(move || {
            for line in stdout.lines() {
                let line = line.expect("JSON is UTF-8");
                if keep(&line) {
                    sink.lock().expect("no reader panics with it").push(line);
                }
            }
        });
        Self { child, lines, reader: Some(reader), stderr }
    }

    /// What it has said so far.
    pub(crate) fn said(&self) -> Vec<Line> {
        self.lines
            .lock()
            .expect("no writer panics with it")
            .iter()
            .map(|l| Line::parse(l))
            .collect()
    }

    /// Waits for an event.
    pub(crate) fn until(&self, what: &str, wanted: impl Fn(&Event) -> bool) -> Event {
        let mut checked = 0;
        until(what, || {
            let new: Vec<Line> = {
                let lines = self.lines.lock().expect("no writer panics with it");
                lines[checked..].iter().map(|line| Line::parse(line)).collect()
            };
            checked += new.len();
            new.into_iter().find_map(|line| match line {
                Line::Event(event) if wanted(&event) => Some(*event),
                _ => None,
            })
        })
    }

    /// How much memory it has now (KiB).
    pub(crate) fn resident(&self) -> u64 {
        let status = self.process().status().expect("it runs");
        status.vmrss.expect("it has memory")
    }

    /// How much processor time it has taken (s).
    pub(crate) fn cpu(&self) -> u64 {
        let stat = self.process().stat().expect("it runs");
        (stat.utime + stat.stime) / procfs::ticks_per_second()
    }

    fn process(&self) -> procfs::process::Process {
        let pid = i32::try_from(self.child.id()).expect("a pid");
        procfs::process::Process::new(pid).expect("it is our child and still runs")
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a pid");
        kill(Pid::from_raw(pid), signal).expect("it is our child and still runs");
    }

    /// Ends it as `kill` does and returns all it said.
    ///
    /// # Panics
    /// If it does not end with status 0.
    pub(crate) fn stop(mut self) -> Vec<Line> {
        self.signal(Signal::SIGTERM);
        let status = self.child.wait().expect("it is our child");
        self.reader.take().expect("not joined yet").join().expect("it reads until the end");
        let mut stderr = String::new();
        self.stderr.read_to_string(&mut stderr).expect("UTF-8");
        assert!(status.success(), "{status}: {stderr}");
        self.said()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // After a stop it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
