//! Polls the tables of a procfs: `net/tcp` and `net/tcp6`, on an interval.

mod additions;
mod oddities;
pub mod row;
mod sockstat;
mod table_file;
mod tables;

use super::clock::stamp;
use super::namespace::{namespace, shown_process};
use super::netlink::client::SockDiag;
use super::netlink::tcp_infos::nothing_measured;
use super::poll::{PollTimer, recycled};
use super::{ReadingContext, Source};
use crate::error::{Error, Result, UsageError};
use crate::model::reading::{Interface, LookupRequest, Reading, Snapshot};
use crate::model::socket::Family;
use crate::model::socket_row::SocketRow;
use crate::model::tcp_info::TcpInfos;
use crate::model::wanted::WantedRows;
use crate::settings::{OWN_PROCFS, PollSettings};
use crate::signals::Signals;
use additions::Additions;
use log::debug;
use rustix::io::Errno;
pub(in crate::source) use sockstat::Counters;
use sockstat::Sockstat;
use std::fs::File;
use std::path::{Path, PathBuf};
use table_file::{TableWait, is_procfs};
use tables::Tables;

/// The tables of one network namespace, polled.
#[derive(Debug)]
pub struct Proc {
    tables: Tables,
    additions: Additions,
    netns: Option<u64>,
    timer: PollTimer,
    /// Memory for the rows of the next snapshot.
    spare_rows: Vec<SocketRow>,
    warnings: Vec<String>,
}

impl Proc {
    /// Finds the tables below `root`: those of its process 1, else its own (a fixture); of
    /// `/proc` itself, those of the caller. Of `wanted` it is the family that
    /// saves reading a table.
    ///
    /// # Errors
    /// Where there is no table.
    pub fn open(root: &Path, wanted: &WantedRows, settings: PollSettings) -> Result<Self> {
        // Its `net` is that of the process, but owners would be looked for below it.
        if root.join("status").is_file() && root.join("fd").is_dir() {
            return Err(UsageError::ProcfsOfProcess(root.to_owned()).into());
        }
        let process = shown_process(root);
        let mut tables =
            vec![(process.join("net/tcp"), Family::Ipv4), (process.join("net/tcp6"), Family::Ipv6)];
        if !tables.iter().any(|(path, _)| path.exists()) {
            let hint = "; --procfs takes the mount point of a procfs, such as /host/proc";
            return Err(Error::read(&tables[0].0, Errno::NOENT, hint));
        }
        // A kernel without IPv6 has no `tcp6`, and so no such sockets.
        tables.retain(|(path, family)| wanted.is_of(*family) && path.exists());
        let is_real = File::open(&process).is_ok_and(|dir| is_procfs(&dir));
        let sockstat = is_real.then(|| Sockstat::new(&process));
        let (mut client, mut warnings) = (None, Vec::new());
        if root == Path::new(OWN_PROCFS) {
            match SockDiag::open() {
                Ok(opened) => client = Some(opened),
                Err(error) if settings.tcp_info => warnings.push(nothing_measured(&error)),
                Err(error) => debug!("{error}"),
            }
        }
        Ok(Self {
            tables: Tables::new(tables, wanted.family, sockstat),
            additions: Additions::new(client, root, wanted, &settings),
            netns: namespace(&process),
            timer: PollTimer::new(settings),
            spare_rows: Vec::new(),
            warnings,
        })
    }

    /// Reads these tables of another network namespace of this machine. Without a client its sockets
    /// cannot be looked up.
    pub(in crate::source) fn of_namespace(
        mut tables: Vec<(PathBuf, Family)>,
        client: Option<SockDiag>,
        procfs: &Path,
        wanted: &WantedRows,
        settings: PollSettings,
    ) -> Self {
        tables.retain(|(_, family)| wanted.is_of(*family));
        Self {
            tables: Tables::new(tables, wanted.family, None),
            additions: Additions::new(client, procfs, wanted, &settings),
            netns: None,
            timer: PollTimer::new(settings),
            spare_rows: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Whether its sockets can be looked up.
    pub(in crate::source) const fn has_client(&self) -> bool {
        self.additions.has_client()
    }

    /// Reads all tables once, without waiting for a pipe.
    ///
    /// # Errors
    /// A table that is there but cannot be read.
    pub fn snapshot(&mut self) -> Result<Snapshot> {
        let snapshot = self.read_tables(&mut TableWait::none())?;
        snapshot.ok_or_else(|| Error::read(self.tables.first_path(), Errno::AGAIN, ""))
    }

    /// Reads all tables once; `None` if the run is over before they are read.
    fn read_tables(&mut self, table_wait: &mut TableWait<'_>) -> Result<Option<Snapshot>> {
        let start = stamp();
        let mut rows = std::mem::take(&mut self.spare_rows);
        let read = self.tables.read(&mut rows, table_wait, &mut self.warnings)?;
        let Some(bad_rows) = read else { return Ok(None) };
        self.additions.add(&mut rows);
        let (end, netns) = (stamp(), self.netns);
        Ok(Some(Snapshot { start, end, netns, rows, bad_rows, ..Snapshot::default() }))
    }

    /// What the kernel measured of connections with the last snapshot, once.
    pub(super) fn take_tcp_infos(&mut self) -> Option<TcpInfos> {
        self.additions.take_tcp_infos()
    }
}

impl Source for Proc {
    fn next(&mut self, signals: &Signals) -> Result<Option<Reading>> {
        if let Some(reading) = self.timer.take_held_back() {
            return Ok(Some(reading));
        }
        if !self.timer.wait(signals)? {
            return Ok(self.timer.gap_at_end());
        }
        let poll = self.timer.start_poll(&mut self.warnings);
        let snapshot = self.read_tables(&mut TableWait::until_end_of(signals))?;
        Ok(snapshot.map(|snapshot| self.timer.finish_poll(&poll, snapshot)))
    }

    fn lookup(&mut self, requests: &[LookupRequest]) -> Result<Option<Reading>> {
        Ok(self.additions.lookup(requests, self.netns))
    }

    fn recycle(&mut self, rows: Vec<SocketRow>) {
        self.spare_rows = recycled(rows);
    }

    fn context(&mut self) -> ReadingContext {
        let (due, tcp_infos) = (self.timer.due(), self.take_tcp_infos());
        ReadingContext { due, tcp_infos, ..ReadingContext::default() }
    }

    fn interface(&self) -> Interface {
        Interface::Proc
    }

    fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }
}
