//! Other processes with names of their own that hold sockets: this test binary again, started
//! through a link that bears the name. See [`process`] for the commands that it understands.

mod process;

use super::output::Output;
use super::pidns::PidNamespace;
use super::wait::{until, until_or};
use std::io::Write;
use std::net::SocketAddrV4;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, Command, ExitStatus, Stdio};
use tempfile::TempDir;

/// Set in the process of an actor.
const ACTOR: &str = "TCPLAPSE_TEST_ACTOR";
/// What an answer begins with, among what the test harness prints.
const ANSWER: &str = "@";
/// The test that is the process.
const PROCESS: &str = "support::actor::process::actor";

/// A process that does with sockets what its orders say; it ends when this is dropped.
pub(crate) struct Actor {
    child: Child,
    commands: Option<ChildStdin>,
    answers: Output,
    _home: TempDir,
}

impl Actor {
    /// Starts one in the caller's network namespace.
    pub(crate) fn start(name: &str) -> Self {
        Self::spawn(name, |link| Command::new(link), Command::spawn)
    }

    /// Starts one in a pid namespace.
    pub(crate) fn start_in(namespace: &PidNamespace, name: &str) -> Self {
        Self::spawn(name, |link| Command::new(link), |command| namespace.spawn(command))
    }

    /// Starts one by way of the program under test: these words come before the command. Its pid
    /// is the program's.
    pub(crate) fn run_by(name: &str, words: &[&str]) -> Self {
        let by_program = |link: &Path| {
            let mut command = super::program::command(words);
            command.arg(link).stderr(Stdio::piped());
            command
        };
        Self::spawn(name, by_program, Command::spawn)
    }

    fn spawn(
        name: &str,
        command: impl FnOnce(&Path) -> Command,
        spawn: impl FnOnce(&mut Command) -> std::io::Result<Child>,
    ) -> Self {
        let home = tempfile::tempdir().expect("a temporary directory");
        let link = home.path().join(name);
        let this = std::env::current_exe().expect("a test knows its own file");
        std::os::unix::fs::symlink(this, &link).expect("the directory is new");
        let mut command = command(&link);
        command.args(["--exact", PROCESS, "--nocapture"]).env(ACTOR, "1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = spawn(&mut command).expect("a test binary can be run");
        let commands = child.stdin.take();
        let answers = Output::of(child.stdout.take().expect("piped"), |_| true);
        Self { child, commands, answers, _home: home }
    }

    /// Standard error of the program that runs it.
    ///
    /// # Panics
    /// If it was not started by [`Self::run_by`], or this was called before.
    pub(crate) fn stderr(&mut self) -> ChildStderr {
        self.child.stderr.take().expect("piped, and not taken yet")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Gives a command and returns the answer; an error is the name of what failed.
    ///
    /// # Panics
    /// If no answer comes in time.
    pub(crate) fn ask(&mut self, command: &str) -> Result<String, String> {
        let commands = self.commands.as_mut().expect("not ended yet");
        writeln!(commands, "{command}").expect("the process reads");
        loop {
            let line = self.answers.next_line();
            let line = line.unwrap_or_else(|| panic!("no answer to '{command}'"));
            // The harness prints words of its own, at the start without a newline behind them.
            let Some((_, answer)) = line.trim_end().split_once(ANSWER) else { continue };
            return match answer.split_once(' ').unwrap_or((answer, "")) {
                ("ok", rest) => Ok(rest.to_owned()),
                (_, rest) => Err(rest.to_owned()),
            };
        }
    }

    /// Gives a command that has to succeed; returns its answer.
    pub(crate) fn order(&mut self, command: &str) -> String {
        self.ask(command).unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Gives a command whose answer is an address.
    pub(crate) fn addr(&mut self, command: &str) -> SocketAddrV4 {
        self.order(command).parse().expect("an address")
    }

    /// Connects from a port of the kernel's choice; returns that port.
    pub(crate) fn connect(&mut self, name: &str, remote: &str) -> u16 {
        self.addr(&format!("connect {name} 127.0.0.1:0 {remote}")).port()
    }

    /// Waits for a connection on a listener and accepts it; returns the name of its socket. A
    /// connection may be established for its client before its listener can accept it.
    pub(crate) fn accept(&mut self, listener: &str) -> String {
        until("a connection to accept", || {
            Some(self.order(&format!("accept {listener}"))).filter(|name| !name.is_empty())
        })
    }

    /// Waits until a socket has an error: its peer has reset or refused the connection.
    pub(crate) fn until_error(&mut self, name: &str) {
        until("an error of a socket", || {
            Some(self.order(&format!("error {name}"))).filter(|error| !error.is_empty())
        });
    }

    /// Lets it exit with whatever it holds; returns its status.
    pub(crate) fn exit(mut self) -> ExitStatus {
        self.end()
    }

    /// Kills it: its network namespace is gone to others before its sockets are closed.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it is our child");
        self.end();
    }

    fn end(&mut self) -> ExitStatus {
        // The end of its commands ends it.
        self.commands = None;
        let (child, answers) = (&mut self.child, &self.answers);
        until_or(
            || child.try_wait().expect("it is our child"),
            || format!("an actor to end; it printed {}", answers.so_far()),
        )
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        self.commands = None;
        // In a test that has failed it may not read its commands.
        if std::thread::panicking() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}
