//! What standard output is: a terminal with a width and colours, or a pipe.

use crate::cli::ColorName;
use crate::render::style::Palette;
use anstream::{AutoStream, ColorChoice};
use std::io::{self, IsTerminal};

/// Whether standard output is a terminal.
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// The terminal's width in columns; `None` in a pipe or a file.
pub fn width() -> Option<u16> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(if size.ws_col == 0 { 80 } else { size.ws_col })
}

/// The terminal's width; in a pipe or a file that of most terminals.
pub fn width_or_80() -> usize {
    width().map_or(80, usize::from)
}

/// Colours as asked for; by default where the terminal and NO_COLOR allow them.
pub fn palette(color: ColorName) -> Palette {
    let on = match color {
        ColorName::Always => true,
        ColorName::Never => false,
        ColorName::Auto => AutoStream::choice(&io::stdout()) != ColorChoice::Never,
    };
    Palette { on }
}
