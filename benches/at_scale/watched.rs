//! The program as it watches: what a poll costs, and what it holds in memory.

use crate::TCPLAPSE;
use crate::cost::Cost;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use procfs::process::{Process, Status};
use std::io::Read;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::park_timeout;
use std::time::{Duration, Instant};

/// Time between polls: far more than one takes, so that between two it rests.
const INTERVAL: &str = "2s";
/// What does nothing for so long rests.
const REST: Duration = Duration::from_millis(25);
/// A first poll and its owners take far less.
const LIMIT: Duration = Duration::from_secs(60);

/// A running `tcplapse watch`; killed when dropped.
pub(crate) struct Watched {
    child: Child,
    process: Process,
    clock: ClockId,
}

impl Watched {
    /// Starts it; `output` is where its records go.
    pub(crate) fn start(source: &str, args: &[&str], output: Stdio) -> Result<Self, String> {
        let mut command = Command::new(TCPLAPSE);
        command.args(["watch", "--source", source, "-i", INTERVAL, "--max-cpu", "100"]).args(args);
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let pid = i32::try_from(child.id()).map_err(|error| error.to_string())?;
        let process = Process::new(pid).map_err(|error| error.to_string())?;
        let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(pid)).map_err(|e| e.to_string())?;
        Ok(Self { child, process, clock })
    }

    /// Its records, where they go through a pipe.
    pub(crate) fn records(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// The CPU time that it has used so far, in all its threads.
    pub(crate) fn cpu(&mut self) -> Cost {
        if self.child.try_wait().ok().flatten().is_some() {
            return Err(self.last_words());
        }
        clock_gettime(self.clock).map(Duration::from).map_err(|errno| errno.to_string())
    }

    /// Waits until it has nothing to do until its next poll.
    pub(crate) fn rest(&mut self) -> Cost {
        let deadline = Instant::now() + LIMIT;
        let mut before = self.cpu()?;
        while Instant::now() < deadline {
            park_timeout(REST);
            let now = self.cpu()?;
            // One that waits for a CPU uses none, either, but does not sleep.
            let sleeps = self.process.stat().is_ok_and(|stat| stat.state == 'S');
            if now == before && sleeps && !now.is_zero() {
                return Ok(now);
            }
            before = now;
        }
        Err(format!("it did not rest within {LIMIT:?}"))
    }

    /// The CPU time of one poll: what it uses between two rests.
    pub(crate) fn poll(&mut self) -> Cost {
        let before = self.rest()?;
        let deadline = Instant::now() + LIMIT;
        while self.cpu()? == before {
            if Instant::now() > deadline {
                return Err(format!("no poll within {LIMIT:?}"));
            }
            park_timeout(REST);
        }
        Ok(self.rest()?.saturating_sub(before))
    }

    /// Resident memory in bytes: the most it ever had, and now.
    pub(crate) fn memory(&self) -> Result<(u64, u64), String> {
        let Status { vmhwm, vmrss, .. } = self.process.status().map_err(|e| e.to_string())?;
        let bytes = |kib: Option<u64>| kib.unwrap_or_default() * 1024;
        Ok((bytes(vmhwm), bytes(vmrss)))
    }

    /// What it said before it ended.
    fn last_words(&mut self) -> String {
        let mut said = String::new();
        let stderr = self.child.stderr.take();
        let _ = stderr.map(|mut stderr| stderr.read_to_string(&mut said));
        let sentence = said.lines().next().unwrap_or("it ended without a word");
        sentence.trim_start_matches("tcplapse: ").to_owned()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // Where it has ended already there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
