//! Standard output: records in the chosen format, flushed as they come, at most as many as asked.

use super::names::Resolver;
use super::{tell, terminal};
use crate::cli::FormatName;
use crate::error::{Error, Result};
use crate::render::Renderer;
use crate::render::cell::{Clock, Names};
use crate::render::csv::Csv;
use crate::render::events::Events;
use crate::render::json::Json;
use crate::render::table::Sockets;
use crate::settings::Print;
use crate::view::Record;
use jiff::tz::TimeZone;
use std::collections::HashSet;
use std::io::{self, Write};
use std::time::Duration;

/// How long a snapshot waits for the names of its hosts.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where records go.
pub struct Output {
    renderer: Box<dyn Renderer>,
    /// How many more records are wanted.
    left: Option<u64>,
    aside: HashSet<String>,
    resolver: Option<Resolver>,
}

impl Output {
    /// A stream of events in the chosen format. Names may take a part of the interval, so that
    /// the next poll is never late for them.
    pub fn events(print: &Print, max_count: Option<u64>, interval: Duration) -> Self {
        let zone = if print.utc { TimeZone::UTC } else { TimeZone::system() };
        let clock = Clock { format: print.time, zone, start: None };
        let palette = terminal::palette(print.color);
        let width = terminal::width().map(usize::from);
        let events = || Events::new(clock, palette, print.header, width);
        Self::new(print, max_count, interval / 2, || Box::new(events()))
    }

    /// A table of sockets in the chosen format.
    pub fn sockets(print: &Print, max_count: Option<u64>) -> Self {
        let table = || Sockets {
            palette: terminal::palette(print.color),
            header: print.header,
            extended: print.extended,
            timers: print.timers,
            width: terminal::width(),
        };
        Self::new(print, max_count, PATIENCE, || Box::new(table()))
    }

    fn new(
        print: &Print,
        max_count: Option<u64>,
        patience: Duration,
        text: impl FnOnce() -> Box<dyn Renderer>,
    ) -> Self {
        let renderer = match print.format {
            FormatName::Text => text(),
            FormatName::Json => Box::new(Json),
            FormatName::Csv => Box::new(Csv::new(print.header)),
        };
        let resolves = print.resolve && print.format == FormatName::Text;
        let resolver = resolves.then(|| Resolver::new(patience));
        Self { renderer, left: max_count, aside: HashSet::new(), resolver }
    }

    /// Writes what comes before the first record.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn begin(&mut self) -> Result<()> {
        let head = self.renderer.begin();
        write_out(&head)
    }

    /// Writes records and flushes them; false when as many as asked for have been written.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn write(&mut self, mut records: Vec<Record>) -> Result<bool> {
        records.retain(|record| match self.renderer.aside(record) {
            Some(sentence) => {
                if self.aside.insert(sentence.clone()) {
                    tell([sentence]);
                }
                false
            }
            None => true,
        });
        if let Some(left) = &mut self.left {
            records.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= records.len() as u64;
        }
        let numbers = Names::default();
        let names = match &mut self.resolver {
            Some(resolver) => resolver.names_for(&records),
            None => &numbers,
        };
        write_out(&self.renderer.rows(&records, names))?;
        Ok(self.left != Some(0))
    }
}

fn write_out(bytes: &[u8]) -> Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(Error::output)
}
