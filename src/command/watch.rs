//! `watch`: the sockets there are, then every transition, until the run is over.

use super::output::Output;
use super::{monitor, tell};
use crate::error::Result;
use crate::reading::Origin;
use crate::settings::Settings;
use crate::stop::Stop;
use crate::view::event::EventRecord;
use crate::view::{News, Record};
use std::io::{self, IsTerminal};

/// Watches until Ctrl-C, SIGTERM, `--for`, `-m` or the end of the reader.
///
/// # Errors
/// What ends the run before its time.
pub fn run(settings: &Settings) -> Result<()> {
    let stop = Stop::new(settings.duration)?;
    let mut monitor = monitor(settings)?;
    let mut output = Output::events(&settings.print, settings.max_count, settings.pace.interval);
    let mut waiting_told = false;
    output.begin(&stop)?;
    while let Some(news) = monitor.read(&stop)? {
        let origin = monitor.origin();
        let records: Vec<Record> = news.into_iter().filter_map(|n| event(n, origin)).collect();
        let nothing_yet = records.is_empty() && !waiting_told;
        waiting_told = true;
        let more = output.write(records, &stop)?;
        tell(monitor.notices());
        if nothing_yet {
            tell_waiting(settings);
        }
        if !more {
            break;
        }
    }
    tell([monitor.coverage().to_string()]);
    Ok(())
}

/// The record of a piece of news, if it passes the filter by state.
fn event(news: News, origin: Origin) -> Option<Record> {
    match news {
        News::Lost(lost) => Some(Record::Lost(lost)),
        News::Told(told) if told.passes => {
            Some(Record::Event(Box::new(EventRecord::new(*told, origin))))
        }
        News::Told(_) => None,
    }
}

/// A blank screen should not leave anybody wondering.
fn tell_waiting(settings: &Settings) {
    if !io::stderr().is_terminal() {
        return;
    }
    let whose = match settings.patterns.as_slice() {
        [] => "no such socket".to_owned(),
        patterns => format!("no socket of a process matching '{}'", patterns.join("' or '")),
    };
    tell([format!("{whose} yet; watching, Ctrl-C ends")]);
}
