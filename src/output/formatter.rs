//! Records to bytes in the chosen format: with names, at most as many as wanted, and without those
//! that the format has no place for.

use super::renderers::{clock, table_options, text_options};
use super::resolver::Resolver;
use super::timelines::TimelineTarget;
use super::tty;
use crate::cli::FormatName;
use crate::monitor::sink::ReadingInfo;
use crate::render::ascii::ascii;
use crate::render::cell::Names;
use crate::render::csv::Csv;
use crate::render::groups::GroupTable;
use crate::render::html::HtmlReport;
use crate::render::json::Json;
use crate::render::ports::PortTable;
use crate::render::socket_table::TableOptions;
use crate::render::socket_table::list::SocketList;
use crate::render::{Renderer, Size, of_view};
use crate::settings::OutputSettings;
use crate::view::{Record, View};
use std::borrow::Cow;
use std::collections::HashSet;
use std::time::Duration;

/// How many messages are remembered so that none is repeated: those about alerts differ by their
/// time, and a run may last for months.
const REMEMBERED_MESSAGES: usize = 1000;

/// How long the records of a snapshot wait for host names.
const NAME_WAIT: Duration = Duration::from_secs(2);

/// How many records are formatted together, so that those of a large poll need not all be in memory
/// as bytes. Lines of text are aligned within such a part, for scripts that does not matter.
const TEXT_PART: usize = 4096;
const PART: usize = 256;

/// Formats the records of one run.
pub(crate) struct Formatter {
    renderer: Box<dyn Renderer>,
    /// Drawings are made of ASCII, because the locale has no other characters.
    is_ascii: bool,
    resolver: Option<Resolver>,
    part: usize,
    /// How many more records are wanted; `None` for all.
    left: Option<u64>,
    written: u64,
    /// The messages so far, and those of them that have not been taken yet.
    known_messages: HashSet<String>,
    messages: Vec<String>,
}

impl Formatter {
    /// For the records of a view. Names may take a part of the interval, so that the next poll is
    /// never late because of them.
    pub(crate) fn of_view(
        view: &dyn View,
        output: &OutputSettings,
        max_count: Option<u64>,
        interval: Duration,
    ) -> Self {
        let part = if view.is_picture() { usize::MAX } else { TEXT_PART };
        Self::new(output, max_count, interval / 2, part, || {
            of_view(output.view, text_options(output))
        })
    }

    /// For the lives of a command's sockets, as text for `target`. What goes to standard error is
    /// formatted when no poll follows, and may wait longer for names.
    pub(crate) fn of_command(
        output: &OutputSettings,
        max_count: Option<u64>,
        interval: Duration,
        target: &TimelineTarget,
    ) -> Self {
        let name_wait = if target.is_stderr() { NAME_WAIT } else { interval / 2 };
        Self::new(output, max_count, name_wait, TEXT_PART, || target.renderer(output))
    }

    /// For a table of sockets; `idle` adds a column for the time without data beside the timers.
    pub(crate) fn of_sockets(output: &OutputSettings, max_count: Option<u64>, idle: bool) -> Self {
        Self::new(output, max_count, NAME_WAIT, TEXT_PART, || {
            Box::new(SocketList::new(table_options(output), idle, tty::width()))
        })
    }

    /// For a table of the local ports in use.
    pub(crate) fn of_ports(output: &OutputSettings, max_count: Option<u64>) -> Self {
        Self::new(output, max_count, NAME_WAIT, TEXT_PART, || {
            let TableOptions { palette, header, .. } = table_options(output);
            Box::new(PortTable::new(palette, header))
        })
    }

    /// For a table of groups.
    pub(crate) fn of_groups(output: &OutputSettings, max_count: Option<u64>) -> Self {
        Self::new(output, max_count, NAME_WAIT, TEXT_PART, || {
            let TableOptions { palette, header, .. } = table_options(output);
            Box::new(GroupTable::new(palette, header))
        })
    }

    fn new(
        output: &OutputSettings,
        max_count: Option<u64>,
        name_wait: Duration,
        text_part: usize,
        text: impl FnOnce() -> Box<dyn Renderer>,
    ) -> Self {
        let renderer: Box<dyn Renderer> = match output.format {
            FormatName::Json => Box::new(Json::new(&output.labels)),
            FormatName::Csv => Box::new(Csv::new(output.header, &output.labels)),
            FormatName::Html => Box::new(HtmlReport::new(clock(output))),
            _ => text(),
        };
        let resolves = output.resolve && output.format == FormatName::Text;
        let part = match output.format {
            // All records of a reading wait for their names together.
            FormatName::Text if resolves => usize::MAX,
            FormatName::Text => text_part,
            FormatName::Html => usize::MAX,
            _ => PART,
        };
        let resolver = resolves.then(|| Resolver::new(name_wait));
        let is_ascii = output.format == FormatName::Text && !tty::draws_unicode();
        Self { is_ascii, ..Self::with(renderer, resolver, part, max_count) }
    }

