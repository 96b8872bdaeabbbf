//! The diagram of the TCP states: as text for terminals and pipes, and as SVG, DOT and Mermaid for
//! documents. One layout, one table of edges, drawn by several hands.

mod canvas;
mod dot;
mod layout;
mod legend;
mod mermaid;
mod svg;
mod text;

pub use dot::dot;
pub use mermaid::mermaid;
pub use svg::svg;
pub use text::{frame, text};

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
