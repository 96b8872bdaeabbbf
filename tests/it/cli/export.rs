//! `export`: metrics of a procfs that never changes, over TCP, a Unix socket and in a file; scrapers
//! that are slow or send garbage.
#![allow(clippy::float_cmp)] // counts

use super::run;
use crate::support::fake_procfs::{FakeProcfs, fixture};
use crate::support::program::Program;
use crate::support::scrape::{Metrics, connect, exporter, response, scrape};
use crate::support::wait::until;
use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};

fn on_fixture(args: &[&str]) -> (Program, SocketAddr) {
    let procfs = fixture();
    exporter(&[&["--procfs", procfs.to_str().expect("UTF-8")], args].concat())
}

/// The sockets of each state and process, as `list` shows them.
fn listed() -> BTreeMap<String, f64> {
    let mut counts = BTreeMap::new();
    for socket in run("list -j").listed() {
        let process = socket.process.unwrap_or("unknown".to_owned()).replace('\\', r"\\");
        let name = format!("tcplapse_sockets{{state=\"{}\",process=\"{process}\"}}", socket.state);
        *counts.entry(name).or_default() += 1.0;
    }
    counts
}

#[test]
fn metrics_count_what_list_shows_and_zeros() {
    let (exporter, address) = on_fixture(&[]);
    let metrics = scrape(address);
    let mut sockets = metrics.0.clone();
    sockets.retain(|name, _| name.starts_with("tcplapse_sockets{"));
    assert!(sockets.len() >= 33, "{sockets:#?}");
    sockets.retain(|_, count| *count > 0.0);
    assert_eq!(sockets, listed());
    assert_eq!(metrics.get("tcplapse_sockets{state=\"LAST_ACK\",process=\"client\"}"), 0.0);
    assert!(metrics.get("tcplapse_last_reading_timestamp_seconds") > 1.7e9);
    assert!(metrics.get("tcplapse_poll_seconds_count") >= 1.0);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(metrics.get(&format!("tcplapse_build_info{{version=\"{version}\"}}")), 1.0);
    exporter.stop();
}

#[test]
fn filters_and_groups_are_as_everywhere() {
    let names = |args: &[&str]| {
        let (exporter, address) = on_fixture(args);
        let metrics = scrape(address);
        exporter.stop();
        metrics.0.into_keys().filter(|name| name.starts_with("tcplapse_sockets{")).collect()
    };
    let only: Vec<String> = names(&["client", "-s", "FIN_WAIT2"]);
    assert_eq!(only, ["tcplapse_sockets{state=\"FIN_WAIT2\",process=\"client\"}"]);
    let by_state: Vec<String> = names(&["--by", "state"]);
    assert_eq!(by_state.len(), 11);
    assert!(by_state.contains(&"tcplapse_sockets{state=\"CLOSED\"}".to_owned()), "{by_state:?}");
    let by_port: Vec<String> = names(&["--by", "local-port", "-s", "LISTEN"]);
    assert!(by_port.iter().all(|name| name.contains("local_port=\"")), "{by_port:?}");
    let two: Vec<String> = names(&["--limit", "1", "-s", "LISTEN"]);
    assert_eq!(two.len(), 2);
    assert!(two[0].ends_with("process=\"other\"}"), "{two:?}");
}

#[test]
fn the_client_chooses_the_format() {
    let (exporter, address) = on_fixture(&[]);
    let accept = "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5";
    let request = format!("GET /metrics HTTP/1.1\r\nHost: a\r\n{accept}\r\n\r\n");
    let (head, body) = response(connect(address), &request);
    assert!(head.contains("Content-Type: application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
    assert!(body.ends_with("\n# EOF\n"), "{body}");
    assert!(body.contains("# TYPE tcplapse_missed counter\ntcplapse_missed_total "), "{body}");
    let (head, body) = response(connect(address), "HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(head.contains("text/plain; version=0.0.4") && body.is_empty(), "{head}{body}");
    exporter.stop();
}

#[test]
fn anything_else_is_refused_politely() {
    let (exporter, address) = on_fixture(&[]);
    let many = format!("GET / HTTP/1.1\r\n{}", "a: b\r\n".repeat(3000));
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", "200 OK"),
        ("GET /other HTTP/1.1\r\n\r\n", "404 Not Found"),
        ("DELETE /metrics HTTP/1.1\r\n\r\n", "405 Method Not Allowed"),
        ("POST /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", "405 Method Not Allowed"),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}", "400 Bad Request"),
        (&many, "431 Request Header Fields Too Large"),
    ] {
        let (head, _) = response(connect(address), request);
        assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request:.40}: {head}");
    }
    exporter.stop();
}

#[test]
fn slow_scrapers_keep_nobody_waiting() {
    let (mut exporter, address) = on_fixture(&[]);
    // A hundred that never end their request, and some that never read what they asked for.
    let mut slow: Vec<_> = (0..100).map(|_| connect(address)).collect();
    for (number, stream) in slow.iter_mut().enumerate() {
        let begin: &[u8] = match number % 3 {
            0 => b"GET /metrics HTTP/1.1\r\nHost:",
            1 => b"",
            _ => b"GET /metrics HTTP/1.1\r\n\r\n",
        };
        // It may have been closed already, in favour of a later one.
        let _ = stream.write_all(begin);
    }
    let polls = |metrics: &Metrics| metrics.get("tcplapse_poll_seconds_count");
    let first = polls(&scrape(address));
    until("later metrics", || (polls(&scrape(address)) > first + 3.0).then_some(()));
    let open = fs::read_dir(format!("/proc/{}/fd", exporter.pid())).expect("it runs").count();
    assert!(open < 90, "{open} descriptors");
    assert!(exporter.is_running());
    drop(slow);
    exporter.stop();
}