    fn with(
        renderer: Box<dyn Renderer>,
        resolver: Option<Resolver>,
        part: usize,
        left: Option<u64>,
    ) -> Self {
        let (known_messages, messages) = (HashSet::new(), Vec::new());
        let is_ascii = false;
        Self { renderer, is_ascii, resolver, part, left, written: 0, known_messages, messages }
    }

    /// JSON without a limit or names.
    #[cfg(test)]
    pub(super) fn json() -> Self {
        Self::with(Box::new(Json::default()), None, PART, None)
    }

    /// The records that follow are of this reading: how long they wait for names depends on when the
    /// next poll is due.
    pub(crate) fn begin_reading(&mut self, reading: ReadingInfo) {
        if let Some(resolver) = &mut self.resolver {
            resolver.begin_reading(reading);
        }
    }

    /// No reading follows: the records that are left may wait for names once more.
    pub(crate) fn end_readings(&mut self) {
        if let Some(resolver) = &mut self.resolver {
            resolver.end_readings();
        }
    }

    /// How many records are best formatted together.
    pub(super) const fn part(&self) -> usize {
        self.part
    }

    /// Whether as many records as wanted have been formatted.
    pub(super) fn is_complete(&self) -> bool {
        self.left == Some(0)
    }

    /// How many records have been formatted.
    pub(crate) const fn written(&self) -> u64 {
        self.written
    }

    /// The bytes before the first record.
    pub(super) fn header(&mut self) -> Vec<u8> {
        self.renderer.header()
    }

    /// The bytes of these records, as far as they are wanted and have a place in the format.
    pub(crate) fn bytes(&mut self, mut records: Vec<Record>) -> Vec<u8> {
        self.keep_messages(&mut records);
        if let Some(left) = &mut self.left {
            records.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= records.len() as u64;
        }
        self.written += records.len() as u64;
        let names = names_for(&mut self.resolver, &records);
        let bytes = self.renderer.rows(&records, &names);
        self.in_locale(bytes)
    }

    /// Bytes of the renderer, in characters that the locale has.
    fn in_locale(&self, bytes: Vec<u8>) -> Vec<u8> {
        if self.is_ascii { ascii(&String::from_utf8_lossy(&bytes)).into_bytes() } else { bytes }
    }

    /// The bytes after the last record, part by part; `None` when there are no more.
    pub(super) fn rest(&mut self) -> Option<Vec<u8>> {
        let rest = self.renderer.rest()?;
        Some(self.in_locale(rest))
    }

    /// The lines of a frame that shows these records.
    pub(crate) fn frame(&mut self, records: &[Record], size: Size) -> Vec<String> {
        let lines = self.renderer.frame(records, &names_for(&mut self.resolver, records), size);
        if self.is_ascii { lines.iter().map(|line| ascii(line)).collect() } else { lines }
    }

    /// See [`Renderer::least_rows`].
    pub(super) fn least_rows(&self) -> usize {
        self.renderer.least_rows()
    }

    /// Removes the records that the format has no place for, and keeps them as messages for
    /// standard error.
    pub(super) fn keep_messages(&mut self, records: &mut Vec<Record>) {
        if self.known_messages.len() > REMEMBERED_MESSAGES {
            self.known_messages.clear();
        }
        records.retain(|record| match self.renderer.message(record) {
            Some(message) => {
                if self.known_messages.insert(message.clone()) {
                    self.messages.push(message);
                }
                false
            }
            None => true,
        });
    }

    /// Adds a message for standard error.
    pub(super) fn add_message(&mut self, message: String) {
        self.messages.push(message);
    }

    /// The messages for standard error since the last call, each of them once.
    pub(crate) fn take_messages(&mut self) -> Vec<String> {
        std::mem::take(&mut self.messages)
    }
}

/// Names for these records, if they are wanted.
fn names_for<'n>(resolver: &'n mut Option<Resolver>, records: &[Record]) -> Cow<'n, Names> {
    match resolver {
        Some(resolver) => Cow::Borrowed(resolver.names_for(records)),
        None => Cow::Owned(Names::default()),
    }
}
