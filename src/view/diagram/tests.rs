use super::*;
use State::{
    CloseWait, Closed, Closing, Established, FinWait1, FinWait2, LastAck, Listen, SynRecv, SynSent,
    TimeWait,
};

/// `SYN_SENT>ESTABLISHED 1` or `ESTABLISHED>FIN_WAIT1 [2]` for every edge that was passed, then
/// the gaps.
fn shown(diagram: &Diagram) -> String {
    let mut lines = Vec::new();
    for (edge, EdgeCounts { observed, certain }) in diagram.edges() {
        if observed > 0 {
            lines.push(format!("{}>{} {observed}", edge.from, edge.to));
        }
        if certain > 0 {
            lines.push(format!("{}>{} [{certain}]", edge.from, edge.to));
        }
    }
    lines.extend(diagram.gaps().map(|(from, to, count)| format!("{from}..{to} {count}")));
    lines.join(", ")
}

/// What one change counts.
fn walk(from: State, via: &[State], maybe: &[State], to: State) -> String {
    let mut diagram = Diagram::default();
    diagram.count_path(from, via, maybe, to);
    shown(&diagram)
}

#[test]
fn an_edge_between_observed_states_is_observed() {
    assert_eq!(walk(Closed, &[], &[], Listen), "CLOSED>LISTEN 1");
    assert_eq!(walk(Established, &[], &[], CloseWait), "ESTABLISHED>CLOSE_WAIT 1");
    assert_eq!(walk(TimeWait, &[], &[], Closed), "TIME_WAIT>CLOSED 1");
    assert_eq!(walk(SynSent, &[], &[], Established), "SYN_SENT>ESTABLISHED 1", "proven by a trace");
}

#[test]
fn an_edge_on_every_path_is_certain() {
    assert_eq!(
        walk(Established, &[FinWait1], &[], FinWait2),
        "ESTABLISHED>FIN_WAIT1 [1], FIN_WAIT1>FIN_WAIT2 [1]"
    );
    assert_eq!(
        walk(Established, &[CloseWait], &[], LastAck),
        "ESTABLISHED>CLOSE_WAIT [1], CLOSE_WAIT>LAST_ACK [1]"
    );
}

#[test]
fn an_edge_that_can_be_bypassed_does_not_count() {
    let all = [CloseWait, LastAck, FinWait1, FinWait2, Closing, TimeWait];
    assert_eq!(walk(Established, &[], &all, Closed), "ESTABLISHED..CLOSED 1");
    assert_eq!(walk(SynSent, &[], &[SynRecv], Established), "SYN_SENT..ESTABLISHED 1");
    assert_eq!(
        walk(Established, &[FinWait1], &[FinWait2, Closing], TimeWait),
        "ESTABLISHED>FIN_WAIT1 [1], FIN_WAIT1..TIME_WAIT 1",
        "the first step is proven, the rest is not"
    );
    assert_eq!(
        walk(Closed, &[FinWait1], &[SynSent, SynRecv, Established, FinWait2, Closing], TimeWait),
        "CLOSED..FIN_WAIT1 1, FIN_WAIT1..TIME_WAIT 1"
    );
}

#[test]
fn one_path_may_count_both_a_gap_and_an_edge() {
    assert_eq!(
        walk(Closed, &[FinWait1], &[SynSent, SynRecv, Established], Closing),
        "FIN_WAIT1>CLOSING [1], CLOSED..FIN_WAIT1 1"
    );
}

#[test]
fn a_code_without_a_name_is_a_state_but_has_no_edge() {
    let mut diagram = Diagram::default();
    diagram.count_path(Established, &[], &[CloseWait], State::Unknown(31));
    diagram.set_states([State::Unknown(31), Established, Established]);
    assert_eq!(shown(&diagram), "ESTABLISHED..UNKNOWN(0x1F) 1");
    assert_eq!((diagram.sockets_in(Established), diagram.sockets_in(Closed)), (2, 0));
    assert_eq!(diagram.states().len(), 12);
    assert_eq!(diagram.states().last_key_value(), Some((&State::Unknown(31), &1)));
}

#[test]
fn state_counts_are_those_of_the_last_poll() {
    let mut diagram = Diagram::default();
    assert!(diagram.is_empty());
    diagram.set_states([Listen, Established]);
    assert!(!diagram.is_empty());
    diagram.set_states([TimeWait]);
    assert_eq!((diagram.sockets_in(Listen), diagram.sockets_in(TimeWait)), (0, 1));
}

#[test]
fn json_has_every_state_and_every_edge() {
    let mut diagram = Diagram::default();
    diagram.count_path(FinWait2, &[], &[], TimeWait);
    diagram.set_states([TimeWait]);
    let json = serde_json::to_value(crate::view::Record::Diagram(Box::new(diagram))).unwrap();
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["v", "event", "states", "edges"]);
    assert_eq!((json["v"].as_u64(), json["event"].as_str()), (Some(1), Some("diagram")));
    assert_eq!(json["states"]["TIME_WAIT"], 1);
    assert_eq!(json["states"].as_object().unwrap().len(), State::NAMED.len());
    let edges = json["edges"].as_array().unwrap();
    assert_eq!(edges.len(), EDGES.len());
    for (record, edge) in edges.iter().zip(EDGES) {
        assert_eq!(record["from"], edge.from.to_string());
        assert_eq!(record["to"], edge.to.to_string());
        let walked = u64::from((edge.from, edge.to) == (FinWait2, TimeWait));
        assert_eq!((&record["observed"], &record["certain"]), (&walked.into(), &0.into()));
    }
}
