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
fn paths_at_80_columns() {
    insta::assert_snapshot!(paths(Established, TimeWait, PLAIN, 80));
}

#[test]
fn paths_at_120_columns() {
    insta::assert_snapshot!(paths(SynSent, Established, PLAIN, 120));
}

#[test]
fn an_illegal_transition_lists_what_is_reachable() {
    insta::assert_snapshot!(paths(TimeWait, Established, PLAIN, 80), @"
    TIME_WAIT to ESTABLISHED: no legal path

      From TIME_WAIT a socket can only get to CLOSED; ESTABLISHED can only be
      reached from CLOSED, SYN_SENT and SYN_RECV.

      If both are observed with the same 4-tuple, one after the other, the 4-tuple
      was reused: tcplapse reports that the first socket closed and that a new one
      opened.
    ");
    insta::assert_snapshot!(paths(Listen, Listen, PLAIN, 80), @"
    LISTEN to LISTEN: no transition leads from a state to itself.

      tcplapse explain LISTEN explains the state.
    ");
}

#[test]
fn every_edge_is_in_both_its_states_and_is_a_path() {
    for edge in EDGES {
        let Edge { from, to, cause, .. } = edge;
        let side = side(&edge);
        let leaving = flat(&state(from, PLAIN, 80));
        assert!(leaving.contains(&format!(" {to} {cause} {side}")), "{from} {to}: {leaving}");
        let entering = flat(&state(to, PLAIN, 80));
        assert!(entering.contains(&format!(" {from} {cause} {side}")), "{from} {to}");
        let change = paths(from, to, PLAIN, 80);
        assert!(change.contains(&format!("\n  {from} -> {to}\n")), "{change}");
        assert!(flat(&change).contains(&format!("{from} to {to} {cause} {side}")), "{change}");
    }
}

#[test]
fn every_pair_lists_all_its_paths() {
    for from in State::NAMED {
        for to in State::NAMED {
            let text = paths(from, to, PLAIN, 80);
            let ways = crate::tcp::path::paths(from, to);
            let shown = text.lines().filter(|line| line.starts_with(&format!("  {from} -> ")));
            assert_eq!(shown.count(), ways.len(), "{text}");
            let none = text.contains("no legal path") || text.contains("no transition leads");
            assert_eq!(none, ways.is_empty(), "{text}");
        }
    }
}

#[test]
fn every_state_is_documented_and_every_line_fits() {
    for named in State::NAMED {
        for width in [60, 80, 120] {
            let text = state(named, PLAIN, width);
            assert!(text.starts_with(&format!("{named}: ")), "{text}");
            assert!(text.lines().all(|line| line.width() <= width), "{text}");
            for title in ["Duration", "If there are many", "RFC 9293, section"] {
                assert!(text.contains(title), "{text}");
            }
        }
    }
    assert!(state(State::Unknown(31), PLAIN, 80).contains("UNKNOWN(0x1F)"));
}

#[test]
fn paths_from_and_to_closed_say_what_it_is() {
    assert!(paths(Closed, Established, PLAIN, 80).contains("did not exist before"));
    assert!(paths(Established, Closed, PLAIN, 80).contains("the socket is gone"));
    assert!(paths(Established, Closed, PLAIN, 80).starts_with("ESTABLISHED to CLOSED: 8 paths\n"));
}

#[test]
fn colours_change_nothing_but_colours() {
    for (coloured, plain) in [
        (state(CloseWait, Palette { on: true }, 80), state(CloseWait, PLAIN, 80)),
        (paths(Closed, TimeWait, Palette { on: true }, 80), paths(Closed, TimeWait, PLAIN, 80)),
    ] {
        assert!(coloured.contains("\x1b["));
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
    }
}
