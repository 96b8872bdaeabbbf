//! The program under test. Whichever way a test runs it, it is run from here: every wait has a
//! limit, a wait that fails prints what the program had printed, and a program that still runs when
//! the test is over is killed.

use super::output::Output;
use super::pidns::PidNamespace;
use super::record::{Event, Listed, Lost, OutputLine};
use super::stall;
use super::wait::until_or;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

pub(crate) const TCPLAPSE: &str = env!("CARGO_BIN_EXE_tcplapse");
/// The user without rights.
const NOBODY: u32 = 65534;
/// On a loaded machine, polls come when they can: no test is about how much CPU they may take,
/// unless it says otherwise.
const UNLIMITED: [&str; 2] = ["--max-cpu", "100"];
/// Standard error, where the end of the first poll is announced to a test.
const READY: [&str; 2] = ["--ready-fd", "2"];

/// The program, to be run by the caller: with another user, environment or stream.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(TCPLAPSE);
    // Drawings depend on the locale.
    command.args(args).env("LC_ALL", "C.UTF-8");
    for flag in ["SOURCE", "INTERVAL", "MAX_CPU", "COLOR", "TIME"] {
        command.env_remove(format!("TCPLAPSE_{flag}"));
    }
    command
}

/// Runs the program to its end.
///
/// # Panics
/// If it does not end in time.
pub(crate) fn run(args: &[&str]) -> Outcome {
    Program::start(args).finish()
}

/// Runs the program to its end, with these bytes in a pipe on its standard input.
pub(crate) fn run_with_input(args: &[&str], input: Vec<u8>) -> Outcome {
    let (stdin, mut writer) = std::io::pipe().expect("a pipe");
    let mut command = command(args);
    command.stdin(stdin);
    let program = Program::spawn(command);
    // A program that has ended does not read the rest.
    let writer = std::thread::spawn(move || drop(writer.write_all(&input)));
    let outcome = program.finish();
    writer.join().expect("the pipe is closed once the program has ended");
    outcome
}

/// Runs the program to its end as a user without rights; `None` if that is not permitted.
pub(crate) fn run_as_nobody(args: &[&str]) -> Option<Outcome> {
    start_as_nobody(args).map(Program::finish)
}

/// Starts the program as a user without rights; `None` if that is not permitted.
pub(crate) fn start_as_nobody(args: &[&str]) -> Option<Program> {
    Program::try_spawn(command_of_nobody(args)).ok()
}

/// As [`command`], for a user without rights.
pub(crate) fn command_of_nobody(args: &[&str]) -> Command {
    let mut command = command(args);
    command.uid(NOBODY).gid(NOBODY);
    command
}

/// Lets what is started here have no right to read what is made unreadable.
pub(crate) fn unprivileged<T: Send>(start: impl FnOnce() -> T + Send) -> T {
    let start = || {
        for right in [CapabilitySet::DAC_OVERRIDE, CapabilitySet::DAC_READ_SEARCH] {
            // A process that may not give up a capability has none.
            let _ = remove_capability_from_bounding_set(right);
        }
        start()
    };
    // The capabilities are given up by this thread, and so by what it starts.
    std::thread::scope(|scope| scope.spawn(start).join()).expect("it starts")
}

/// As [`run_as_nobody`], where the kernel refuses to make threads.
pub(crate) fn run_without_threads(args: &[&str]) -> Option<Outcome> {
    let mut command = Command::new("prlimit");
    command.arg("--nproc=1").arg(TCPLAPSE).args(args).uid(NOBODY).gid(NOBODY);
    let outcome = Program::try_spawn(command).ok()?.finish();
    // prlimit ends so where it may not run the program.
    (!matches!(outcome.code, Some(126 | 127))).then_some(outcome)
}

/// Runs the program by way of another one, a command with its first arguments; `None` where that is missing
/// or may not run it.
pub(crate) fn run_by(way: &[&str], args: &[&str]) -> Option<Outcome> {
    let mut command = Command::new(way[0]);
    command.args(&way[1..]).arg(TCPLAPSE).args(args);
    let outcome = Program::try_spawn(command).ok()?.finish();
    // Such programs end so where they may not run another.
    (!matches!(outcome.code, Some(126 | 127))).then_some(outcome)
}

