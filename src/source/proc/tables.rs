//! The tables of one network namespace, read again and again.
//!
//! The kernel hands out at most a page per `read()` and drops its locks in between; the `read()`
//! after the last row may walk the table again and repeat rows. So a chunk that leaves room for a
//! row is the last one, and no further `read()` follows it.

use super::oddities::Oddities;
use super::row;
use super::sockstat::Sockstat;
use super::table_file::{FileState, TableFile, TableWait};
use crate::error::{Error, Result};
use crate::model::socket::Family;
use crate::model::socket_row::{SocketRow, Timer};
use crate::model::time::Stamp;
use crate::source::clock::stamp;
use crate::source::with_known_uid;
use crate::tcp::state::State;
use memchr::{memchr, memrchr};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

/// No row is as long as this. A chunk that leaves this much of a page is the last.
const LONGEST_ROW: usize = 512;
const BUFFER: usize = 64 * 1024;
/// No kernel shows more rows: the tracker follows half as many sockets.
const MOST_ROWS: usize = 1 << 22;

/// The tables, and what is known of them from the polls so far.
#[derive(Debug)]
pub(super) struct Tables {
    /// Those that were there at the start; each of them has to stay.
    files: Vec<(PathBuf, Family)>,
    /// The family that is wanted; of the other one at most listeners are.
    family: Option<Family>,
    /// `None` for a copy of a procfs, whose files may be of different moments.
    sockstat: Option<Sockstat>,
    buffer: Vec<u8>,
    oddities: Oddities,
    /// Of each table that is a copy, which version of it was read last, and when that was first.
    copies: HashMap<PathBuf, (FileState, Stamp)>,
}

/// The lines of one table.
struct Lines<'t> {
    path: &'t Path,
    family: Family,
    is_kernels: bool,
    /// The number of the last one.
    number: usize,
    /// How many are not rows, or have no room.
    bad: u64,
}

impl Tables {
    pub(super) fn new(
        files: Vec<(PathBuf, Family)>,
        family: Option<Family>,
        sockstat: Option<Sockstat>,
    ) -> Self {
        let (oddities, copies) = (Oddities::default(), HashMap::new());
        Self { files, family, sockstat, buffer: vec![0; BUFFER], oddities, copies }
    }

    /// The path of the first of them.
    pub(super) fn first_path(&self) -> &Path {
        &self.files[0].0
    }

    /// Reads all of them once, and returns how many rows could not be read; `None` if the run is over
    /// before they are read.
    ///
    /// # Errors
    /// None of them can be read.
    pub(super) fn read(
        &mut self,
        rows: &mut Vec<SocketRow>,
        table_wait: &mut TableWait<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<Option<u64>> {
        let mut bad_rows = 0;
        let (mut is_read, mut unreadable) = (false, None);
        for (path, family) in self.files.clone() {
            let is_tcp6 = family == Family::Ipv6;
            if is_tcp6 && self.sockstat.as_ref().is_some_and(Sockstat::tcp6_is_empty) {
                continue;
            }
            let before = rows.len();
            match self.read_table(&path, family, rows, table_wait)? {
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
        self.oddities.finish_poll(warnings);
        Ok(Some(bad_rows))
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
        let mut lines = Lines { path, family, is_kernels, number: 0, bad: 0 };
        let mut filled = 0;
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
            lines.parse(&self.buffer[..whole], rows, &mut self.oddities);
            self.buffer.copy_within(whole..filled, 0);
            filled -= whole;
            if last {
                break;
            }
        }
        self.oddities.note_table(path, lines.number, &rows[before..]);
        if let Some(file_state) = file.file_state() {
            self.run_timers(path, file_state, &mut rows[before..]);
        }
        Ok(Some(Ok(lines.bad)))
    }

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
}

impl Lines<'_> {
    /// Adds the rows of some whole lines.
    fn parse(&mut self, text: &[u8], rows: &mut Vec<SocketRow>, oddities: &mut Oddities) {
        let mut begin = 0;
        while begin < text.len() {
            let newline = memchr(b'\n', &text[begin..]);
            let end = newline.map_or(text.len(), |length| begin + length);
            let line = &text[begin..end];
            begin = end + 1;
            self.number += 1;
            let is_cut = newline.is_none() && row::may_be_cut(line);
            match row::parse(line, self.family).filter(|_| !is_cut) {
                Some(row) if rows.len() < MOST_ROWS => {
                    rows.push(if self.is_kernels { with_known_uid(row) } else { row });
                }
                Some(_) => self.bad += 1,
                None if line.is_empty() => self.number -= 1,
                None if self.number == 1 && is_header(line) => {}
                None => {
                    self.bad += 1;
                    oddities.note_bad(self.path, self.number);
                }
            }
        }
    }
}

fn is_header(line: &[u8]) -> bool {
    line.trim_ascii_start().starts_with(b"sl ")
}
