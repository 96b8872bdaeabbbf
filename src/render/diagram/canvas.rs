//! Cells of characters that lines are drawn on: lines that meet in a cell become the character
//! that joins them.

use super::layout::{Spot, Way, way};
use crate::render::style::Palette;
use anstyle::Style;

/// How a line looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Stroke {
    /// None.
    #[default]
    None,
    /// A thin line.
    Thin,
    /// A thin line with gaps, where it is straight.
    Dashed,
    /// A heavy line.
    Heavy,
    /// A double line: the bars of `CLOSED`.
    Double,
}

#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    /// The lines out of the cell: up, right, down, left.
    arms: [Stroke; 4],
    /// A character that is no line.
    text: Option<char>,
    style: Style,
}

/// A picture of characters.
#[derive(Debug)]
pub(super) struct Canvas {
    width: usize,
    cells: Vec<Cell>,
}

impl Canvas {
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self { width, cells: vec![Cell::default(); width * height] }
    }

    /// Draws a straight line, both ends included.
    pub(super) fn line(&mut self, from: Spot, to: Spot, stroke: Stroke, style: Style) {
        let way = way(from, to);
        let mut here = from;
        while here != to {
            let next = way.next(here);
            self.arm(here, way, stroke, style);
            self.arm(next, opposite(way), stroke, style);
            here = next;
        }
    }

    /// Where two lines meet, the later one gives its colour to the join only if that is not part
    /// of a box, drawn before it.
    fn arm(&mut self, spot: Spot, way: Way, stroke: Stroke, style: Style) {
        let cell = self.cell(spot);
        if cell.arms == [Stroke::None; 4] {
            cell.style = style;
        }
        cell.arms[way as usize] = stroke;
    }

    /// Writes text over whatever is there.
    pub(super) fn text(&mut self, (x, y): Spot, text: &str, style: Style) {
        for (i, c) in text.chars().enumerate() {
            let cell = self.cell((x + i, y));
            cell.text = Some(c);
            cell.style = style;
        }
    }

    fn cell(&mut self, (x, y): Spot) -> &mut Cell {
        &mut self.cells[y * self.width + x]
    }

    /// The rows, without blanks at their ends, coloured where the palette is.
    pub(super) fn rows(&self, palette: Palette) -> Vec<String> {
        self.cells.chunks(self.width).map(|row| written(row, palette)).collect()
    }
}

/// A row, with one escape sequence for each run of cells of the same style.
fn written(row: &[Cell], palette: Palette) -> String {
    let drawn = row.iter().rposition(|cell| cell.glyph() != ' ').map_or(0, |last| last + 1);
    let runs = row[..drawn].chunk_by(|a, b| a.style == b.style);
    runs.map(|run| {
        let text: String = run.iter().map(Cell::glyph).collect();
        if run[0].style == Style::new() { text } else { palette.paint(run[0].style, &text) }
    })
    .collect()
}

const fn opposite(way: Way) -> Way {
    match way {
        Way::Up => Way::Down,
        Way::Right => Way::Left,
        Way::Down => Way::Up,
        Way::Left => Way::Right,
    }
}

impl Cell {
    fn glyph(&self) -> char {
        self.text.unwrap_or_else(|| joined(self.arms))
    }
}

/// The character for the lines out of a cell: up, right, down, left.
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
        // A straight thin line; the tests hold that nothing else is ever drawn.
        [None, _, None, _] => '─',
        _ => '│',
    }
}
