//! The diagram as SVG. It loads nothing, and follows the light or dark scheme of the browser.

use super::layout::{self, BARS, BOX_HEIGHT, Direction, HEIGHT, Route, SHAPES, Shape, Spot, WIDTH};
use super::{legend, short};
use crate::render::style::style_of;
use crate::tcp::edge::{Actor, Edge};
use crate::tcp::state::State;
use crate::view::diagram::{Diagram, EdgeCounts};
use anstyle::{AnsiColor, Color};
use std::fmt::Write as _;

/// The size of a cell of the layout's grid.
const CELL: (usize, usize) = (11, 23);
const MARGIN: usize = 20;
/// The height of a line of the legend, and into how many columns it is laid out.
const LINE: usize = 19;
const COLUMNS: usize = 2;
/// Half the height of a bar of `CLOSED`, which is one row of the grid.
const HALF_BAR: usize = 11;
/// How far from a corner an edge begins to bend.
const BEND: usize = 9;

const STYLE: &str = include_str!("svg.css");

/// The diagram as a whole document.
pub(super) fn svg(diagram: &Diagram) -> String {
    let width = 2 * MARGIN + WIDTH * CELL.0;
    let picture = 2 * MARGIN + HEIGHT * CELL.1;
    let rows = layout::edges().count().div_ceil(COLUMNS);
    let gaps = legend::gaps(diagram, WIDTH + 30);
    let height = picture + (rows + gaps.len() + 2) * LINE;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\" \
         aria-label=\"The TCP state diagram on Linux\">\n\
         <title>The TCP state diagram on Linux</title>\n<style>\n{STYLE}</style>\n{}\
         <rect class=\"paper\" width=\"{width}\" height=\"{height}\" rx=\"10\"/>\n",
        markers()
    );
    // The edges first: the boxes lie on their ends.
    for ((letter, edge, route), (_, counts)) in layout::edges().zip(diagram.edges()) {
        arrow(&mut out, letter, edge, route, counts, diagram);
    }
    for row in BARS {
        let bar = Shape { state: State::Closed, corner: (0, row), width: WIDTH };
        state(&mut out, &bar, 1, diagram);
    }
    for shape in &SHAPES {
        state(&mut out, shape, BOX_HEIGHT, diagram);
    }
    explain(&mut out, picture, rows, diagram);
    for (i, gap) in gaps.iter().enumerate() {
        let y = picture + (rows + i + 1) * LINE + 10;
        // Writing to a String does not fail.
        let _ = writeln!(out, "<text class=\"cause note\" x=\"{MARGIN}\" y=\"{y}\">{gap}</text>");
    }
    out + "</svg>\n"
}

/// One arrowhead for each kind of line: not every browser gives a marker the colour of its line.
fn markers() -> String {
    let marker = |class: &str| {
        format!(
            "<marker id=\"{class}-tip\" class=\"{class} tip\" viewBox=\"0 0 10 10\" refX=\"9\" \
             refY=\"5\" markerWidth=\"9\" markerHeight=\"9\" markerUnits=\"userSpaceOnUse\" \
             orient=\"auto\"><path d=\"M0 0 10 5 0 10z\"/></marker>\n"
        )
    };
    let all: String = ["active", "passive", "kernel"].iter().map(|class| marker(class)).collect();
    format!("<defs>\n{all}</defs>\n")
}

const fn class(edge: &Edge) -> &'static str {
    match edge.actor {
        Actor::Active => "active",
        Actor::Passive => "passive",
        Actor::Both | Actor::Kernel => "kernel",
    }
}

/// The middle of a cell of the grid.
const fn middle((x, y): Spot) -> Spot {
    (MARGIN + x * CELL.0 + CELL.0 / 2, MARGIN + y * CELL.1 + CELL.1 / 2)
}

fn arrow(
    out: &mut String,
    letter: char,
    edge: &Edge,
    route: &Route,
    counts: EdgeCounts,
    diagram: &Diagram,
) {
    let class = class(edge);
    let idle = if diagram.is_empty() || counts != EdgeCounts::default() { "" } else { " idle" };
    let (x, y) = (MARGIN + route.label.0 * CELL.0, middle(route.label).1 + 5);
    // Writing to a String does not fail.
    let _ = write!(
        out,
        "<g class=\"{class}{idle}\"><title>{letter}: {} to {}: {}</title>\
         <path class=\"edge\" marker-end=\"url(#{class}-tip)\" d=\"{}\"/>\
         <text x=\"{x}\" y=\"{y}\"><tspan class=\"letter\">{letter}</tspan>",
        edge.from,
        edge.to,
        escaped(edge.cause),
        curve(edge, route)
    );
    if counts.observed > 0 {
        let _ = write!(out, " {}", short(counts.observed));
    }
    out.push_str("</text>");
    if counts.certain > 0 {
        let (x, y) = (MARGIN + route.certain.0 * CELL.0, middle(route.certain).1 + 5);
        let _ = write!(
            out,
            "<text class=\"note\" x=\"{x}\" y=\"{y}\">[{}]</text>",
            short(counts.certain)
        );
    }
    out.push_str("</g>\n");
}

