//! Process names of every byte that a process can give itself.

use crate::support::actor::Actor;
use crate::support::netns::isolated;
use crate::support::program::run;
use crate::support::record::{Listed, OutputLine};
use tcplapse::testing::model::escape::unescape;

/// The kernel keeps no more bytes of a name.
const LENGTH: usize = 15;

/// What the program prints of the sockets of one process.
fn printed(pid: u32, args: &str) -> String {
    let pid = pid.to_string();
    let args: Vec<&str> = args.split(' ').chain(["--pid", &pid]).collect();
    let outcome = run(&args);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    outcome.stdout
}

/// The header and the only record of a CSV table.
fn csv_row(text: &str) -> (csv::StringRecord, csv::StringRecord) {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().expect(text).clone();
    let rows: Vec<_> = reader.records().map(|row| row.expect(text)).collect();
    let [row] = <[_; 1]>::try_from(rows).expect("one record");
    (header, row)
}

/// Every format prints the name without control characters, and so that it can be read back.
fn assert_printed_safely(pid: u32, name: &[u8]) {
    let assert_name = |shown: Option<String>| {
        assert_eq!(shown.as_deref().and_then(unescape).as_deref(), Some(name), "{shown:?}");
    };
    for command in ["list", "watch -m 1"] {
        let text = printed(pid, &format!("{command} -H --color never"));
        assert!(!text.trim_end_matches('\n').contains(char::is_control), "{text:?}");
        // PROTO RECV-Q SEND-Q LOCAL REMOTE STATE OWNER; TIME OWNER LOCAL REMOTE HELD STATE, note.
        let words: Vec<_> = text.split_whitespace().collect();
        let owner = if command == "list" { words[6] } else { words[1] };
        let shown = owner.strip_prefix(&format!("{pid}/")).expect(&text);
        assert_name(Some(shown.to_owned()));

        let json = printed(pid, &format!("{command} -j"));
        assert!(!json.trim_end_matches('\n').contains(char::is_control), "{json:?}");
        assert_name(match command {
            "list" => Listed::parse(json.trim_end_matches('\n')).process,
            _ => match OutputLine::parse(json.trim_end_matches('\n')) {
                OutputLine::Event(event) => event.process,
                OutputLine::Lost(lost) => panic!("{lost:?} before the first poll"),
            },
        });

        let (header, row) = csv_row(&printed(pid, &format!("{command} --format csv")));
        let column = header.iter().position(|key| key == "process").expect("a column");
        // What a spreadsheet would take for a formula has an apostrophe before it.
        let is_formula = name.first().is_some_and(|byte| b"=+-@".contains(byte));
        let cell = row[column].strip_prefix(if is_formula { "'" } else { "" });
        assert_name(cell.map(str::to_owned));
    }
}

#[test]
fn every_byte_of_a_name_is_escaped_reversibly() {
    isolated(|| {
        let mut actor = Actor::start("actor");
        actor.order("listen l 127.0.0.1:0 1");
        let bytes: Vec<u8> = (1..=u8::MAX).collect();
        let hostile = ["é\u{202e}\u{9b}[2J", "a,b;\"c'/d\n", "\n\n", " ", "\\x41"];
        let names = bytes.chunks(LENGTH).chain(hostile.iter().map(|name| name.as_bytes()));
        for name in names {
            let words: Vec<_> = name.iter().map(u8::to_string).collect();
            actor.order(&format!("rename {}", words.join(",")));
            assert_printed_safely(actor.pid(), name);
        }
    });
}
