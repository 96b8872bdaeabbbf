//! JSON and CSV, read back into the schema that scripts build on: a key more or less fails.

use super::{run, text};
use serde::Deserialize;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools)]
struct Event {
    v: u8,
    event: String,
    time: String,
    after: Option<String>,
    id: String,
    netns: Option<u64>,
    family: String,
    local_addr: String,
    local_port: u16,
    remote_addr: String,
    remote_port: u16,
    from: Option<String>,
    via: Vec<String>,
    maybe: Vec<String>,
    to: String,
    held: Option<f64>,
    held_at_least: bool,
    pid: Option<i32>,
    process: Option<String>,
    owners: Vec<Holder>,
    owner_source: String,
    uid: Option<u32>,
    inode: Option<u64>,
    opener: Option<String>,
    closer: Option<String>,
    verdict: Option<String>,
    source: String,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Socket {
    v: u8,
    time: String,
    id: String,
    netns: Option<u64>,
    family: String,
    local_addr: String,
    local_port: u16,
    remote_addr: String,
    remote_port: u16,
    state: String,
    held: Option<f64>,
    held_at_least: bool,
    pid: Option<i32>,
    process: Option<String>,
    owners: Vec<Holder>,
    owner_source: String,
    uid: Option<u32>,
    inode: Option<u64>,
    recv_queue: u32,
    send_queue: u32,
    backlog_limit: Option<u32>,
    timer: String,
    timer_left: Option<f64>,
    retransmits: u32,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Holder {
    pid: i32,
    fd: i32,
    process: String,
}

fn lines<T: serde::de::DeserializeOwned>(line: &str) -> Vec<T> {
    let output = run(line);
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

#[test]
fn an_event_has_every_key_of_the_schema() {
    let events: Vec<Event> = lines("-j client -s FIN_WAIT2 -m 1");
    let event = &events[0];
    assert_eq!((event.v, event.event.as_str(), event.to.as_str()), (1, "present", "FIN_WAIT2"));
    assert_eq!((event.local_addr.as_str(), event.local_port), ("127.0.0.1", 53088));
    assert_eq!((event.pid, event.process.as_deref()), (Some(812), Some("client")));
    assert_eq!(event.owners, [Holder { pid: 812, fd: 7, process: "client".into() }]);
    assert_eq!((event.owner_source.as_str(), event.inode), ("proven", Some(22333)));
    assert_eq!(event.closer.as_deref(), Some("local"));
    assert_eq!((&event.from, event.held, &event.verdict), (&None, None, &None));
    let time: jiff::Timestamp = event.time.parse().expect("RFC 3339");
    assert!(event.time.ends_with('Z') && event.time.len() == "2026-11-01T12:00:01.104000Z".len());
    assert!(time > jiff::Timestamp::UNIX_EPOCH);
}

#[test]
fn a_listed_socket_has_every_key_of_the_schema() {
    let sockets: Vec<Socket> = lines("list -j");
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
    let request = sockets.iter().find(|socket| socket.state == "SYN_RECV").unwrap();
    assert_eq!((request.owner_source.as_str(), request.pid), ("listener", Some(700)));
    assert_eq!((request.uid, request.inode, request.owners.len()), (Some(0), None, 0));
    let listener = sockets.iter().find(|s| s.local_port == 8080 && s.state == "LISTEN").unwrap();
    assert_eq!((listener.remote_addr.as_str(), listener.remote_port), ("::", 0));
    assert_eq!((listener.recv_queue, listener.backlog_limit), (1, None));
    let pids: Vec<_> = listener.owners.iter().map(|holder| (holder.pid, holder.fd)).collect();
    assert_eq!((listener.pid, pids), (Some(700), vec![(700, 4), (701, 4)]));
    let mapped = sockets.iter().find(|socket| socket.remote_port == 45508).unwrap();
    assert_eq!((mapped.family.as_str(), mapped.local_addr.as_str()), ("ipv6", "127.0.0.1"));
}

#[test]
fn csv_has_the_same_keys_in_the_same_order() {
    for command in ["list server", "watch server -m 5"] {
        let json = run(&format!("{command} --format json"));
        let first = text(&json.stdout).lines().next().unwrap();
        let keys: serde_json::Map<String, serde_json::Value> = serde_json::from_str(first).unwrap();
        let csv = run(&format!("{command} --format csv"));
        let mut reader = csv::Reader::from_reader(csv.stdout.as_slice());
        let header: Vec<_> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        assert_eq!(header, keys.keys().cloned().collect::<Vec<_>>());
        let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), text(&json.stdout).lines().count());
        let owners = header.iter().position(|key| key == "owners").unwrap();
        assert!(rows.iter().any(|row| &row[owners] == "700/4/server;701/4/server"), "{rows:?}");
    }
    let bare = run("list server --format csv -H");
    assert!(text(&bare.stdout).starts_with("1,"));
}

#[test]
fn the_same_socket_has_one_id_and_others_have_others() {
    let sockets: Vec<Socket> = lines("list -j");
    let ids: std::collections::HashSet<_> = sockets.iter().map(|socket| &socket.id).collect();
    assert_eq!(ids.len(), sockets.len());
}
