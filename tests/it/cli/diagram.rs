//! `--view diagram`: one record at the end of the run, whose counts are those of the events.

use super::stage::Stage;
use super::{run, text};
use crate::old_support::record::{Diagram, Edge, Event, Listed};
use std::collections::BTreeMap;
use tcplapse::tcp::edge::EDGES;
use tcplapse::tcp::path::{Proof, between};
use tcplapse::tcp::state::State;

/// Two connections and a listener, from their birth to their end.
const POLLS: [&[&str]; 11] = [
    &[],
    &["80 0 0A/1"],
    &["80 0 0A/1", "1000 81 02/7"],
    &["80 0 0A/1", "1000 81 01/7"],
    &["80 0 0A/1", "1000 81 05/7", "2000 82 01/9"],
    &["80 0 0A/1", "1000 81 06/0", "2000 82 08/9"],
    &["80 0 0A/1", "1000 81 06/0", "2000 82 09/0", "3000 83 01/5"],
    &["80 0 0A/1", "3000 83 06/0"],
    &["80 0 0A/1", "3000 83 06/0"],
    &["3000 83 06/0"],
    &["3000 83 06/0"],
];
/// The events of these polls: the last is the end of the listener.
const EVENTS: usize = 13;

fn play(args: &[&str]) -> Stage {
    let mut stage = Stage::new();
    stage.start(EVENTS, args);
    for rows in POLLS {
        stage.poll(rows);
    }
    stage
}

/// Counts the steps of an event in another way than the program does: by whether a state that may
/// have been passed lies between the two.
fn count(edges: &mut BTreeMap<(State, State), (u64, u64)>, event: &Event) {
    let state = |name: &String| State::from_name(name).expect(name);
    let maybe: Vec<State> = event.maybe.iter().map(state).collect();
    let leads = |from, to| between(from, to, Proof::default()).is_some();
    let mut stations = vec![event.from.as_ref().map_or(State::Closed, state)];
    stations.extend(event.via.iter().map(state));
    stations.push(state(&event.to));
    for step in stations.windows(2) {
        let (from, to) = (step[0], step[1]);
        let doubtful = maybe.iter().any(|between| leads(from, *between) && leads(*between, to));
        if let Some((observed, certain)) = edges.get_mut(&(from, to))
            && !doubtful
        {
            *(if event.via.is_empty() { observed } else { certain }) += 1;
        }
    }
}

#[test]
fn the_counts_are_those_of_the_events() {
    let mut events = play(&[]);
    let mut edges = EDGES.iter().map(|edge| ((edge.from, edge.to), (0, 0))).collect();
    for _ in 0..EVENTS {
        count(&mut edges, &events.told());
    }
    events.end();
    let walked = edges.values().filter(|counts| **counts != (0, 0)).count();
    assert!(walked >= 9, "the stage shows too little: {edges:?}");

    let mut counted = play(&["--view", "diagram"]);
    let diagram = Diagram::parse(&counted.line());
    counted.end();
    assert_eq!((diagram.v, diagram.event.as_str()), (1, "diagram"));
    let expected: Vec<Edge> = EDGES
        .iter()
        .map(|edge| {
            let (observed, certain) = edges[&(edge.from, edge.to)];
            Edge { from: edge.from.to_string(), to: edge.to.to_string(), observed, certain }
        })
        .collect();
    assert_eq!(diagram.edges, expected);
    assert_eq!((diagram.states["TIME_WAIT"], diagram.states["LISTEN"]), (1, 0));
}

#[test]
fn a_filter_by_state_counts_what_it_lets_pass() {
    let output = run("-j --view diagram --for 50ms -s ESTABLISHED,LISTEN");
    let diagram = Diagram::parse(text(&output.stdout));
    let listed = text(&run("list -j -s ESTABLISHED,LISTEN").stdout).to_owned();
    let mut states: BTreeMap<String, u64> = diagram.states.keys().map(|s| (s.clone(), 0)).collect();
    for socket in listed.lines().map(Listed::parse) {
        *states.get_mut(&socket.state).expect("a state") += 1;
    }
    assert_eq!(diagram.states, states);
    assert!(states["LISTEN"] > 0 && states["ESTABLISHED"] > 0);
    let walked = diagram.edges.iter().any(|edge| edge.observed + edge.certain > 0);
    assert!(!walked, "what was there at the first look made no step");
}

#[test]
fn the_drawing_comes_once_at_the_end_in_every_format() {
    for (format, head) in [
        ("text", "══╤═══════════════╤═"),
        ("svg", "<svg xmlns="),
        ("dot", "digraph tcp {"),
        ("mermaid", "stateDiagram-v2\n"),
        ("csv", "from,to,observed,certain\nCLOSED,LISTEN,0,0\n"),
    ] {
        let output = run(&format!("server --view diagram --for 50ms --format {format}"));
        let drawn = text(&output.stdout);
        assert!(drawn.starts_with(head), "{drawn}");
        assert_eq!(drawn.matches(head.trim_end()).count(), 1, "{drawn}");
        assert!(drawn.ends_with('\n') && !drawn.ends_with("\n\n"), "{drawn}");
    }
    let drawn = run("server --view diagram --for 50ms");
    assert!(text(&drawn.stdout).contains("│ LISTEN    2 │"), "{}", text(&drawn.stdout));
}

#[test]
fn a_count_of_events_ends_the_run_with_a_diagram() {
    let output = run("client --view diagram -m 2 -j");
    assert_eq!(output.status.code(), Some(0));
    let lines: Vec<_> = text(&output.stdout).lines().collect();
    assert_eq!(lines.len(), 1);
    Diagram::parse(lines[0]);
}
