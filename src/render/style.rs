//! Colours: a state has the colour of its phase; what was not observed is dimmed.

use crate::tcp::state::{Phase, State};
use anstyle::{AnsiColor, Style};
use comfy_table::Color;

/// Whether to colour text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Palette {
    /// Whether colours are used.
    pub on: bool,
}

impl Palette {
    /// Text with the escape sequences of a style; plain where colours are off.
    pub(crate) fn paint(self, style: Style, text: &str) -> String {
        if self.on && !text.is_empty() {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    /// The name of a state in its colour.
    pub(crate) fn state(self, state: State) -> String {
        self.paint(style_of(state), &state.to_string())
    }

    /// Text that was not observed, or matters less.
    pub(crate) fn dim(self, text: &str) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    /// Text of a heading.
    pub(crate) fn heading(self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }
}

/// The style of a state: a colour for each phase; `CLOSE_WAIT`, in which programs leak sockets,
/// stands out.
pub(crate) fn style_of(state: State) -> Style {
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

/// The state's colour in the words of comfy-table.
pub(super) fn table_colour(state: State) -> Color {
    use anstyle::Color as Ansi;
    match style_of(state).get_fg_color() {
        Some(Ansi::Ansi(AnsiColor::Red)) => Color::Red,
        Some(Ansi::Ansi(AnsiColor::Yellow)) => Color::DarkYellow,
        Some(Ansi::Ansi(AnsiColor::Cyan)) => Color::DarkCyan,
        Some(Ansi::Ansi(AnsiColor::Green)) => Color::DarkGreen,
        Some(Ansi::Ansi(AnsiColor::Magenta)) => Color::DarkMagenta,
        Some(Ansi::Ansi(AnsiColor::Blue)) => Color::DarkBlue,
        _ => Color::Reset,
    }
}
