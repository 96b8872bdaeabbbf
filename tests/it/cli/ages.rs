//! How long a socket had been in its state before the first poll, by what the kernel remembers.

use crate::support::fake_procfs::FakeProcfs;
use crate::support::program::{Outcome, Program, command};
use crate::support::record::{Event, Listed};
use std::fs;

/// A mini-socket with so many hundredths of a second left.
fn mini(port: u16, state: &str, left: u32) -> String {
    format!(
        "   0: 0100000A:{port:04X} 0200000A:0050 {state} 00000000:00000000 03:{left:08X} 00000000 \
         0 0 0 3 0000000000000000\n"
    )
}

/// Two TIME_WAITs, of which the second is due, and an orphan.
fn table() -> String {
    let rows = [mini(1, "06", 400), mini(2, "06", 0), mini(3, "05", 400)].concat();
    format!("  sl  local_address\n{rows}")
}

fn on(procfs: &FakeProcfs, args: &[&str]) -> Outcome {
    Program::spawn(procfs.command(args)).finish()
}

/// Port, time in the state, and how it is known.
fn times(outcome: &Outcome) -> Vec<(u16, Option<f64>, String)> {
    let time = |row: Listed| {
        assert!(row.held_at_least && row.idle.is_none(), "{row:?}");
        (row.local_port, row.held, row.held_from.unwrap_or_default())
    };
    outcome.listed().into_iter().map(time).collect()
}

#[test]
fn the_timer_of_a_time_wait_tells_its_age() {
    let procfs = FakeProcfs::with_table(table());
    let known = |port, held| (port, Some(held), "kernel".to_owned());
    // The timer of an orphan runs as long as its process chose.
    let unknown = |port| (port, Some(0.0), "observed".to_owned());
    let list = times(&on(&procfs, &["list", "-j"]));
    assert_eq!(list, [known(1, 55.98), known(2, 59.98), unknown(3)]);
    let text = on(&procfs, &["list", "-H"]).stdout;
    let held: Vec<_> = text.lines().filter_map(|line| line.split_whitespace().last()).collect();
    assert_eq!(held, [">=55.9s", ">=59.9s", "-"], "rounded down");
}

#[test]
fn a_time_wait_of_a_chosen_length_tells_no_age() {
    for (name, value, known) in [
        ("tcp_tw_timeout", "60\n", false),
        ("tcp_tw_recycle", "1\n", false),
        ("tcp_tw_recycle", "0\n", true),
    ] {
        let procfs = FakeProcfs::with_table(table());
        fs::create_dir_all(procfs.file("sys/net/ipv4")).expect("the folder is ours");
        fs::write(procfs.file("sys/net/ipv4").join(name), value).expect("the folder is ours");
        let list = times(&on(&procfs, &["list", "-j", "-s", "TIME_WAIT"]));
        assert!(list.iter().all(|(.., from)| (from == "kernel") == known), "{name}: {list:?}");
    }
}

#[test]
fn present_records_and_their_recording_have_the_age() {
    let procfs = FakeProcfs::with_table(table());
    let recording = procfs.file("recording");
    let recording = recording.to_str().expect("a plain path");
    let live = on(&procfs, &["-j", "-m", "3", "-i", "10ms", "--record", recording]);
    let replayed = Program::spawn(command(&["replay", "-j", recording, "-m", "3"])).finish();
    for outcome in [live, replayed] {
        let events: Vec<Event> = outcome.recorded().events;
        let held = |event: &Event| (event.held, event.held_at_least, event.held_from.clone());
        let kernel = Some("kernel".to_owned());
        assert_eq!(held(&events[0]), (Some(55.98), true, kernel.clone()), "{outcome:?}");
        assert_eq!(held(&events[1]), (Some(59.98), true, kernel), "{outcome:?}");
        assert_eq!(held(&events[2]), (None, false, None), "{outcome:?}");
    }
}

#[test]
fn check_answers_at_once_where_the_kernel_proves_it() {
    let procfs = FakeProcfs::with_table(table());
    // There is no second poll.
    let outcome = on(&procfs, &["check", "-j", "-i", "1h", "--stuck", "TIME_WAIT:57s"]);
    let ports: Vec<u16> = outcome.listed().iter().map(|row| row.local_port).collect();
    assert_eq!((outcome.code, ports), (Some(1), vec![2]), "{outcome:?}");
    let message = "tcplapse: 1 socket in TIME_WAIT for 57s or longer; 1 more for less, or for an \
                   unknown time (--for 57s watches them, too)\n";
    assert_eq!(outcome.messages(), message);
}

#[test]
fn check_watches_no_longer_than_needed() {
    let stuck = ["check", "-i", "1ms", "--max-cpu", "100", "--stuck", "CLOSE_WAIT:1h"];
    FakeProcfs::session(|mut procfs| {
        procfs.run(&stuck);
        for _ in 0..4 {
            procfs.poll(&["4000 80 08/7", "4001 80 01/9"]);
        }
        assert!(procfs.program().is_running());
        // The only one that may be old enough is gone; the new one will not be in time.
        procfs.poll_until_exit(&["4001 80 08/9"]);
        let outcome = procfs.finish();
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), ""), "{outcome:?}");
    });
}
