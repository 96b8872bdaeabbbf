//! Standard output: records in the chosen format, flushed as they come, at most as many as asked.

pub(crate) mod queue;
pub(crate) mod ready;
mod renderers;
mod resolver;
pub(crate) mod screen;
pub(crate) mod stderr;
pub(crate) mod tty;
pub(crate) mod views;

use crate::cli::FormatName;
use crate::error::{Error, Result};
use crate::render::cell::Names;
use crate::render::csv::Csv;
use crate::render::json::Json;
use crate::render::socket_table::list::SocketList;
use crate::render::{Renderer, Size};
use crate::settings::OutputSettings;
use crate::signals::{Signals, Wake};
use crate::view::Record;
use queue::live::{Live, Turn};
use queue::pieces;
use renderers::table_options;
use resolver::Resolver;
use std::borrow::Cow;
use std::collections::HashSet;
use std::io::{self, Write};
use std::time::Duration;
use stderr::Sink;
use views::View;

/// Sentences remembered so that each is told once: those of alerts differ by their time, and a run
/// may last for months.
const MOST_ASIDE: usize = 1000;

/// How long a snapshot waits for the names of its hosts.
const PATIENCE: Duration = Duration::from_secs(2);

/// Records of a table are laid out together, others in parts: those of a large look need not all be
/// in memory as bytes. Lines of text are aligned within a part, scripts do not care.
const PART_OF_TEXT: usize = 4096;
const PART: usize = 256;

/// Where records go.
pub(crate) struct Output {
    renderer: Box<dyn Renderer>,
    /// So many records are laid out together.
    part: usize,
    /// Where the run does not wait for its reader.
    live: Option<Live>,
    /// How many more records are wanted.
    left: Option<u64>,
    written: u64,
    /// What was told beside the records, each kind once, and what of it still has to be.
    aside: HashSet<String>,
    asides: Vec<String>,
    resolver: Option<Resolver>,
}

impl Output {
    /// The records of a view in the chosen format. Names may take a part of the interval, so that the
    /// next poll is never late for them.
    pub(crate) fn of_view(
        view: &dyn View,
        print: &OutputSettings,
        max_count: Option<u64>,
        interval: Duration,
    ) -> Self {
        let part = if view.is_picture() { usize::MAX } else { PART_OF_TEXT };
        Self::new(print, max_count, interval / 2, part, || view.renderer(print))
    }

    /// From now on a slow reader makes nothing late: what he does not take yet waits for him, as
    /// far as there is room, until [`finish`](Self::finish).
    ///
    /// # Errors
    /// What the system refuses.
    pub(crate) fn go_live(&mut self, interval: Duration, stop: &Signals) -> Result<()> {
        self.live = Some(Live::open(interval, stop)?);
        Ok(())
    }

    /// The lives of a command's sockets in the chosen format. What goes to standard error is written
    /// when no poll follows.
    pub(crate) fn of_command(
        print: &OutputSettings,
        max: Option<u64>,
        interval: Duration,
        sink: &Sink,
    ) -> Self {
        let patience = if sink.is_shared() { PATIENCE } else { interval / 2 };
        Self::new(print, max, patience, PART_OF_TEXT, || Box::new(sink.timeline(print)))
    }

    /// A table of sockets in the chosen format; `held` adds a column for the time in the state.
    pub(crate) fn sockets(print: &OutputSettings, max_count: Option<u64>, held: bool) -> Self {
        Self::new(print, max_count, PATIENCE, PART_OF_TEXT, || {
            Box::new(SocketList::new(table_options(print), held, tty::width()))
        })
    }

    fn new(
        print: &OutputSettings,
        max_count: Option<u64>,
        patience: Duration,
        part_of_text: usize,
        renderer: impl FnOnce() -> Box<dyn Renderer>,
    ) -> Self {
        let renderer: Box<dyn Renderer> = match print.format {
            FormatName::Json => Box::new(Json),
            FormatName::Csv => Box::new(Csv::new(print.header)),
            _ => renderer(),
        };
        let resolves = print.resolve && print.format == FormatName::Text;
        let part = match print.format {
            // All of a reading wait for their names together.
            FormatName::Text if resolves => usize::MAX,
            FormatName::Text => part_of_text,
            _ => PART,
        };
        let resolver = resolves.then(|| Resolver::new(patience));
        Self {
            renderer,
            part,
            live: None,
            left: max_count,
            written: 0,
            aside: HashSet::new(),
            asides: Vec::new(),
            resolver,
        }
    }

