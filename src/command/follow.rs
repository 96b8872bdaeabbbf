//! The loop of every command that shows a run: readings in, records of the chosen view out.

use crate::cli::{FormatName, ViewName};
use crate::error::Result;
use crate::model::event::MonitorEvent;
use crate::monitor::Monitor;
use crate::output::Output;
use crate::output::queue::live::Turn;
use crate::output::ready::Ready;
use crate::output::screen::Screen;
use crate::output::stderr::{Reports, lines, report};
use crate::output::views::{self, Now, View};
use crate::rules::alerts::Alerts;
use crate::settings::Settings;
use crate::signals::Signals;
use crate::view::Record;
use crate::view::alert::AlertRecord;
use crate::view::life::Lives;
use std::io::{self, IsTerminal};
use std::path::Path;

/// What is shown.
pub(super) enum Run {
    /// What happens now: a slow reader makes no poll late.
    Live {
        /// The sentence for a terminal where the first poll finds nothing.
        nothing_yet: String,
        /// Where the end of the first poll is announced.
        ready: Ready,
    },
    /// A recording, which waits for its reader.
    Recorded,
}

/// Shows what the monitor reads until the run is over.
///
/// # Errors
/// What ends the run before its time.
pub(super) fn show(
    monitor: &mut Monitor<'_>,
    stop: &Signals,
    settings: &Settings,
    run: Run,
) -> Result<()> {
    let mut lives = Lives::default();
    let mut show = Show::open(settings, stop)?;
    let mut empty = match run {
        Run::Live { nothing_yet, ready } => {
            show.output.go_live(settings.pace.interval, stop)?;
            show.ready = Some(ready);
            Some(nothing_yet)
        }
        Run::Recorded => None,
    };
    let more = match follow(&mut show, &mut empty, &mut Now { monitor, lives: &mut lives }, stop) {
        Ok(more) => more,
        Err(error) => {
            // What was told before still gets to its reader.
            show.output.finish(stop)?;
            return Err(error);
        }
    };
    show.say(lines(monitor.notices()));
    show.end(more, &mut Now { monitor, lives: &mut lives }, stop)
}

/// Shows one reading after the other; whether more was wanted when the run was over.
fn follow(
    show: &mut Show<'_>,
    empty: &mut Option<String>,
    now: &mut Now<'_, '_>,
    stop: &Signals,
) -> Result<bool> {
    let (mut more, mut nothing) = (true, true);
    show.output.begin(stop)?;
    while more
        && !show.view.is_full()
        && let Some(news) = show.read(now.monitor, stop)?
    {
        nothing &= !news.iter().any(passes);
        let mut said: Vec<String> =
            lost_sight(now.lives.take(&news, || now.monitor.followed()), show.settings)
                .into_iter()
                .collect();
        more = show.take(news, now, stop)?;
        if !now.monitor.has_more()
            && now.monitor.looks().taken > 0
            && let Some(ready) = show.ready.take()
        {
            ready.announce();
        }
        said.extend(show.output.asides().into_iter().chain(now.monitor.notices()));
        said.extend(show.alarm.iter_mut().flat_map(Alerts::notices));
        let waits = nothing && show.screen.is_none() && io::stderr().is_terminal();
        said.extend(empty.take_if(|_| !now.monitor.has_more()).filter(|_| waits));
        show.say(lines(said));
    }
    // Whoever wants no more of it has still seen it: the coverage counts it.
    while now.monitor.has_more() {
        now.monitor.read(stop)?;
    }
    Ok(more)
}

/// A run as it is shown.
struct Show<'s> {
    settings: &'s Settings,
    view: Box<dyn View>,
    output: Output,
    /// Where a picture is drawn again and again.
    screen: Option<Screen>,
    reports: Reports,
    alarm: Option<Alerts>,
    /// Until the first poll is over.
    ready: Option<Ready>,
}

