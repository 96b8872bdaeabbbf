//! The terminal of `top`: frames that are drawn by their differences, keys, the clipboard. Polling does
//! not wait for it: while the terminal takes nothing, nothing is drawn.

use super::screen::Screen;
use super::tty;
use crate::error::{Error, Result};
use crate::render::Size;
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
    drawn: Option<Instant>,
    /// What is to be seen has not been drawn, since the terminal had not taken the last frame.
    is_pending: bool,
    empty_reads: u32,
}

impl TopScreen {
    /// Takes the terminal on standard output; `None` where there is none that can be drawn on.
    ///
    /// # Errors
    /// Signals cannot be caught, or no thread can be started.
    pub(crate) fn open(signals: &Signals, mouse: bool) -> Result<Option<Self>> {
        let Some(screen) = Screen::open_for_keys(signals, mouse)? else { return Ok(None) };
        let bytes = FrameBytes::default();
        let terminal = empty_terminal(&bytes)?;
        let mut top =
            Self { screen, terminal, bytes, mouse, drawn: None, is_pending: false, empty_reads: 0 };
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

    /// Whether a reading is to be drawn, or the last one was drawn just before.
    pub(crate) fn is_due(&self) -> bool {
        self.drawn.is_none_or(|drawn| drawn.elapsed() >= BETWEEN_FRAMES)
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
        self.drawn = Some(Instant::now());
        let area = area();
        if self.terminal.get_frame().area() != area {
            self.begin()?;
        }
        self.terminal.draw(|frame| top.draw(frame)).map_err(Error::output)?;
        let frame = std::mem::take(&mut *self.bytes.0.borrow_mut());
        self.screen.push([BEGIN, &frame, END].concat())
    }

    /// Whether something is still to be drawn.
    pub(crate) const fn is_pending(&self) -> bool {
        self.is_pending
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
        self.empty_reads = if is_empty && !self.is_pending { self.empty_reads + 1 } else { 0 };
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
