//! A terminal that is drawn on again and again. Polling does not wait for it: while it takes nothing,
//! frames are left out, and what is to be told beside them waits. It is left as it was found, whichever way the run
//! ends: by itself, by an error, by a panic or by a stop from the keyboard.

use super::queue::{Outbox, Patience};
use super::stderr::{MOST, Reports};
use super::tty;
use crate::error::Result;
use crate::render::Size;
use crate::signals::Signals;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use signal_hook::consts::SIGTSTP;
use signal_hook::low_level::emulate_default_handler;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The other screen, without a cursor, and lines cut at its edge.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";
/// A frame between these is shown at once, by terminals that know them.
const BEGIN: &str = "\x1b[?2026h\x1b[H";
const END: &str = "\x1b[?2026l";

/// A terminal that is not stopped takes a frame in this time.
const MOMENT: Duration = Duration::from_millis(100);

/// The terminal while it is drawn on.
pub(crate) struct Screen {
    state: Arc<Mutex<State>>,
    outbox: Outbox,
    /// What it shows; nothing after it was changed by others.
    shown: String,
    /// It had not taken the frame before when the last one came.
    is_behind: bool,
    /// What waits to be told on it.
    untold: Vec<u8>,
}

/// What has to be undone.
#[derive(Default)]
struct State {
    entered: bool,
    /// The modes of the keyboard as they were found.
    modes: Option<Termios>,
}

impl Screen {
    /// Takes the terminal, if there is one that can be drawn on.
    ///
    /// # Errors
    /// Signals that cannot be caught.
    pub(crate) fn open(stop: &Signals) -> Result<Option<Self>> {
        if !tty::can_be_drawn_on() {
            return Ok(None);
        }
        stop.catch_terminal_signals()?;
        let state = Arc::new(Mutex::new(State::default()));
        let of_hook = Arc::clone(&state);
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            leave(&of_hook);
            hook(panic);
        }));
        let outbox = Outbox::to(&io::stdout(), stop.waker()?)?;
        let (shown, untold) = (String::new(), Vec::new());
        let screen = Self { state, outbox, shown, is_behind: false, untold };
        if screen.enter() {
            stop.watch_keys();
        }
        Ok(Some(screen))
    }

    /// The room for a frame.
    pub(crate) fn size() -> Size {
        tty::size()
    }

    /// Shows a frame, unless the terminal has not taken the one before: then it gets a later one.
    ///
    /// # Errors
    /// The terminal cannot be written.
    pub(crate) fn draw(&mut self, lines: &[String]) -> Result<()> {
        self.is_behind = self.outbox.waiting() > 0;
        if self.is_behind {
            return Ok(());
        }
        let mut frame = String::from(BEGIN);
        let rows = Self::size().rows;
        for (i, line) in lines.iter().take(rows).enumerate() {
            let next = if i == 0 { "" } else { "\r\n" };
            // Cleared before it is written: behind a full line that would take its last column.
            frame.extend([next, "\x1b[K", line]);
        }
        if lines.len() < rows {
            frame.push_str("\r\n\x1b[J");
        }
        frame.push_str(END);
        // Where nothing is new, a terminal that has gone is told of nevertheless.
        let is_new = frame != self.shown;
        self.outbox.push(if is_new { frame.clone().into_bytes() } else { Vec::new() })?;
        self.shown = frame;
        Ok(())
    }

    /// Has something stand on the terminal once the run is over, as soon as it can be written.
    pub(crate) fn tell(&mut self, text: Vec<u8>) {
        if self.untold.len() < MOST {
            self.untold.extend(text);
        }
        if self.untold.is_empty() || self.is_behind || !self.takes_all_within(MOMENT) {
            return;
        }
        let untold = std::mem::take(&mut self.untold);
        self.aside(|| Reports::default().write(untold));
    }

    /// Gives the terminal back for good; what could not be told on it meanwhile.
    pub(crate) fn close(mut self) -> Vec<u8> {
        std::mem::take(&mut self.untold)
    }

    fn takes_all_within(&self, time: Duration) -> bool {
        self.outbox.wait_below(0, Instant::now() + time)
    }

    /// Gives the terminal back while something else is told or done on it.
    fn aside(&mut self, what: impl FnOnce()) {
        self.takes_all_within(MOMENT);
        leave(&self.state);
        what();
        self.shown.clear();
        self.enter();
    }

    /// Stops the process as the keyboard asked for, and goes on when it is continued.
    pub(crate) fn suspend(&mut self) {
        // Where that fails, the run goes on.
        self.aside(|| drop(emulate_default_handler(SIGTSTP)));
    }

    /// Takes the terminal; true if its keys come one by one now.
    fn enter(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        write(ENTER);
        state.entered = true;
        state.modes = keys_one_by_one();
        state.modes.is_some()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // What follows the last frame does not run into it.
        let _ = self.outbox.finish(|| Patience::Short);
        leave(&self.state);
    }
}

/// Gives the terminal back as it was found, once.
fn leave(state: &Mutex<State>) {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(modes) = state.modes.take() {
        // A terminal that is gone needs no modes.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &modes);
    }
    if std::mem::take(&mut state.entered) {
        write(LEAVE);
    }
}

/// Keys without echo, and without waiting for the end of a line; Ctrl-C and Ctrl-Z stay signals.
/// Returns the modes before, if standard input is a terminal.
fn keys_one_by_one() -> Option<Termios> {
    let stdin = io::stdin();
    let before = tcgetattr(&stdin).ok().filter(|_| stdin.is_terminal())?;
    let mut modes = before.clone();
    modes.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
    modes.special_codes[SpecialCodeIndex::VMIN] = 1;
    modes.special_codes[SpecialCodeIndex::VTIME] = 0;
    tcsetattr(&stdin, OptionalActions::Now, &modes).ok().map(|()| before)
}

fn write(sequence: &str) {
    let mut stdout = io::stdout().lock();
    // A terminal that is gone is told of by the next frame.
    let _ = stdout.write_all(sequence.as_bytes()).and_then(|()| stdout.flush());
}