impl<'s> Show<'s> {
    fn open(settings: &'s Settings, stop: &Signals) -> Result<Self> {
        let Settings { print, max_count, pace, .. } = settings;
        let view = views::open(print, *max_count);
        let drawn = view.is_picture() && print.format == FormatName::Text;
        Ok(Self {
            settings,
            view,
            output: Output::of_view(print, *max_count, pace.interval),
            screen: if drawn { Screen::open(stop)? } else { None },
            reports: Reports::default(),
            alarm: settings.rules.as_deref().map(alarm).transpose()?,
            ready: None,
        })
    }

    /// The news to be shown next: a stream takes a great deal in pieces, but a picture and rules are
    /// of all that there is.
    fn read(&self, monitor: &mut Monitor<'_>, stop: &Signals) -> Result<Option<Vec<MonitorEvent>>> {
        if self.view.is_picture() || self.alarm.is_some() {
            monitor.read_whole(stop)
        } else {
            monitor.read(stop)
        }
    }

    /// Shows the news of one reading, or a piece of them, and answers who called; false when nobody
    /// wants more.
    fn take(
        &mut self,
        news: Vec<MonitorEvent>,
        now: &mut Now<'_, '_>,
        stop: &Signals,
    ) -> Result<bool> {
        let alerts = self.alarm.as_mut().map(|alarm| alarm.take(&news, now.monitor));
        let mut records = self.view.take(news, now);
        let alerts = alerts.into_iter().flatten().map(|alert| AlertRecord::new(&alert));
        records.extend(alerts.map(Box::new).map(Record::Alert));
        let turn = Turn::of(now.monitor);
        let more = self.output.stream(records, turn, stop)?;
        if turn.goes_on {
            return Ok(more);
        }
        let calls = stop.calls();
        if calls.report {
            let report = report(&self.settings.print, now);
            self.say(report);
        }
        let Some(screen) = &mut self.screen else { return Ok(more) };
        if calls.suspend {
            screen.suspend();
        }
        screen.draw(&self.output.frame(&self.view.picture(now), Screen::size()))?;
        Ok(more)
    }

    /// Tells something on standard error. On the terminal that is drawn on it stands there once
    /// the run is over.
    fn say(&mut self, text: Vec<u8>) {
        match &mut self.screen {
            Some(screen) if io::stderr().is_terminal() => screen.tell(text),
            _ => self.reports.write(text),
        }
    }

    /// What is told when the run is over. A terminal that was drawn on is left clean where that was
    /// asked for; a run that ends by itself leaves its picture.
    fn end(mut self, more: bool, now: &mut Now<'_, '_>, stop: &Signals) -> Result<()> {
        let left_clean = self.screen.is_some() && stop.is_interrupted();
        let untold = self.screen.take().map(Screen::close);
        let read = self.output.finish(stop)?;
        if more && read && !left_clean {
            self.output.write(self.view.so_far(now), stop)?;
        }
        self.reports.write(untold.unwrap_or_default());
        self.reports.tell(self.output.asides());
        self.reports.tell(self.alarm.into_iter().flat_map(Alerts::finish));
        self.reports.tell([now.monitor.coverage().to_string()]);
        Ok(())
    }
}

/// The rules of a file; their programs are given alerts as `--format json` prints them.
fn alarm(rules: &Path) -> Result<Alerts> {
    Alerts::open(rules, |alert| AlertRecord::new(alert).line())
}

/// Whether news is of what was asked for.
fn passes(news: &MonitorEvent) -> bool {
    match news {
        MonitorEvent::Socket(told) => told.passes,
        MonitorEvent::Lost(_) => true,
    }
}

/// Lives that were lost sight of have no timeline.
fn lost_sight(lives: usize, settings: &Settings) -> Option<String> {
    let sockets = match lives {
        _ if settings.print.view != ViewName::Timeline => return None,
        0 => return None,
        1 => "a socket was".to_owned(),
        many => format!("{many} sockets were"),
    };
    Some(format!("{sockets} lost sight of: what became of them is in no timeline"))
}
