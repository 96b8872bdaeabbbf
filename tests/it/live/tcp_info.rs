//! `--tcp-info`: what the kernel measures of connections, held against `ss -tin`.

use crate::support::netns::isolated;
use crate::support::program::{Program, run};
use crate::support::require::{Feature, skip};
use crate::support::sockets::{ANY_PORT, end, listener, pair};
use crate::support::wait::until;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

const KEYS: [&str; 17] = [
    "rtt",
    "rttvar",
    "retrans",
    "retrans_total",
    "mss",
    "cwnd",
    "ssthresh",
    "bytes_sent",
    "bytes_acked",
    "bytes_received",
    "lastsnd",
    "lastrcv",
    "pacing_rate",
    "delivery_rate",
    "busy",
    "rwnd_limited",
    "sndbuf_limited",
];

/// The words of `ss -tin` about the socket with this local port; `None` without ss.
fn ss(port: u16) -> Option<Vec<String>> {
    let filter = format!("sport = :{port}");
    let output = Command::new("ss").args(["-tinH", &filter]).output().ok()?;
    let text = String::from_utf8(output.stdout).expect("ASCII");
    Some(text.split_whitespace().map(str::to_owned).collect())
}

/// A word of ss such as `cwnd:10`, as a number.
fn number(words: &[String], name: &str) -> Option<f64> {
    let prefix = format!("{name}:");
    let word = words.iter().find_map(|word| word.strip_prefix(&prefix))?;
    word.trim_end_matches(|c: char| c.is_ascii_alphabetic()).parse().ok()
}

fn records(args: &[&str], port: u16) -> Vec<Value> {
    let port = port.to_string();
    let outcome = run(&[args, &["-j", "--tcp-info", "--local", &format!(":{port}")]].concat());
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    outcome.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

#[test]
fn an_idle_connection_has_the_numbers_of_ss() {
    isolated(|| {
        let server = listener(ANY_PORT, 8).expect("a port is free");
        let (client, accepted) = pair(&server, ANY_PORT);
        let port = end(&client.local_addr()).port();
        client.set_nonblocking(false).expect("it is open");
        accepted.set_nonblocking(false).expect("it is open");
        let (mut client, mut accepted) = (TcpStream::from(client), TcpStream::from(accepted));
        for (from, to, length) in [(0, 1, 5000), (1, 0, 300)] {
            let ends = [&mut client, &mut accepted];
            ends[from].write_all(&vec![7; length]).expect("it is open");
            ends[to].read_exact(&mut vec![0; length]).expect("it was sent");
        }
        let Some(_) = ss(port) else {
            return skip(Feature::Ip, "there is no ss");
        };
        let words = until("all data to be acknowledged", || {
            let words = ss(port)?;
            (number(&words, "bytes_acked") == Some(5001.0)).then_some(words)
        });
        for args in [
            &["list", "--source", "netlink"][..],
            &["list", "--source", "proc"],
            &["watch", "-m", "1", "--source", "netlink"],
            &["watch", "--view", "table", "--for", "1ms", "--source", "proc"],
        ] {
            let records = records(args, port);
            let [record] = &records[..] else { panic!("{args:?}: {records:?}") };
            for key in ["mss", "cwnd", "ssthresh", "bytes_sent", "bytes_acked", "bytes_received"] {
                assert_eq!(record[key].as_f64(), number(&words, key), "{key}: {words:?} {record}");
            }
            let rtt = words.iter().find_map(|word| word.strip_prefix("rtt:")).expect("it is known");
            let (rtt, rttvar) = rtt.split_once('/').expect("two numbers");
            for (key, millis) in [("rtt", rtt), ("rttvar", rttvar)] {
                let seconds = record[key].as_f64().expect("a number");
                let millis: f64 = millis.parse().expect("a number");
                // ss writes as many digits as six.
                assert!((seconds * 1e3 - millis).abs() < 0.001, "{key} {millis}: {record}");
            }
            assert_eq!(
                (record["retrans"].as_u64(), record["retrans_total"].as_u64()),
                (Some(0), Some(0))
            );
            assert!(record["lastsnd"].is_f64() && record["lastrcv"].is_f64(), "{record}");
        }
        // A listener has the keys, too.
        let listening = end(&server.local_addr()).port();
        let all = records(&["list", "-s", "LISTEN", "--source", "netlink"], listening);
        assert!(KEYS.iter().all(|key| all[0].get(key) == Some(&Value::Null)), "{all:?}");
        let text = run(&["list", "--tcp-info", "--source", "netlink"]).stdout;
        assert!(text.lines().next().is_some_and(|line| line.ends_with("TCP-INFO")), "{text}");
        assert!(text.contains(" bytes_acked:5001 bytes_received:300 "), "{text}");
        let mut watch = Program::start(&["watch", "--tcp-info", "--source", "netlink"]);
        until("a line with bytes", || watch.line().contains("bytes_acked:5001").then_some(()));
        watch.stop();
        // What was measured before it closed.
        let watch = Program::polling(&["watch", "--view", "timeline", "--tcp-info"]);
        drop((client, accepted));
        let text = watch.stop().stdout;
        let last = text.lines().find(|line| line.contains(" bytes_acked:5001 bytes_received:300 "));
        assert!(last.is_some_and(|line| line.starts_with("  last measured by ")), "{text}");
    });
}

#[test]
fn what_cannot_be_measured_is_refused() {
    for (args, words) in [
        (&["list", "--procfs", "/nowhere"][..], "--procfs shows others; leave out one of them"),
        (&["watch", "--record", "file"], "--tcp-info is not recorded, and cannot be replayed"),
        (&["list", "--from", "file"], "--tcp-info cannot be used with --from"),
        (
            &["watch", "--view", "diagram"],
            "--tcp-info has no effect without --view events, timeline or table",
        ),
        (&["replay", "file"], "--tcp-info"),
        (&["check", "--max", "all:1"], "--tcp-info"),
    ] {
        let outcome = run(&[args, &["--tcp-info"]].concat());
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{outcome:?}");
        assert!(outcome.stderr.contains(words), "{outcome:?}");
    }
}
