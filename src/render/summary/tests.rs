use super::*;
use crate::model::event::{Side, Verdict};
use crate::model::time::Stamp;
use crate::tcp::state::State;
use crate::view::summary::findings::{FindingKind, FindingRecord};
use std::net::{IpAddr, Ipv4Addr};

fn row(group: &str, state: Option<State>, count: u64) -> SummaryRecord {
    SummaryRecord {
        time: Stamp::default(),
        span: Some(Duration::from_secs(60)),
        by: vec![GroupKey::Process],
        group: vec![Some(group.to_owned())],
        is_rest: false,
        state,
        count,
        change: -2,
        highest: 120,
        opened: 240,
        closed: 242,
        opened_per_second: Some(4.0),
        closed_per_second: Some(0.033),
        oldest: state.map(|_| Duration::from_secs(75)),
        oldest_at_least: true,
        measured: 100,
        median: Some(Duration::from_millis(45)),
        p95: None,
        closers: if state.is_none() { vec![(Side::Local, 200), (Side::Remote, 2)] } else { vec![] },
        verdicts: if state.is_none() { vec![(Verdict::Reset, 3)] } else { vec![] },
    }
}

fn found(finding: FindingKind) -> FindingRecord {
    let addr = |last| Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)));
    FindingRecord {
        time: Stamp::default(),
        finding,
        process: Some("web server".to_owned()),
        local_addr: addr(1),
        local_port: Some(80),
        remote_addr: addr(2),
        remote_port: Some(443),
        count: 14,
        part: Some(2),
        limit: Some(100),
        percent: Some(14.0),
        limit_assumed: false,
        oldest: Some(Duration::from_secs(12)),
        verdict: Some(Verdict::Refused),
        reset_by: Some(Side::Remote),
    }
}

fn records() -> Vec<Record> {
    let summary = |row| Record::Summary(Box::new(row));
    let quiet = |state| SummaryRecord {
        closed: 0,
        closers: vec![],
        verdicts: vec![],
        ..row("sshd", state, 1)
    };
    vec![
        summary(row("a b", None, 12)),
        summary(row("a b", Some(State::Established), 10)),
        summary(row("a b", Some(State::CloseWait), 2)),
        summary(quiet(None)),
        summary(quiet(Some(State::Listen))),
        Record::Finding(Box::new(found(FindingKind::GrowingCloseWait))),
    ]
}

fn text(width: Option<u16>) -> String {
    let mut text = SummaryText::new(Palette { on: false }, true, width);
    String::from_utf8(text.rows(&records(), &Names::default())).expect("it is text")
}

#[test]
fn a_summary_in_a_pipe_names_the_group_in_every_line() {
    assert_eq!(
        text(None),
        "PROCESS  STATE        NOW  CHANGE  MOST  IN/s  OUT/s   OLDEST  MEDIAN  P95\n\
         a\\x20b   all           12      -2   120   4.0   0.03        -    45ms    -\n\
         a\\x20b   ESTABLISHED   10      -2   120   4.0   0.03  >=75.0s    45ms    -\n\
         a\\x20b   CLOSE_WAIT     2      -2   120   4.0   0.03  >=75.0s    45ms    -\n\
         sshd     LISTEN         1      -2   120   4.0   0.03  >=75.0s    45ms    -\n\
         \n\
         a\\x20b: 242 closed: 200 by this side first, 2 by the peer first, 3 reset\n\
         CLOSE_WAIT of web\\x20server grew from 2 to 14 and never fell, the oldest is there for \
         12.0s: the peers have closed, web\\x20server has not (tcplapse explain CLOSE_WAIT)\n"
    );
}

#[test]
fn a_summary_fits_a_terminal() {
    for width in [80, 60, 40, 25, 12] {
        let text = text(Some(width));
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(width.into()), "{width}:\n{text}");
        assert_eq!(text.matches("a\\x20b ").count(), 1, "{text}");
    }
}

#[test]
fn columns_without_room_are_named() {
    let says = |width: u16| {
        let text = text(Some(width));
        text.lines().find(|line| line.contains("no room")).map(str::to_owned)
    };
    // Narrower gaps come first.
    assert_eq!((says(80), says(66)), (None, None));
    assert_eq!(says(60).as_deref(), Some("this terminal has no room for MOST"));
}

#[test]
fn a_frame_keeps_room_for_what_is_noteworthy() {
    let mut text = SummaryText::new(Palette { on: true }, true, Some(80));
    for rows in 0..12 {
        let size = Size { columns: 80, rows };
        let lines = text.frame(&records(), &Names::default(), size);
        assert!(lines.len() <= rows, "{rows}: {lines:#?}");
    }
    let lines = text.frame(&records(), &Names::default(), Size { columns: 80, rows: 6 });
    assert!(lines[3].contains("and 2 more rows"), "{lines:#?}");
    assert!(lines[5].contains("grew from 2 to 14"), "{lines:#?}");
}

#[test]
fn every_finding_is_a_sentence() {
    let said = |kind| sentence(&found(kind));
    let starts = |kind, words: &str| assert!(said(kind).starts_with(words), "{}", said(kind));
    starts(FindingKind::LongCloseWait, "14 sockets of web\\x20server in CLOSE_WAIT for 10s or");
    starts(
        FindingKind::Ports,
        "10.0.0.1 uses 14 of 100 local ports (14.0 %) towards 10.0.0.2:443, 2",
    );
    starts(
        FindingKind::AcceptQueue,
        "accept queue of web\\x20server at 10.0.0.1:80 is full: 14 conn",
    );
    starts(FindingKind::ListenOverflows, "14 segments of handshakes dropped because");
    starts(
        FindingKind::NoAnswer,
        "14 connects of web\\x20server to 10.0.0.2:443 without an answer",
    );
    starts(
        FindingKind::FailedConnects,
        "14 connects of web\\x20server to 10.0.0.2:443 failed: refu",
    );
    starts(FindingKind::Resets, "14 connections of web\\x20server reset by the peer");
}
