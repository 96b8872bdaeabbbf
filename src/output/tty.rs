//! What standard output is: a terminal with a width and colours, or a pipe.

use crate::cli::ColorName;
use crate::render::Size;
use crate::render::style::Palette;
use anstream::{AutoStream, ColorChoice};
#[cfg(feature = "tui")]
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::AsFd;
use rustix::termios::{tcgetwinsize, ttyname};
use std::io::{self, IsTerminal, Write};

/// The room of a terminal that does not report its size.
const USUAL_SIZE: Size = Size { columns: 80, rows: 24 };

/// Whether standard output is a terminal that can move its cursor.
pub(crate) fn can_be_drawn_on() -> bool {
    io::stdout().is_terminal() && std::env::var_os("TERM").is_some_and(|term| term != "dumb")
}

/// Whether standard error is the terminal that standard output is, under that name or `/dev/tty`.
pub(crate) fn stderr_is_stdout() -> bool {
    let stderr = ttyname(io::stderr(), Vec::new()).ok();
    stderr.is_some_and(|stderr| {
        let stdout = ttyname(io::stdout(), Vec::new());
        stderr.as_c_str() == c"/dev/tty" || stdout.is_ok_and(|stdout| stdout == stderr)
    })
}

/// Moves to the beginning of the line in which a terminal has echoed the `^C` that ends a run, so that the
/// next line stands in its place.
pub(crate) fn overwrite_echo() {
    let write = |stream: &mut dyn Write| {
        // The next write reports a terminal that is gone.
        let _ = stream.write_all(b"\r").and_then(|()| stream.flush());
    };
    if io::stdout().is_terminal() {
        write(&mut io::stdout().lock());
    } else if io::stderr().is_terminal() {
        write(&mut io::stderr());
    }
}

/// Whether drawings may be made of other characters than ASCII: unless the locale says that it has
/// no others. A locale that is not set says nothing.
pub(crate) fn draws_unicode() -> bool {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
    locale.is_none_or(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// The terminal's width in columns; `None` in a pipe or a file.
pub(crate) fn width() -> Option<u16> {
    width_of(&io::stdout())
}

/// The width of the terminal on `stream` in columns; `None` where it is not a terminal.
pub(crate) fn width_of(stream: &impl AsFd) -> Option<u16> {
    let size = tcgetwinsize(stream).ok()?;
    Some(if size.ws_col == 0 { 80 } else { size.ws_col })
}

/// The terminal's width in columns; 80 in a pipe or a file.
pub(crate) fn width_or_80() -> usize {
    width().map_or(80, usize::from)
}

/// The size of the terminal on standard output now.
pub(crate) fn size() -> Size {
    let size = tcgetwinsize(io::stdout()).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
    size.map_or(USUAL_SIZE, |size| Size { columns: size.ws_col.into(), rows: size.ws_row.into() })
}

/// The colours for standard output; with `auto`, where the terminal and NO_COLOR allow them.
pub(crate) fn palette(color: ColorName) -> Palette {
    let on = match color {
        ColorName::Always => true,
        ColorName::Never => false,
        ColorName::Auto => AutoStream::choice(&io::stdout()) != ColorChoice::Never,
    };
    Palette { on }
}

/// Whether the other side of a terminal is gone.
#[cfg(feature = "tui")]
pub(crate) fn is_hung_up(terminal: impl AsFd) -> bool {
    let mut fds = [PollFd::new(&terminal, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&now)).is_ok() && fds[0].revents().contains(PollFlags::HUP)
}
