//! `replay`: shows a recording as `watch` would have shown the run.

use super::follow::{Mode, follow};
use super::{checked, signals};
use crate::cli::ReplayOptions;
use crate::error::{NoSamples, RecordingError, Result, Unseen};
use crate::model::time::{Moment, Stamp};
use crate::monitor::Monitor;
#[cfg(feature = "tui")]
use crate::output::ready::Ready;
use crate::output::{date_and_time, exact_date_and_time, messages};
use crate::owner::recorded::RecordedOwners;
use crate::settings::netns::of_recording;
use crate::settings::{self, OutputSettings, Settings};
use crate::signals::Signals;
use crate::source::replay::{RecordingEnd, Replay};
use std::path::Path;

/// A sample that is older than a moment by more than this is not silently shown for it (microseconds).
const MAX_AGE_OF_SAMPLE: i64 = 1_000_000;

/// Shows the recording to its end; one that is followed, until the run has to end.
///
/// # Errors
/// The file is not a recording; what ends the run before its time.
pub(crate) fn run(options: ReplayOptions) -> Result<()> {
    let part = settings::check_replay(&options)?;
    let (file, waits_for_more) = (options.file.clone(), options.follow);
    let settings = checked(options)?;
    let signals = signals(&settings, settings.duration)?;
    let recording = Replay::open(&file, waits_for_more, &signals)?;
    let start = recording.start().unwrap_or_default();
    let recording = recording.until(part.until.map(|until| until.after(start)));
    let mut monitor = monitor_of(recording, &settings)?;
    let since = part.since.map(|since| since.after(start));
    #[cfg(feature = "tui")]
    if waits_for_more && since.is_none() && super::top::is_table_drawn(&settings) {
        return super::top::live(&mut monitor, &signals, &settings, Ready::default());
    }
    #[cfg(feature = "tui")]
    if super::top::is_drawn(&settings) {
        return if waits_for_more {
            super::top::live(&mut monitor, &signals, &settings, Ready::default())
        } else {
            super::top::recorded(&mut monitor, &signals, &settings, since)
        };
    }
    follow(&mut monitor, &signals, &settings, Mode::Recorded { since })
}

/// The monitor of a recording; `waits_for_more` lets it wait at the end of the file for more.
pub(super) fn monitor<'a>(
    file: &Path,
    waits_for_more: bool,
    settings: &'a Settings,
    signals: &'a Signals,
) -> Result<Monitor<'a>> {
    monitor_of(Replay::open(file, waits_for_more, signals)?, settings)
}

/// The monitor of a recording, read up to a moment or to its end.
///
/// # Errors
/// What the recording lacks, also where it does not show the sockets of that moment.
pub(super) fn monitor_at<'a>(
    file: &Path,
    at: Option<&Moment>,
    settings: &'a Settings,
    signals: &'a Signals,
) -> Result<Monitor<'a>> {
    let recording = Replay::open(file, false, signals)?;
    let start = recording.start().unwrap_or_default();
    let until = at.map(|at| at.after(start));
    let (end, name) = (recording.end(), recording.name());
    let mut monitor = monitor_of(recording.until(until), settings)?;
    while monitor.update(signals)? {}
    let (read_at, is_polled) = (monitor.read_at(), monitor.polls().taken > 0);
    let exact = |time| exact_date_and_time(time, &settings.output);
    let missing = until.zip(end.get()).and_then(|(until, end)| match end {
        RecordingEnd::Later { next, .. } if !is_polled => Some(NoSamples::Before(exact(next))),
        RecordingEnd::Later { next, continues: false } => {
            Some(NoSamples::Between(exact(read_at), exact(next)))
        }
        RecordingEnd::Complete if !is_polled => Some(NoSamples::AtAll),
        RecordingEnd::Complete if read_at.wall < until => Some(NoSamples::After(exact(read_at))),
        RecordingEnd::Complete | RecordingEnd::Later { .. } => None,
    });
    if let Some(missing) = missing {
        let unread = monitor.take_unseen().into_iter().find_map(|unseen| match unseen {
            Unseen::Part(part) => Some(part),
            _ => None,
        });
        let none = RecordingError::NoSamples { name, missing };
        return Err(unread.map_or(none, RecordingError::Unread).into());
    }
    messages::print(until.and_then(|until| older_sample(read_at, until, &settings.output)));
    Ok(monitor)
}

/// A sentence where the last sample before a moment, in microseconds since 1970, is much older.
fn older_sample(sample: Stamp, moment: i64, output: &OutputSettings) -> Option<String> {
    let is_older = moment.saturating_sub(sample.wall) > MAX_AGE_OF_SAMPLE;
    let moment = Stamp { wall: moment, ..sample };
    is_older.then(|| {
        format!(
            "the last sample before {} is from {}: what happened in between is not shown",
            date_and_time(moment, output),
            date_and_time(sample, output)
        )
    })
}

fn monitor_of<'a>(recording: Replay<'a>, settings: &'a Settings) -> Result<Monitor<'a>> {
    let owners = Box::new(RecordedOwners::default());
    let recording = recording.of_namespaces(of_recording(&settings.netns)?);
    Ok(Monitor::new(Box::new(recording), owners, &settings.filter))
}
