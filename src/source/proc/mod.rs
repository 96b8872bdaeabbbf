//! Polls the tables of a procfs: `net/tcp` and `net/tcp6`, on an interval.
//!
//! The kernel hands out at most a page per `read()` and drops its locks in between; the `read()`
//! after the last row may walk the table again and repeat rows. So a chunk that leaves room for a
//! row is the last one, and no further `read()` follows it.

mod oddities;
pub mod row;
mod sockstat;
mod table_file;

use super::clock::stamp;
use super::namespace::{namespace, shown_process};
use super::netlink::bytecode::program;
use super::netlink::client::SockDiag;
use super::netlink::kernel_times::KernelTimesQuery;
use super::netlink::listeners;
use super::netlink::tcp_infos::TcpInfoQuery;
use super::poll::{PollTimer, recycled};
use super::{ReadingContext, Source, with_known_uid};
use crate::error::{Error, Result, UsageError};
use crate::model::reading::{Interface, LookupRequest, Reading, Snapshot};
use crate::model::socket::Family;
use crate::model::socket_row::{SocketRow, Timer};
use crate::model::tcp_info::TcpInfos;
use crate::model::time::Stamp;
use crate::model::wanted::WantedRows;
use crate::settings::{OWN_PROCFS, PollSettings};
use crate::signals::Signals;
use crate::tcp::state::State;
use memchr::{memchr, memrchr};
use oddities::Oddities;
use rustix::io::Errno;
pub(in crate::source) use sockstat::Counters;
use sockstat::Sockstat;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use table_file::{FileState, TableFile, TableWait, is_procfs};

/// No row is as long as this. A chunk that leaves this much of a page is the last.
const LONGEST_ROW: usize = 512;
const BUFFER: usize = 64 * 1024;
/// No kernel shows more rows: the tracker follows half as many sockets.
const MOST_ROWS: usize = 1 << 22;

/// The tables of one network namespace, read again and again.
#[derive(Debug)]
pub struct Proc {
    /// The tables that were there at the start; each of them has to stay.
    tables: Vec<(PathBuf, Family)>,
    /// The family that is wanted; of the other one at most listeners are.
    family: Option<Family>,
    netns: Option<u64>,
    /// `None` for a copy of a procfs, whose files may be of different moments.
    sockstat: Option<Sockstat>,
    timer: PollTimer,
    buffer: Vec<u8>,
    /// Memory for the rows of the next snapshot.
    spare_rows: Vec<SocketRow>,
    /// For lookups, which are possible only where the tables are the caller's own.
    client: Option<SockDiag>,
    times: KernelTimesQuery,
    infos: TcpInfoQuery,
    oddities: Oddities,
    /// Of each table that is a copy, which version of it was read last, and when that was first.
    copies: HashMap<PathBuf, (FileState, Stamp)>,
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
        Ok(Self {
            tables,
            family: wanted.family,
            netns: namespace(&process),
            sockstat: is_real.then(|| Sockstat::new(&process)),
            times: KernelTimesQuery::new(root, &settings, &program(&wanted.addrs)),
            infos: TcpInfoQuery::new(&settings, &program(&wanted.addrs)),
            timer: PollTimer::new(settings),
            buffer: vec![0; BUFFER],
            spare_rows: Vec::new(),
            client: (root == Path::new(OWN_PROCFS)).then(|| SockDiag::open().ok()).flatten(),
            oddities: Oddities::default(),
            copies: HashMap::new(),
            warnings: Vec::new(),
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
            tables,
            family: wanted.family,
            netns: None,
            sockstat: None,
            times: KernelTimesQuery::new(procfs, &settings, &program(&wanted.addrs)),
            infos: TcpInfoQuery::new(&settings, &program(&wanted.addrs)),
            timer: PollTimer::new(settings),
            buffer: vec![0; BUFFER],
            spare_rows: Vec::new(),
            client,
            oddities: Oddities::default(),
            copies: HashMap::new(),
            warnings: Vec::new(),
        }
    }

    /// Whether its sockets can be looked up.
    pub(in crate::source) const fn has_client(&self) -> bool {
        self.client.is_some()
    }

    /// Reads all tables once, without waiting for a pipe.
    ///
    /// # Errors
    /// A table that is there but cannot be read.
    pub fn snapshot(&mut self) -> Result<Snapshot> {
        let snapshot = self.read_tables(&mut TableWait::none())?;
        snapshot.ok_or_else(|| Error::read(&self.tables[0].0, Errno::AGAIN, ""))
    }