/// What the program says where it may open ever more files, until it is not refused for that any more; `None`
/// where prlimit is missing. How many are enough depends also on those that the test was started with.
pub(crate) fn refusals_with_few_descriptors(args: &[&str]) -> Option<Vec<String>> {
    run_by(&["prlimit"], &["--version"])?;
    let mut refusals = Vec::new();
    for limit in 3..=64 {
        let limited = ["prlimit", &format!("--nofile={limit}")];
        match run_by(&limited, args) {
            // With the fewest, not even its libraries can be opened.
            None => {}
            Some(outcome) if outcome.code == Some(2) => refusals.push(outcome.messages()),
            Some(_) => return Some(refusals),
        }
    }
    panic!("64 descriptors are not enough: {refusals:?}");
}

/// The sockets that `tcplapse list -j` prints with these arguments.
///
/// # Panics
/// If it fails, or prints what the interface does not promise.
pub(crate) fn list(args: &[&str]) -> Vec<Listed> {
    run(&[&["list", "-j"], args].concat()).listed()
}

/// What a run that has ended left.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The exit status; `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    /// All of standard error but the announcement of the first poll.
    pub(crate) stderr: String,
}

impl Outcome {
    /// The messages on standard error without those that only say that the machine was too busy
    /// to poll in time: these are true, and no test can rule them out.
    pub(crate) fn messages(&self) -> String {
        let about_load = |line: &&str| line.starts_with("tcplapse: polling every ");
        self.stderr.split_inclusive('\n').filter(|line| !about_load(line)).collect()
    }

    /// The records of `list -j`.
    ///
    /// # Panics
    /// If the run failed, or printed what the interface does not promise.
    pub(crate) fn listed(&self) -> Vec<Listed> {
        assert!(matches!(self.code, Some(0 | 1)), "{self:?}");
        self.stdout.lines().map(Listed::parse).collect()
    }

    /// The records of `watch -j`.
    ///
    /// # Panics
    /// If the run failed, or printed what the interface does not promise.
    pub(crate) fn recorded(&self) -> Recorded {
        assert_eq!(self.code, Some(0), "{self:?}");
        let mut recorded = Recorded::default();
        for line in self.stdout.lines() {
            recorded.push(line);
        }
        recorded
    }
}

/// The records of a stream.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    pub(crate) events: Vec<Event>,
    pub(crate) lost: Vec<Lost>,
}

impl Recorded {
    fn push(&mut self, line: &str) {
        match OutputLine::parse(line) {
            OutputLine::Event(event) => self.events.push(*event),
            OutputLine::Lost(lost) => self.lost.push(lost),
        }
    }
}

/// A program that runs.
pub(crate) struct Program {
    child: Child,
    /// `None` where the test itself reads standard output, or does not.
    stdout: Option<Output>,
    stderr: Output,
}

