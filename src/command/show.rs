//! The loop of every command that shows a run: readings in, records of the chosen view out.

use super::alarm::Alarm;
use super::output::Output;
use super::reports::{Reports, report};
use super::screen::Screen;
use super::tell;
use super::views::{self, Now, View};
use crate::cli::{FormatName, ViewName};
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
    let mut lives = Lives::default();
    let mut show = Show::open(settings, stop)?;
    let (mut more, mut nothing) = (true, true);
    show.output.begin(stop)?;
    while more
        && !show.view.is_full()
        && let Some(news) = monitor.read(stop)?
    {
        nothing &= !news.iter().any(passes);
        let mut said: Vec<String> =
            lost_sight(lives.take(&news, || monitor.followed()), settings).into_iter().collect();
        more = show.take(news, &mut Now { monitor, lives: &mut lives }, stop)?;
        said.extend(show.output.asides().into_iter().chain(monitor.notices()));
        said.extend(show.alarm.iter_mut().flat_map(Alarm::notices));
        let waits = nothing && show.screen.is_none() && io::stderr().is_terminal();
        said.extend(empty.take_if(|_| !monitor.has_more()).filter(|_| waits));
        show.say(said);
    }
    show.say(monitor.notices());
    show.end(more, &mut Now { monitor, lives: &mut lives }, stop)?;
    tell([monitor.coverage().to_string()]);
    Ok(())
}

/// A run as it is shown.
struct Show<'s> {
    settings: &'s Settings,
    view: Box<dyn View>,
    output: Output,
    /// Where a picture is drawn again and again.
    screen: Option<Screen>,
    reports: Reports,
    alarm: Option<Alarm>,
}

impl<'s> Show<'s> {
    fn open(settings: &'s Settings, stop: &Stop) -> Result<Self> {
        let Settings { print, max_count, pace, .. } = settings;
        let view = views::open(print, *max_count);
        let drawn = view.is_picture() && print.format == FormatName::Text;
        Ok(Self {
            settings,
            view,
            output: Output::of_view(print, *max_count, pace.interval),
            screen: if drawn { Screen::open(stop)? } else { None },
            reports: Reports::default(),
            alarm: settings.rules.as_deref().map(Alarm::open).transpose()?,
        })
    }

    /// Shows the news of one reading, and answers who called; false when nobody wants more.
    fn take(&mut self, news: Vec<News>, now: &mut Now<'_, '_>, stop: &Stop) -> Result<bool> {
        let alerts = self.alarm.as_mut().map(|alarm| alarm.take(&news, now.monitor));
        let mut records = self.view.take(news, now);
        records.extend(alerts.into_iter().flatten());
        let more = self.output.write(records, stop)?;
        if now.monitor.has_more() {
            return Ok(more);
        }
        let calls = stop.calls();
        if calls.report {
            self.report(report(&self.settings.print, now));
        }
        let Some(screen) = &mut self.screen else { return Ok(more) };
        if calls.suspend {
            screen.suspend();
        }
        let lines = self.output.frame(&self.view.picture(now), Screen::size());
        Ok(screen.draw(&lines, stop)? && more)
    }

    /// A report on the terminal that is drawn on stands there once the run is over.
    fn report(&mut self, report: Vec<u8>) {
        match &mut self.screen {
            Some(screen) if io::stderr().is_terminal() => {
                screen.aside(|| Reports::default().write(report));
            }
            _ => self.reports.write(report),
        }
    }

    /// Sentences, on standard error.
    fn say(&mut self, sentences: Vec<String>) {
        match &mut self.screen {
            Some(screen) if !sentences.is_empty() => screen.aside(|| tell(sentences)),
            _ => tell(sentences),
        }
    }

    /// What is told when the run is over. A terminal that was drawn on is left clean where that was
    /// asked for; a run that ends by itself leaves its picture.
    fn end(mut self, more: bool, now: &mut Now<'_, '_>, stop: &Stop) -> Result<()> {
        let drawn = self.screen.take().is_some();
        if more && !(drawn && stop.is_interrupted()) {
            self.output.write(self.view.so_far(now), stop)?;
            tell(self.output.asides());
        }
        tell(self.alarm.into_iter().flat_map(Alarm::finish));
        Ok(())
    }
}

/// Whether news is of what was asked for.
fn passes(news: &News) -> bool {
    match news {
        News::Told(told) => told.passes,
        News::Lost(_) => true,
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
