//! The diagram in the language of Mermaid, which GitHub and GitLab draw inside documents.

use super::dot::counted;
use super::legend;
use crate::tcp::state::State;
use crate::view::diagram::Diagram;
use std::fmt::Write as _;

/// The diagram as a `stateDiagram-v2`.
pub(super) fn mermaid(diagram: &Diagram) -> String {
    let mut out = String::from("stateDiagram-v2\n");
    for (state, now) in diagram.states() {
        // A code without a name is written with characters that no identifier may have.
        let known = !matches!(state, State::Unknown(_));
        if now > 0 && known {
            // Writing to a String does not fail.
            let _ = writeln!(out, "    {state} : {state} ({now})");
        }
    }
    for (edge, counts) in diagram.edges() {
        let counts = counted(counts).map_or_else(String::new, |counts| format!(" {counts}"));
        let (from, to, cause) = (edge.from, edge.to, label(edge.cause));
        let _ = writeln!(out, "    {from} --> {to} : {cause}{counts}");
    }
    for gap in legend::gaps(diagram, usize::MAX) {
        let _ = writeln!(out, "    %% {gap}");
    }
    out
}

/// The label of an edge, which a colon or a semicolon would end.
fn label(cause: &str) -> String {
    cause.replace([':', ';'], ",")
}
