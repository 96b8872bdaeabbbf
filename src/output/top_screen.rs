//! The terminal of `top`: frames that are drawn by their differences, keys, the clipboard. Polling does
//! not wait for it: while the terminal takes nothing, nothing is drawn.

use super::resolver::Resolver;
use super::screen::Screen;
use super::tty;
use crate::error::{Error, Result};
use crate::render::Size;
use crate::settings::OutputSettings;
use crate::signals::Signals;
use crate::tui::{Key, Top};
use crossterm::clipboard::CopyToClipboard;
use crossterm::event::{
    DisableMouseCapture, EnableMouseCapture, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers,
    MouseButton, MouseEvent, MouseEventKind, poll, read,
};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};
use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// A terminal that knows these shows what stands between them at once.
const BEGIN: &[u8] = b"\x1b[?2026h";
const END: &[u8] = b"\x1b[?2026l";
const CLEAR: &[u8] = b"\x1b[0m\x1b[H\x1b[2J";
/// Readings are drawn no more often than this.
const BETWEEN_FRAMES: Duration = Duration::from_millis(100);
/// So often there may be something to read that is no key: then the terminal is gone.
const MOST_EMPTY_READS: u32 = 100;

/// What a frame is written to, until it is queued for the terminal.
#[derive(Debug, Clone, Default)]
struct FrameBytes(Rc<RefCell<Vec<u8>>>);

impl Write for FrameBytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A terminal in use. Dropping it gives the terminal back.
pub(crate) struct TopScreen {
    screen: Screen,
    terminal: Terminal<CrosstermBackend<FrameBytes>>,
    bytes: FrameBytes,
    mouse: bool,
    /// Finds the names of what is shown; `None` where numbers are wanted.
    resolver: Option<Resolver>,
    /// When a reading was drawn last.
    drawn: Option<Instant>,
    /// How long frames take that arrange the table again: as long as the slowest one, which is forgotten
    /// little by little.
    slowest: Duration,
    /// What is to be seen has not been drawn, since the terminal had not taken the last frame, or a
    /// poll was due.
    is_pending: bool,
    empty_reads: u32,
}

impl TopScreen {
    /// Takes the terminal on standard output; `None` where there is none that can be drawn on.
    ///
    /// # Errors
    /// Signals cannot be caught, or no thread can be started.
    pub(crate) fn open(signals: &Signals, output: &OutputSettings) -> Result<Option<Self>> {
        let mouse = output.mouse;
        let Some(screen) = Screen::open_for_keys(signals, mouse)? else { return Ok(None) };
        let bytes = FrameBytes::default();
        let terminal = empty_terminal(&bytes)?;
        // Nothing waits for them.
        let resolver = output.resolve.then(|| Resolver::new(Duration::ZERO));
        let (drawn, is_pending, empty_reads) = (None, false, 0);
        let slowest = Duration::ZERO;
        let mut top = Self {
            screen,
            terminal,
            bytes,
            mouse,
            resolver,
            drawn,
            slowest,
            is_pending,
            empty_reads,
        };
        top.begin()?;
        Ok(Some(top))
    }

    /// Whether keys can be pressed.
    pub(crate) fn has_keys(&self) -> bool {
        self.screen.has_keys()
    }

    /// Everything is drawn again: the terminal shows something else.
    fn begin(&mut self) -> Result<()> {
        self.terminal = empty_terminal(&self.bytes)?;
        let mut bytes = self.bytes.0.borrow_mut();
        bytes.extend(CLEAR);
        if self.mouse {
            bytes.extend(ansi(&EnableMouseCapture));
        }
        Ok(())
    }

    /// Whether a reading is to be drawn now: not where the last one was drawn just before. Frames that
    /// keys ask for do not count.
    pub(crate) fn takes_reading(&mut self) -> bool {
        let is_due = self.drawn.is_none_or(|drawn| drawn.elapsed() >= BETWEEN_FRAMES);
        if is_due {
            self.drawn = Some(Instant::now());
            self.slowest = self.slowest * 3 / 4;
        }
        is_due
    }

    /// Draws, unless the terminal has not taken what was drawn before.
    ///
    /// # Errors
    /// The terminal cannot be written.
    pub(crate) fn draw(&mut self, top: &mut Top) -> Result<()> {
        self.is_pending = !self.screen.is_free()?;
        if self.is_pending {
            return Ok(());
        }
        let start = Instant::now();
        if let Some(resolver) = &mut self.resolver {
            let records = top.on_screen();
            top.set_names(resolver.known_names(&records));
        }
        let area = area();
        if self.terminal.get_frame().area() != area {
            self.begin()?;
        }
        self.terminal.draw(|frame| top.draw(frame)).map_err(Error::output)?;
        let frame = std::mem::take(&mut *self.bytes.0.borrow_mut());
        self.screen.push([BEGIN, &frame, END].concat())?;
        self.slowest = self.slowest.max(start.elapsed());
        Ok(())
    }

    /// Whether there is time before the next poll is `due` to do what a key asks for and to draw it. What the
    /// key asks for may take longer than anything so far, but hardly twice as long.
    pub(crate) fn has_time_before(&self, due: Instant) -> bool {
        Instant::now() + 2 * self.slowest < due
    }

