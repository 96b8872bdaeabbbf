//! Colours: the phase of its life colours a state; what was not seen is dimmed.

use crate::tcp::state::{Phase, State};
use anstyle::{AnsiColor, Style};

/// Whether and how to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Palette {
    /// Colours are wanted.
    pub on: bool,
}

impl Palette {
    /// Text in a style, plain where colours are off.
    pub fn paint(self, style: Style, text: &str) -> String {
        if self.on && !text.is_empty() {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    /// A state that was seen.
    pub fn seen(self, state: State) -> String {
        self.paint(style_of(state), &state.to_string())
    }

    /// Anything that was not seen, or matters less.
    pub fn dim(self, text: &str) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    /// A heading.
    pub fn heading(self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }
}

/// Opening, open, closing, gone; a state in which a program leaks sockets stands out.
pub fn style_of(state: State) -> Style {
    let colour = match state.phase() {
        _ if state == State::CloseWait => return AnsiColor::Red.on_default().bold(),
        Phase::Opening => AnsiColor::Yellow,
        Phase::Open if state == State::Listen => AnsiColor::Cyan,
        Phase::Open => AnsiColor::Green,
        Phase::Closing => AnsiColor::Magenta,
        Phase::Gone => AnsiColor::Blue,
    };
    colour.on_default()
}
