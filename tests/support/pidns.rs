//! A pid namespace of the test's own with a procfs of its own, as a container has.

use super::output::Output;
use super::require::{Feature, skip};
use nix::sched::{CloneFlags, setns, unshare};
use std::fs::File;
use std::io::{self, Write};
use std::process::{Child, Command, Stdio};

/// The namespaces of processes and mounts; what runs in it is killed when this is dropped.
pub(crate) struct PidNamespace {
    /// It waits for the namespace's first process, which ends with its standard input.
    parent: Child,
}

impl PidNamespace {
    /// Makes one in the network namespace of the calling thread; `None` if the test is skipped.
    pub(crate) fn start() -> Option<Self> {
        Self::start_by(Command::spawn)
    }

    /// Makes one in this one.
    pub(crate) fn nested(&self) -> Option<Self> {
        Self::start_by(|command| self.spawn(command))
    }

    fn start_by(spawn: impl FnOnce(&mut Command) -> io::Result<Child>) -> Option<Self> {
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child", "--mount-proc", "cat"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = spawn(&mut command).and_then(|mut parent| {
            let (stdout, stderr) = (parent.stdout.take(), parent.stderr.take());
            let mut answers = Output::of(stdout.expect("a pipe"), |_| true);
            let messages = Output::of(stderr.expect("a pipe"), |_| true);
            let mut namespace = Self { parent };
            // It answers from where procfs is mounted.
            let sent = namespace.parent.stdin.as_mut().expect("a pipe").write_all(b"ready\n");
            if sent.is_ok() && answers.next_line().as_deref() == Some("ready\n") {
                return Ok(namespace);
            }
            assert!(messages.wait_for_end(), "unshare goes on without an answer");
            Err(io::Error::other(messages.so_far()))
        });
        started.map_err(|why| skip(Feature::Mount, &format!("no pid namespace: {why}"))).ok()
    }

    /// Starts a command in it. The child's pid is that of the caller's namespace: see
    /// [`Self::numbers`].
    pub(crate) fn spawn(&self, command: &mut Command) -> io::Result<Child> {
        let open = |kind| File::open(format!("/proc/{}/ns/{kind}", self.parent.id()));
        let (pids, mounts) = (open("pid_for_children")?, open("mnt")?);
        // A thread that has entered cannot start threads.
        let enter = || -> io::Result<Child> {
            // Threads share their folders, and only one without such may see other mounts.
            unshare(CloneFlags::CLONE_FS)?;
            setns(pids, CloneFlags::CLONE_NEWPID)?;
            setns(mounts, CloneFlags::CLONE_NEWNS)?;
            command.spawn()
        };
        std::thread::scope(|scope| scope.spawn(enter).join()).expect("no panic")
    }

    /// The pids of a process: in the caller's pid namespace, and in each below it.
    pub(crate) fn numbers(pid: u32) -> Vec<u32> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
        let numbers = numbers.expect("Linux 4.1").split_ascii_whitespace();
        numbers.map(|number| number.parse().expect("a number")).collect()
    }
}

impl Drop for PidNamespace {
    fn drop(&mut self) {
        // Its first process is killed with it, and all others by the kernel with that.
        let _ = self.parent.kill();
        let _ = self.parent.wait();
    }
}
