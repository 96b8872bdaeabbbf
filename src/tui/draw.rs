//! The layout of the screen. A terminal that is too small for all has the table, and at last only a
//! part of it.

use super::rows::Row;
use super::{OverlayKind, Top};
use crate::model::event::SocketId;
use crate::render::ascii::ascii;
use crate::render::cell::{Names, clip, duration};
use crate::render::diagram::{DiagramFormat, DiagramRenderer};
use crate::render::socket_table::columns::Column;
use crate::render::style::{Palette, style_of};
use crate::render::summary::heading;
use crate::render::{Renderer, Size, explain};
use crate::tcp::state::State;
use crate::view::Record;
use anstyle::AnsiColor;
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use std::time::Duration;

/// A change stands out for this long.
const FRESH: Duration = Duration::from_secs(2);
/// Below this height there is no room for counts, and below the next for the selected socket.
const ROWS_FOR_COUNTS: u16 = 8;
const ROWS_FOR_DETAIL: u16 = 16;
/// A state with its count and its sparkline.
const STATE_CELL: usize = 38;
const HELP: &str = "\
arrows, hjkl, PgUp, PgDn, Home, End   select a socket
/         filter as you type: nginx state:CLOSE_WAIT remote:10.0.0.0/8 local::80 port:443 pid:812
s, S      sort by another column; in the other direction; so does a click on a heading
g, Enter  group by process, unit, container, pod, remote address, local port, state; show the sockets
          of a group
space     pause: what happens meanwhile is counted
t         show closed sockets for a while, or not
e         explain the state of the selected socket
d         the state diagram with counts
y         copy the selected line (OSC 52)
w         write the sockets that are shown to a file, as JSON Lines
left, right   on a recording: to the previous or next event
[, ]      a minute back or forward
<, >      to the beginning or the end
q, Esc    quit";

impl Top {
    /// Draws the screen.
    pub(crate) fn draw(&mut self, frame: &mut Frame<'_>) {
        self.arrange();
        let area = frame.area();
        let buffer = frame.buffer_mut();
        let mut free = area;
        self.draw_title(buffer, take_top(&mut free, 1));
        let bottom = if area.height >= 2 { take_bottom(&mut free, 1) } else { Rect::ZERO };
        if area.height >= ROWS_FOR_COUNTS {
            self.draw_counts(buffer, &mut free);
        }
        self.draw_middle(buffer, free, area.height >= ROWS_FOR_DETAIL);
        self.draw_bottom(buffer, bottom);
    }

    /// Draws the table, the selected socket below it where it `has_detail`, or what covers both.
    fn draw_middle(&mut self, buffer: &mut Buffer, mut free: Rect, has_detail: bool) {
        if self.overlay.is_some() {
            self.draw_overlay(buffer, free);
            return;
        }
        if has_detail && self.group.is_none() {
            let lines = self.detail(usize::from(free.width));
            let room = (free.height / 2).min(u16::try_from(lines.len()).unwrap_or(u16::MAX));
            let detail = take_bottom(&mut free, room);
            for (line, y) in lines.iter().zip(detail.top()..detail.bottom()) {
                self.put(buffer, detail.x, y, detail.width, line, Style::new());
            }
            if free.height > 1 && room > 0 {
                let rule = take_bottom(&mut free, 1);
                let line = if self.look.unicode { "─" } else { "-" };
                let line = line.repeat(rule.width.into());
                self.put(buffer, rule.x, rule.y, rule.width, &line, dim());
            }
        }
        self.draw_table(buffer, free);
    }

    /// Puts text on a line, as much as fits.
    fn put(&self, buffer: &mut Buffer, x: u16, y: u16, room: u16, text: &str, style: Style) {
        if room == 0 || !buffer.area.contains((x, y).into()) {
            return;
        }
        let style = if self.look.color { style } else { without_color(style) };
        if self.look.unicode {
            buffer.set_stringn(x, y, clip(text, room.into()), room.into(), style);
        } else {
            buffer.set_stringn(x, y, clip(&ascii(text), room.into()), room.into(), style);
        }
    }

    fn draw_title(&mut self, buffer: &mut Buffer, area: Rect) {
        let (rows, at) = self.shown();
        let open = rows.open();
        let time = self.look.clock.clone().write(at);
        let mut parts = vec![format!("tcplapse{}", self.title), time, format!("{open} sockets")];
        if let Some(paused) = &self.paused {
            parts.push(format!("PAUSED, {} events since", paused.news));
        }
        if !self.filter.text.is_empty() {
            parts.push(format!("filter: {} ({} shown)", self.filter.text, self.order.len()));
        }
        if let Some(slider) = &self.slider {
            let more = if slider.is_cut { ", more are not shown" } else { "" };
            parts.push(format!("event {} of {}{more}", slider.position, slider.len()));
        }
        let title = parts.join("  ");
        let bold = Style::new().add_modifier(Modifier::BOLD);
        self.put(buffer, area.x, area.y, area.width, &title, bold);
    }

