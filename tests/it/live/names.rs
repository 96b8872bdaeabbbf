//! Names of every byte that a process can give itself.

use crate::old_support::actor::Actor;
use crate::old_support::netns::isolated;
use crate::old_support::record::{Line, Listed};
use std::process::Command;
use tcplapse::model::escape::unescape;

/// The kernel keeps no more bytes of a name.
const LENGTH: usize = 15;

/// What the program prints of one process.
fn printed(pid: u32, args: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tcplapse"));
    command.args(args.split(' ')).args(["--pid", &pid.to_string()]);
    let output = command.output().expect("the program was built for this test");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8, whatever the name")
}

/// The cells of the one record of a table with a head.
fn csv_row(text: &str) -> (csv::StringRecord, csv::StringRecord) {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let head = reader.headers().expect(text).clone();
    let rows: Vec<_> = reader.records().map(|row| row.expect(text)).collect();
    let [row] = <[_; 1]>::try_from(rows).expect("one record");
    (head, row)
}

fn is_shown_safely(pid: u32, name: &[u8]) {
    let is_name = |shown: Option<String>| {
        assert_eq!(shown.as_deref().and_then(unescape).as_deref(), Some(name), "{shown:?}");
    };
    for command in ["list", "watch -m 1"] {
        let text = printed(pid, &format!("{command} -H --color never"));
        assert!(!text.trim_end_matches('\n').contains(char::is_control), "{text:?}");
        // PROTO RECV-Q SEND-Q LOCAL REMOTE STATE OWNER; TIME OWNER LOCAL REMOTE HELD STATE, note.
        let words: Vec<_> = text.split_whitespace().collect();
        let owner = if command == "list" { words[6] } else { words[1] };
        let shown = owner.strip_prefix(&format!("{pid}/")).expect(&text);
        is_name(Some(shown.to_owned()));

        let json = printed(pid, &format!("{command} -j"));
        assert!(!json.trim_end_matches('\n').contains(char::is_control), "{json:?}");
        is_name(match command {
            "list" => Listed::parse(json.trim_end_matches('\n')).process,
            _ => match Line::parse(json.trim_end_matches('\n')) {
                Line::Event(event) => event.process,
                Line::Lost(lost) => panic!("{lost:?}"),
            },
        });

        let (head, row) = csv_row(&printed(pid, &format!("{command} --format csv")));
        let place = head.iter().position(|key| key == "process").expect("a key");
        is_name(Some(row[place].to_owned()));
    }
}

#[test]
fn every_byte_of_a_name_is_shown_harmlessly_and_can_be_read_back() {
    isolated(|| {
        let mut actor = Actor::start("actor");
        actor.tell("listen l 127.0.0.1:0 1");
        let bytes: Vec<u8> = (1..=u8::MAX).collect();
        let hostile = ["é\u{202e}\u{9b}[2J", "a,b;\"c'/d\n", "\n\n", " ", "\\x41"];
        let names = bytes.chunks(LENGTH).chain(hostile.iter().map(|name| name.as_bytes()));
        for name in names {
            let words: Vec<_> = name.iter().map(u8::to_string).collect();
            actor.tell(&format!("rename {}", words.join(",")));
            is_shown_safely(actor.pid(), name);
        }
    });
}
