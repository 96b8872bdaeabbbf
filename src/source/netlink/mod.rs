//! Polls sock_diag on an interval, and hears of sockets that die in between.

pub mod client;
pub mod wire;

use super::Source;
use super::clock::stamp;
use super::namespace::namespace;
use super::poll::{PollTimer, emptied, goes_on};
use crate::error::Result;
use crate::model::reading::{Interface, LookupRequest, LookupResult, Reading, Snapshot};
use crate::model::socket::Family;
use crate::model::socket_row::SocketRow;
use crate::settings::{OWN_PROCFS, PollSettings};
use crate::signals::{Signals, Wake};
use client::{DeathWatch, SockDiag};
use rustix::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

/// Notices that follow each other faster are taken together: thousands in a second must not wake
/// us thousands of times.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks at the sockets of the caller's network namespace.
#[derive(Debug)]
pub(super) struct Dumps {
    client: SockDiag,
    family: Option<Family>,
    netns: Option<u64>,
    /// Room for the rows of the next snapshot.
    room: Vec<SocketRow>,
}

/// The sockets of the caller's network namespace.
#[derive(Debug)]
pub struct Netlink {
    dumps: Dumps,
    deaths: DeathWatch,
    pacer: PollTimer,
    /// Until then notices may gather.
    deaf_until: Instant,
    /// Notices have been taken for the poll that is due.
    heard: bool,
    notices: Vec<String>,
}

impl Dumps {
    /// Asks for the sockets of one family, or of both.
    ///
    /// # Errors
    /// [`crate::error::Error::Netlink`] where the kernel does not answer.
    pub(super) fn open(family: Option<Family>) -> Result<Self> {
        Ok(Self {
            client: SockDiag::open()?,
            family,
            netns: namespace(&Path::new(OWN_PROCFS).join("thread-self")),
            room: Vec::new(),
        })
    }

    /// Dumps all sockets once.
    ///
    /// # Errors
    /// [`crate::error::Error::Netlink`]
    pub(super) fn snapshot(&mut self) -> Result<Snapshot> {
        let start = stamp();
        let mut rows = std::mem::take(&mut self.room);
        let bad_rows = self.client.dump_all(self.family, &mut rows)?.bad_rows;
        Ok(Snapshot { start, end: stamp(), netns: self.netns, rows, bad_rows })
    }

    /// Takes back rows that are done with.
    pub(super) fn reuse(&mut self, rows: Vec<SocketRow>) {
        self.room = emptied(rows);
    }

    /// Looks exactly for sockets; what cannot be answered for certain is left out.
    pub(super) fn answer(&mut self, questions: &[LookupRequest]) -> Option<Reading> {
        self.client.answer(questions, self.netns)
    }

    /// Looks for sockets; one that is not found may be bound to an interface that was not named.
    pub(super) fn look_up(
        &mut self,
        questions: &[LookupRequest],
    ) -> Vec<(LookupRequest, LookupResult)> {
        questions.iter().filter_map(|asked| Some((*asked, self.client.look_up(asked)?))).collect()
    }
}

impl Netlink {
    /// Asks for the sockets of one family, or of both.
    ///
    /// # Errors
    /// [`crate::error::Error::Netlink`] where the kernel does not answer.
    pub fn open(family: Option<Family>, pace: PollSettings) -> Result<Self> {
        Ok(Self {
            // Subscribed before the first look, so that no death falls between them.
            deaths: DeathWatch::open(family)?,
            dumps: Dumps::open(family)?,
            pacer: PollTimer::new(pace),
            deaf_until: Instant::now(),
            // Before the first look nothing has to be heard.
            heard: true,
            notices: Vec::new(),
        })
    }

    /// Dumps all sockets once.
    ///
    /// # Errors
    /// [`crate::error::Error::Netlink`]
    pub fn snapshot(&mut self) -> Result<Snapshot> {
        self.dumps.snapshot()
    }

    /// Waits for notices, or until the next poll is due.
    fn wait(&self, stop: &Signals) -> Result<Wake> {
        let Some(due) = self.pacer.due() else { return Ok(Wake::Due) };
        let wake = stop.wait(due.min(self.deaf_until))?;
        if wake == Wake::Due && self.deaf_until < due {
            return stop.wait_for(due, Some(self.deaths.as_fd()));
        }
        Ok(wake)
    }

    fn hear(&mut self) -> Option<Reading> {
        self.deaf_until = Instant::now() + PAUSE;
        self.deaths.drain().map(Reading::DestroyEvents)
    }
}

impl Source for Netlink {
    fn next(&mut self, stop: &Signals) -> Result<Option<Reading>> {
        if let Some(reading) = self.pacer.held_back() {
            return Ok(Some(reading));
        }
        loop {
            let wake = self.wait(stop)?;
            if !goes_on(wake)? {
                return Ok(None);
            }
            // What died before a poll is told before it, and then the poll has its turn.
            let due = wake == Wake::Due;
            if !std::mem::replace(&mut self.heard, due)
                && let Some(deaths) = self.hear()
            {
                return Ok(Some(deaths));
            }
            if due {
                break;
            }
        }
        self.heard = false;
        let pass = self.pacer.begin(&mut self.notices);
        let snapshot = self.snapshot()?;
        Ok(Some(self.pacer.end(&pass, snapshot)))
    }

    fn lookup(&mut self, questions: &[LookupRequest]) -> Result<Option<Reading>> {
        Ok(self.dumps.answer(questions))
    }

    fn reuse(&mut self, rows: Vec<SocketRow>) {
        self.dumps.reuse(rows);
    }

    fn due(&self) -> Option<Instant> {
        self.pacer.due()
    }

    fn interface(&self) -> Interface {
        Interface::Netlink
    }

    fn notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }
}
