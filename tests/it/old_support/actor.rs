//! Other processes with names of their own that hold sockets: this test binary again, started
//! through a link that bears the name. See `live::actor` for what it understands.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddrV4;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use tempfile::TempDir;

/// Set in an actor.
pub(crate) const ACTOR: &str = "TCPLAPSE_TEST_ACTOR";
/// What an answer begins with, among what the test harness prints.
pub(crate) const ANSWER: &str = "@";

/// A process that does with sockets what it is told; ended when dropped.
pub(crate) struct Actor {
    child: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    _home: TempDir,
}

impl Actor {
    /// Starts one in the caller's network namespace.
    pub(crate) fn start(name: &str) -> Self {
        Self::begin(name, |link| Command::new(link))
    }

    /// Starts one by the program: these words come before the command. Its pid is the program's.
    pub(crate) fn run_by(name: &str, words: &[&str]) -> Self {
        Self::begin(name, |link| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_tcplapse"));
            command.args(words).arg(link).stderr(Stdio::piped());
            command
        })
    }

    fn begin(name: &str, command: impl FnOnce(&Path) -> Command) -> Self {
        let home = tempfile::tempdir().expect("a temporary directory");
        let link = home.path().join(name);
        let this = std::env::current_exe().expect("a test knows its own file");
        std::os::unix::fs::symlink(this, &link).expect("the directory is new");
        let mut command = command(&link);
        command.args(["--exact", "live::actor::actor", "--nocapture"]).env(ACTOR, "1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a test binary can be run");
        let commands = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, commands, answers, _home: home }
    }

    /// What the program that runs it says.
    pub(crate) fn stderr(&mut self) -> ChildStderr {
        self.child.stderr.take().expect("piped, and not taken yet")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Gives a command and returns the answer; an error is the name of what failed.
    pub(crate) fn ask(&mut self, command: &str) -> Result<String, String> {
        let commands = self.commands.as_mut().expect("not ended yet");
        writeln!(commands, "{command}").expect("the actor reads");
        loop {
            let mut line = String::new();
            let read = self.answers.read_line(&mut line).expect("answers are UTF-8");
            assert!(read > 0, "the actor ended at '{command}'");
            // The harness prints its own words, at the start without a newline behind them.
            let Some((_, answer)) = line.trim_end().split_once(ANSWER) else { continue };
            return match answer.split_once(' ').unwrap_or((answer, "")) {
                ("ok", rest) => Ok(rest.to_owned()),
                (_, rest) => Err(rest.to_owned()),
            };
        }
    }

    /// Gives a command that has to succeed.
    pub(crate) fn tell(&mut self, command: &str) -> String {
        self.ask(command).unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Gives a command whose answer is an address.
    pub(crate) fn addr(&mut self, command: &str) -> SocketAddrV4 {
        self.tell(command).parse().expect("an address")
    }

    /// Lets it exit with whatever it holds, and waits for that.
    pub(crate) fn exit(mut self) {
        self.end();
    }

    /// The same; how it ended.
    pub(crate) fn leave(mut self) -> ExitStatus {
        self.commands = None;
        self.child.wait().expect("it is our child")
    }

    fn end(&mut self) {
        // The end of its commands ends it.
        self.commands = None;
        let _ = self.child.wait();
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        self.end();
    }
}
