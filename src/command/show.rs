//! The loop of every command that shows a run: readings in, records of the chosen view out.

use super::output::Output;
use super::tell;
use super::views::{self, Now};
use crate::error::Result;
use crate::monitor::Monitor;
use crate::settings::Settings;
use crate::stop::Stop;
use crate::view::News;
use crate::view::timeline::Lives;
use std::io::{self, IsTerminal};

/// Shows what the monitor reads until the run is over. Where the first look finds nothing,
/// somebody at a terminal is told so by the sentence `empty`.
///
/// # Errors
/// What ends the run before its time.
pub(super) fn show(
    monitor: &mut Monitor<'_>,
    stop: &Stop,
    settings: &Settings,
    mut empty: Option<String>,
) -> Result<()> {
    let mut view = views::open(&settings.print, settings.max_count);
    let mut lives = Lives::default();
    let mut output = Output::of_view(&settings.print, settings.max_count, settings.pace.interval);
    let mut more = true;
    output.begin(stop)?;
    while more
        && !view.is_full()
        && let Some(news) = monitor.read(stop)?
    {
        let nothing = !news.iter().any(passes);
        tell(lost_sight(lives.take(&news, || monitor.followed())));
        let records = view.take(news, &mut Now { monitor, lives: &mut lives });
        more = output.write(records, stop)?;
        tell(monitor.notices());
        let waiting = empty.take().filter(|_| nothing && io::stderr().is_terminal());
        tell(waiting);
    }
    if more {
        output.write(view.so_far(&mut Now { monitor, lives: &mut lives }), stop)?;
    }
    tell(monitor.notices());
    tell([monitor.coverage().to_string()]);
    Ok(())
}

/// Whether news is of what was asked for.
fn passes(news: &News) -> bool {
    match news {
        News::Told(told) => told.passes,
        News::Lost(_) => true,
    }
}

/// Lives that were lost sight of have no timeline.
fn lost_sight(lives: usize) -> Option<String> {
    let sockets = match lives {
        0 => return None,
        1 => "a socket was".to_owned(),
        many => format!("{many} sockets were"),
    };
    Some(format!("{sockets} lost sight of: what became of them has no timeline"))
}
