//! Text on the cells of a terminal: where there is room, in the characters and colours it has.

use super::Look;
use crate::render::ascii::ascii;
use crate::render::cell::clip;
use crate::render::style::style_of;
use crate::tcp::state::State;
use anstyle::AnsiColor;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

/// Writes on the cells of a frame.
pub(super) struct Painter<'b> {
    buffer: &'b mut Buffer,
    has_color: bool,
    has_unicode: bool,
}

impl<'b> Painter<'b> {
    pub(super) const fn new(buffer: &'b mut Buffer, look: &Look) -> Self {
        Self { buffer, has_color: look.color, has_unicode: look.unicode }
    }

    /// Puts text on the first line of an area, as much as fits.
    pub(super) fn put(&mut self, area: Rect, text: &str, style: Style) {
        let room = usize::from(area.width);
        if area.is_empty() || !self.buffer.area.contains(area.as_position()) {
            return;
        }
        let style = if self.has_color { style } else { without_color(style) };
        let text = if self.has_unicode { clip(text, room) } else { clip(&ascii(text), room) };
        self.buffer.set_stringn(area.x, area.y, text, room, style);
    }

    /// The same, with blanks up to the end of the area.
    pub(super) fn fill(&mut self, area: Rect, text: &str, style: Style) {
        self.put(area, &format!("{text:<width$}", width = usize::from(area.width)), style);
    }

    /// Puts lines of text below each other.
    pub(super) fn put_lines<'t>(&mut self, area: Rect, lines: impl Iterator<Item = &'t str>) {
        for (text, line) in lines.zip(area.rows()) {
            self.put(line, text, Style::new());
        }
    }

    /// Draws a rule over the whole area.
    pub(super) fn rule(&mut self, area: Rect) {
        let line = if self.has_unicode { "─" } else { "-" };
        self.put(area, &line.repeat(area.width.into()), dim());
    }

    /// Underlines what stands in an area.
    pub(super) fn underline(&mut self, area: Rect) {
        let area = area.intersection(self.buffer.area);
        self.buffer.set_style(area, Style::new().add_modifier(Modifier::UNDERLINED));
    }
}

/// The upper lines of an area, which has less then.
pub(super) fn take_top(area: &mut Rect, height: u16) -> Rect {
    let height = height.min(area.height);
    let top = Rect { height, ..*area };
    (area.y, area.height) = (area.y + height, area.height - height);
    top
}

/// The lower lines of an area, which has less then.
pub(super) fn take_bottom(area: &mut Rect, height: u16) -> Rect {
    let height = height.min(area.height);
    area.height -= height;
    Rect { y: area.bottom(), height, ..*area }
}

/// A part of an area, from `left` on and of a width at most.
pub(super) fn part(area: Rect, left: usize, width: usize) -> Rect {
    let clamped = |size: usize| u16::try_from(size).unwrap_or(u16::MAX);
    let x = area.x.saturating_add(clamped(left)).min(area.right());
    Rect { x, width: clamped(width).min(area.right() - x), ..area }
}

pub(super) const fn bold() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

pub(super) const fn dim() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}

/// A style that distinguishes things without colours.
const fn without_color(style: Style) -> Style {
    Style { fg: None, bg: None, ..style }
}

/// The style of a state, of the sixteen colours that every terminal has.
pub(super) fn state_style(state: State) -> Style {
    let style = style_of(state);
    let color = match style.get_fg_color() {
        Some(anstyle::Color::Ansi(color)) => ansi(color),
        _ => Color::Reset,
    };
    let is_bold = style.get_effects().contains(anstyle::Effects::BOLD);
    let style = Style::new().fg(color);
    if is_bold { style.add_modifier(Modifier::BOLD) } else { style }
}

const fn ansi(color: AnsiColor) -> Color {
    match color {
        AnsiColor::Red => Color::Red,
        AnsiColor::Yellow => Color::Yellow,
        AnsiColor::Cyan => Color::Cyan,
        AnsiColor::Green => Color::Green,
        AnsiColor::Magenta => Color::Magenta,
        AnsiColor::Blue => Color::Blue,
        _ => Color::Reset,
    }
}