impl Program {
    /// Starts the program.
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::spawn(command(args))
    }

    /// Starts a command that polls again and again, and waits until its first poll is over: what
    /// happens from then on is seen.
    pub(crate) fn polling(args: &[&str]) -> Self {
        Self::started_and_ready(command(&[args, &UNLIMITED, &READY].concat()))
    }

    /// As [`Self::polling`]: the events as JSON Lines.
    pub(crate) fn watch(args: &[&str]) -> Self {
        Self::polling(&[&["watch", "-j"], args].concat())
    }

    /// As [`Self::watch`], but of the records only those lines are kept that `keep` wants.
    pub(crate) fn watch_keeping(
        args: &[&str],
        keep: impl Fn(&str) -> bool + Send + 'static,
    ) -> Self {
        let args = [&["watch", "-j"], args, &UNLIMITED, &READY].concat();
        let program = Self::try_spawn_keeping(command(&args), keep);
        let mut program = program.expect("the program was built for this test");
        program.until_ready();
        program
    }

    /// Starts any command of a test's own making.
    ///
    /// # Panics
    /// If it cannot be run.
    pub(crate) fn spawn(command: Command) -> Self {
        Self::try_spawn(command).expect("the program was built for this test")
    }

    /// Starts a command with the streams that the test has given it. Those that are pipes made by
    /// [`Stdio::piped`] are treated as usual: standard error is read, and standard output is left
    /// to the test.
    ///
    /// # Panics
    /// If it cannot be run.
    pub(crate) fn spawn_with_streams(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the program was built for this test");
        let stderr = match child.stderr.take() {
            Some(stderr) => Output::of(stderr, |_| true),
            None => Output::of(std::io::empty(), |_| true),
        };
        Self { child, stdout: None, stderr }
    }

    fn started_and_ready(command: Command) -> Self {
        let mut program = Self::spawn(command);
        program.until_ready();
        program
    }

    /// Starts any command of a test's own making, if it can be run.
    pub(crate) fn try_spawn(command: Command) -> std::io::Result<Self> {
        Self::try_spawn_keeping(command, |_| true)
    }

    fn try_spawn_keeping(
        command: Command,
        keep: impl Fn(&str) -> bool + Send + 'static,
    ) -> std::io::Result<Self> {
        let mut program = Self::try_spawn_unread(command)?;
        program.keep_lines(keep);
        Ok(program)
    }

    /// Starts any command in a pid namespace.
    ///
    /// # Panics
    /// If it cannot be run.
    pub(crate) fn spawn_in(namespace: &PidNamespace, command: Command) -> Self {
        let spawned = Self::try_spawn_unread_by(command, |command| namespace.spawn(command));
        let mut program = spawned.expect("it can be run");
        program.keep_lines(|_| true);
        program
    }

    /// As [`Self::watch`], in a pid namespace.
    pub(crate) fn watch_in(namespace: &PidNamespace, args: &[&str]) -> Self {
        let args = [&["watch", "-j"], args, &UNLIMITED, &READY].concat();
        let mut program = Self::spawn_in(namespace, command(&args));
        program.until_ready();
        program
    }

    fn keep_lines(&mut self, keep: impl Fn(&str) -> bool + Send + 'static) {
        let stdout = self.child.stdout.take().expect("piped, and not read yet");
        self.stdout = Some(Output::of(stdout, keep));
    }

    /// Starts a command whose standard output is left to the test: see [`Self::take_stdout`].
    pub(crate) fn spawn_unread(command: Command) -> Self {
        Self::try_spawn_unread(command).expect("the program was built for this test")
    }

    fn try_spawn_unread(command: Command) -> std::io::Result<Self> {
        Self::try_spawn_unread_by(command, Command::spawn)
    }

    fn try_spawn_unread_by(
        mut command: Command,
        spawn: impl FnOnce(&mut Command) -> std::io::Result<Child>,
    ) -> std::io::Result<Self> {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = spawn(&mut command)?;
        let stderr = child.stderr.take().expect("piped");
        Ok(Self { child, stdout: None, stderr: Output::of(stderr, |_| true) })
    }

    /// The pipe behind standard output, of which nothing was read yet.
    ///
    /// # Panics
    /// If it is read already.
    pub(crate) fn take_stdout(&mut self) -> ChildStdout {
        self.child.stdout.take().expect("started by spawn_unread, and not taken yet")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the first poll is over, in a run that was started with `--ready-fd 2`.
    pub(crate) fn until_ready(&mut self) {
        self.message_with("ready\n");
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }

    /// Whether it has ended and was not waited for yet.
    pub(crate) fn has_ended(&self) -> bool {
        self.process().stat().is_ok_and(|stat| stat.state == 'Z')
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a pid");
        kill(Pid::from_raw(pid), signal).expect("it is our child and still runs");
    }

    /// Stops it as Ctrl-Z does, and waits until it stands.
    pub(crate) fn pause(&self) {
        self.signal(Signal::SIGSTOP);
        self.until_stopped();
    }

    /// Waits until a signal has stopped it.
    pub(crate) fn until_stopped(&self) {
        self.until_state('T');
    }

    /// Waits until its main thread sleeps.
    pub(crate) fn until_asleep(&self) {
        self.until_state('S');
    }

    /// Waits until it has ended, without taking what it has left.
    pub(crate) fn until_ended(&self) {
        until_or(
            || self.has_ended().then_some(()),
            || format!("the program to end; {}", self.printed()),
        );
    }

    fn until_state(&self, state: char) {
        until_or(
            || (self.process().stat().ok()?.state == state).then_some(()),
            || format!("the program to be in state {state}; {}", self.printed()),
        );
    }

    /// Waits for the next line on standard output and takes it, with its newline.
    ///
    /// # Panics
    /// If there is none in time.
    pub(crate) fn line(&mut self) -> String {
        let line = self.stdout.as_mut().expect("standard output is read here").next_line();
        line.unwrap_or_else(|| panic!("no further line; {}", self.printed()))
    }

    /// Takes the next event; records of a stalled machine are passed over.
    pub(crate) fn event(&mut self) -> Event {
        self.until("the next event", |_| true)
    }

    /// Takes records until there is a certain event: the next search begins behind it.
    ///
    /// # Panics
    /// If it does not come in time.
    pub(crate) fn until(&mut self, what: &str, wanted: impl Fn(&Event) -> bool) -> Event {
        loop {
            let stdout = self.stdout.as_mut().expect("standard output is read here");
            let Some(line) = stdout.next_line() else {
                panic!("waited in vain for {what}; {}", self.printed())
            };
            match OutputLine::parse(line.trim_end()) {
                OutputLine::Event(event) if wanted(&event) => return *event,
                _ => {}
            }
        }
    }

    /// Takes all records that have been printed and not taken yet.
    pub(crate) fn recorded(&mut self) -> Recorded {
        let mut recorded = Recorded::default();
        let stdout = self.stdout.as_mut().expect("standard output is read here");
        for line in stdout.take_lines() {
            recorded.push(&line);
        }
        recorded
    }

    /// Waits for the end of standard output; returns the lines that were not taken.
    pub(crate) fn rest(&mut self) -> Vec<String> {
        let stdout = self.stdout.as_mut().expect("standard output is read here");
        stdout.wait_for_end();
        stdout.take_lines()
    }

    /// Takes lines of standard error until one contains these words.
    ///
    /// # Panics
    /// If it does not come in time.
    pub(crate) fn message_with(&mut self, words: &str) -> String {
        loop {
            match self.stderr.next_line() {
                Some(line) if line.contains(words) => return line,
                Some(_) => {}
                None => panic!("waited in vain for a message '{words}'; {}", self.printed()),
            }
        }
    }

    /// Standard output so far, taken or not.
    ///
    /// # Panics
    /// If it is left to the test.
    pub(crate) fn stdout(&self) -> String {
        self.stdout.as_ref().expect("standard output is read here").so_far()
    }

    /// Whether it has printed just this on standard output so far.
    ///
    /// # Panics
    /// If it is left to the test.
    pub(crate) fn has_printed(&self, text: &str) -> bool {
        self.stdout.as_ref().expect("standard output is read here").is(text)
    }

    /// Standard error so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.so_far()
    }

    /// How much memory it has now (KiB).
    pub(crate) fn resident(&self) -> u64 {
        self.process().status().expect("it runs").vmrss.expect("it has memory")
    }

    /// How much processor time it has taken (s).
    pub(crate) fn cpu(&self) -> u64 {
        let stat = self.process().stat().expect("it runs");
        (stat.utime + stat.stime) / procfs::ticks_per_second()
    }

    /// Itself in procfs.
    pub(crate) fn process(&self) -> procfs::process::Process {
        let pid = i32::try_from(self.child.id()).expect("a pid");
        procfs::process::Process::new(pid).expect("it is our child and still runs")
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// If it does not end in time.
    pub(crate) fn finish(mut self) -> Outcome {
        let status = self.wait();
        for output in self.stdout.iter().chain([&self.stderr]) {
            assert!(output.wait_for_end(), "a stream stays open; {}", self.printed());
        }
        Outcome {
            code: status.code(),
            stdout: self.stdout.as_ref().map(Output::so_far).unwrap_or_default(),
            stderr: self.stderr.so_far().replacen("ready\n", "", 1),
        }
    }

    /// Ends it as `kill` does; what it left.
    ///
    /// # Panics
    /// If it does not end in time with status 0.
    pub(crate) fn stop(self) -> Outcome {
        self.signal(Signal::SIGTERM);
        let outcome = self.finish();
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        outcome
    }

    fn wait(&mut self) -> ExitStatus {
        let Self { child, stdout, stderr } = self;
        until_or(
            || child.try_wait().expect("it is our child"),
            || format!("the program to end; {}", printed(stdout.as_ref(), stderr)),
        )
    }

    fn printed(&self) -> String {
        printed(self.stdout.as_ref(), &self.stderr)
    }
}

fn printed(stdout: Option<&Output>, stderr: &Output) -> String {
    let stdout = stdout.map(Output::so_far).unwrap_or_default();
    format!("stdout:\n{stdout}\nstderr:\n{}", stderr.so_far())
}

impl Drop for Program {
    fn drop(&mut self) {
        // Where it has ended already there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let printed = self.stdout.as_ref().map(Output::so_far).unwrap_or_default();
        let messages = self.stderr.so_far();
        let sentences = ["there are no samples between", "shows that they are missing"];
        let reasons = ["\"reason\":\"gap\"", "\"reason\":\"unreported\""];
        if sentences.iter().any(|sentence| messages.contains(sentence))
            || reasons.iter().any(|reason| printed.contains(reason))
        {
            stall::note();
        }
    }
}
