use super::*;
use State::{CloseWait, Closed, Established, Listen, SynSent, TimeWait};

const PLAIN: Palette = Palette { on: false };

/// A text without its line breaks.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_state_at_80_columns() {
    insta::assert_snapshot!(state(CloseWait, PLAIN, 80));
}

#[test]
fn a_state_at_120_columns() {
    insta::assert_snapshot!(state(TimeWait, PLAIN, 120));
}

#[test]
fn ways_at_80_columns() {
    insta::assert_snapshot!(change(Established, TimeWait, PLAIN, 80));
}

#[test]
fn ways_at_120_columns() {
    insta::assert_snapshot!(change(SynSent, Established, PLAIN, 120));
}

#[test]
fn no_way_is_said_with_what_there_is() {
    insta::assert_snapshot!(change(TimeWait, Established, PLAIN, 80), @"
    TIME_WAIT to ESTABLISHED: no legal way

      From TIME_WAIT a socket can only get to CLOSED; to ESTABLISHED only from
      CLOSED, SYN_SENT and SYN_RECV.

      Where both are seen with the same ends, one after the other, the first socket
      is gone and another one has taken its place: tcplapse tells the end of the one
      and the birth of the other.
    ");
    insta::assert_snapshot!(change(Listen, Listen, PLAIN, 80), @"
    LISTEN is one state: no step leads from it to itself.

      tcplapse explain LISTEN tells what it means.
    ");
}

#[test]
fn every_edge_of_the_table_is_told_by_both_its_states_and_as_a_change() {
    for edge in EDGES {
        let Edge { from, to, cause, .. } = edge;
        let who = who(&edge);
        let leaving = flat(&state(from, PLAIN, 80));
        assert!(leaving.contains(&format!("to {to} {cause} {who}")), "{from} {to}: {leaving}");
        let entering = flat(&state(to, PLAIN, 80));
        assert!(entering.contains(&format!("from {from} {cause} {who}")), "{from} {to}");
        let change = change(from, to, PLAIN, 80);
        assert!(change.contains(&format!("\n  {from} -> {to}\n")), "{change}");
        assert!(flat(&change).contains(&format!("{from} to {to} {cause} {who}")), "{change}");
    }
}

#[test]
fn every_pair_is_explained_with_all_its_ways() {
    for from in State::NAMED {
        for to in State::NAMED {
            let text = change(from, to, PLAIN, 80);
            let ways = paths(from, to);
            let shown = text.lines().filter(|line| line.starts_with(&format!("  {from} -> ")));
            assert_eq!(shown.count(), ways.len(), "{text}");
            let none = text.contains("no legal way") || text.contains("no step leads");
            assert_eq!(none, ways.is_empty(), "{text}");
        }
    }
}

#[test]
fn every_state_has_its_lore_and_every_line_fits() {
    for named in State::NAMED {
        for width in [60, 80, 120] {
            let text = state(named, PLAIN, width);
            assert!(text.starts_with(&format!("{named}: ")), "{text}");
            assert!(text.lines().all(|line| line.width() <= width), "{text}");
            for title in ["How long it lasts", "What many of them tell", "RFC 9293, section"] {
                assert!(text.contains(title), "{text}");
            }
        }
    }
    assert!(state(State::Unknown(31), PLAIN, 80).contains("UNKNOWN(0x1F)"));
}

#[test]
fn ways_through_closed_are_births_and_ends() {
    assert!(change(Closed, Established, PLAIN, 80).contains("where a life begins"));
    assert!(change(Established, Closed, PLAIN, 80).contains("where a life ends"));
    assert!(change(Established, Closed, PLAIN, 80).starts_with("ESTABLISHED to CLOSED: 8 ways\n"));
}

#[test]
fn colours_change_nothing_but_colours() {
    for (coloured, plain) in [
        (state(CloseWait, Palette { on: true }, 80), state(CloseWait, PLAIN, 80)),
        (change(Closed, TimeWait, Palette { on: true }, 80), change(Closed, TimeWait, PLAIN, 80)),
    ] {
        assert!(coloured.contains("\x1b["));
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
    }
}