    /// Reads all tables once; `None` if the run is over before they are read.
    fn read_tables(&mut self, table_wait: &mut TableWait<'_>) -> Result<Option<Snapshot>> {
        let start = stamp();
        let (mut rows, mut bad_rows) = (std::mem::take(&mut self.spare_rows), 0);
        let (mut is_read, mut unreadable) = (false, None);
        for (path, family) in self.tables.clone() {
            let is_tcp6 = family == Family::Ipv6;
            if is_tcp6 && self.sockstat.as_ref().is_some_and(Sockstat::tcp6_is_empty) {
                continue;
            }
            let before = rows.len();
            match self.read_table(&path, family, &mut rows, table_wait)? {
                None => return Ok(None),
                Some(Ok(bad)) => {
                    is_read = true;
                    bad_rows += bad;
                }
                // No socket of it is known to be gone.
                Some(Err(cause)) => {
                    bad_rows += 1;
                    self.oddities.note_unreadable(&path, family, &cause);
                    unreadable.get_or_insert((path, cause));
                }
            }
            if let Some(sockstat) = self.sockstat.as_mut().filter(|_| is_tcp6) {
                sockstat.tcp6_had_rows = rows.len() > before;
            }
            if self.family.is_some_and(|wanted| wanted != family) {
                let others = rows.drain(before..).filter(|row| row.state == State::Listen);
                let listeners: Vec<SocketRow> = others.collect();
                rows.extend(listeners);
            }
        }
        if let Some((path, cause)) = unreadable.filter(|_| !is_read) {
            return Err(Error::read(&path, cause, ""));
        }
        self.oddities.finish_poll(&mut self.warnings);
        listeners::add_what_tables_lack(&mut rows, self.client.as_mut());
        self.times.add(&mut rows, self.client.as_mut());
        self.infos.read(self.client.as_mut());
        Ok(Some(Snapshot {
            start,
            end: stamp(),
            netns: self.netns,
            rows,
            bad_rows,
            ..Snapshot::default()
        }))
    }

    /// Reads one table, and returns how many of its lines are not rows, or why it cannot be read;
    /// `None` if the run is over before it is read.
    fn read_table(
        &mut self,
        path: &Path,
        family: Family,
        rows: &mut Vec<SocketRow>,
        table_wait: &mut TableWait<'_>,
    ) -> Result<Option<io::Result<u64>>> {
        let mut file = match TableFile::open(path) {
            Ok(file) => file,
            Err(cause) => return Ok(Some(Err(cause))),
        };
        let before = rows.len();
        let is_kernels = file.is_procfs();
        let full_chunk = if is_kernels { rustix::param::page_size() - LONGEST_ROW } else { 1 };
        let (mut filled, mut bad, mut line_number) = (0, 0, 0);
        loop {
            let Some(read) = file.read(&mut self.buffer[filled..], table_wait)? else {
                return Ok(None);
            };
            let read = match read {
                Ok(read) => read,
                Err(cause) => return Ok(Some(Err(cause))),
            };
            filled += read;
            let last = read < full_chunk;
            // A line may continue in the next chunk of a regular file; an endless one is not a row.
            let whole = match memrchr(b'\n', &self.buffer[..filled]) {
                Some(newline) if !last => newline + 1,
                None if !last && filled < BUFFER => 0,
                _ => filled,
            };
            let mut begin = 0;
            while begin < whole {
                let newline = memchr(b'\n', &self.buffer[begin..whole]);
                let end = newline.map_or(whole, |length| begin + length);
                let line = &self.buffer[begin..end];
                begin = end + 1;
                line_number += 1;
                let is_cut = newline.is_none() && row::may_be_cut(line);
                match row::parse(line, family).filter(|_| !is_cut) {
                    Some(row) if rows.len() < MOST_ROWS => {
                        rows.push(if is_kernels { with_known_uid(row) } else { row });
                    }
                    Some(_) => bad += 1,
                    None if line.is_empty() => line_number -= 1,
                    None if line_number == 1 && is_header(line) => {}
                    None => {
                        bad += 1;
                        self.oddities.note_bad(path, line_number);
                    }
                }
            }
            self.buffer.copy_within(whole..filled, 0);
            filled -= whole;
            if last {
                self.oddities.note_table(path, line_number, &rows[before..]);
                if let Some(file_state) = file.file_state() {
                    self.run_timers(path, file_state, &mut rows[before..]);
                }
                return Ok(Some(Ok(bad)));
            }
        }
    }
}

impl Proc {
    /// Lets the timers of a copy run that has not changed since an earlier poll: they would seem to
    /// be restarted with every poll.
    fn run_timers(&mut self, path: &Path, file_state: FileState, rows: &mut [SocketRow]) {
        let now = stamp();
        let known = self.copies.get(path).filter(|(known, _)| *known == file_state);
        let Some((_, since)) = known else {
            self.copies.insert(path.to_owned(), (file_state, now));
            return;
        };
        let ticks = u64::try_from(now.since(*since).as_millis() / 10).unwrap_or(u64::MAX);
        for row in rows.iter_mut().filter(|row| row.details.timer == Timer::TimeWait) {
            row.details.timer_left = row.details.timer_left.saturating_sub(ticks);
        }
    }

    /// What the kernel measured of connections with the last snapshot, once.
    pub(super) fn take_tcp_infos(&mut self) -> Option<TcpInfos> {
        self.infos.take()
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
        let netns = self.netns;
        Ok(self.client.as_mut().and_then(|client| client.lookup(requests, netns)))
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

fn is_header(line: &[u8]) -> bool {
    line.trim_ascii_start().starts_with(b"sl ")
}
