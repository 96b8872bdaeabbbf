//! The texts beside or below the drawing: what lines and numbers mean, the edges with their letters
//! and causes, and the gaps.

use super::{layout, short};
use crate::model::counted::counted;
use crate::render::style::{Palette, style_of};
use crate::render::wrap::wrap;
use crate::tcp::edge::{Actor, Edge};
use crate::view::diagram::{Diagram, EdgeCounts};
use unicode_width::UnicodeWidthStr;

/// The columns of the widest pair of states: "ESTABLISHED ┄► CLOSE_WAIT".
const PAIR: usize = 25;

/// The meaning of the lines, and of the numbers where something was counted, then the gaps.
pub(super) fn key(diagram: &Diagram, palette: Palette, width: usize) -> Vec<String> {
    let lines = ["━━ active side", "┄┄ passive side", "── both sides at once, or the kernel"];
    let numbers =
        ["in a box: sockets now", "at an arrow: times observed, [times certain but not observed]"];
    let mut all = items(&lines, "   ", width);
    if !diagram.is_empty() {
        all.extend(items(&numbers, "   ", width));
        all.extend(gaps(diagram, width));
    }
    all.iter().map(|line| palette.dim(line)).collect()
}

/// The counts of transitions whose path is not known, in lines of this width.
pub(super) fn gaps(diagram: &Diagram, width: usize) -> Vec<String> {
    let text = |(from, to, count)| format!("{from} to {to} {},", counted(count, "time"));
    let mut gaps: Vec<String> = diagram.gaps().map(text).collect();
    let Some(last) = gaps.last_mut() else { return gaps };
    last.pop();
    gaps.insert(0, "not counted at an arrow, since the path is not known:".to_owned());
    items(&gaps, " ", width)
}

/// Items with a gap between them, in lines of this width; no item is broken.
fn items(items: &[impl AsRef<str>], gap: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for item in items.iter().map(AsRef::as_ref) {
        match lines.last_mut() {
            Some(line) if line.width() + gap.len() + item.width() <= width => {
                line.push_str(gap);
                line.push_str(item);
            }
            _ => lines.push(item.to_owned()),
        }
    }
    lines
}

/// The legend below the drawing: letter, states, counts and cause of every edge.
pub(super) fn below(diagram: &Diagram, palette: Palette, width: usize) -> Vec<String> {
    entries(diagram, palette, width, |_| true)
}

/// The legend of the edges that were passed alone, for a frame that has no room for all.
pub(super) fn below_passed(diagram: &Diagram, palette: Palette, width: usize) -> Vec<String> {
    entries(diagram, palette, width, |counts| counts != EdgeCounts::default())
}

fn entries(
    diagram: &Diagram,
    palette: Palette,
    width: usize,
    is_listed: impl Fn(EdgeCounts) -> bool,
) -> Vec<String> {
    let room = CountWidths::of(diagram);
    let before = 2 + PAIR + 2 + room.width();
    let mut lines = Vec::new();
    for ((letter, edge, _), (_, counts)) in layout::edges().zip(diagram.edges()) {
        if !is_listed(counts) {
            continue;
        }
        let letter = palette.heading(&letter.to_string());
        let head = format!("{letter} {}  {}", pair(edge, palette), room.cells(counts, palette));
        let causes = wrap(edge.cause, width.saturating_sub(before).max(20));
        lines.extend(hanging(&head, before, causes));
    }
    lines
}

/// The first line with a head before it, the others indented by its width.
fn hanging(head: &str, before: usize, text: Vec<String>) -> Vec<String> {
    let mut lines = text.into_iter();
    let first = format!("{head}{}", lines.next().unwrap_or_default());
    std::iter::once(first).chain(lines.map(|line| format!("{:before$}{line}", ""))).collect()
}

/// `ESTABLISHED ┄► CLOSE_WAIT`, filled up with blanks to [`PAIR`] columns.
fn pair(edge: &Edge, palette: Palette) -> String {
    let line = match edge.actor {
        Actor::Active => "━►",
        Actor::Passive => "┄►",
        Actor::Both | Actor::Kernel => "─►",
    };
    let plain = format!("{} {line} {}", edge.from, edge.to);
    let blank = PAIR - plain.width();
    format!("{} {line} {}{:blank$}", palette.state(edge.from), palette.state(edge.to), "")
}

/// The widths of the columns of counts; 0 where nothing has been counted.
struct CountWidths {
    observed: usize,
    certain: usize,
}

impl CountWidths {
    fn of(diagram: &Diagram) -> Self {
        if diagram.is_empty() {
            return Self { observed: 0, certain: 0 };
        }
        let widest = |count: fn(EdgeCounts) -> u64| {
            diagram.edges().map(|(_, counts)| count(counts).to_string().len()).max().unwrap_or(1)
        };
        Self { observed: widest(|w| w.observed), certain: widest(|w| w.certain) + 2 }
    }

    const fn width(&self) -> usize {
        if self.observed == 0 { 0 } else { self.observed + 1 + self.certain + 2 }
    }

    fn cells(&self, counts: EdgeCounts, palette: Palette) -> String {
        let Self { observed, certain } = *self;
        if observed == 0 {
            return String::new();
        }
        let seen = if counts.observed > 0 { counts.observed.to_string() } else { String::new() };
        let sure = if counts.certain > 0 { format!("[{}]", counts.certain) } else { String::new() };
        format!("{seen:>observed$} {}  ", palette.dim(&format!("{sure:>certain$}")))
    }
}

/// The legend beside the drawing: letter and cause of every edge.
pub(super) fn beside(diagram: &Diagram, palette: Palette, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for ((letter, edge, _), (_, counts)) in layout::edges().zip(diagram.edges()) {
        let plain = counts != EdgeCounts::default() || diagram.is_empty();
        let mut cause = wrap(edge.cause, width - 2);
        if !plain {
            cause = cause.iter().map(|line| palette.dim(line)).collect();
        }
        let letter = palette.paint(style_of(edge.to).bold(), &letter.to_string());
        lines.extend(hanging(&format!("{letter} "), 2, cause));
    }
    lines
}

/// The states in which sockets are, in place of a drawing for which the terminal is too narrow.
pub(super) fn states(diagram: &Diagram, palette: Palette, width: usize) -> Vec<String> {
    let line = |(state, now): (_, u64)| format!("{} {}", palette.state(state), short(now));
    let states = diagram.states().into_iter().filter(|(_, now)| *now > 0);
    let mut lines: Vec<String> = states.map(line).collect();
    lines.extend(key(diagram, palette, width));
    lines
}

/// The width of a text in columns, without its escape sequences.
pub(super) fn columns(text: &str) -> usize {
    anstream::adapter::strip_str(text).to_string().width()
}