    /// What is to be seen is drawn later.
    pub(crate) const fn put_off(&mut self) {
        self.is_pending = true;
    }

    /// Whether there is something to draw that no key has changed: a frame that was put off, or names that were found.
    pub(crate) fn has_news(&mut self) -> bool {
        let found = self.resolver.as_mut().is_some_and(Resolver::receive);
        self.is_pending || found
    }

    /// Whether something is still to be drawn, or names are being looked up.
    pub(crate) fn is_pending(&self) -> bool {
        self.is_pending || self.resolver.as_ref().is_some_and(Resolver::is_waiting)
    }

    /// Puts text into the clipboard of the terminal.
    pub(crate) fn copy(&mut self, text: &str) {
        let sequence = ansi(&CopyToClipboard::to_clipboard_from(text));
        self.bytes.0.borrow_mut().extend(sequence);
    }

    /// Stops the process as the keyboard asked for, and draws again when it is continued.
    ///
    /// # Errors
    /// The terminal cannot be written.
    pub(crate) fn suspend(&mut self) -> Result<()> {
        self.screen.suspend();
        self.begin()
    }

    /// Writes text to the main screen, where it stands once the run is over.
    ///
    /// # Errors
    /// The terminal cannot be written.
    pub(crate) fn print(&mut self, text: &[u8]) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        self.screen.print(text)?;
        self.begin()
    }

    /// Whether the terminal is gone: there is nobody to draw for, and crossterm would read the end of its
    /// input for ever.
    pub(crate) fn is_gone() -> bool {
        tty::is_hung_up(io::stdin())
    }

    /// The keys that were pressed; `None` if none can be pressed any more.
    pub(crate) fn keys(&mut self) -> Option<Vec<Key>> {
        let mut keys = Vec::new();
        let mut is_empty = true;
        while poll(Duration::ZERO).ok()? {
            is_empty = false;
            keys.extend(key(&read().ok()?));
        }
        self.empty_reads = if is_empty && !self.is_pending() { self.empty_reads + 1 } else { 0 };
        (self.empty_reads < MOST_EMPTY_READS).then_some(keys)
    }
}

impl Drop for TopScreen {
    fn drop(&mut self) {
        if self.mouse {
            // Where that fails, the terminal is gone.
            drop(self.screen.push(ansi(&DisableMouseCapture)));
        }
    }
}

/// What is drawn on a terminal of its size now that shows nothing. `Terminal::clear()` would ask the
/// terminal where its cursor is, and wait for the answer.
fn empty_terminal(bytes: &FrameBytes) -> Result<Terminal<CrosstermBackend<FrameBytes>>> {
    let viewport = Viewport::Fixed(area());
    let backend = CrosstermBackend::new(bytes.clone());
    Terminal::with_options(backend, TerminalOptions { viewport }).map_err(Error::output)
}

/// The whole terminal.
fn area() -> Rect {
    let Size { columns, rows } = tty::size();
    let clamped = |size: usize| u16::try_from(size).unwrap_or(u16::MAX);
    Rect::new(0, 0, clamped(columns), clamped(rows))
}

/// The sequence of a command to the terminal.
fn ansi(command: &impl crossterm::Command) -> Vec<u8> {
    let mut text = String::new();
    // Writing to a string never fails.
    let _ = command.write_ansi(&mut text);
    text.into_bytes()
}

fn key(event: &Event) -> Option<Key> {
    match event {
        Event::Key(KeyEvent { code, modifiers, kind, .. }) => {
            let is_text = !modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
            if *kind == KeyEventKind::Release {
                return None;
            }
            Some(match code {
                KeyCode::Char(character) if is_text => Key::Char(*character),
                KeyCode::Up => Key::Up,
                KeyCode::Down => Key::Down,
                KeyCode::Left => Key::Left,
                KeyCode::Right => Key::Right,
                KeyCode::PageUp => Key::PageUp,
                KeyCode::PageDown => Key::PageDown,
                KeyCode::Home => Key::Home,
                KeyCode::End => Key::End,
                KeyCode::Enter => Key::Enter,
                KeyCode::Esc => Key::Escape,
                KeyCode::Backspace => Key::Backspace,
                _ => return None,
            })
        }
        Event::Mouse(MouseEvent { kind, column, row, .. }) => match kind {
            MouseEventKind::Down(MouseButton::Left) => {
                Some(Key::Click { column: *column, line: *row })
            }
            MouseEventKind::ScrollUp => Some(Key::Up),
            MouseEventKind::ScrollDown => Some(Key::Down),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The alphabet of base64 has no character that ends the sequence or begins another.
    #[test]
    fn what_is_copied_is_base64_in_one_sequence() {
        for text in ["", "a line", "\u{1b}]52;c;x\u{7}", "\u{1b}\\\u{9c}\u{9d}\r\n", "ü\u{202e}"] {
            let sequence = ansi(&CopyToClipboard::to_clipboard_from(text));
            let payload = sequence
                .strip_prefix(b"\x1b]52;c;")
                .and_then(|rest| rest.strip_suffix(b"\x1b\\"))
                .expect("one sequence");
            let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
            assert!(payload.iter().all(is_base64), "{text:?}: {payload:?}");
            assert_eq!(payload.len(), text.len().div_ceil(3) * 4, "{text:?}");
        }
    }
}