/// The path of an edge, rounded at its corners, up to the border of the box that it leads to.
fn curve(edge: &Edge, route: &Route) -> String {
    let mut points: Vec<Spot> = route.path.iter().map(|spot| middle(*spot)).collect();
    let (_, direction) = route.tip();
    let beyond = match direction {
        Direction::Left | Direction::Right => CELL.0,
        Direction::Up | Direction::Down if edge.to == State::Closed => CELL.1 - HALF_BAR,
        Direction::Up | Direction::Down => CELL.1,
    };
    let tip = points.len() - 1;
    points[tip] = toward(points[tip], direction, beyond);
    let mut path = format!("M{} {}", points[0].0, points[0].1);
    for corner in points.windows(3) {
        let back = toward(corner[1], layout::direction(corner[1], corner[0]), BEND);
        let on = toward(corner[1], layout::direction(corner[1], corner[2]), BEND);
        let (x, y) = corner[1];
        let _ = write!(path, "L{} {}Q{x} {y} {} {}", back.0, back.1, on.0, on.1);
    }
    let _ = write!(path, "L{} {}", points[tip].0, points[tip].1);
    path
}

const fn toward((x, y): Spot, direction: Direction, by: usize) -> Spot {
    match direction {
        Direction::Up => (x, y - by),
        Direction::Right => (x + by, y),
        Direction::Down => (x, y + by),
        Direction::Left => (x - by, y),
    }
}

fn state(out: &mut String, shape: &Shape, height: usize, diagram: &Diagram) {
    let Shape { state, corner, width } = *shape;
    let (left, top) = middle(corner);
    let (right, bottom) = middle((corner.0 + width - 1, corner.1 + height - 1));
    let half = if top == bottom { HALF_BAR } else { 0 };
    let (top, bottom) = (top - half, bottom + half);
    let now = diagram.sockets_in(state);
    let bare = diagram.is_empty() || now > 0 || state == State::Closed;
    let idle = if bare { "" } else { " idle" };
    let (x, y) = (left.midpoint(right), top.midpoint(bottom) + 5);
    let count = if now > 0 {
        format!("<tspan class=\"now\" dx=\"8\">{now}</tspan>")
    } else {
        String::new()
    };
    let _ = writeln!(
        out,
        "<g class=\"state {}{idle}\"><rect x=\"{left}\" y=\"{top}\" width=\"{}\" height=\"{}\" \
         rx=\"9\"/><text x=\"{x}\" y=\"{y}\">{state}{count}</text></g>",
        hue(state),
        right - left,
        bottom - top
    );
}

/// The class of the style sheet with the colour that a state has in text, too.
fn hue(state: State) -> &'static str {
    match style_of(state).get_fg_color() {
        Some(Color::Ansi(AnsiColor::Red)) => "red",
        Some(Color::Ansi(AnsiColor::Yellow)) => "yellow",
        Some(Color::Ansi(AnsiColor::Cyan)) => "cyan",
        Some(Color::Ansi(AnsiColor::Green)) => "green",
        Some(Color::Ansi(AnsiColor::Magenta)) => "magenta",
        _ => "blue",
    }
}

/// The legend: what lines and letters mean.
fn explain(out: &mut String, top: usize, rows: usize, diagram: &Diagram) {
    let wide = WIDTH * CELL.0 / COLUMNS;
    let mut x = MARGIN;
    for (class, meaning) in [
        ("active", "active side"),
        ("passive", "passive side"),
        ("kernel", "both sides at once, or the kernel"),
    ] {
        let (end, text) = (x + 40, x + 48);
        let _ = writeln!(
            out,
            "<g class=\"{class}\"><path class=\"edge\" d=\"M{x} {0}H{end}\"/>\
             <text class=\"cause\" x=\"{text}\" y=\"{1}\">{meaning}</text></g>",
            top - 5,
            top
        );
        x = text + 7 * meaning.len() + 30;
    }
    if !diagram.is_empty() {
        let _ = writeln!(
            out,
            "<text class=\"cause note\" x=\"{x}\" y=\"{top}\">times observed, [times certain but not \
             observed]</text>"
        );
    }
    for (i, (letter, edge, _)) in layout::edges().enumerate() {
        let (x, y) = (MARGIN + i / rows * wide, top + (i % rows + 1) * LINE + 6);
        let _ = writeln!(
            out,
            "<text class=\"cause\" x=\"{x}\" y=\"{y}\"><tspan class=\"letter\">{letter}</tspan>\
             <tspan x=\"{}\">{}</tspan></text>",
            x + 18,
            escaped(edge.cause)
        );
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
