//! Standard output: records of a run are formatted, queued and written by a thread, so that a slow
//! reader delays no poll. What has no room is counted. Commands that print once write themselves.

pub(crate) mod counts;
pub(crate) mod formatter;
pub(crate) mod messages;
mod queue;
pub(crate) mod ready;
mod renderers;
mod resolver;
mod run_state;
pub(crate) mod screen;
pub(crate) mod shown;
pub(crate) mod timelines;
#[cfg(feature = "tui")]
pub(crate) mod top_screen;
pub(crate) mod tty;

use crate::cli::FormatName;
use crate::error::{Error, Result};
use crate::model::reading::{Lost, LostReason};
use crate::model::time::Stamp;
use crate::monitor::sink::ReadingInfo;
use crate::render::Size;
use crate::settings::OutputSettings;
use crate::signals::Signals;
use crate::view::Record;
use formatter::Formatter;
use queue::{BlockingFile, Queue, Wait, pieces};
#[cfg(feature = "tui")]
pub(crate) use renderers::top_look;
pub(crate) use renderers::{date_and_time, exact_date_and_time, group_key};
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};
#[cfg(feature = "tui")]
pub(crate) use timelines::new_file;

/// How many bytes may be queued for a slow reader: a quarter of what following 100,000 sockets may
/// take, and 30,000 events as JSON, which is seconds of a busy machine.
const CAPACITY: usize = 16 << 20;
/// With this many bytes queued, the rest of a large poll is not formatted faster than it is read, as
/// long as no poll is late because of that.
const BACKLOG: usize = 1 << 20;
/// So many bytes are queued at once.
const MOST_HELD: usize = 1 << 16;

/// So many rows of an answer are printed on a terminal, unless another number is asked for.
const SCREENFUL: usize = 20;

/// How many rows of an answer are printed: as many as asked for, a screenful on a terminal, all for
/// scripts.
pub(crate) fn rows_to_print(top: Option<usize>, output: &OutputSettings) -> usize {
    let is_read = output.format == FormatName::Text && io::stdout().is_terminal();
    top.or(is_read.then_some(SCREENFUL)).unwrap_or(usize::MAX)
}

/// Standard output of a run.
pub(crate) struct Output {
    pub(crate) formatter: Formatter,
    queue: Queue,
    /// `None` where the run waits for its reader.
    live: Option<Live>,
    /// The records that had no room since the last that had.
    lost: Option<Lost>,
    /// Another reading follows at once.
    has_more: bool,
    /// Bytes of readings that came together: to wake the thread that writes costs more than a record.
    held: Vec<u8>,
    /// The reader was waited for in vain: nothing more is written.
    is_abandoned: bool,
}

/// A run whose polls do not wait for its reader.
struct Live {
    /// The time between two polls.
    interval: Duration,
    /// When the current reading was complete.
    at: Stamp,
    /// When the next poll is due, where that is known.
    due: Option<Instant>,
    /// Until when the records of the reading may wait for room; `None` before the first of them.
    deadline: Option<Instant>,
}

impl Output {
    /// Takes standard output. It waits for its reader until [`go_live`](Self::go_live).
    ///
    /// # Errors
    /// No thread can be started, or standard output cannot be duplicated.
    pub(crate) fn open(formatter: Formatter, signals: &Signals) -> Result<Self> {
        Ok(Self::with_parts(Queue::to(&io::stdout(), CAPACITY, signals.waker()?)?, formatter))
    }

    fn with_parts(queue: Queue, formatter: Formatter) -> Self {
        let (live, lost, held) = (None, None, Vec::new());
        Self { formatter, queue, live, lost, has_more: false, held, is_abandoned: false }
    }

    /// From now on no poll waits for the reader, until [`finish`](Self::finish): records that have
    /// no room are reported as lost in their place, once there is room again.
    pub(crate) fn go_live(&mut self, interval: Duration) {
        self.live = Some(Live { interval, at: Stamp::default(), due: None, deadline: None });
    }

    /// The records that follow are of this reading: the time until the next poll limits how long
    /// they wait for names and for room.
    pub(crate) fn begin_reading(&mut self, reading: ReadingInfo) {
        self.formatter.begin_reading(reading);
        self.has_more = reading.has_more;
        if let Some(live) = &mut self.live {
            (live.at, live.due, live.deadline) = (reading.at, reading.due, None);
        }
    }

