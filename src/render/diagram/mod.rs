//! The diagram of the TCP states: as text for terminals and pipes, and as SVG, DOT and Mermaid for
//! documents. One layout, one table of edges, drawn by several hands.

mod canvas;
mod dot;
mod layout;
mod legend;
mod mermaid;
mod svg;
mod text;

use super::cell::Names;
use super::style::Palette;
use super::{Renderer, Size, beside};
use crate::view::Record;
use crate::view::diagram::Diagram;
use dot::dot;
use mermaid::mermaid;
use svg::svg;
use text::{frame, text};

/// What the diagram is drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drawing {
    /// Characters.
    Text,
    /// A picture for documents and browsers.
    Svg,
    /// Graphviz's language.
    Dot,
    /// Mermaid's language.
    Mermaid,
}

/// The diagram, drawn; width and colours are those of the characters.
pub fn drawn(diagram: &Diagram, drawing: Drawing, palette: Palette, width: usize) -> String {
    match drawing {
        Drawing::Text => text(diagram, palette, width),
        Drawing::Svg => svg(diagram),
        Drawing::Dot => dot(diagram),
        Drawing::Mermaid => mermaid(diagram),
    }
}

/// Draws the diagram.
#[derive(Debug)]
pub struct Picture {
    /// What with.
    pub drawing: Drawing,
    /// Colours of the characters, where wanted.
    pub palette: Palette,
    /// How many characters fit into a line.
    pub width: usize,
}

impl Renderer for Picture {
    fn begin(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn rows(&mut self, records: &[Record], _: &Names) -> Vec<u8> {
        let drawn = |diagram| drawn(diagram, self.drawing, self.palette, self.width);
        records.iter().filter_map(diagram).map(drawn).collect::<String>().into_bytes()
    }

    fn frame(&mut self, records: &[Record], _: &Names, size: Size) -> Vec<String> {
        let drawn = |diagram| frame(diagram, self.palette, size.columns, size.rows);
        records.iter().filter_map(diagram).flat_map(drawn).collect()
    }

    fn aside(&self, record: &Record) -> Option<String> {
        beside(record)
    }
}

fn diagram(record: &Record) -> Option<&Diagram> {
    match record {
        Record::Diagram(diagram) => Some(diagram),
        _ => None,
    }
}

/// A count in at most four characters: `9999`, `10k`, `3M`.
fn short(count: u64) -> String {
    let units = ["", "k", "M", "G", "T", "P", "E"];
    let mut left = count;
    let mut unit = 0;
    while left > 9999 || unit > 0 && left > 999 {
        left /= 1000;
        unit += 1;
    }
    format!("{left}{}", units[unit])
}

#[cfg(test)]
mod tests;
