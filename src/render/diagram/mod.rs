//! The diagram of the TCP states: as text for terminals and pipes, and as SVG, DOT and Mermaid for
//! documents. All of them draw the edges of `tcp::edge`, text and SVG with the same layout.

mod canvas;
mod dot;
mod layout;
mod legend;
mod mermaid;
mod svg;
mod text;

use super::cell::Names;
use super::style::Palette;
use super::{Renderer, Size};
use crate::view::Record;
use crate::view::diagram::Diagram;
use dot::dot;
use layout::HEIGHT;
use mermaid::mermaid;
use svg::svg;
use text::{frame, text};

/// A format of the diagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DiagramFormat {
    /// Characters, for terminals and pipes.
    Text,
    /// A picture for documents and browsers.
    Svg,
    /// The language of Graphviz.
    Dot,
    /// The language of Mermaid.
    Mermaid,
}

/// The diagram in a format. Palette and width are for text; a narrow text has no drawing.
pub(crate) fn drawn(
    diagram: &Diagram,
    format: DiagramFormat,
    palette: Palette,
    width: usize,
) -> String {
    match format {
        DiagramFormat::Text => text(diagram, palette, width),
        DiagramFormat::Svg => svg(diagram),
        DiagramFormat::Dot => dot(diagram),
        DiagramFormat::Mermaid => mermaid(diagram),
    }
}

/// Writes diagrams in one format.
#[derive(Debug)]
pub(crate) struct DiagramRenderer {
    /// The format.
    pub(crate) format: DiagramFormat,
    /// The colours of the text.
    pub(crate) palette: Palette,
    /// How many columns the text may take.
    pub(crate) width: usize,
}

impl Renderer for DiagramRenderer {
    fn rows(&mut self, records: &[Record], _: &Names) -> Vec<u8> {
        let drawn = |diagram| drawn(diagram, self.format, self.palette, self.width);
        records.iter().filter_map(diagram).map(drawn).collect::<String>().into_bytes()
    }

    fn frame(&mut self, records: &[Record], _: &Names, size: Size) -> Vec<String> {
        let drawn = |diagram| frame(diagram, self.palette, size.columns, size.rows);
        records.iter().filter_map(diagram).flat_map(drawn).collect()
    }

    fn least_rows(&self) -> usize {
        HEIGHT
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
