//! The diagram in the language of Graphviz:
//! `tcplapse --view diagram --for 10s --format dot | dot -Tpng`.

use super::{layout, legend};
use crate::tcp::edge::Actor;
use crate::view::diagram::{Diagram, EdgeCounts};
use std::fmt::Write as _;

/// The diagram as a graph for `dot`.
pub(super) fn dot(diagram: &Diagram) -> String {
    let mut out = String::from(
        "digraph tcp {\n  \
         graph [fontname=\"sans-serif\", nodesep=0.6, ranksep=0.7]\n  \
         node [fontname=\"sans-serif\", shape=box, style=rounded]\n  \
         edge [fontname=\"sans-serif\", fontsize=10]\n",
    );
    for (state, now) in diagram.states() {
        let count = if now > 0 { format!("\\n{now}") } else { String::new() };
        // Writing to a String does not fail.
        let _ = writeln!(out, "  \"{state}\" [label=\"{state}{count}\"]");
    }
    for ((_, edge, _), (_, counts)) in layout::edges().zip(diagram.edges()) {
        let style = match edge.actor {
            Actor::Active => "penwidth=2.5",
            Actor::Passive => "style=dashed",
            Actor::Both | Actor::Kernel => "color=gray50, fontcolor=gray35",
        };
        let counts = counted(counts).map_or_else(String::new, |counts| format!("\\n{counts}"));
        let (from, to, cause) = (edge.from, edge.to, edge.cause);
        let _ = writeln!(out, "  \"{from}\" -> \"{to}\" [label=\"{cause}{counts}\", {style}]");
    }
    for gap in legend::gaps(diagram, usize::MAX) {
        let _ = writeln!(out, "  // {gap}");
    }
    out + "}\n"
}

/// `12 [3]`: observed and certain; `None` where nothing was counted.
pub(super) fn counted(counts: EdgeCounts) -> Option<String> {
    match counts {
        EdgeCounts { observed: 0, certain: 0 } => None,
        EdgeCounts { observed, certain: 0 } => Some(observed.to_string()),
        EdgeCounts { observed: 0, certain } => Some(format!("[{certain}]")),
        EdgeCounts { observed, certain } => Some(format!("{observed} [{certain}]")),
    }
}