    /// Writes what comes before the first record.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn begin(&mut self, stop: &Signals) -> Result<()> {
        let head = self.renderer.header();
        match &self.live {
            Some(live) => live.push(head),
            None => write_out(&head, stop).map(|_| ()),
        }
    }

    /// How many records have been written.
    pub(crate) const fn written(&self) -> u64 {
        self.written
    }

    /// Writes records and flushes them; false when as many as asked for have been written, or the
    /// run has to end while nobody reads.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn write(
        &mut self,
        records: impl IntoIterator<Item = Record>,
        stop: &Signals,
    ) -> Result<bool> {
        let mut records = records.into_iter().fuse();
        loop {
            let part: Vec<Record> = records.by_ref().take(self.part).collect();
            let is_last = part.len() < self.part;
            if !write_out(&self.bytes(part), stop)? || self.left == Some(0) {
                return Ok(false);
            }
            if is_last {
                return Ok(true);
            }
        }
    }

    /// The same for records of the reading that [`begin_turn`](Self::begin_turn) named last, some or
    /// all of them. A live run does not wait for its reader: records that find
    /// no room are told as lost in their place, once there is some.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn stream(
        &mut self,
        records: impl IntoIterator<Item = Record>,
        stop: &Signals,
    ) -> Result<bool> {
        let Some(mut live) = self.live.take() else { return self.write(records, stop) };
        let mut records = records.into_iter().fuse();
        loop {
            let mut part: Vec<Record> = records.by_ref().take(self.part).collect();
            let is_last = part.len() < self.part;
            live.let_read();
            self.set_aside(&mut part);
            if let Some(part) = live.admit(part) {
                live.push(self.bytes(part))?;
            }
            if is_last || self.left == Some(0) {
                break;
            }
        }
        self.live = Some(live);
        Ok(self.left != Some(0))
    }

    /// Writes all that is wanted of these records, and what comes after them.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn write_all(
        &mut self,
        records: impl IntoIterator<Item = Record>,
        stop: &Signals,
    ) -> Result<()> {
        self.begin(stop)?;
        self.write(records, stop)?;
        while let Some(rest) = self.renderer.rest() {
            if !write_out(&rest, stop)? {
                break;
            }
        }
        Ok(())
    }

    /// The records to come are of this reading: names may not make the next one late.
    pub(crate) fn begin_turn(&mut self, turn: Turn) {
        if let Some(resolver) = &mut self.resolver {
            resolver.begin(turn);
        }
        if let Some(live) = &mut self.live {
            live.begin_turn(turn);
        }
    }

    /// No reading follows: what is still to be written may wait for its names anew.
    pub(crate) fn begin_rest(&mut self) {
        if let Some(resolver) = &mut self.resolver {
            resolver.begin_rest();
        }
    }

    /// The end of a live run: its reader gets what waits for him. From now on he is waited for.
    /// False if he takes nothing, or the run is to end at once.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn finish(&mut self, stop: &Signals) -> Result<bool> {
        self.begin_rest();
        let Some(mut live) = self.live.take() else { return Ok(true) };
        let lost = live.lost().map(|lost| self.bytes(vec![Record::Lost(lost)]));
        live.push(lost.unwrap_or_default())?;
        let left = live.finish(stop)?;
        if left > 0 {
            self.asides.push(format!("the last {left} bytes of the output found no reader"));
        }
        Ok(left == 0)
    }

    /// Records as they are written, as far as they are wanted.
    pub(crate) fn bytes(&mut self, mut records: Vec<Record>) -> Vec<u8> {
        self.set_aside(&mut records);
        if let Some(left) = &mut self.left {
            records.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= records.len() as u64;
        }
        let names = names_for(&mut self.resolver, &records);
        self.written += records.len() as u64;
        self.renderer.rows(&records, &names)
    }

    /// Leaves records only: what the format has no room for is told beside them.
    fn set_aside(&mut self, records: &mut Vec<Record>) {
        if self.aside.len() > MOST_ASIDE {
            self.aside.clear();
        }
        records.retain(|record| match self.renderer.message(record) {
            Some(sentence) => {
                if self.aside.insert(sentence.clone()) {
                    self.asides.push(sentence);
                }
                false
            }
            None => true,
        });
    }

    /// The lines of a frame that shows these records.
    pub(crate) fn frame(&mut self, records: &[Record], size: Size) -> Vec<String> {
        self.renderer.frame(records, &names_for(&mut self.resolver, records), size)
    }

    /// What is to be told beside the records, on standard error.
    pub(crate) fn asides(&mut self) -> Vec<String> {
        std::mem::take(&mut self.asides)
    }
}

/// Names for these records, if they are wanted.
fn names_for<'n>(resolver: &'n mut Option<Resolver>, records: &[Record]) -> Cow<'n, Names> {
    match resolver {
        Some(resolver) => Cow::Borrowed(resolver.names_for(records)),
        None => Cow::Owned(Names::default()),
    }
}

/// Writes piece by piece, so that a reader who has stopped reading cannot keep the run from its
/// end; false if it had to end before everything was written.
fn write_out(bytes: &[u8], stop: &Signals) -> Result<bool> {
    let mut stdout = io::stdout().lock();
    for piece in pieces(bytes) {
        if stop.wait_writable()? == Wake::Ended {
            return Ok(false);
        }
        stdout.write_all(piece).and_then(|()| stdout.flush()).map_err(Error::output)?;
    }
    Ok(true)
}
