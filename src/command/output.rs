//! Standard output: records in the chosen format, flushed as they come, at most as many as asked.

use super::{tell, terminal};
use crate::cli::FormatName;
use crate::error::{Error, Result};
use crate::render::Renderer;
use crate::render::cell::Clock;
use crate::render::csv::Csv;
use crate::render::events::Events;
use crate::render::json::Json;
use crate::render::table::Sockets;
use crate::settings::Print;
use crate::view::Record;
use jiff::tz::TimeZone;
use std::collections::{HashMap, HashSet};
use std::io::{self, Write};

/// Where records go.
pub struct Output {
    renderer: Box<dyn Renderer>,
    /// How many more records are wanted.
    left: Option<u64>,
    aside: HashSet<String>,
}

impl Output {
    /// A stream of events in the chosen format.
    pub fn events(print: &Print, max_count: Option<u64>) -> Self {
        let zone = if print.utc { TimeZone::UTC } else { TimeZone::system() };
        let clock = Clock { format: print.time, zone, start: None };
        let palette = terminal::palette(print.color);
        let width = terminal::width().map(usize::from);
        let events = || Events::new(clock, palette, print.header, width);
        Self::new(print, max_count, || Box::new(events()))
    }

    /// A table of sockets in the chosen format.
    pub fn sockets(print: &Print, max_count: Option<u64>) -> Self {
        let table = || Sockets {
            palette: terminal::palette(print.color),
            header: print.header,
            extended: print.extended,
            timers: print.timers,
            width: terminal::width(),
            users: HashMap::new(),
        };
        Self::new(print, max_count, || Box::new(table()))
    }

    fn new(
        print: &Print,
        max_count: Option<u64>,
        text: impl FnOnce() -> Box<dyn Renderer>,
    ) -> Self {
        let renderer = match print.format {
            FormatName::Text => text(),
            FormatName::Json => Box::new(Json),
            FormatName::Csv => Box::new(Csv::new(print.header)),
        };
        Self { renderer, left: max_count, aside: HashSet::new() }
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
        write_out(&self.renderer.rows(&records))?;
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
