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
    let outcome = with_table("  sl  local_address rem_address", &["list"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(1), ""));
    for table in ["", "\n\n"] {
        let outcome = with_table(table, &["list"]);
        assert_eq!(outcome.code, Some(1), "{table:?}");
        assert!(outcome.stderr.contains("net/tcp is empty: "), "{outcome:?}");
        assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
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

const HEADER: &str = "  sl  local_address rem_address   st tx_queue rx_queue\n";

/// Runs a command on a table with these rows to its end.
fn with_rows(rows: &[&str], args: &[&str]) -> Outcome {
    with_table(HEADER.to_owned() + &rows.join("\n") + "\n", args)
}

#[test]
fn rows_of_old_kernels_end_anywhere_behind_the_inode() {
    let row = |port: u16, uid: u32, rest: &str| {
        format!(
            "0: 0100007F:{port:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000 {uid} \
             0 {port}{rest}"
        )
    };
    let rows = [
        row(80, 1001, " 1 0 100 0 0 10 0"),
        row(81, 1002, " 1 c70e5b60"),
        row(82, 1003, " 1"),
        row(83, 1004, ""),
    ];
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let outcome = with_rows(&rows, &["list", "-j"]);
    let listed = outcome.listed();
    let uids: Vec<Option<u32>> = listed.iter().map(|row| row.uid).collect();
    assert_eq!(uids, [Some(1001), Some(1002), Some(1003), Some(1004)], "{outcome:?}");
    assert_eq!(outcome.stderr, "");
    // The last row may have been cut within its inode.
    let cut = with_table(HEADER.to_owned() + rows[3], &["list"]);
    assert_eq!(cut.code, Some(1), "{cut:?}");
    assert!(cut.stderr.contains("not a row of a TCP table, left out"), "{cut:?}");
}

#[test]
fn numbers_below_zero_are_expired_timers_and_empty_queues() {
    let rows = [
        "0: 0100007F:1F90 0100007F:C350 01 FFFFFFFF:FFFFFFFE 02:FFFFFFFFFFFFFFF6 00000000 \
         4294967295 0 11 1 0 20 0 0 10 -1",
        "1: 0100007F:1F91 0100007F:C350 01 00000000:00000000 02:FFFFFFF6 00000000 -1 -1 12 1 0 20 0 0 \
         10 -1",
    ];
    let listed = with_rows(&rows, &["list", "-j"]).listed();
    assert_eq!(listed.len(), 2, "{listed:?}");
    for row in &listed {
        assert_eq!((row.uid, row.recv_queue, row.send_queue), (None, 0, 0), "{row:?}");
        assert_eq!(row.timer_left, Some(0.0), "{row:?}");
    }
}

#[test]
fn a_socket_without_an_inode_is_not_called_roots() {
    let rows = [
        "0: 0100007F:1F90 0100007F:C350 04 00000000:00000000 01:00000010 00000000 0 0 0 1 0 20 0 0 10 -1",
        "1: 0100007F:1F91 0100007F:C350 04 00000000:00000000 01:00000010 00000000 7 0 0 1 0 20 0 0 10 -1",
        "2: 0100007F:1F92 0100007F:C350 01 00000000:00000000 00:00000000 00000000 0 0 9 1 0 20 0 0 10 -1",
    ];
    let listed = with_rows(&rows, &["list", "-j"]).listed();
    let uids: Vec<Option<u32>> = listed.iter().map(|row| row.uid).collect();
    assert_eq!(uids, [None, Some(7), Some(0)], "{listed:?}");
    let of_root = with_rows(&rows, &["list", "-j", "--user", "0"]).listed();
    assert_eq!(of_root.len(), 1, "{of_root:?}");
}

#[test]
fn addresses_of_the_other_byte_order_are_pointed_out() {
    let swapped = "2: 7F000001:A13F 00000000:0000 0A 00000000:00000000 00:00000000 00000000 2940 0 410 1 \
                   0 300 0 0 2 -1";
    let outcome = with_rows(&[swapped], &["list"]);
    if cfg!(target_endian = "little") {
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert!(outcome.stderr.contains("net/tcp: the addresses seem to come"), "{outcome:?}");
    }
    let own = with_table(real_table(), &["list"]);
    assert!(!own.stderr.contains("byte order"), "{own:?}");
}

#[test]
fn a_table_that_cannot_be_read_hides_its_sockets_alone() {
    let row = "0: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 7 1 0 100 0 0 \
               10 0\n";
    let procfs = FakeProcfs::with_table(HEADER.to_owned() + row);
    // No process can read a folder as a file, not even that of root.
    fs::create_dir(procfs.file("net/tcp6")).expect("it is ours");
    let run = |args: &[&str]| Program::spawn(procfs.command(args)).finish();
    let listed = run(&["list", "-H"]);
    assert_eq!((listed.code, listed.stdout.lines().count()), (Some(0), 1), "{listed:?}");
    assert!(listed.stderr.contains("net/tcp6: "), "{listed:?}");
    assert!(listed.stderr.contains("sockets of IPv6 are not shown"), "{listed:?}");
    let check = run(&["check", "--max", "ESTABLISHED:0", "-i", "1ms"]);
    assert_eq!((check.code, check.stdout.as_str()), (Some(2), ""), "{check:?}");
    assert_eq!(run(&["check", "-4", "--max", "ESTABLISHED:0", "-i", "1ms"]).code, Some(0));
    fs::remove_file(procfs.file("net/tcp")).expect("it is ours");
    assert_eq!(run(&["list"]).code, Some(2));
}

#[test]
fn a_copy_whose_timers_stand_still_shows_each_socket_once() {
    let rows = [
        "0: 0100007F:1F90 0100007F:C350 06 00000000:00000000 03:00001770 00000000 0 0 0 3 0",
        "1: 0100007F:1F91 0100007F:C350 05 00000000:00000000 03:00001770 00000000 0 0 0 3 0",
    ];
    // Longer than a timer's slack is in any case.
    let args = ["watch", "-j", "-i", "40ms", "--max-cpu", "100", "--for", "400ms"];
    let outcome = with_rows(&rows, &args);
    let events: Vec<String> =
        outcome.recorded().events.iter().map(|event| event.event.clone()).collect();
    assert_eq!(events, ["present", "present"], "{outcome:?}");
}

#[test]
fn a_socket_in_closed_that_goes_has_no_event() {
    FakeProcfs::session(|mut procfs| {
        procfs.watch(4, &[]);
        procfs.poll(&["4000 80 07/7", "4001 80 01/9"]);
        procfs.poll(&["4001 80 08/9"]);
        procfs.poll(&["4001 80 08/9"]);
        procfs.poll(&["4001 80 08/9"]);
        procfs.poll(&["4001 80 08/9", "4002 80 01/11"]);
        let events = procfs.finish().recorded().events;
        let changes: Vec<(u16, &str)> =
            events.iter().map(|event| (event.local_port, event.to.as_str())).collect();
        assert!(
            events.iter().all(|event| event.from.as_deref() != Some(event.to.as_str())),
            "{changes:?}"
        );
    });
}

#[test]
fn several_bad_rows_are_counted_in_one_sentence() {
    let good =
        "0: 00000000:2743 00000000:0000 0A 00000000:00000000 00:00000000 00000000 115 0 262 3 0";
    for args in [&["list", "-j"][..], &["watch", "-j", "-i", "10ms", "--for", "50ms"]] {
        let outcome = with_rows(&[good, "x1", "x2", "x3"], args);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert_eq!(outcome.stdout.matches("LISTEN").count(), 1, "{outcome:?}");
        let sentence = "line 3: not a row of a TCP table; 3 such lines are left out";
        assert_eq!(outcome.stderr.matches(sentence).count(), 1, "{outcome:?}");
        assert_eq!(outcome.stderr.matches("not a row").count(), 1, "{outcome:?}");
    }
}

/// A table of gVisor (`pkg/sentry/fsimpl/proc/task_net.go`): wide columns, no address of the socket, blanks
/// at the end, and sockets that neither listen nor are connected.
const GVISOR: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout \
     inode                                                     \n";

fn gvisor(rows: &[(u16, u16, &str, u64)]) -> String {
    let row = |(number, (local, remote, state, inode)): (usize, &(u16, u16, &str, u64))| {
        format!(
            "{number:4}: 0100007F:{local:04X} {:08X}:{remote:04X} {state} 00000000:00000000 \
             00:00000000 00000000     0        0 {inode} 2 0x0000000000000000 0 0 0 0 0{:19}\n",
            if *remote == 0 { 0 } else { 0x0100_007f },
            ""
        )
    };
    GVISOR.to_owned() + &rows.iter().enumerate().map(row).collect::<String>()
}

#[test]
fn tables_of_gvisor_are_read() {
    let rows = [(8080, 0, "0A", 21), (8080, 50_000, "01", 22), (50_001, 0, "07", 23)];
    let outcome = with_table(gvisor(&rows), &["list", "-j"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    let listed: Vec<_> = outcome
        .listed()
        .into_iter()
        .map(|row| (row.local_port, row.remote_port, row.state, row.inode))
        .collect();
    let expected = [
        (8080, 0, "LISTEN".to_owned(), Some(21)),
        (8080, 50_000, "ESTABLISHED".to_owned(), Some(22)),
        (50_001, 0, "CLOSED".to_owned(), Some(23)),
    ];
    assert_eq!(listed, expected);
}

#[test]
fn a_socket_of_gvisor_that_gets_a_port_has_no_event_in_closed() {
    FakeProcfs::session(|mut procfs| {
        procfs.watch(5, &[]);
        procfs.poll_table(&gvisor(&[(8080, 0, "0A", 21), (0, 0, "07", 22)]));
        procfs.poll_table(&gvisor(&[(8080, 0, "0A", 21), (50_000, 0, "07", 22)]));
        procfs.poll_table(&gvisor(&[(8080, 0, "0A", 21), (50_000, 8080, "01", 22)]));
        procfs.poll_table(&gvisor(&[(8080, 0, "0A", 21), (50_000, 8080, "01", 22)]));
        procfs.poll_table(&gvisor(&[(8080, 0, "0A", 21), (50_000, 8080, "08", 22)]));
        let events = procfs.finish().recorded().events;
        let states = |event: &crate::support::record::Event| (event.local_port, event.to.clone());
        assert!(events.iter().map(states).any(|it| it == (50_000, "ESTABLISHED".to_owned())));
        let same = |event: &&crate::support::record::Event| {
            event.from.as_deref() == Some(event.to.as_str())
        };
        assert_eq!(events.iter().find(same), None);
    });
}

/// A listener on `::`, and a link-local connection.
const UNDECIDED: [&str; 2] = [
    "0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A \
     00000000:00000000 00:00000000 00000000 0 0 7 1 0 100 0 0 10 0",
    "1: 000080FE000000000000000001000000:0051 000080FE000000000000000002000000:A000 01 \
     00000000:00000000 00:00000000 00000000 0 0 8 1 0 20 4 0 10 -1",
];

#[test]
fn what_a_table_does_not_show_is_no_answer() {
    if cfg!(target_endian = "big") {
        return;
    }
    let procfs = FakeProcfs::with_table(HEADER);
    let rows = UNDECIDED.map(|row| row.to_owned() + "\n").concat();
    fs::write(procfs.file("net/tcp6"), HEADER.to_owned() + &rows).expect("it is ours");
    let run = |line: &str| {
        let args: Vec<&str> = line.split(' ').collect();
        Program::spawn(procfs.command(&args)).finish()
    };
    let listener = "1 listener on [::] may accept IPv4, which this source does not show";
    let bound = "1 socket may be bound to that interface, which this source does not show";
    for (filter, state, why) in [
        ("-4", "LISTEN", listener),
        ("--local 0.0.0.0:80", "LISTEN", listener),
        ("--local fe80::1%eth0", "ESTABLISHED", bound),
        ("--remote *%eth0:40960", "ESTABLISHED", bound),
    ] {
        let listed = run(&format!("list -H {filter}"));
        assert_eq!((listed.code, listed.stdout.as_str()), (Some(1), ""), "{filter}: {listed:?}");
        assert!(listed.stderr.contains(why), "{filter}: {listed:?}");
        for question in [
            format!("check {filter} --max {state}:0 -i 1ms --for 0"),
            format!("wait {filter} -i 1ms --until"),
        ] {
            let mut args: Vec<&str> = question.split(' ').collect();
            let until = format!("none {state}");
            if args[0] == "wait" {
                args.push(&until);
            }
            let asked = Program::spawn(procfs.command(&args)).finish();
            assert_eq!(asked.code, Some(2), "{args:?}: {asked:?}");
            assert!(asked.stderr.contains(why), "{args:?}: {asked:?}");
        }
    }
    // Other questions are decided.
    for line in [
        "check -4 --max ESTABLISHED:0 -i 1ms --for 0",
        "check --local 10.0.0.0/8 --max LISTEN:0 -i 1ms --for 0",
        "check --local fe80::7%eth0 --max ESTABLISHED:0 -i 1ms --for 0",
    ] {
        let decided = run(line);
        assert_eq!((decided.code, decided.stderr.as_str()), (Some(0), ""), "{line}: {decided:?}");
    }
    let timed_out = run("wait -4 -l -i 1ms --timeout 50ms");
    assert_eq!(timed_out.code, Some(124), "{timed_out:?}");
    assert!(timed_out.stderr.contains(listener), "{timed_out:?}");
}
