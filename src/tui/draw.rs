//! The layout of the screen. A terminal that is too small for all has the table, and at last only a
//! part of it.

use super::Top;
use super::columns::{Columns, Drawn};
use super::detail::Detail;
use super::paint::{Painter, bold, dim, part, state_style, take_bottom, take_top};
use super::rows::Row;
use crate::model::counted::counted;
use crate::model::escape::one_word;
use crate::render::cell::{clip, duration};
use crate::render::socket_table::columns::Column;
use crate::render::summary::heading;
use crate::view::group::GroupKey;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use std::time::Duration;

/// A change stands out for this long.
const FRESH: Duration = Duration::from_secs(2);
/// Below this height there is no room for counts, and below the next for the selected socket.
const ROWS_FOR_COUNTS: u16 = 8;
const ROWS_FOR_DETAIL: u16 = 16;
/// A state with its count and its sparkline.
const STATE_CELL: usize = 38;

impl Top {
    /// Draws the screen.
    pub(crate) fn draw(&mut self, frame: &mut Frame<'_>) {
        self.arrange();
        let area = frame.area();
        let painter = &mut Painter::new(frame.buffer_mut(), &self.look);
        let mut free = area;
        self.draw_title(painter, take_top(&mut free, 1));
        let bottom = if area.height >= 2 { take_bottom(&mut free, 1) } else { Rect::ZERO };
        if area.height >= ROWS_FOR_COUNTS {
            self.draw_counts(painter, &mut free);
        }
        match self.dialog.overlay() {
            Some(kind) => self.draw_overlay(painter, free, kind),
            None => self.draw_middle(painter, free, area.height >= ROWS_FOR_DETAIL),
        }
        self.draw_bottom(painter, bottom);
    }

    /// Draws the table, and the selected socket below it where it `has_detail`.
    fn draw_middle(&mut self, painter: &mut Painter<'_>, mut free: Rect, has_detail: bool) {
        if has_detail && self.choice.group().is_none() {
            let Self { contents, look, names, .. } = &*self;
            let detail = Detail { contents, look, names, width: free.width.into() };
            let lines = self.selected_row().map_or_else(Vec::new, |row| detail.lines(row));
            let room = (free.height / 2).min(u16::try_from(lines.len()).unwrap_or(u16::MAX));
            let area = take_bottom(&mut free, room);
            painter.put_lines(area, lines.iter().map(String::as_str));
            if free.height > 1 && room > 0 {
                painter.rule(take_bottom(&mut free, 1));
            }
        }
        self.draw_table(painter, free);
    }

    fn draw_title(&self, painter: &mut Painter<'_>, area: Rect) {
        let open = self.contents.rows().open();
        let time = self.look.clock.clone().write(self.contents.at());
        let mut parts = vec![format!("tcplapse{}", self.title), time, counted(open, "socket")];
        if let Some(missed) = self.contents.missed_by_pause() {
            parts.push(format!("PAUSED, {} since", counted(missed, "event")));
        }
        let filter = self.choice.filter_text();
        if !filter.is_empty() {
            parts.push(format!("filter: {filter} ({} shown)", self.lines.count()));
        }
        if let Some(slider) = self.contents.slider() {
            let more = if slider.is_cut() { ", more are not shown" } else { "" };
            parts.push(format!("event {} of {}{more}", slider.position(), slider.len()));
        }
        painter.put(area, &parts.join("  "), bold());
    }

    fn draw_bottom(&self, painter: &mut Painter<'_>, area: Rect) {
        if let Some(typed) = self.dialog.typed() {
            let cursor = if self.look.unicode { "▏" } else { "_" };
            painter.put(area, &format!("/{typed}{cursor}"), Style::new());
        } else if let Some(message) = self.dialog.message() {
            painter.put(area, message, bold());
        } else if let Some(bar) = self.slider_bar(area.width.into()) {
            painter.put(area, &bar, Style::new());
        } else {
            let asked: Vec<&str> = self.drawn.left_out().map(Column::heading).collect();
            let left_out = match asked.as_slice() {
                [] => String::new(),
                asked => format!("no room for {}  ", asked.join(", ")),
            };
            let keys = "/ filter  s sort  g group  space pause  e explain  d diagram  q quit";
            let keys = format!("? help  {left_out}{keys}");
            painter.put(area, &keys, dim());
        }
    }

