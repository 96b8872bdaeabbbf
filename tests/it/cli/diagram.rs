//! `--view diagram`: one record at the end of the run, whose counts are those of the events.

use super::run;
use crate::support::fake_procfs::FakeProcfs;
use crate::support::record::{Diagram, Edge, Event};
use std::collections::BTreeMap;
use tcplapse::testing::tcp::edge::EDGES;
use tcplapse::testing::tcp::path::{Proof, between};
use tcplapse::testing::tcp::state::State;

/// Two connections and a listener, from beginning to end.
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
/// How many events these polls show; the last is the end of the listener.
const EVENTS: usize = 13;

/// Watches these polls.
fn watch(procfs: &mut FakeProcfs, args: &[&str]) {
    procfs.watch(EVENTS, args);
    for rows in POLLS {
        procfs.poll(rows);
    }
}

/// Counts the edges of an event in another way than the program does: an edge is in doubt if a state
/// that was possibly passed lies between its two states.
fn count(edges: &mut BTreeMap<(State, State), (u64, u64)>, event: &Event) {
    let state = |name: &String| State::from_name(name).expect(name);
    let maybe: Vec<State> = event.maybe.iter().map(state).collect();
    let leads = |from, to| between(from, to, Proof::default()).is_some();
    let mut path = vec![event.from.as_ref().map_or(State::Closed, state)];
    path.extend(event.via.iter().map(state));
    path.push(state(&event.to));
    for edge in path.windows(2) {
        let (from, to) = (edge[0], edge[1]);
        let doubtful = maybe.iter().any(|between| leads(from, *between) && leads(*between, to));
        if let Some((observed, certain)) = edges.get_mut(&(from, to))
            && !doubtful
        {
            *(if event.via.is_empty() { observed } else { certain }) += 1;
        }
    }
}

#[test]
fn diagram_counts_agree_with_the_events() {
    FakeProcfs::session(|mut procfs| {
        watch(&mut procfs, &[]);
        let mut edges = EDGES.iter().map(|edge| ((edge.from, edge.to), (0, 0))).collect();
        for _ in 0..EVENTS {
            count(&mut edges, &procfs.event());
        }
        procfs.end();
        let walked = edges.values().filter(|counts| **counts != (0, 0)).count();
        assert!(walked >= 9, "these polls show too little: {edges:?}");

        let mut procfs = FakeProcfs::new();
        watch(&mut procfs, &["--view", "diagram"]);
        let diagram = Diagram::parse(&procfs.program().line());
        procfs.end();
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
    });
}

#[test]
fn a_filter_by_state_limits_what_is_counted() {
    let outcome = run("-j --view diagram --for 1ms -s ESTABLISHED,LISTEN");
    let diagram = Diagram::parse(&outcome.stdout);
    let listed = run("list -j -s ESTABLISHED,LISTEN").listed();
    let mut states: BTreeMap<String, u64> = diagram.states.keys().map(|s| (s.clone(), 0)).collect();
    for socket in listed {
        *states.get_mut(&socket.state).expect("a state") += 1;
    }
    assert_eq!(diagram.states, states);
    assert!(states["LISTEN"] > 0 && states["ESTABLISHED"] > 0);
    let walked = diagram.edges.iter().any(|edge| edge.observed + edge.certain > 0);
    assert!(!walked, "sockets that were there at the first poll made no transition");
}

#[test]
fn every_format_prints_the_diagram_once_at_the_end() {
    for (format, head) in [
        ("text", "══╤═══════════════╤═"),
        ("svg", "<svg xmlns="),
        ("dot", "digraph tcp {"),
        ("mermaid", "stateDiagram-v2\n"),
        ("csv", "from,to,observed,certain\nCLOSED,LISTEN,0,0\n"),
    ] {
        let drawn =
            run(&format!("server --view diagram --for 30ms -i 10ms --format {format}")).stdout;
        assert!(drawn.starts_with(head), "{drawn}");
        assert_eq!(drawn.matches(head.trim_end()).count(), 1, "{drawn}");
        assert!(drawn.ends_with('\n') && !drawn.ends_with("\n\n"), "{drawn}");
    }
    let drawn = run("server --view diagram --for 1ms").stdout;
    assert!(drawn.contains("│ LISTEN    2 │"), "{drawn}");
}

#[test]
fn a_maximum_of_events_ends_the_run_with_a_diagram() {
    let outcome = run("client --view diagram -m 2 -j");
    assert_eq!(outcome.code, Some(0));
    let lines: Vec<_> = outcome.stdout.lines().collect();
    assert_eq!(lines.len(), 1);
    Diagram::parse(lines[0]);
}
