//! What stands beside or below the drawing, all of it out of the table of edges and the counts.

use super::{layout, short};
use crate::render::style::{Palette, style_of};
use crate::render::wrap::wrap;
use crate::tcp::edge::{Actor, Edge};
use crate::view::diagram::{Diagram, Walks};
use unicode_width::UnicodeWidthStr;

/// The widest "ESTABLISHED ┄► CLOSE_WAIT".
const PAIR: usize = 25;

/// What the lines mean, and the numbers where there are some.
pub(super) fn key(diagram: &Diagram, palette: Palette, width: usize) -> Vec<String> {
    let lines = ["━━ active side", "┄┄ passive side", "── both sides at once, or the kernel"];
    let numbers = ["in a box: sockets now", "at an edge: 12 seen, [3] unseen, but certain"];
    let mut all = items(&lines, "   ", width);
    if !diagram.is_empty() {
        all.extend(items(&numbers, "   ", width));
        all.extend(gaps(diagram, width));
    }
    all.iter().map(|line| palette.dim(line)).collect()
}

/// What was seen and has no certain edge, in as many lines as it takes.
pub(super) fn gaps(diagram: &Diagram, width: usize) -> Vec<String> {
    let gaps = diagram.gaps().map(|(from, to, count)| format!("{from} … {to} {count}"));
    let mut gaps: Vec<String> = gaps.collect();
    if gaps.is_empty() {
        return gaps;
    }
    let last = gaps.len() - 1;
    gaps[..last].iter_mut().for_each(|gap| gap.push(','));
    gaps.insert(0, "seen, but not the way between:".to_owned());
    let gaps: Vec<&str> = gaps.iter().map(String::as_str).collect();
    items(&gaps, " ", width)
}

/// Items in lines, none of them broken.
fn items(items: &[&str], gap: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for item in items {
        match lines.last_mut() {
            Some(line) if line.width() + gap.len() + item.width() <= width => {
                line.push_str(gap);
                line.push_str(item);
            }
            _ => lines.push((*item).to_owned()),
        }
    }
    lines
}

/// The legend under the drawing: letter, states, counts, cause.
pub(super) fn below(diagram: &Diagram, palette: Palette, width: usize) -> Vec<String> {
    entries(diagram, palette, width, |_| true)
}

/// As much of the legend as a frame needs: the edges that were walked.
pub(super) fn walked(diagram: &Diagram, palette: Palette, width: usize) -> Vec<String> {
    entries(diagram, palette, width, |walks| walks != Walks::default())
}

fn entries(
    diagram: &Diagram,
    palette: Palette,
    width: usize,
    wanted: impl Fn(Walks) -> bool,
) -> Vec<String> {
    let room = Counts::of(diagram);
    let before = 2 + PAIR + 2 + room.width();
    let mut lines = Vec::new();
    for ((letter, edge, _), (_, walks)) in layout::edges().zip(diagram.edges()) {
        if !wanted(walks) {
            continue;
        }
        let letter = palette.heading(&letter.to_string());
        let head = format!("{letter} {}  {}", pair(edge, palette), room.cells(walks, palette));
        let causes = wrap(edge.cause, width.saturating_sub(before).max(20));
        lines.extend(hanging(&head, before, causes));
    }
    lines
}

/// The first line behind its head, the others below it.
fn hanging(head: &str, before: usize, text: Vec<String>) -> Vec<String> {
    let mut lines = text.into_iter();
    let first = format!("{head}{}", lines.next().unwrap_or_default());
    std::iter::once(first).chain(lines.map(|line| format!("{:before$}{line}", ""))).collect()
}

/// `ESTABLISHED ┄► CLOSE_WAIT`, filled up with blanks.
fn pair(edge: &Edge, palette: Palette) -> String {
    let line = match edge.side {
        Actor::Active => "━►",
        Actor::Passive => "┄►",
        Actor::Both | Actor::Kernel => "─►",
    };
    let plain = format!("{} {line} {}", edge.from, edge.to);
    let blank = PAIR - plain.width();
    format!("{} {line} {}{:blank$}", palette.seen(edge.from), palette.seen(edge.to), "")
}

/// The columns of the counts, as wide as they have to be.
struct Counts {
    observed: usize,
    certain: usize,
}

impl Counts {
    fn of(diagram: &Diagram) -> Self {
        if diagram.is_empty() {
            return Self { observed: 0, certain: 0 };
        }
        let widest = |count: fn(Walks) -> u64| {
            diagram.edges().map(|(_, walks)| count(walks).to_string().len()).max().unwrap_or(1)
        };
        Self { observed: widest(|w| w.observed), certain: widest(|w| w.certain) + 2 }
    }

    const fn width(&self) -> usize {
        if self.observed == 0 { 0 } else { self.observed + 1 + self.certain + 2 }
    }

    fn cells(&self, walks: Walks, palette: Palette) -> String {
        let Self { observed, certain } = *self;
        if observed == 0 {
            return String::new();
        }
        let seen = if walks.observed > 0 { walks.observed.to_string() } else { String::new() };
        let sure = if walks.certain > 0 { format!("[{}]", walks.certain) } else { String::new() };
        format!("{seen:>observed$} {}  ", palette.dim(&format!("{sure:>certain$}")))
    }
}

/// The legend beside the drawing: letter and cause.
pub(super) fn beside(diagram: &Diagram, palette: Palette, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for ((letter, edge, _), (_, walks)) in layout::edges().zip(diagram.edges()) {
        let plain = walks != Walks::default() || diagram.is_empty();
        let cause = wrap(edge.cause, width - 2);
        let cause = cause.into_iter().map(|line| if plain { line } else { palette.dim(&line) });
        let letter = palette.paint(style_of(edge.to).bold(), &letter.to_string());
        lines.extend(hanging(&format!("{letter} "), 2, cause.collect()));
    }
    lines
}

/// The states without a drawing, for a terminal that is too narrow for one.
pub(super) fn states(diagram: &Diagram, palette: Palette, width: usize) -> Vec<String> {
    let line = |(state, now): (_, u64)| format!("{} {}", palette.seen(state), short(now));
    let all: Vec<String> =
        diagram.states().into_iter().filter(|(_, now)| *now > 0).map(line).collect();
    let mut lines = all;
    lines.extend(key(diagram, palette, width));
    lines
}

/// How many columns a text takes that may hold escape sequences of colours.
pub(super) fn columns(text: &str) -> usize {
    anstream::adapter::strip_str(text).to_string().width()
}