    /// Where in the recording the moment is that is shown.
    fn slider_bar(&self, width: usize) -> Option<String> {
        let (first, last) = self.contents.slider()?.span()?;
        let passed = self.contents.at().since(first);
        let whole = last.since(first);
        let (left, right) = (duration(passed), duration(whole));
        let room = width.saturating_sub(left.len() + right.len() + 34).max(1);
        let share = if whole.is_zero() { 1.0 } else { passed.as_secs_f64() / whole.as_secs_f64() };
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
    fn draw_counts(&self, painter: &mut Painter<'_>, free: &mut Rect) {
        let counts = self.contents.rows().counts();
        let width = usize::from(free.width);
        let columns = (width / STATE_CELL).max(1);
        let most = usize::from(free.height / 4).max(1);
        let lines = counts.len().div_ceil(columns).min(most);
        let area = take_top(free, u16::try_from(lines).unwrap_or(1));
        let sparks = (width / columns).saturating_sub(22).min(60);
        let shown = lines * columns;
        let places = area.rows().flat_map(|line| {
            (0..columns).map(move |column| part(line, column * (width / columns), width))
        });
        for ((place, (state, count)), cell) in counts.iter().enumerate().zip(places) {
            if place + 1 == shown && counts.len() > shown {
                let more = format!("and {} more states", counts.len() - place);
                painter.put(cell, &more, dim());
                break;
            }
            let spark = self.contents.sparkline(*state, sparks, self.look.unicode);
            painter.put(cell, &state.to_string(), state_style(*state));
            painter.put(part(cell, 12, width), &format!("{count:>7} {spark}"), Style::new());
        }
    }

    fn draw_table(&mut self, painter: &mut Painter<'_>, mut area: Rect) {
        let has_header = self.look.header || self.choice.group().is_some();
        let header =
            if area.height >= 2 && has_header { take_top(&mut area, 1) } else { Rect::ZERO };
        self.lines.set_page(area.height.into());
        self.drawn = Drawn::at(area.y);
        if let Some(key) = self.choice.group() {
            self.draw_groups(painter, header, area, key);
            return;
        }
        if self.lines.sockets().is_empty() {
            let is_filtered = !self.choice.filter_text().is_empty();
            let empty = if is_filtered { "no socket matches" } else { "no socket yet" };
            painter.put(area, empty, dim());
        }
        let rows: Vec<&Row> =
            self.lines.sockets_on_screen().filter_map(|id| self.row(id)).collect();
        let records: Vec<_> = rows.iter().map(|row| self.contents.record(row)).collect();
        let columns = Columns::new(&records, &self.look, &self.names, area.width.into());
        painter.put(header, &columns.headings(), bold());
        let drawn = self.drawn_with(painter, header, area, &columns);
        let state = columns.place(Column::State);
        let at = self.contents.at();
        for (place, (row, line)) in rows.iter().zip(area.rows()).enumerate() {
            let base = if row.closed.is_some() { dim() } else { Style::new() };
            let is_selected = place == self.lines.selected_on_screen();
            let base = if is_selected { base.add_modifier(Modifier::REVERSED) } else { base };
            painter.fill(line, &columns.line(place), base);
            let fresh = row.held(at) < FRESH && !row.status.held_at_least && row.closed.is_none();
            let style = base.patch(state_style(row.status.state));
            let style = if fresh { style.add_modifier(Modifier::BOLD) } else { style };
            if let Some((left, width)) = state {
                painter.put(part(line, left, width), &row.status.state.to_string(), style);
            }
        }
        self.drawn = drawn;
    }

    /// Marks the heading that rows are sorted by. Returns where everything is.
    fn drawn_with(
        &self,
        painter: &mut Painter<'_>,
        header: Rect,
        area: Rect,
        columns: &Columns,
    ) -> Drawn {
        let sort = self.choice.sort();
        if let Some((left, width)) = columns.sorted_by(sort).filter(|_| header.height > 0) {
            painter.underline(part(header, left, width));
        }
        Drawn::with_columns(area.y, header, columns)
    }

    fn draw_groups(&self, painter: &mut Painter<'_>, header: Rect, area: Rect, key: GroupKey) {
        let heading = heading(key);
        let text = format!("{heading:<24} {:>7}  {:>8}  STATES", "COUNT", "OLDEST");
        painter.put(header, &text, bold());
        let at = self.contents.at();
        for (place, (group, line)) in self.lines.groups_on_screen().zip(area.rows()).enumerate() {
            let name = group.name.as_deref().map_or_else(|| "?".to_owned(), one_word);
            let states: Vec<String> =
                group.states.iter().map(|(state, count)| format!("{count} {state}")).collect();
            let text = format!(
                "{:<24} {:>7}  {:>8}  {}",
                clip(&name, 24),
                group.count,
                duration(at.since(group.since)),
                states.join("  ")
            );
            let is_selected = place == self.lines.selected_on_screen();
            let selected = Style::new().add_modifier(Modifier::REVERSED);
            painter.fill(line, &text, if is_selected { selected } else { Style::new() });
        }
    }
}
