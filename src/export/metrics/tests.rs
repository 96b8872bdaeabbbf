use super::*;
use crate::export::exposition::TextFormat;
use crate::model::event::{HeldFrom, Listeners, OwnerClues, Side, Verdict};
use crate::model::process::OwnerSource;
use crate::model::socket_row::Details;
use crate::view::life::tests::{ScriptedSocket, stamp};
use crate::view::samples;
use State::{CloseWait, Closed, Established, FinWait1, FinWait2, LastAck, Listen, TimeWait};

const ANY: &dyn Fn(u16) -> bool = &|port| port >= 32_768;

fn metrics(limit: usize) -> Metrics {
    Metrics::new(vec![GroupLabel::Process], limit, vec![Listen, Established, CloseWait])
}

fn socket(number: u64, process: &str) -> ScriptedSocket {
    ScriptedSocket::new(number, (7, process), "127.0.0.1:40122", "127.0.0.1:9527")
}

fn apply(metrics: &mut Metrics, socket: &ScriptedSocket) {
    metrics.apply(socket.monitor_events(), ANY);
}

/// A socket that has been in a state since this second.
fn status(
    process: &str,
    local: &str,
    state: State,
    since: f64,
    details: Details,
) -> (SocketStatus, Attribution) {
    let now = SocketStatus {
        missed_by_last_poll: false,
        socket: samples::socket(1, local, "10.0.0.9:80"),
        state,
        since: stamp(since),
        held_from: HeldFrom::Observed,
        held_at_least: false,
        row: 0,
        withheld: false,
        clues: OwnerClues { uid: None, inode: 7, last_inode: 7, listeners: Listeners::default() },
        details,
        netns_name: None,
    };
    (now, samples::owner(7, process, OwnerSource::Proven))
}

/// The lines of these metrics at second 10, without comments.
fn lines(metrics: &mut Metrics, sockets: Vec<(SocketStatus, Attribution)>) -> Vec<String> {
    let now = Now {
        at: stamp(10.0),
        sockets: sockets.into_iter(),
        missed: 3,
        undecided: 2,
        ports: Vec::new(),
    };
    let text = metrics.exposition(now, ANY).text(TextFormat::Prometheus);
    let text = String::from_utf8(text.to_vec()).expect("UTF-8");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.strip_suffix(".0").unwrap_or(line).to_owned()).collect()
}

/// Those lines that begin like this, without that.
fn with(lines: &[String], begin: &str) -> Vec<String> {
    lines.iter().filter_map(|line| line.strip_prefix(begin)).map(str::to_owned).collect()
}

#[test]
fn sockets_are_counted_in_all_states_that_are_asked_for() {
    let sockets = vec![
        status("a", "10.0.0.1:40000", CloseWait, 4.0, Details::NONE),
        status("a", "10.0.0.1:40001", CloseWait, 7.5, Details::NONE),
        status("b", "10.0.0.1:40002", Established, 9.0, Details::NONE),
        // Of a state that is not asked for it is known where there is one.
        status("b", "10.0.0.1:40003", State::Unknown(31), 9.5, Details::NONE),
    ];
    let lines = lines(&mut metrics(9), sockets);
    let expected = [
        "{state=\"LISTEN\",process=\"a\"} 0",
        "{state=\"ESTABLISHED\",process=\"a\"} 0",
        "{state=\"CLOSE_WAIT\",process=\"a\"} 2",
        "{state=\"LISTEN\",process=\"b\"} 0",
        "{state=\"ESTABLISHED\",process=\"b\"} 1",
        "{state=\"CLOSE_WAIT\",process=\"b\"} 0",
        "{state=\"UNKNOWN(0x1F)\",process=\"b\"} 1",
    ];
    assert_eq!(with(&lines, "tcplapse_sockets"), expected);
    let oldest = with(&lines, "tcplapse_oldest_seconds");
    assert_eq!(oldest[2], "{state=\"CLOSE_WAIT\",process=\"a\"} 6");
    assert_eq!(oldest[4], "{state=\"ESTABLISHED\",process=\"b\"} 1");
    assert_eq!(oldest[0], "{state=\"LISTEN\",process=\"a\"} 0");
}

#[test]
fn a_group_is_still_there_when_its_sockets_are_gone() {
    let mut metrics = metrics(1);
    let close_wait = status("a", "10.0.0.1:40000", CloseWait, 4.0, Details::NONE);
    let late = status("b", "10.0.0.1:40000", CloseWait, 4.0, Details::NONE);
    lines(&mut metrics, vec![close_wait]);
    let lines = lines(&mut metrics, vec![late]);
    let close_wait: Vec<_> = with(&lines, "tcplapse_sockets{state=\"CLOSE_WAIT\",process=");
    assert_eq!(close_wait, ["\"a\"} 0", "\"other\"} 1"]);
}

