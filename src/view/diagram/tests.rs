use super::*;
use State::{
    CloseWait, Closed, Closing, Established, FinWait1, FinWait2, LastAck, Listen, SynRecv, SynSent,
    TimeWait,
};

/// `SYN_SENT>ESTABLISHED 1` or `ESTABLISHED>FIN_WAIT1 [2]` for every edge that was walked, then
/// the gaps.
fn shown(diagram: &Diagram) -> String {
    let mut lines = Vec::new();
    for (edge, Walks { observed, certain }) in diagram.edges() {
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
    diagram.walk(from, via, maybe, to);
    shown(&diagram)
}

#[test]
fn what_is_seen_at_both_ends_of_an_edge_is_observed() {
    assert_eq!(walk(Closed, &[], &[], Listen), "CLOSED>LISTEN 1");
    assert_eq!(walk(Established, &[], &[], CloseWait), "ESTABLISHED>CLOSE_WAIT 1");
    assert_eq!(walk(TimeWait, &[], &[], Closed), "TIME_WAIT>CLOSED 1");
    assert_eq!(walk(SynSent, &[], &[], Established), "SYN_SENT>ESTABLISHED 1", "proven by a trace");
}

#[test]
fn what_lies_on_every_way_is_certain() {
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
fn an_edge_that_another_way_leads_around_does_not_count() {
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
fn a_way_may_be_open_in_one_place_and_certain_in_another() {
    assert_eq!(
        walk(Closed, &[FinWait1], &[SynSent, SynRecv, Established], Closing),
        "FIN_WAIT1>CLOSING [1], CLOSED..FIN_WAIT1 1"
    );
}

#[test]
fn a_code_without_a_name_is_a_state_but_has_no_edge() {
    let mut diagram = Diagram::default();
    diagram.walk(Established, &[], &[CloseWait], State::Unknown(31));
    diagram.stand([State::Unknown(31), Established, Established]);
    assert_eq!(shown(&diagram), "ESTABLISHED..UNKNOWN(0x1F) 1");
    assert_eq!((diagram.now(Established), diagram.now(Closed)), (2, 0));
    assert_eq!(diagram.states().len(), 12);
    assert_eq!(diagram.states().last(), Some(&(State::Unknown(31), 1)));
}

#[test]
fn sockets_now_are_those_of_the_last_look() {
    let mut diagram = Diagram::default();
    assert!(diagram.is_empty());
    diagram.stand([Listen, Established]);
    assert!(!diagram.is_empty());
    diagram.stand([TimeWait]);
    assert_eq!((diagram.now(Listen), diagram.now(TimeWait)), (0, 1));
}

#[test]
fn as_json_it_has_every_state_and_every_edge_of_the_table() {
    let mut diagram = Diagram::default();
    diagram.walk(FinWait2, &[], &[], TimeWait);
    diagram.stand([TimeWait]);
    let json = serde_json::to_value(&diagram).unwrap();
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
