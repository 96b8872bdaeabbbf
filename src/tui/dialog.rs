//! What stands beside or over the table for a while: a filter that is being typed, a text that covers
//! the table, a sentence at the bottom.

use super::Key;

/// The longest filter that can be typed.
const LONGEST_FILTER: usize = 200;

/// What the user is in the middle of.
#[derive(Debug, Default)]
pub(super) struct Dialog {
    /// What is being typed behind `/`.
    typed: Option<String>,
    overlay: Option<Overlay>,
    /// A sentence at the bottom, until the next key.
    message: Option<String>,
}

/// What covers the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Overlay {
    kind: OverlayKind,
    /// The first line that is shown.
    scroll: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OverlayKind {
    Help,
    Explain,
    Diagram,
}

/// What a key has done to a filter that is being typed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Typing {
    /// This is typed so far.
    Unfinished(String),
    /// This is the filter.
    Finished(String),
    /// No filter is wanted.
    Cancelled,
}

impl Dialog {
    /// Shows a sentence at the bottom until the next key.
    pub(super) fn say(&mut self, sentence: String) {
        self.message = Some(sentence);
    }

    pub(super) fn clear_message(&mut self) {
        self.message = None;
    }

    pub(super) fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// From now on keys change a filter, which begins with this text.
    pub(super) fn start_typing(&mut self, text: &str) {
        self.typed = Some(text.to_owned());
    }

    /// What is typed so far; `None` where nothing is being typed.
    pub(super) fn typed(&self) -> Option<&str> {
        self.typed.as_deref()
    }

    /// Does what a key asks for while a filter is being typed; `None` where none is.
    pub(super) fn type_key(&mut self, key: Key) -> Option<Typing> {
        let text = self.typed.as_mut()?;
        match key {
            Key::Char(character) if text.len() < LONGEST_FILTER => text.push(character),
            Key::Backspace if text.pop().is_none() => self.typed = None,
            Key::Enter => return self.typed.take().map(Typing::Finished),
            Key::Escape => {
                self.typed = None;
                return Some(Typing::Cancelled);
            }
            _ => {}
        }
        Some(Typing::Unfinished(self.typed.clone().unwrap_or_default()))
    }

    /// Covers the table.
    pub(super) const fn cover(&mut self, kind: OverlayKind) {
        self.overlay = Some(Overlay { kind, scroll: 0 });
    }

    /// What covers the table.
    pub(super) fn overlay(&self) -> Option<OverlayKind> {
        self.overlay.map(|overlay| overlay.kind)
    }

    /// Scrolls what covers the table; a key that does not ends it.
    pub(super) fn press_in_overlay(&mut self, key: Key) {
        let Some(overlay) = &mut self.overlay else { return };
        let scroll = &mut overlay.scroll;
        match key {
            Key::Up | Key::Char('k') => *scroll = scroll.saturating_sub(1),
            // Drawing limits it.
            Key::Down | Key::Char('j') => *scroll = scroll.saturating_add(1),
            Key::PageUp => *scroll = scroll.saturating_sub(10),
            Key::PageDown | Key::Char(' ') => *scroll = scroll.saturating_add(10),
            _ => self.overlay = None,
        }
    }

    /// The first line of what covers the table, which has so many and room for `room` of them.
    pub(super) fn scroll(&mut self, lines: usize, room: usize) -> usize {
        let Some(overlay) = &mut self.overlay else { return 0 };
        overlay.scroll = overlay.scroll.min(lines.saturating_sub(room));
        overlay.scroll
    }
}
