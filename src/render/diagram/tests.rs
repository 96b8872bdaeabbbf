use super::*;
use crate::render::style::Palette;
use crate::tcp::edge::{Actor, EDGES};
use crate::tcp::state::State;
use crate::view::diagram::Diagram;
use State::{
    CloseWait, Closed, Closing, Established, FinWait1, FinWait2, LastAck, Listen, SynRecv, SynSent,
    TimeWait,
};

const PLAIN: Palette = Palette { on: false };

/// The counts of a short while on a busy machine.
fn busy() -> Diagram {
    let mut diagram = Diagram::default();
    let mut times = |count: usize, from, via: &[_], maybe: &[_], to| {
        (0..count).for_each(|_| diagram.count_path(from, via, maybe, to));
    };
    times(1, Closed, &[], &[], Listen);
    times(12, Closed, &[], &[], SynSent);
    times(9, SynSent, &[], &[], Established);
    times(3, SynSent, &[], &[SynRecv], Established);
    times(40, Closed, &[], &[SynSent, SynRecv], Established);
    times(1234, Established, &[FinWait1], &[], FinWait2);
    times(31, Established, &[], &[], CloseWait);
    times(2, Established, &[CloseWait], &[], LastAck);
    times(30, FinWait2, &[], &[], TimeWait);
    times(7, Established, &[FinWait1], &[FinWait2, Closing], TimeWait);
    times(10_500, TimeWait, &[], &[], Closed);
    let now = [(Listen, 3), (Established, 128), (CloseWait, 31), (TimeWait, 12_345)];
    diagram
        .set_states(now.into_iter().flat_map(|(state, count)| std::iter::repeat_n(state, count)));
    diagram
}

#[test]
fn without_counts_at_80_columns() {
    insta::assert_snapshot!(text(&Diagram::default(), PLAIN, 80));
}

#[test]
fn without_counts_at_120_columns() {
    insta::assert_snapshot!(text(&Diagram::default(), PLAIN, 120));
}

#[test]
fn with_counts_at_80_columns() {
    insta::assert_snapshot!(text(&busy(), PLAIN, 80));
}

#[test]
fn with_counts_at_120_columns() {
    insta::assert_snapshot!(text(&busy(), PLAIN, 120));
}

#[test]
fn with_counts_at_60_columns() {
    insta::assert_snapshot!(text(&busy(), PLAIN, 60));
}

#[test]
fn with_counts_as_dot() {
    insta::assert_snapshot!(dot(&busy()));
}

#[test]
fn with_counts_as_mermaid() {
    insta::assert_snapshot!(mermaid(&busy()));
}

#[test]
fn every_format_has_every_edge() {
    let diagram = Diagram::default();
    let (text, svg) = (text(&diagram, PLAIN, 80), svg(&diagram));
    let (dot, mermaid) = (dot(&diagram), mermaid(&diagram));
    let drawn: Vec<&str> = text.lines().take(layout::HEIGHT).collect();
    for ((letter, _, route), edge) in layout::edges().zip(EDGES) {
        let (from, to, cause) = (edge.from, edge.to, edge.cause);
        let (x, y) = route.label;
        assert_eq!(drawn[y].chars().nth(x), Some(letter), "{from} {to} on the drawing");
        let entry = text.lines().any(|line| {
            line.starts_with(&format!("{letter} {from} "))
                && line.contains(&format!("► {to} "))
                && line.ends_with(cause)
        });
        assert!(entry, "{from} {to} in the legend");
        assert!(svg.contains(&format!("<title>{letter}: {from} to {to}: {cause}</title>")));
        assert!(dot.contains(&format!("\"{from}\" -> \"{to}\" [label=\"{cause}\"")));
        let label = cause.replace(':', ",");
        assert!(mermaid.contains(&format!("    {from} --> {to} : {label}\n")), "{mermaid}");
    }
}

#[test]
fn the_kind_of_line_shows_the_side() {
    let text = text(&Diagram::default(), PLAIN, 80);
    let drawn: Vec<Vec<char>> = text.lines().map(|line| line.chars().collect()).collect();
    for ((letter, _, route), edge) in layout::edges().zip(EDGES) {
        let (tip, last) = (route.tip().0, route.path[route.path.len() - 2]);
        let (x, y) = layout::direction(tip, last).next(tip);
        let line = drawn[y][x];
        let expected = match edge.actor {
            // One arrives where another one crosses it.
            Actor::Active => "━┃╂",
            Actor::Passive => "┄┆",
            Actor::Both | Actor::Kernel => "─│",
        };
        let bends = (x, y) == last;
        assert!(bends || expected.contains(line), "{letter}: {line}");
    }
}

#[test]
fn text_keeps_to_its_width_and_frames_to_their_height() {
    for diagram in [Diagram::default(), busy()] {
        for width in [80, 100, 118, 120, 160] {
            let text = text(&diagram, PLAIN, width);
            let widest = text.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(width), "{text}");
        }
        for height in [5, 24, 40, 60] {
            assert!(frame(&diagram, PLAIN, 80, height).len() <= height);
        }
    }
    let small = frame(&busy(), PLAIN, 80, 30);
    assert!(small[layout::HEIGHT - 1].contains("═ CLOSED ═"), "the drawing comes first");
}

#[test]
fn colours_change_nothing_but_colours() {
    let coloured = text(&busy(), Palette { on: true }, 120);
    assert!(coloured.contains("\x1b["));
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), text(&busy(), PLAIN, 120));
}

#[test]
fn short_numbers_take_at_most_four_characters() {
    let shown: Vec<_> =
        [0, 9999, 10_000, 999_999, 1_000_000, 56_000_000, u64::MAX].map(short).to_vec();
    assert_eq!(shown, ["0", "9999", "10k", "999k", "1M", "56M", "18E"]);
}

#[test]
fn svg_loads_nothing_and_has_both_colour_schemes() {
    let svg = svg(&busy());
    assert!(svg.contains("prefers-color-scheme: dark"));
    for outside in ["href", "url(http", "@import", "<script", "<foreignObject"] {
        assert!(!svg.contains(outside), "{outside}");
    }
    assert_eq!(svg.matches("http").count(), 1, "the name of the format alone");
    assert!(svg.contains("ESTABLISHED<tspan class=\"now\" dx=\"8\">128</tspan>"), "{svg}");
    for (open, close) in [("<g", "</g>"), ("<text", "</text>"), ("<tspan", "</tspan>")] {
        assert_eq!(svg.matches(open).count(), svg.matches(close).count(), "{open}");
    }
}

#[test]
fn a_code_without_a_name_breaks_no_format() {
    let mut diagram = Diagram::default();
    diagram.set_states([State::Unknown(31)]);
    assert!(dot(&diagram).contains("\"UNKNOWN(0x1F)\" [label=\"UNKNOWN(0x1F)\\n1\"]"));
    assert!(!mermaid(&diagram).contains("UNKNOWN"));
}
