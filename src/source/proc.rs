//! Polls the tables of a procfs: `net/tcp` and `net/tcp6`, on an interval.
//!
//! The kernel hands out at most a page per `read()` and drops its locks in between; the `read()`
//! after the last row may walk the table again and repeat rows. So a chunk that leaves room for a
//! row is the last one, and no further `read()` follows it (`tcp-on-linux`, rule 1).

use super::clock::{self, stamp};
use super::proc_row;
use super::{Pace, Source};
use crate::error::{Error, Result};
use crate::reading::{
    Family, Lost, LostReason, Observation, Origin, Question, Reading, Snapshot, Stamp,
};
use crate::stop::{Stop, Wake};
use rustix::fs::{PROC_SUPER_MAGIC, fstatfs};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// No row is as long as this; a chunk that ends earlier than a page less this is the last.
const LONGEST_ROW: usize = 512;
const BUFFER: usize = 64 * 1024;
/// A pass this much later than planned is no late pass but a gap.
const GRACE: Duration = Duration::from_secs(2);
/// After this long a whole TIME_WAIT may have come and gone unseen.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// So many stretched intervals in a row are no single dear look at new owners.
const STRETCHES: u32 = 3;

/// The tables of one network namespace, read again and again.
#[derive(Debug)]
pub struct Proc {
    /// The tables that were there at the start; none of them may go.
    tables: Vec<(PathBuf, Family)>,
    netns: Option<u64>,
    pace: Pace,
    buffer: Vec<u8>,
    last: Option<Pass>,
    /// The shortest time a pass has taken.
    quickest: Option<Duration>,
    /// Read, but told after the gap before it.
    held_back: Option<Snapshot>,
    /// Passes in a row that took more than their share.
    stretched: u32,
    stretch_told: bool,
    bad_row: bool,
    notices: Vec<String>,
}

/// When a pass began, on the clocks that decide about the next.
#[derive(Debug, Clone, Copy)]
struct Pass {
    start: Instant,
    began: Stamp,
    cpu: Duration,
}

impl Proc {
    /// Finds the tables below `root`: those of its process 1, else its own (a fixture); of
    /// `/proc` itself, those of the caller.
    ///
    /// # Errors
    /// Where there is no table to be read.
    pub fn open(root: &Path, families: Option<Family>, pace: Pace) -> Result<Self> {
        let of_process = |process: &str| root.join(process);
        let home = if root == Path::new("/proc") {
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
            pace,
            buffer: vec![0; BUFFER],
            last: None,
            quickest: None,
            held_back: None,
            stretched: 0,
            stretch_told: false,
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
        let (mut rows, mut bad_rows) = (Vec::new(), 0);
        for (path, family) in self.tables.clone() {
            bad_rows += self.read_table(&path, family, &mut rows)?;
        }
        Ok(Snapshot { start, end: stamp(), netns: self.netns, rows, bad_rows })
    }

    /// Reads one table and returns how many of its lines are no rows.
    fn read_table(
        &mut self,
        path: &Path,
        family: Family,
        rows: &mut Vec<Observation>,
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
            let whole = match self.buffer[..filled].iter().rposition(|byte| *byte == b'\n') {
                Some(newline) if !last => newline + 1,
                None if !last && filled < BUFFER => 0,
                _ => filled,
            };
            for line in self.buffer[..whole].split(|byte| *byte == b'\n') {
                line_number += 1;
                match proc_row::parse(line, family) {
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

    /// How long after the start of the last pass the next one is due: the interval, or longer
    /// where polling would take more than its share of a core.
    fn planned(&mut self, last: Pass) -> Duration {
        let used = clock::cpu().saturating_sub(last.cpu);
        let share = used.div_f64(self.pace.max_cpu / 100.0);
        let stretched = share > self.pace.interval;
        self.stretched = if stretched { self.stretched.saturating_add(1) } else { 0 };
        if self.stretched == STRETCHES && !std::mem::replace(&mut self.stretch_told, true) {
            self.notices.push(format!(
                "polling every {share:.1?} instead of {:?}, to stay under {}% of one core (--max-cpu)",
                self.pace.interval, self.pace.max_cpu
            ));
        }
        share.max(self.pace.interval)
    }
}

impl Source for Proc {
    fn next(&mut self, stop: &Stop) -> Result<Option<Reading>> {
        if let Some(snapshot) = self.held_back.take() {
            return Ok(Some(Reading::Snapshot(snapshot)));
        }
        let planned = self.last.map(|last| (last, self.planned(last)));
        // The first look waits for nothing, however short the run.
        if let Some((last, planned)) = planned {
            match stop.wait(last.start + planned)? {
                Wake::Due => {}
                Wake::Stop => return Ok(None),
                Wake::ReaderGone => return Err(Error::ReaderGone),
            }
        }
        let cpu = clock::cpu();
        let start = Instant::now();
        let snapshot = self.snapshot()?;
        self.last = Some(Pass { start, began: snapshot.start, cpu });
        let took = snapshot.end.since(snapshot.start);
        let quickest = self.quickest.map_or(took, |quickest| quickest.min(took));
        self.quickest = Some(quickest);
        // A pause within a pass is one for the rows read after it, and for those before it the
        // next time: so from the start of the last pass to the end of this one.
        if let Some((last, planned)) = planned
            && is_gap(snapshot.end.since(last.began), planned, 2 * quickest)
        {
            let lost = Lost { time: snapshot.start, reason: LostReason::Gap, count: None };
            self.held_back = Some(snapshot);
            return Ok(Some(Reading::Lost(lost)));
        }
        Ok(Some(Reading::Snapshot(snapshot)))
    }

    fn confirm(&mut self, _: &[Question]) -> Result<Option<Reading>> {
        Ok(None)
    }

    fn origin(&self) -> Origin {
        Origin::Proc
    }

    fn notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }
}

/// Whether too much can have happened between two passes, which `took` so long, to go on from the
/// one to the other.
fn is_gap(elapsed: Duration, planned: Duration, took: Duration) -> bool {
    planned > LONGEST_WAIT || elapsed > planned + took + GRACE
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

/// The inode of the network namespace that `home/net` shows.
fn namespace(home: &Path) -> Option<u64> {
    let link = std::fs::read_link(home.join("ns/net")).ok()?;
    link.to_str()?.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_pass_is_a_gap_only_if_much_was_missed() {
        let s = Duration::from_secs_f64;
        let is_gap = |elapsed, planned| is_gap(s(elapsed), s(planned), s(0.01));
        assert!(!is_gap(0.1, 0.1));
        assert!(!is_gap(1.9, 0.1), "a busy machine is no gap");
        assert!(is_gap(2.2, 0.1), "a stopped monitor is one");
        assert!(!is_gap(31.0, 30.0));
        assert!(!is_gap(60.1, 60.0), "an interval of a minute is allowed");
        assert!(is_gap(61.0, 61.0), "in a longer one a TIME_WAIT fits");
    }
}
