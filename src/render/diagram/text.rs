//! The diagram in characters: the drawing, what its lines mean, and the legend.

use super::canvas::{Canvas, Stroke};
use super::layout::{self, BARS, BOX_HEIGHT, Direction, HEIGHT, Route, SHAPES, Shape, Spot, WIDTH};
use super::{legend, short};
use crate::render::style::{Palette, style_of};
use crate::tcp::edge::{Actor, Edge};
use crate::tcp::state::State;
use crate::view::diagram::{Diagram, EdgeCounts};
use anstyle::Style;

/// The legend stands beside the drawing where there are this many columns for it.
const BESIDE: usize = 36;
const GAP: usize = 2;

/// The whole diagram in lines of this width. Below 80 columns there is no room for the drawing, and
/// the legend says the same.
pub(super) fn text(diagram: &Diagram, palette: Palette, width: usize) -> String {
    let mut lines = lines(diagram, palette, width);
    lines.push(String::new());
    lines.join("\n")
}

/// The diagram in at most `height` lines; where not all fit, the drawing and the edges that were
/// passed come first.
pub(super) fn frame(
    diagram: &Diagram,
    palette: Palette,
    width: usize,
    height: usize,
) -> Vec<String> {
    let mut lines = lines(diagram, palette, width);
    if lines.len() > height {
        lines = drawn(diagram, palette, width);
        lines.extend(legend::below_passed(diagram, palette, width));
        lines.truncate(height);
    }
    lines
}

fn lines(diagram: &Diagram, palette: Palette, width: usize) -> Vec<String> {
    if width >= WIDTH + GAP + BESIDE {
        return beside(diagram, palette, width);
    }
    let mut lines = drawn(diagram, palette, width);
    lines.push(String::new());
    lines.extend(legend::below(diagram, palette, width));
    lines
}

fn beside(diagram: &Diagram, palette: Palette, width: usize) -> Vec<String> {
    let left = drawn(diagram, palette, WIDTH);
    let right = legend::beside(diagram, palette, width - WIDTH - GAP);
    let rows = left.len().max(right.len());
    let row = |i: usize| {
        let cell = left.get(i).map_or("", String::as_str);
        match right.get(i) {
            Some(text) => {
                let blank = WIDTH + GAP - legend::columns(cell).min(WIDTH);
                format!("{cell}{:blank$}{text}", "")
            }
            None => cell.to_owned(),
        }
    };
    (0..rows).map(row).collect()
}

/// The drawing, and what its lines mean.
fn drawn(diagram: &Diagram, palette: Palette, width: usize) -> Vec<String> {
    if width < WIDTH {
        return legend::states(diagram, palette, width);
    }
    let mut canvas = Canvas::new(WIDTH, HEIGHT);
    for row in BARS {
        bar(&mut canvas, row, diagram);
    }
    for shape in &SHAPES {
        state(&mut canvas, shape, diagram);
    }
    for ((letter, edge, route), (_, counts)) in layout::edges().zip(diagram.edges()) {
        let style = edge_style(edge, counts, diagram);
        arrow(&mut canvas, edge, route, style);
        label(&mut canvas, letter, route, counts, style);
    }
    let mut lines = canvas.rows(palette);
    lines.push(String::new());
    lines.extend(legend::key(diagram, palette, width));
    lines
}

fn bar(canvas: &mut Canvas, row: usize, diagram: &Diagram) {
    let style = style_of(State::Closed);
    canvas.line((0, row), (WIDTH - 1, row), Stroke::Double, style);
    let name = match diagram.sockets_in(State::Closed) {
        0 => " CLOSED ".to_owned(),
        now => format!(" CLOSED {} ", short(now)),
    };
    canvas.text((WIDTH / 2 - 5, row), &name, style.bold());
}

fn state(canvas: &mut Canvas, shape: &Shape, diagram: &Diagram) {
    let Shape { state, corner: (x, y), width } = *shape;
    let now = diagram.sockets_in(state);
    let style = style_of(state);
    let border = if now > 0 || diagram.is_empty() { style } else { Style::new().dimmed() };
    let (right, bottom) = (x + width - 1, y + BOX_HEIGHT - 1);
    for (from, to) in [
        ((x, y), (right, y)),
        ((right, y), (right, bottom)),
        ((x, y), (x, bottom)),
        ((x, bottom), (right, bottom)),
    ] {
        canvas.line(from, to, Stroke::Thin, border);
    }
    canvas.text((x + 2, y + 1), &state.to_string(), style.bold());
    if now > 0 {
        let room = width - 5 - state.to_string().len();
        let exact = now.to_string();
        let count = if exact.len() <= room { exact } else { short(now) };
        canvas.text((right - 1 - count.len(), y + 1), &count, Style::new().bold());
    }
}

/// Edges that were passed have the colour of the state that they lead to. Others are dim; without
/// any counts those of the active and the passive side are not.
fn edge_style(edge: &Edge, counts: EdgeCounts, diagram: &Diagram) -> Style {
    if counts != EdgeCounts::default() {
        style_of(edge.to)
    } else if diagram.is_empty() && matches!(edge.actor, Actor::Active | Actor::Passive) {
        Style::new()
    } else {
        Style::new().dimmed()
    }
}

fn arrow(canvas: &mut Canvas, edge: &Edge, route: &Route, style: Style) {
    for (from, to) in route.pieces() {
        canvas.line(from, to, stroke(edge.actor), style);
    }
    let (tip, direction) = route.tip();
    canvas.text(tip, tip_glyph(direction), style);
}

const fn stroke(side: Actor) -> Stroke {
    match side {
        Actor::Active => Stroke::Heavy,
        Actor::Passive => Stroke::Dashed,
        Actor::Both | Actor::Kernel => Stroke::Thin,
    }
}

const fn tip_glyph(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "▲",
        Direction::Right => "►",
        Direction::Down => "▼",
        Direction::Left => "◄",
    }
}

fn label(canvas: &mut Canvas, letter: char, route: &Route, counts: EdgeCounts, style: Style) {
    let (x, y): Spot = route.label;
    canvas.text((x, y), &letter.to_string(), style.bold());
    if counts.observed > 0 {
        canvas.text((x + 2, y), &short(counts.observed), Style::new());
    }
    if counts.certain > 0 {
        let text = format!("[{}]", short(counts.certain));
        canvas.text(route.certain, &text, Style::new().dimmed());
    }
}
