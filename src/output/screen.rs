//! A terminal that views are drawn on in place. Polling does not wait for it: while it takes nothing,
//! frames are left out, and messages are queued. The terminal is given back as it was found,
//! whichever way the run ends: by itself, by an error, by a panic or by a stop from the keyboard.

use super::messages;
use super::queue::{Queue, Wait};
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

/// The alternate screen, without a cursor, and lines cut at its edge.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
/// No movements of the mouse are reported any more.
const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1015l\x1b[?1003l\x1b[?1002l\x1b[?1000l";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";
/// A terminal that knows these shows what stands between them at once.
const BEGIN: &str = "\x1b[?2026h\x1b[H";
const END: &str = "\x1b[?2026l";

/// A terminal that is not stopped takes a frame in this time.
const FRAME_TIME: Duration = Duration::from_millis(100);

/// A terminal in use for frames. Dropping it gives the terminal back.
pub(crate) struct Screen {
    state: Arc<Mutex<TerminalState>>,
    queue: Queue,
    /// The frame that was queued last.
    shown: String,
}

/// What has to be undone.
#[derive(Default)]
struct TerminalState {
    entered: bool,
    /// Movements of the mouse are reported.
    mouse: bool,
    /// The modes of the keyboard as they were found.
    modes: Option<Termios>,
}

impl Screen {
    /// Takes the terminal on standard output; `None` where there is none that can be drawn on.
    ///
    /// # Errors
    /// Signals cannot be caught, or no thread can be started.
    pub(crate) fn open(signals: &Signals) -> Result<Option<Self>> {
        let screen = Self::take(signals, false)?;
        if screen.as_ref().is_some_and(Self::has_keys) {
            signals.watch_keys();
        }
        Ok(screen)
    }

    /// The same, where the keys are read by somebody else. `mouse`: its movements are keys, too.
    ///
    /// # Errors
    /// Signals cannot be caught, or no thread can be started.
    #[cfg(feature = "tui")]
    pub(crate) fn open_for_keys(signals: &Signals, mouse: bool) -> Result<Option<Self>> {
        Self::take(signals, mouse)
    }

    fn take(signals: &Signals, mouse: bool) -> Result<Option<Self>> {
        if !tty::can_be_drawn_on() {
            return Ok(None);
        }
        signals.catch_terminal_signals()?;
        let state = Arc::new(Mutex::new(TerminalState { mouse, ..TerminalState::default() }));
        let of_hook = Arc::clone(&state);
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            leave(&of_hook);
            hook(panic);
        }));
        let queue = Queue::to(&io::stdout(), messages::CAPACITY, signals.waker()?)?;
        let screen = Self { state, queue, shown: String::new() };
        screen.enter();
        Ok(Some(screen))
    }

    /// Whether keys can be pressed: standard input is a terminal, too.
    pub(crate) fn has_keys(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).modes.is_some()
    }

    /// Whether the terminal has taken all that was written.
    ///
    /// # Errors
    /// The terminal cannot be written.
    #[cfg(feature = "tui")]
    pub(crate) fn is_free(&mut self) -> Result<bool> {
        // An empty push still returns the error of a terminal that is gone.
        self.queue.push(Vec::new())?;
        Ok(self.queue.queued() == 0)
    }

    /// Writes bytes of a frame.
    ///
    /// # Errors
    /// The terminal cannot be written.
    #[cfg(feature = "tui")]
    pub(crate) fn push(&mut self, bytes: Vec<u8>) -> Result<()> {
        self.queue.push(bytes)
    }

    /// The room for a frame.
    pub(crate) fn size() -> Size {
        tty::size()
    }

    /// Shows a frame, unless the terminal has not taken what was shown before.
    ///
    /// # Errors
    /// The terminal cannot be written.
    pub(crate) fn draw(&mut self, lines: &[String]) -> Result<()> {
        if self.queue.queued() > 0 {
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
        // An empty push still returns the error of a terminal that is gone.
        let is_new = frame != self.shown;
        self.queue.push(if is_new { frame.clone().into_bytes() } else { Vec::new() })?;
        self.shown = frame;
        Ok(())
    }

    /// Writes text to the main screen, where it stands once the run is over. Text without room is
    /// left out.
    ///
    /// # Errors
    /// The terminal cannot be written.
    pub(crate) fn print(&mut self, text: &[u8]) -> Result<()> {
        if text.is_empty() || !self.queue.has_room() {
            return Ok(());
        }
        let parts = [LEAVE.as_bytes(), text, ENTER.as_bytes(), self.shown.as_bytes()];
        self.queue.push(parts.concat())
    }

    /// Stops the process as the keyboard asked for, and goes on when it is continued.
    pub(crate) fn suspend(&mut self) {
        self.queue.wait(0, &Wait::Until(Instant::now() + FRAME_TIME));
        leave(&self.state);
        // Where that fails, the run goes on.
        drop(emulate_default_handler(SIGTSTP));
        self.shown.clear();
        self.enter();
    }

    /// Takes the terminal.
    fn enter(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        write(ENTER);
        state.entered = true;
        state.modes = keys_one_by_one();
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // What follows the last frame does not run into it.
        self.queue.wait(0, &Wait::WhileRead);
        leave(&self.state);
    }
}

/// Gives the terminal back as it was found, once.
fn leave(state: &Mutex<TerminalState>) {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(modes) = state.modes.take() {
        // A terminal that is gone needs no modes.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &modes);
    }
    if std::mem::take(&mut state.entered) {
        if state.mouse {
            write(MOUSE_OFF);
        }
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
    // The next frame reports a terminal that is gone.
    let _ = stdout.write_all(sequence.as_bytes()).and_then(|()| stdout.flush());
}

#[cfg(test)]
mod tests;