    fn draw_bottom(&self, buffer: &mut Buffer, area: Rect) {
        let (x, y, width) = (area.x, area.y, area.width);
        if let Some(typed) = &self.typed {
            let cursor = if self.look.unicode { "▏" } else { "_" };
            self.put(buffer, x, y, width, &format!("/{typed}{cursor}"), Style::new());
        } else if let Some(message) = &self.message {
            self.put(buffer, x, y, width, message, Style::new().add_modifier(Modifier::BOLD));
        } else if let Some(bar) = self.slider_bar(width.into()) {
            self.put(buffer, x, y, width, &bar, Style::new());
        } else {
            let keys =
                "? help  / filter  s sort  g group  space pause  e explain  d diagram  q quit";
            let asked = self.left_out.iter().filter(|column| **column != Column::Queues);
            let asked: Vec<&str> = asked.map(|column| column.heading()).collect();
            let keys = match asked.as_slice() {
                [] => keys.to_owned(),
                asked => format!("no room for {}  {keys}", asked.join(", ")),
            };
            self.put(buffer, x, y, width, &keys, dim());
        }
    }

    /// Where in the recording the moment is that is shown.
    fn slider_bar(&self, width: usize) -> Option<String> {
        let slider = self.slider.as_ref()?;
        let (first, last) = slider.span()?;
        let (whole, passed) = (last.since(first).as_secs_f64(), self.at.since(first).as_secs_f64());
        let (left, right) = (duration(self.at.since(first)), duration(last.since(first)));
        let room = width.saturating_sub(left.len() + right.len() + 34).max(1);
        let share = if whole > 0.0 { passed / whole } else { 1.0 };
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss
        )]
        let place = ((room - 1) as f64 * share.clamp(0.0, 1.0)).round() as usize;
        let (line, knob) = if self.look.unicode { ("─", "●") } else { ("-", "#") };
        let bar = line.repeat(place) + knob + &line.repeat(room - 1 - place);
        Some(format!("{left} {bar} {right}  left/right step  [ ] minute"))
    }

    /// The counts per state, with a sparkline of the last minute each.
    fn draw_counts(&self, buffer: &mut Buffer, free: &mut Rect) {
        let counts = self.shown().0.counts();
        let width = usize::from(free.width);
        let columns = (width / STATE_CELL).max(1);
        let most = usize::from(free.height / 4).max(1);
        let lines = counts.len().div_ceil(columns).min(most);
        let area = take_top(free, u16::try_from(lines).unwrap_or(1));
        let sparks = (width / columns).saturating_sub(22).min(60);
        let shown = lines * columns;
        for (place, (state, count)) in counts.iter().take(shown).enumerate() {
            let (line, column) = (place / columns, place % columns);
            let x = area.x + u16::try_from(column * (width / columns)).unwrap_or_default();
            let y = area.y + u16::try_from(line).unwrap_or_default();
            let room = area.right().saturating_sub(x);
            if place + 1 == shown && counts.len() > shown {
                let more = format!("and {} more states", counts.len() - place);
                self.put(buffer, x, y, room, &more, dim());
                break;
            }
            let spark = self.history.sparkline(*state, sparks, self.look.unicode);
            self.put(buffer, x, y, room, &state.to_string(), state_style(*state));
            let rest = format!("{count:>7} {spark}");
            self.put(buffer, x + 12, y, room.saturating_sub(12), &rest, Style::new());
        }
    }

    fn draw_table(&mut self, buffer: &mut Buffer, mut area: Rect) {
        let header = if area.height >= 2 && (self.look.header || self.group.is_some()) {
            take_top(&mut area, 1)
        } else {
            Rect::ZERO
        };
        self.page = area.height.max(1).into();
        (self.first_line, self.headings) = (area.y, None);
        self.left_out.clear();
        self.select(self.selected);
        if let Some(key) = self.group {
            return self.draw_groups(buffer, header, area, key);
        }
        if self.order.is_empty() && area.height > 0 {
            let empty =
                if self.filter.text.is_empty() { "no socket yet" } else { "no socket matches" };
            self.put(buffer, area.x, area.y, area.width, empty, dim());
        }
        let at = self.shown().1;
        let ids: Vec<SocketId> =
            self.order.iter().skip(self.offset).take(area.height.into()).copied().collect();
        let rows: Vec<&Row> = ids.iter().filter_map(|id| self.row(*id)).collect();
        let columns = self.columns(&rows, at, usize::from(area.width));
        let bold = Style::new().add_modifier(Modifier::BOLD);
        self.put(buffer, header.x, header.y, header.width, &columns.headings(), bold);
        let headings = self.mark_headings(buffer, header, &columns);
        let (state_at, state_width) = columns.place(Column::State).unwrap_or_default();
        for (place, row) in rows.iter().enumerate() {
            let y = area.y + u16::try_from(place).unwrap_or_default();
            let is_selected = self.offset + place == self.selected;
            let base = match row.closed {
                Some(_) => dim(),
                None => Style::new(),
            };
            let base = if is_selected { base.add_modifier(Modifier::REVERSED) } else { base };
            let text = columns.line(place);
            let padded = format!("{text:<width$}", width = usize::from(area.width));
            self.put(buffer, area.x, y, area.width, &padded, base);
            let fresh = row.held(at) < FRESH && !row.status.held_at_least && row.closed.is_none();
            let style = base.patch(state_style(row.status.state));
            let style = if fresh { style.add_modifier(Modifier::BOLD) } else { style };
            let room = area.width.saturating_sub(state_at).min(state_width);
            let state = row.status.state.to_string();
            self.put(buffer, area.x + state_at, y, room, &state, style);
        }
        let left_out = columns.left_out;
        (self.headings, self.left_out) = (headings, left_out);
    }

    fn draw_groups(
        &self,
        buffer: &mut Buffer,
        header: Rect,
        area: Rect,
        key: crate::view::group::GroupKey,
    ) {
        let heading = heading(key);
        let (_, at) = self.shown();
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let text = format!("{heading:<24} {:>7}  {:>8}  STATES", "COUNT", "OLDEST");
        self.put(buffer, header.x, header.y, header.width, &text, bold);
        let shown = self.groups.iter().enumerate().skip(self.offset).take(area.height.into());
        for ((place, group), y) in shown.zip(area.y..) {
            let name = group
                .name
                .as_deref()
                .map_or_else(|| "?".to_owned(), crate::model::escape::one_word);
            let states: Vec<String> =
                group.states.iter().map(|(state, count)| format!("{count} {state}")).collect();
            let text = format!(
                "{:<24} {:>7}  {:>8}  {}",
                clip(&name, 24),
                group.count,
                duration(at.since(group.since)),
                states.join("  ")
            );
            let padded = format!("{text:<width$}", width = usize::from(area.width));
            let chosen = place == self.selected;
            let style =
                if chosen { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() };
            self.put(buffer, area.x, y, area.width, &padded, style);
        }
    }

    fn draw_overlay(&mut self, buffer: &mut Buffer, area: Rect) {
        let Some(kind) = self.overlay.map(|overlay| overlay.kind) else { return };
        let width = usize::from(area.width);
        let palette = Palette { on: false };
        let text = match kind {
            OverlayKind::Help => HELP.to_owned(),
            OverlayKind::Explain => match self.selected_row() {
                Some(row) => explain::state(row.status.state, palette, width.max(20)),
                None => "no socket is selected".to_owned(),
            },
            OverlayKind::Diagram => {
                let mut diagram = self
                    .slider
                    .as_ref()
                    .map_or_else(|| self.diagram.clone(), super::slider::Slider::diagram);
                let counts = self.shown().0.counts();
                diagram.set_states(counts.iter().flat_map(|(state, count)| {
                    std::iter::repeat_n(*state, usize::try_from(*count).unwrap_or_default())
                }));
                let format = DiagramFormat::Text;
                let mut renderer = DiagramRenderer { format, palette, width };
                let size = Size { columns: width, rows: usize::MAX };
                let record = [Record::Diagram(Box::new(diagram))];
                renderer.frame(&record, &Names::default(), size).join("\n")
            }
        };
        let lines: Vec<&str> = text.lines().collect();
        let room = usize::from(area.height);
        let Some(overlay) = &mut self.overlay else { return };
        overlay.scroll = overlay.scroll.min(lines.len().saturating_sub(room));
        let scroll = overlay.scroll;
        for (text, y) in lines.iter().skip(scroll).take(room).zip(area.y..) {
            self.put(buffer, area.x, y, area.width, text, Style::new());
        }
    }
}

/// The upper lines of an area, which has less then.
fn take_top(area: &mut Rect, height: u16) -> Rect {
    let height = height.min(area.height);
    let top = Rect { height, ..*area };
    (area.y, area.height) = (area.y + height, area.height - height);
    top
}

/// The lower lines of an area, which has less then.
fn take_bottom(area: &mut Rect, height: u16) -> Rect {
    let height = height.min(area.height);
    area.height -= height;
    Rect { y: area.bottom(), height, ..*area }
}

const fn dim() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}

/// A style that distinguishes things without colours.
const fn without_color(style: Style) -> Style {
    Style { fg: None, bg: None, ..style }
}

/// The style of a state, of the sixteen colours that every terminal has.
fn state_style(state: State) -> Style {
    let style = style_of(state);
    let color = match style.get_fg_color() {
        Some(anstyle::Color::Ansi(color)) => ansi(color),
        _ => Color::Reset,
    };
    let bold = style.get_effects().contains(anstyle::Effects::BOLD);
    let style = Style::new().fg(color);
    if bold { style.add_modifier(Modifier::BOLD) } else { style }
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
