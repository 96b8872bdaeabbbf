//! What standard output is: a terminal with a width and colours, or a pipe.

use crate::cli::ColorName;
use crate::render::Size;
use crate::render::style::Palette;
use anstream::{AutoStream, ColorChoice};
use rustix::fd::AsFd;
use rustix::termios::tcgetwinsize;
use std::io::{self, IsTerminal};

/// What a terminal that does not tell its size has room for.
const USUAL: Size = Size { columns: 80, rows: 24 };

/// Whether standard output is a terminal on which places can be written again.
pub(crate) fn can_be_drawn_on() -> bool {
    io::stdout().is_terminal() && std::env::var_os("TERM").is_some_and(|term| term != "dumb")
}

/// The terminal's width in columns; `None` in a pipe or a file.
pub(crate) fn width() -> Option<u16> {
    width_of(&io::stdout())
}

/// The same of standard output or standard error.
pub(crate) fn width_of(stream: &impl AsFd) -> Option<u16> {
    let size = tcgetwinsize(stream).ok()?;
    Some(if size.ws_col == 0 { 80 } else { size.ws_col })
}

/// The terminal's width; in a pipe or a file that of most terminals.
pub(crate) fn width_or_80() -> usize {
    width().map_or(80, usize::from)
}

/// The room that the terminal has now.
pub(crate) fn size() -> Size {
    let told = tcgetwinsize(io::stdout()).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
    told.map_or(USUAL, |size| Size { columns: size.ws_col.into(), rows: size.ws_row.into() })
}

/// Colours as asked for; by default where the terminal and NO_COLOR allow them.
pub(crate) fn palette(color: ColorName) -> Palette {
    let on = match color {
        ColorName::Always => true,
        ColorName::Never => false,
        ColorName::Auto => AutoStream::choice(&io::stdout()) != ColorChoice::Never,
    };
    Palette { on }
}