#[test]
fn a_unix_socket_replaces_one_that_was_left_and_is_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("socket");
    // Nobody listens on it any more.
    drop(UnixListener::bind(&path).expect("a socket"));
    let (procfs, listen) = (fixture(), format!("unix:{}", path.display()));
    let args = ["export", "--listen", &listen, "--procfs", procfs.to_str().expect("UTF-8")];
    let exporter = Program::polling(&args);
    assert!(exporter.stderr().contains(&format!("serving metrics at {listen}\n")));
    let stream = UnixStream::connect(&path).expect("it listens");
    let (head, body) = response(stream, "GET /metrics HTTP/1.1\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    assert!(Metrics::parse(&body).get("tcplapse_poll_seconds_count") >= 1.0);
    // Somebody does.
    let second = Program::start(&args).finish();
    let sentence = format!("tcplapse: cannot listen on {listen}: Address already in use; write");
    assert!(second.code == Some(2) && second.stderr.starts_with(&sentence), "{second:?}");
    assert!(fs::symlink_metadata(&path).expect("it is there").file_type().is_socket());
    exporter.stop();
    assert!(!path.exists());
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("it is bound").to_string();
    let outcome = Program::start(&["export", "--listen", &address]).finish();
    let sentence = format!(
        "tcplapse: cannot listen on {address}: Address already in use; write another address with \
         --listen\n"
    );
    assert_eq!((outcome.code, outcome.stderr), (Some(2), sentence));
}

#[test]
fn an_address_that_others_can_reach_is_pointed_out() {
    let procfs = fixture();
    let procfs = procfs.to_str().expect("UTF-8");
    let exporter = Program::polling(&["export", "--listen", "0.0.0.0:0", "--procfs", procfs]);
    let message = "/metrics, without a password, to all who can connect\n";
    assert!(exporter.stderr().contains(message), "{}", exporter.stderr());
    exporter.stop();
}

#[test]
fn a_text_file_is_written_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tcplapse.prom");
    let (file, procfs) = (path.to_str().expect("UTF-8"), fixture());
    let args = ["export", "--textfile", file, "--procfs", procfs.to_str().expect("UTF-8")];
    let exporter = Program::polling(&args);
    let first = Metrics::parse(&fs::read_to_string(&path).expect("it is written"));
    assert!(first.get("tcplapse_sockets{state=\"FIN_WAIT2\",process=\"client\"}") > 0.0);
    assert!(exporter.process().status().expect("it runs").threads == 1, "nothing is served");
    exporter.stop();
    let last = Metrics::parse(&fs::read_to_string(&path).expect("it stays"));
    let time = "tcplapse_last_reading_timestamp_seconds";
    assert!(last.get(time) >= first.get(time));
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    let nowhere = ["export", "--textfile", "/nowhere/a.prom", "--for", "1s"];
    let outcome = Program::start(&nowhere).finish();
    let sentence = "tcplapse: cannot write /nowhere/a.prom: No such file or directory; check the \
                    path\n";
    assert!(outcome.code == Some(2) && outcome.stderr.ends_with(sentence), "{outcome:?}");
}

#[test]
fn transitions_are_counted_as_polls_show_them() {
    FakeProcfs::session(|mut procfs| {
        procfs.process(7, "client", 1, &[9]);
        let file = procfs.file("a.prom");
        let args = ["export", "--textfile", file.to_str().expect("UTF-8")];
        procfs.run(&[&args[..], &["-i", "1ms", "--max-cpu", "100"]].concat());
        procfs.poll(&["4000 80 01/9"]);
        procfs.poll(&["4000 80 08/9"]);
        procfs.poll(&["4000 80 08/9"]);
        procfs.poll_with_signal(Signal::SIGTERM, &["4000 80 08/9"]);
        procfs.program().until_ended();
        let metrics = Metrics::parse(&fs::read_to_string(&file).expect("it is written"));
        let edge = "from=\"ESTABLISHED\",to=\"CLOSE_WAIT\",process=\"client\"";
        assert_eq!(metrics.get(&format!("tcplapse_transitions_total{{{edge}}}")), 1.0);
        let state = "state=\"CLOSE_WAIT\",process=\"client\"";
        assert_eq!(metrics.get(&format!("tcplapse_sockets{{{state}}}")), 1.0);
        assert!(metrics.get(&format!("tcplapse_oldest_seconds{{{state}}}")) > 0.0);
        assert_eq!(metrics.get("tcplapse_poll_seconds_count"), 4.0);
        let outcome = procfs.finish();
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), ""), "{outcome:?}");
    });
}

#[test]
fn what_a_client_sends_after_its_request_is_read() {
    let (exporter, address) = on_fixture(&[]);
    let mut stream = connect(address);
    stream.write_all(b"POST /metrics HTTP/1.1\r\n\r\n").expect("it reads");
    let mut status = [0; 12];
    stream.read_exact(&mut status).expect("a status");
    assert_eq!(&status, b"HTTP/1.1 405");
    // The response is not cut off by a reset.
    let _ = stream.write_all(&[b'x'; 4096]);
    let mut rest = String::new();
    stream.read_to_string(&mut rest).expect("no reset");
    assert!(rest.ends_with("Only GET and HEAD are served.\n"), "{rest}");
    exporter.stop();
}
