//! JSON and CSV, parsed by the schema that scripts rely on: a missing or unknown key fails.

use super::made_recording::replay;
use super::run;
use crate::support::record::{Life, Owner};
use serde_json::{Map, Value};

#[test]
fn an_open_socket_has_a_timeline_at_the_end_of_the_run() {
    let outcome = run("-j --view timeline client -s FIN_WAIT2 --for 1ms");
    let lives: Vec<Life> = outcome.stdout.lines().map(Life::parse).collect();
    assert_eq!(lives.len(), 1);
    let life = &lives[0];
    assert_eq!((life.v, life.event.as_str(), life.local_port), (1, "life", 53088));
    assert_eq!((life.pid, life.process.as_deref()), (Some(812), Some("client")));
    assert_eq!(life.owners, [Owner { pid: 812, fd: 7, process: "client".into() }]);
    assert_eq!((life.opened, life.ended, &life.verdict), (None, None, &None));
    assert_eq!((&life.opener, life.closer.as_deref()), (&None, Some("local")));
    assert_eq!(life.step_summaries(), ["FIN_WAIT2 observed"]);
    let step = &life.steps[0];
    assert!(step.at.is_some() && step.held.is_some() && step.cause.is_none());
}

#[test]
fn a_timeline_in_csv_has_its_steps_in_one_cell() {
    let outcome = run("--format csv --view timeline client -s FIN_WAIT2 --for 1ms");
    let mut rows = csv::Reader::from_reader(outcome.stdout.as_bytes());
    let place = rows.headers().expect("a head").iter().position(|name| name == "steps");
    let row = rows.records().next().expect("a timeline").expect("CSV");
    let steps = &row[place.expect("a column")];
    assert!(steps.starts_with("FIN_WAIT2/20") && steps.ends_with("/observed/"), "{steps}");
}

#[test]
fn an_event_has_every_key_of_the_schema() {
    let recorded = run("-j client -s FIN_WAIT2 -m 1").recorded();
    let event = &recorded.events[0];
    assert_eq!((event.v, event.event.as_str(), event.to.as_str()), (1, "present", "FIN_WAIT2"));
    assert_eq!(event.local().to_string(), "127.0.0.1:53088");
    assert_eq!((event.pid, event.process.as_deref()), (Some(812), Some("client")));
    assert_eq!(event.owners, [Owner { pid: 812, fd: 7, process: "client".into() }]);
    assert_eq!((event.owner_source.as_str(), event.inode), ("proven", Some(22333)));
    assert_eq!(event.closer.as_deref(), Some("local"));
    assert_eq!((&event.from, event.held, &event.verdict), (&None, None, &None));
    assert!(event.after.is_none() && event.time.0 > 0);
}

#[test]
fn a_listed_socket_has_every_key_of_the_schema() {
    let sockets = run("list -j").listed();
    assert_eq!(sockets.len(), 33);
    let find = |port| sockets.iter().find(|socket| socket.local_port == port).expect("its row");
    let connecting = find(47720);
    assert_eq!((connecting.state.as_str(), connecting.timer.as_str()), ("SYN_SENT", "retransmit"));
    assert_eq!((connecting.timer_left, connecting.retransmits), (Some(0.57), 2));
    assert_eq!((connecting.send_queue, connecting.held_at_least), (1, true));
    let gone = find(59618);
    assert_eq!((gone.state.as_str(), gone.timer.as_str()), ("TIME_WAIT", "time-wait"));
    assert_eq!((gone.uid, gone.inode, gone.pid), (None, None, None));
    assert_eq!(gone.owner_source, "unknown");
    let request = sockets.iter().find(|socket| socket.state == "SYN_RECV").expect("one");
    assert_eq!((request.owner_source.as_str(), request.pid), ("listener", Some(700)));
    assert_eq!((request.uid, request.inode, request.owners.len()), (Some(0), None, 0));
    let listener = sockets.iter().find(|s| s.local_port == 8080 && s.state == "LISTEN");
    let listener = listener.expect("one");
    assert_eq!(listener.remote().to_string(), "[::]:0");
    assert_eq!((listener.recv_queue, listener.backlog_limit), (1, None));
    let pids: Vec<_> = listener.owners.iter().map(|holder| (holder.pid, holder.fd)).collect();
    assert_eq!((listener.pid, pids), (Some(700), vec![(700, 4), (701, 4)]));
    let mapped = sockets.iter().find(|socket| socket.remote_port == 45508).unwrap();
    assert_eq!(
        (mapped.family.as_str(), mapped.local().to_string().as_str()),
        ("ipv6", "127.0.0.1:8080")
    );
}

#[test]
fn times_are_rfc_3339_in_utc_with_microseconds() {
    let outcome = run("-j client -m 1");
    let record: Value = serde_json::from_str(&outcome.stdout).expect("one record");
    let time = record["time"].as_str().expect("a text");
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000000Z");
}

#[test]
fn csv_has_the_keys_of_json_in_the_same_order() {
    for command in ["list server", "watch server -m 5"] {
        let json = run(&format!("{command} --format json")).stdout;
        let first = json.lines().next().expect("a record");
        let keys: Map<String, Value> = serde_json::from_str(first).expect("JSON");
        let csv = run(&format!("{command} --format csv")).stdout;
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let header: Vec<_> = reader.headers().expect("a head").iter().map(str::to_owned).collect();
        assert_eq!(header, keys.keys().cloned().collect::<Vec<_>>());
        let rows: Vec<_> = reader.records().map(|row| row.expect("CSV")).collect();
        assert_eq!(rows.len(), json.lines().count());
        let owners = header.iter().position(|key| key == "owners").expect("a key");
        assert!(rows.iter().any(|row| &row[owners] == "700/4/server;701/4/server"), "{rows:?}");
    }
    assert!(run("list server --format csv -H").stdout.starts_with("1,"));
}

#[test]
fn sockets_have_different_ids() {
    let sockets = run("list -j").listed();
    let ids: std::collections::HashSet<_> = sockets.iter().map(|socket| &socket.id).collect();
    assert_eq!(ids.len(), sockets.len());
}

#[test]
fn csv_reports_losses_on_stderr() {
    let missing = "kernel events lost: what came after them shows that they are missing";
    let nested = "kernel events lost: they came while a processor was still at another one";
    for (lost, sentence) in [
        ("ring", "kernel events lost: ring buffer full (enlarge --ring)"),
        ("ring 7", "7 kernel events lost: ring buffer full (enlarge --ring)"),
        ("recursion", nested),
        ("recursion 7", &format!("up to 7 {nested}")),
        ("unreported", missing),
        ("unreported 7", &format!("at least 7 {missing}")),
    ] {
        let line = format!("lost {lost}");
        let outcome = replay(&[(0, 50_000_000, ""), (1, 50_000_001, &line)], "--format csv");
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        let sentence = format!("tcplapse: {sentence}\n");
        assert_eq!(outcome.stderr.matches(&sentence).count(), 1, "{outcome:?}");
        assert!(!outcome.stdout.contains("lost"), "{outcome:?}");
    }
}