    /// Writes what comes before the first record.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn write_header(&mut self) -> Result<()> {
        let header = self.formatter.header();
        self.queue.push(header)
    }

    /// Writes records; false when as many as wanted have been written, or the run has to end while
    /// nobody reads.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn write(
        &mut self,
        records: impl IntoIterator<Item = Record>,
        signals: &Signals,
    ) -> Result<bool> {
        let (mut records, most) = (records.into_iter().fuse(), self.formatter.part());
        loop {
            let mut part: Vec<Record> = records.by_ref().take(most).collect();
            let is_last = part.len() < most;
            // What goes to standard error has room there.
            self.formatter.keep_messages(&mut part);
            if let Some(live) = &mut self.live {
                live.wait(&mut self.queue);
            } else if !self.wait(BACKLOG, signals) {
                return Ok(false);
            }
            self.write_part(part)?;
            if self.formatter.is_complete() {
                return Ok(false);
            }
            if is_last {
                return Ok(true);
            }
        }
    }

    /// Writes the lines of a frame that shows these records, to stay on the terminal: as many as fit,
    /// but all of a picture that is no use in part.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn write_frame(&mut self, records: &[Record], size: Size) -> Result<()> {
        let rows = size.rows.max(self.formatter.least_rows());
        let mut lines = self.formatter.frame(records, Size { rows, ..size }).join("\n");
        lines.push('\n');
        self.push(lines.into_bytes())
    }

    /// Writes records if there is room for them, after the number of those that had none.
    fn write_part(&mut self, mut records: Vec<Record>) -> Result<()> {
        if self.queue.has_room() {
            if let Some(lost) = self.lost.take() {
                records.insert(0, Record::Lost(lost));
            }
            let bytes = self.formatter.bytes(records);
            return self.push(bytes);
        }
        if !records.is_empty() {
            let time = self.live.as_ref().map(|live| live.at).unwrap_or_default();
            let lost = Lost { time, reason: LostReason::Output, count: None };
            let count = &mut self.lost.get_or_insert(lost).count;
            *count = Some(count.unwrap_or_default() + records.len() as u64);
        }
        Ok(())
    }

    /// Queues bytes, unless there is little and more follows at once.
    fn push(&mut self, mut bytes: Vec<u8>) -> Result<()> {
        if self.held.is_empty() {
            self.held = bytes;
        } else {
            self.held.append(&mut bytes);
        }
        if self.has_more && self.held.len() < MOST_HELD {
            return Ok(());
        }
        self.queue.push(std::mem::take(&mut self.held))
    }

    /// Waits until the reader has taken what is queued, however late it begins. A run that has to
    /// end waits only as long as the reader takes something every second, and no other signal
    /// comes. Returns whether everything was taken. A live run waits for its reader from now on.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn finish(&mut self, signals: &Signals) -> Result<bool> {
        self.formatter.end_readings();
        (self.live, self.has_more) = (None, false);
        self.push(Vec::new())?;
        if let Some(lost) = self.lost.take() {
            let bytes = self.formatter.bytes(vec![Record::Lost(lost)]);
            self.queue.push(bytes)?;
        }
        self.wait(0, signals);
        // Returns the error of a write that has failed meanwhile.
        self.queue.push(Vec::new())?;
        let left = self.queue.queued();
        if left > 0 {
            let message = format!("{left} bytes of output discarded on exit: no reader");
            self.formatter.add_message(message);
        }
        Ok(left == 0)
    }

    /// Waits for at most `most` bytes to be queued; false where the reader is not to be waited for
    /// any longer.
    fn wait(&mut self, most: usize, signals: &Signals) -> bool {
        self.is_abandoned =
            self.is_abandoned || !self.queue.wait(most, &Wait::WhileRunning(signals));
        !self.is_abandoned
    }
}

/// Writes as many of the records as wanted, what comes before them and what comes after them. It
/// waits for its reader, and no signal ends the wait: for commands that signals end at once. Without
/// a queue, since starting its thread would take a noticeable part of a short run.
///
/// # Errors
/// Standard output cannot be written.
pub(crate) fn write_once(
    formatter: &mut Formatter,
    records: impl IntoIterator<Item = Record>,
) -> Result<()> {
    let mut stdout = BlockingFile::open(&io::stdout())?;
    // Piece by piece: a signal that ends the process cuts no line.
    let mut write = |bytes: &[u8]| {
        pieces(bytes).try_for_each(|piece| stdout.write_all(piece)).map_err(Error::output)
    };
    write(&formatter.header())?;
    let (mut records, most) = (records.into_iter(), formatter.part());
    while !formatter.is_complete() {
        let part: Vec<Record> = records.by_ref().take(most).collect();
        if part.is_empty() {
            break;
        }
        write(&formatter.bytes(part))?;
    }
    while let Some(rest) = formatter.rest() {
        write(&rest)?;
    }
    Ok(())
}

impl Live {
    /// Lets the reader take what is queued before more of the same reading is formatted. All records
    /// of a reading wait until the same instant. Names may take up to half of an interval; polling
    /// and formatting need their part, too.
    fn wait(&mut self, queue: &mut Queue) {
        if let Some(deadline) = self.deadline {
            queue.wait(BACKLOG, &Wait::Until(deadline));
            return;
        }
        let now = Instant::now();
        let left = self.due.map_or(Duration::ZERO, |due| due.saturating_duration_since(now));
        self.deadline = Some(now + (self.interval / 4).max(left / 2));
    }
}

#[cfg(test)]
mod tests;
