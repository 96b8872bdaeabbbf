//! Tables of procfs that are torn, odd, or not there.

use crate::support::fake_procfs::{FakeProcfs, fixture};
use crate::support::program::{Outcome, Program};
use std::fs;

/// Runs a command on a procfs with this table to its end.
fn with_table(tcp: impl AsRef<[u8]>, args: &[&str]) -> Outcome {
    let mut procfs = FakeProcfs::with_table(tcp);
    procfs.run(args);
    procfs.finish()
}

fn real_table() -> String {
    fs::read_to_string(fixture().join("net/tcp")).expect("the fixture has one")
}

#[test]
fn a_broken_row_is_left_out_and_reported_once() {
    let table = real_table().replacen("0100587F:D97F", "junk", 1);
    let table = table.replacen("   5: 0100587F:D9FB", "   5: torn", 1);
    let outcome = with_table(table, &["list", "-H"]);
    assert_eq!(outcome.stdout.lines().count(), 26);
    let message = &outcome.stderr;
    assert!(message.contains("net/tcp, line 7: not a row of a TCP table, left out"), "{message}");
    assert_eq!(message.matches("not a row").count(), 1);
    assert_eq!(outcome.code, Some(0));
}

#[test]
fn unknown_states_are_listed_by_their_number() {
    let unknown = real_table().replace(" 0B ", " 1F ").replace(" 09 ", " 0C ");
    let shown = with_table(unknown, &["list", "-H", "-s", "unknown(0x1f),SYN_RECV"]).stdout;
    assert!(shown.contains(" UNKNOWN(0x1F) ") && shown.contains("127.0.0.1:34178"), "{shown}");
}

#[test]
fn empty_and_unterminated_tables_are_read() {
    for table in ["", "\n\n", "  sl  local_address rem_address"] {
        let outcome = with_table(table, &["list"]);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(1), ""), "{table:?}");
    }
    let shown = with_table(real_table().trim_end(), &["list", "-H"]).stdout;
    assert_eq!(shown.lines().count(), 27);
    assert_eq!(with_table(vec![0xff; 200_000], &["list"]).code, Some(1));
}

#[test]
fn a_table_that_vanishes_ends_the_run_but_no_socket() {
    let procfs = FakeProcfs::with_table(real_table());
    let mut program = Program::spawn(procfs.command(&["-i", "10ms", "--ready-fd", "2"]));
    program.until_ready();
    fs::remove_file(procfs.file("net/tcp")).expect("it is there");
    let outcome = program.finish();
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    assert!(outcome.stderr.contains("net/tcp: No such file"), "{outcome:?}");
    assert!(!outcome.stdout.contains("CLOSED"), "{outcome:?}");
}

#[test]
fn a_procfs_without_tables_is_refused_with_advice() {
    let mut procfs = FakeProcfs::empty();
    procfs.run(&["list"]);
    let outcome = procfs.finish();
    assert_eq!(outcome.code, Some(2));
    let message = outcome.stderr;
    assert!(message.contains("net/tcp: ") && message.contains("/host/proc"), "{message}");
}
