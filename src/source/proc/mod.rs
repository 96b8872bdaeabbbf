//! Polls the tables of a procfs: `net/tcp` and `net/tcp6`, on an interval.
//!
//! The kernel hands out at most a page per `read()` and drops its locks in between; the `read()`
//! after the last row may walk the table again and repeat rows. So a chunk that leaves room for a
//! row is the last one, and no further `read()` follows it (`tcp-on-linux`, rule 1).

pub mod row;
mod sockstat;

use super::Source;
use super::clock::stamp;
use super::namespace::namespace;
use super::netlink::client::SockDiag;
use super::poll::{PollTimer, emptied};
use crate::error::{Error, Result};
use crate::model::reading::{Interface, LookupRequest, Reading, Snapshot};
use crate::model::socket::Family;
use crate::model::socket_row::SocketRow;
use crate::settings::{OWN_PROCFS, PollSettings};
use crate::signals::Signals;
use memchr::{memchr, memrchr};
use rustix::fs::{PROC_SUPER_MAGIC, fstatfs};
use rustix::io::Errno;
use sockstat::Counts;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// No row is as long as this; a chunk that ends earlier than a page less this is the last.
const LONGEST_ROW: usize = 512;
const BUFFER: usize = 64 * 1024;
/// The tables of one network namespace, read again and again.
#[derive(Debug)]
pub struct Proc {
    /// The tables that were there at the start; none of them may go.
    tables: Vec<(PathBuf, Family)>,
    netns: Option<u64>,
    /// Those of a copy of a procfs may be of another moment.
    counts: Option<Counts>,
    pacer: PollTimer,
    buffer: Vec<u8>,
    /// Room for the rows of the next snapshot.
    room: Vec<SocketRow>,
    /// Exact look-ups, which are possible only where the tables are the caller's own; without
    /// them the next two passes decide.
    look_ups: Option<SockDiag>,
    bad_row: bool,
    notices: Vec<String>,
}

impl Proc {
    /// Finds the tables below `root`: those of its process 1, else its own (a fixture); of
    /// `/proc` itself, those of the caller.
    ///
    /// # Errors
    /// Where there is no table to be read.
    pub fn open(root: &Path, families: Option<Family>, pace: PollSettings) -> Result<Self> {
        let of_process = |process: &str| root.join(process);
        let own = root == Path::new(OWN_PROCFS);
        let home = if own {
            of_process("thread-self")
        } else if of_process("1/net/tcp").exists() {
            of_process("1")
        } else {
            root.to_owned()
        };
        let mut tables =
            vec![(home.join("net/tcp"), Family::Ipv4), (home.join("net/tcp6"), Family::Ipv6)];
        if !tables.iter().any(|(path, _)| path.exists()) {
            let hint = "; --procfs takes the mount point of a procfs, such as /host/proc";
            return Err(Error::read(&tables[0].0, Errno::NOENT, hint));
        }
        // A kernel without IPv6 has no `tcp6`, and so no such sockets.
        let wanted = |family| families.is_none_or(|wanted| wanted == family);
        tables.retain(|(path, family)| wanted(*family) && path.exists());
        Ok(Self {
            tables,
            netns: namespace(&home),
            counts: File::open(&home).is_ok_and(|dir| is_procfs(&dir)).then(|| Counts::of(&home)),
            pacer: PollTimer::new(pace),
            buffer: vec![0; BUFFER],
            room: Vec::new(),
            look_ups: own.then(|| SockDiag::open().ok()).flatten(),
            bad_row: false,
            notices: Vec::new(),
        })
    }

    /// Reads all tables once.
    ///
    /// # Errors
    /// A table that is there but cannot be read.
    pub fn snapshot(&mut self) -> Result<Snapshot> {
        let start = stamp();
        let (mut rows, mut bad_rows) = (std::mem::take(&mut self.room), 0);
        for (path, family) in self.tables.clone() {
            let counts = || self.counts.as_ref().filter(|_| family == Family::Ipv6);
            if counts().is_some_and(Counts::tell_that_tcp6_is_empty) {
                continue;
            }
            let before = rows.len();
            bad_rows += self.read_table(&path, family, &mut rows)?;
            if let Some(counts) = self.counts.as_mut().filter(|_| family == Family::Ipv6) {
                counts.tcp6_had_rows = rows.len() > before;
            }
        }
        Ok(Snapshot { start, end: stamp(), netns: self.netns, rows, bad_rows })
    }

    /// Reads one table and returns how many of its lines are no rows.
    fn read_table(
        &mut self,
        path: &Path,
        family: Family,
        rows: &mut Vec<SocketRow>,
    ) -> Result<u64> {
        let unreadable = |cause: io::Error| Error::read(path, cause, "");
        let mut file = File::open(path).map_err(unreadable)?;
        let full_chunk =
            if is_procfs(&file) { rustix::param::page_size() - LONGEST_ROW } else { 1 };
        let (mut filled, mut bad, mut line_number) = (0, 0, 0);
        loop {
            let read = match file.read(&mut self.buffer[filled..]) {
                Ok(read) => read,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
                Err(cause) => return Err(unreadable(cause)),
            };
            filled += read;
            let last = read < full_chunk;
            // A line may go on in the next chunk of a regular file; an endless one is no row.
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
                match row::parse(line, family) {
                    Some(row) => rows.push(row),
                    None if line.is_empty() => line_number -= 1,
                    None if line_number == 1 && is_header(line) => {}
                    None => {
                        bad += 1;
                        note_bad_row(&mut self.bad_row, &mut self.notices, path, line_number);
                    }
                }
            }
            self.buffer.copy_within(whole..filled, 0);
            filled -= whole;
            if last {
                return Ok(bad);
            }
        }
    }
}

impl Source for Proc {
    fn next(&mut self, stop: &Signals) -> Result<Option<Reading>> {
        if let Some(reading) = self.pacer.held_back() {
            return Ok(Some(reading));
        }
        if !self.pacer.wait(stop)? {
            return Ok(None);
        }
        let pass = self.pacer.begin(&mut self.notices);
        let snapshot = self.snapshot()?;
        Ok(Some(self.pacer.end(&pass, snapshot)))
    }

    fn lookup(&mut self, questions: &[LookupRequest]) -> Result<Option<Reading>> {
        let netns = self.netns;
        Ok(self.look_ups.as_mut().and_then(|client| client.answer(questions, netns)))
    }

    fn reuse(&mut self, rows: Vec<SocketRow>) {
        self.room = emptied(rows);
    }

    fn due(&self) -> Option<Instant> {
        self.pacer.due()
    }

    fn interface(&self) -> Interface {
        Interface::Proc
    }

    fn notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }
}

fn note_bad_row(noted: &mut bool, notices: &mut Vec<String>, path: &Path, line: usize) {
    if !std::mem::replace(noted, true) {
        let path = path.display();
        notices.push(format!("{path}, line {line}: not a row of a TCP table, left out"));
    }
}

fn is_header(line: &[u8]) -> bool {
    line.trim_ascii_start().starts_with(b"sl ")
}

/// Only procfs promises that a chunk which leaves room for a row is the last.
fn is_procfs(file: &File) -> bool {
    fstatfs(file).is_ok_and(|stat| stat.f_type == PROC_SUPER_MAGIC)
}