#[test]
fn transitions_and_ends_are_counted_by_group() {
    let mut metrics = metrics(9);
    let client = socket(1, "client")
        .at(1.0, &[], &[], Established)
        .roles(None, Some(Side::Local))
        .at(5.0, &[FinWait1], &[], FinWait2)
        .at(6.0, &[], &[], TimeWait)
        .ends_with(Verdict::LocalClose)
        .at(7.0, &[], &[], Closed);
    let server = socket(2, "server").at(0.0, &[], &[], CloseWait).at(2.0, &[], &[], LastAck);
    let cut = socket(3, "client").at(0.0, &[], &[], Established).ends_with(Verdict::Unknown).at(
        2.0,
        &[],
        &[],
        Closed,
    );
    for socket in [&client, &server, &cut] {
        apply(&mut metrics, socket);
    }
    let lines = lines(&mut metrics, Vec::new());
    let mut transitions = with(&lines, "tcplapse_transitions_total");
    transitions.retain(|line| line.contains("FIN_WAIT1"));
    assert_eq!(
        transitions,
        [
            "{from=\"ESTABLISHED\",to=\"FIN_WAIT1\",process=\"client\"} 1",
            "{from=\"FIN_WAIT1\",to=\"FIN_WAIT2\",process=\"client\"} 1",
        ]
    );
    assert!(
        with(&lines, "tcplapse_transitions_total")
            .contains(&"{from=\"CLOSE_WAIT\",to=\"LAST_ACK\",process=\"server\"} 1".to_owned())
    );
    assert_eq!(
        with(&lines, "tcplapse_closed_total"),
        [
            "{verdict=\"local-close\",closer=\"local\",process=\"client\"} 1",
            "{verdict=\"unknown\",closer=\"unknown\",process=\"client\"} 1",
        ]
    );
}

#[test]
fn times_in_a_state_are_measured_where_they_are_known() {
    let mut metrics = metrics(9);
    let held = |held, at_least| {
        let socket = socket(1, "a").at(1.0, &[], &[], Established).at(2.0, &[], &[], CloseWait);
        let mut events = socket.monitor_events().to_vec();
        let Some(MonitorEvent::Socket(last)) = events.last_mut() else { panic!("no event") };
        last.transition.ages.held = Some(Duration::from_secs_f64(held));
        last.transition.ages.held_at_least = at_least;
        events
    };
    metrics.apply(&held(4.0, false), ANY);
    metrics.apply(&held(40.0, true), ANY);
    let lines = lines(&mut metrics, Vec::new());
    let times = with(&lines, "tcplapse_state_seconds");
    assert!(times.contains(&"_bucket{state=\"ESTABLISHED\",le=\"5\"} 1".to_owned()), "{times:?}");
    assert!(times.contains(&"_bucket{state=\"ESTABLISHED\",le=\"1\"} 0".to_owned()), "{times:?}");
    assert!(times.contains(&"_count{state=\"ESTABLISHED\"} 1".to_owned()), "{times:?}");
    assert!(times.contains(&"_sum{state=\"ESTABLISHED\"} 4".to_owned()), "{times:?}");
}

#[test]
fn accept_queues_are_by_process_and_port() {
    let queue = |rx_queue, limit| Details { rx_queue, backlog_limit: limit, ..Details::NONE };
    let sockets = vec![
        status("a", "10.0.0.1:80", Listen, 1.0, queue(1, Some(128))),
        status("a", "10.0.0.2:80", Listen, 1.0, queue(128, Some(128))),
        status("a", "10.0.0.1:50000", Listen, 1.0, queue(2, None)),
        status("a", "10.0.0.1:80", Established, 1.0, queue(999, None)),
    ];
    let lines = lines(&mut metrics(9), sockets);
    assert_eq!(
        with(&lines, "tcplapse_accept_queue{"),
        ["process=\"a\",port=\"80\"} 128", "process=\"a\",port=\"50000\"} 2"]
    );
    assert_eq!(with(&lines, "tcplapse_accept_queue_limit{"), ["process=\"a\",port=\"80\"} 128"]);
}

#[test]
fn what_was_not_seen_is_said() {
    let mut metrics = metrics(9);
    for (reason, count) in [
        (LostReason::Ring, Some(7)),
        (LostReason::Ring, Some(2)),
        (LostReason::Gap, None),
        (LostReason::Output, Some(9)),
    ] {
        let time = Stamp::default();
        metrics.apply(&[MonitorEvent::Lost(Lost { time, reason, count })], ANY);
    }
    metrics.add_poll(Duration::from_millis(3));
    let lines = lines(&mut metrics, Vec::new());
    assert_eq!(
        with(&lines, "tcplapse_lost_total"),
        [
            "{reason=\"gap\"} 1",
            "{reason=\"table\"} 0",
            "{reason=\"ring\"} 9",
            "{reason=\"recursion\"} 0",
            "{reason=\"unreported\"} 0"
        ]
    );
    assert_eq!(with(&lines, "tcplapse_missed_total"), [" 3"]);
    assert_eq!(with(&lines, "tcplapse_undecided_sockets"), [" 2"]);
    assert_eq!(with(&lines, "tcplapse_poll_seconds_count"), [" 1"]);
    assert_eq!(with(&lines, "tcplapse_last_reading_timestamp_seconds"), [" 1793534410"]);
}

#[test]
fn any_number_of_names_has_a_bounded_number_of_series() {
    let mut metrics = metrics(50);
    let mut last = 0;
    for round in 0..2 {
        for number in 0..5000 {
            let name = format!("p{round}-{number}");
            let socket = socket(number, &name)
                .at(1.0, &[], &[], Established)
                .ends_with(Verdict::LocalClose)
                .at(2.0, &[FinWait1, FinWait2], &[], TimeWait)
                .at(3.0, &[], &[], Closed);
            apply(&mut metrics, &socket);
        }
        let listeners = (0..5000).map(|number| {
            let local = format!("10.0.0.1:{}", 1000 + number);
            status(&format!("l{round}-{number}"), &local, Listen, 1.0, Details::NONE)
        });
        let lines = lines(&mut metrics, listeners.collect());
        assert!(lines.len() < 1200, "{}", lines.len());
        assert!(round == 0 || lines.len() <= last, "{} after {last}", lines.len());
        last = lines.len();
        let other = with(
            &lines,
            "tcplapse_closed_total{verdict=\"local-close\",closer=\"unknown\",process=\"other\"} ",
        );
        assert_eq!(other, [(4950 + round * 5000).to_string()]);
    }
}
