//! The renderer of each view, as the flags ask for it.

use super::tty;
use crate::cli::TimeName;
use crate::render::cell::{Clock, TimeFormat};
use crate::render::diagram::{Drawing, Picture};
use crate::render::events::Events;
use crate::render::socket_table::board::Board;
use crate::render::timeline::Timeline;
use crate::settings::OutputSettings;
use jiff::tz::TimeZone;

pub(super) fn events(print: &OutputSettings) -> Events {
    let width = tty::width().map(usize::from);
    Events::new(clock(print), tty::palette(print.color), print.header, width)
}

pub(super) fn timeline(print: &OutputSettings) -> Timeline {
    let width = tty::width().map(usize::from);
    Timeline { clock: clock(print), palette: tty::palette(print.color), width }
}

pub(super) fn board(print: &OutputSettings) -> Board {
    Board {
        clock: clock(print),
        palette: tty::palette(print.color),
        header: print.header,
        extended: print.extended,
        timers: print.timers,
    }
}

pub(super) fn picture(print: &OutputSettings, drawing: Drawing) -> Picture {
    Picture { drawing, palette: tty::palette(print.color), width: tty::width_or_80() }
}

pub(super) fn clock(print: &OutputSettings) -> Clock {
    let zone = if print.utc { TimeZone::UTC } else { TimeZone::system() };
    Clock { format: time_format(print.time), zone, start: None }
}

const fn time_format(name: TimeName) -> TimeFormat {
    match name {
        TimeName::Clock => TimeFormat::Clock,
        TimeName::Rfc3339 => TimeFormat::Rfc3339,
        TimeName::Epoch => TimeFormat::Epoch,
        TimeName::Elapsed => TimeFormat::Elapsed,
    }
}
