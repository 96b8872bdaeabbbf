//! Where everything stands on the drawing, on a grid of character cells: text draws it cell by cell,
//! SVG enlarged. What an edge is and which side passes it comes from the table of edges alone.

use crate::tcp::edge::{EDGES, Edge};
use crate::tcp::state::State::{
    self, CloseWait, Closing, Established, FinWait1, FinWait2, LastAck, Listen, SynRecv, SynSent,
    TimeWait,
};

/// A cell of the grid: column, row.
pub(super) type Spot = (usize, usize);

/// The size of the drawing; it fits a terminal of 80 columns.
pub(super) const WIDTH: usize = 80;
pub(crate) const HEIGHT: usize = 23;
/// The rows of `CLOSED`, which is drawn twice, as a bar over the whole width: a socket starts in
/// the upper one and ends in the lower one.
pub(super) const BARS: [usize; 2] = [0, HEIGHT - 1];
/// The rows of a box: a border, a line of text, a border.
pub(super) const BOX_HEIGHT: usize = 3;

/// The box of a state.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) state: State,
    /// Its upper left corner.
    pub(super) corner: Spot,
    pub(super) width: usize,
}

const fn shape(state: State, corner: Spot, width: usize) -> Shape {
    Shape { state, corner, width }
}

/// The boxes: the passive side goes down on the left, the active side on the right.
pub(super) const SHAPES: [Shape; 10] = [
    shape(Listen, (0, 3), 15),
    shape(SynRecv, (16, 3), 23),
    shape(SynSent, (60, 3), 20),
    shape(Established, (40, 7), 20),
    shape(CloseWait, (0, 12), 24),
    shape(FinWait1, (26, 12), 20),
    shape(FinWait2, (53, 12), 22),
    shape(LastAck, (8, 17), 17),
    shape(Closing, (30, 17), 16),
    shape(TimeWait, (53, 17), 18),
];

/// How an edge is drawn.
#[derive(Debug)]
pub(super) struct Route {
    /// The corners of its line, from a spot on the border of the state before to the spot in front
    /// of the border of the state after, where the tip of the arrow is.
    pub(super) path: &'static [Spot],
    /// Where its letter starts, followed by how often it was observed.
    pub(super) label: Spot,
    /// Where the count of how often it was certain starts.
    pub(super) certain: Spot,
}

const fn route(path: &'static [Spot], label: Spot, certain: Spot) -> Route {
    Route { path, label, certain }
}

/// A route per edge, in the order of the table.
pub(super) const ROUTES: [Route; EDGES.len()] = [
    route(&[(2, 0), (2, 2)], (4, 1), (4, 2)),
    route(&[(10, 3), (10, 1)], (12, 1), (12, 2)),
    route(&[(62, 0), (62, 2)], (64, 1), (64, 2)),
    route(&[(18, 0), (18, 2)], (20, 1), (20, 2)),
    route(&[(60, 4), (39, 4)], (46, 3), (46, 5)),
    route(&[(70, 5), (70, 8), (60, 8)], (72, 6), (72, 7)),
    route(&[(31, 5), (31, 8), (39, 8)], (33, 6), (33, 7)),
    route(&[(44, 0), (44, 6)], (46, 1), (46, 2)),
    route(&[(42, 9), (42, 10), (21, 10), (21, 11)], (22, 9), (22, 11)),
    route(&[(18, 5), (18, 11)], (20, 6), (20, 7)),
    route(&[(13, 14), (13, 16)], (15, 15), (15, 16)),
    route(&[(44, 9), (44, 11)], (46, 10), (46, 11)),
    route(&[(28, 5), (28, 11)], (30, 11), (37, 11)),
    route(&[(45, 13), (52, 13)], (47, 12), (47, 14)),
    route(&[(38, 14), (38, 16)], (40, 15), (40, 16)),
    route(&[(55, 14), (55, 16)], (57, 15), (57, 16)),
    route(&[(45, 18), (52, 18)], (47, 17), (47, 19)),
    route(&[(71, 3), (71, 1)], (73, 1), (73, 2)),
    route(&[(28, 3), (28, 1)], (30, 1), (30, 2)),
    route(&[(53, 7), (53, 1)], (55, 1), (55, 2)),
    route(&[(2, 14), (2, 21)], (4, 15), (4, 16)),
    route(&[(13, 19), (13, 21)], (15, 20), (15, 21)),
    route(&[(27, 14), (27, 21)], (29, 15), (29, 16)),
    route(&[(72, 14), (72, 21)], (74, 15), (74, 16)),
    route(&[(33, 19), (33, 21)], (35, 20), (35, 21)),
    route(&[(55, 19), (55, 21)], (57, 20), (57, 21)),
];

/// Every edge with its letter and its route.
pub(super) fn edges() -> impl Iterator<Item = (char, &'static Edge, &'static Route)> {
    let letters = ('a'..='z').chain('A'..='Z');
    letters.zip(&EDGES).zip(&ROUTES).map(|((letter, edge), route)| (letter, edge, route))
}

/// A direction on the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Up,
    Right,
    Down,
    Left,
}

/// The direction from one spot to another one in the same row or column.
pub(super) const fn direction(from: Spot, to: Spot) -> Direction {
    if to.1 < from.1 {
        Direction::Up
    } else if to.1 > from.1 {
        Direction::Down
    } else if to.0 < from.0 {
        Direction::Left
    } else {
        Direction::Right
    }
}

impl Direction {
    /// The next spot in this direction; the drawing has a border, so no route leaves it.
    pub(super) const fn next(self, (x, y): Spot) -> Spot {
        match self {
            Self::Up => (x, y.saturating_sub(1)),
            Self::Right => (x + 1, y),
            Self::Down => (x, y + 1),
            Self::Left => (x.saturating_sub(1), y),
        }
    }
}

impl Route {
    /// The ends of each straight piece of its line.
    pub(super) fn pieces(&self) -> impl Iterator<Item = (Spot, Spot)> {
        self.path.windows(2).map(|pair| (pair[0], pair[1]))
    }

    /// The last spot, and the direction of the arrow there.
    pub(super) fn tip(&self) -> (Spot, Direction) {
        let last = self.path.len() - 1;
        (self.path[last], direction(self.path[last - 1], self.path[last]))
    }
}

#[cfg(test)]
mod tests;
