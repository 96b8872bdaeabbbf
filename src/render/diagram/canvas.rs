//! A grid of characters on which lines and text are drawn. Lines that meet in a cell become the
//! character that joins them.

use super::layout::{Direction, Spot, direction};
use crate::render::style::Palette;
use anstyle::Style;

/// The kind of a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Stroke {
    /// No line.
    #[default]
    None,
    /// A thin line.
    Thin,
    /// A thin line with gaps; without gaps in corners.
    Dashed,
    /// A heavy line.
    Heavy,
    /// A double line: the bars of `CLOSED`.
    Double,
}

#[derive(Debug, Clone, Copy, Default)]
struct CanvasCell {
    /// The lines that leave the cell: up, right, down, left.
    arms: [Stroke; 4],
    /// A character drawn over them.
    text: Option<char>,
    style: Style,
}

/// The grid, and how wide it is.
#[derive(Debug)]
pub(super) struct Canvas {
    width: usize,
    cells: Vec<CanvasCell>,
}

impl Canvas {
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self { width, cells: vec![CanvasCell::default(); width * height] }
    }

    /// Draws a straight line, both of its spots included.
    pub(super) fn line(&mut self, from: Spot, to: Spot, stroke: Stroke, style: Style) {
        let direction = direction(from, to);
        let mut here = from;
        while here != to {
            let next = direction.next(here);
            self.arm(here, direction, stroke, style);
            self.arm(next, opposite(direction), stroke, style);
            here = next;
        }
    }

    /// Draws from the middle of a cell to one of its sides. The first line in a cell decides its
    /// style: boxes are drawn first.
    fn arm(&mut self, spot: Spot, direction: Direction, stroke: Stroke, style: Style) {
        let cell = self.cell(spot);
        if cell.arms == [Stroke::None; 4] {
            cell.style = style;
        }
        cell.arms[direction as usize] = stroke;
    }

    /// Writes text over what is there.
    pub(super) fn text(&mut self, (x, y): Spot, text: &str, style: Style) {
        for (i, c) in text.chars().enumerate() {
            let cell = self.cell((x + i, y));
            cell.text = Some(c);
            cell.style = style;
        }
    }

    fn cell(&mut self, (x, y): Spot) -> &mut CanvasCell {
        &mut self.cells[y * self.width + x]
    }

    /// The rows as text, without blanks at their ends.
    pub(super) fn rows(&self, palette: Palette) -> Vec<String> {
        self.cells.chunks(self.width).map(|row| written(row, palette)).collect()
    }
}

/// A row as text, with one escape sequence for each run of cells of the same style.
fn written(row: &[CanvasCell], palette: Palette) -> String {
    let drawn = row.iter().rposition(|cell| cell.glyph() != ' ').map_or(0, |last| last + 1);
    let runs = row[..drawn].chunk_by(|a, b| a.style == b.style);
    runs.map(|run| {
        let text: String = run.iter().map(CanvasCell::glyph).collect();
        if run[0].style == Style::new() { text } else { palette.paint(run[0].style, &text) }
    })
    .collect()
}

const fn opposite(direction: Direction) -> Direction {
    match direction {
        Direction::Up => Direction::Down,
        Direction::Right => Direction::Left,
        Direction::Down => Direction::Up,
        Direction::Left => Direction::Right,
    }
}

impl CanvasCell {
    fn glyph(&self) -> char {
        self.text.unwrap_or_else(|| joined(self.arms))
    }
}

/// The character for the lines that leave a cell: up, right, down, left.
fn joined(arms: [Stroke; 4]) -> char {
    use Stroke::{Dashed, Double, Heavy, None, Thin};
    // Only straight lines can have gaps.
    let thin = |arm| if arm == Dashed { Thin } else { arm };
    match arms.map(thin) {
        [None, None, None, None] => ' ',
        [None, Thin, None, Thin] if arms[1] == Dashed && arms[3] == Dashed => '┄',
        [Thin, None, Thin, None] if arms[0] == Dashed && arms[2] == Dashed => '┆',
        [Heavy, None, Heavy, None] => '┃',
        [None, Heavy, None, Heavy] => '━',
        [Thin, Thin, None, None] => '╰',
        [None, Thin, Thin, None] => '╭',
        [None, None, Thin, Thin] => '╮',
        [Thin, None, None, Thin] => '╯',
        [Heavy, Heavy, None, None] => '┗',
        [None, Heavy, Heavy, None] => '┏',
        [None, None, Heavy, Heavy] => '┓',
        [Heavy, None, None, Heavy] => '┛',
        [Thin, Thin, None, Thin] => '┴',
        [Thin, Thin, Thin, None] => '├',
        [None, Thin, Thin, Thin] => '┬',
        [Thin, None, Thin, Thin] => '┤',
        [None, Thin, Heavy, Thin] => '┰',
        [Thin, Heavy, Thin, None] => '┝',
        [Heavy, Thin, Heavy, Thin] => '╂',
        [Thin, Thin, Thin, Thin] => '┼',
        [None, Double, Thin | Heavy, Double] => '╤',
        [_, Double, _, _] | [_, _, _, Double] => '═',
        // A straight thin line; the tests make sure that nothing else is ever drawn.
        [None, _, None, _] => '─',
        _ => '│',
    }
}
