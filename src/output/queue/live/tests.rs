use super::*;
use crate::output::queue::tests::Reader;
use crate::render::Renderer;
use crate::render::cell::Names;
use crate::render::json::Json;
use serde_json::Value;
use signal_hook::consts::SIGQUIT;
use signal_hook::low_level::raise;
use std::sync::{Arc, Mutex};

/// No test that passes comes near it: a wait that takes so long has failed.
const LIMIT: Duration = Duration::from_mins(1);

/// A stream with room for `most` bytes, and its reader.
fn live(most: usize) -> (std::sync::mpsc::Sender<()>, Arc<Mutex<Vec<u8>>>, Live) {
    let (permit, read, reader) = Reader::new();
    let outbox = Outbox::over(reader, || ()).unwrap();
    let (interval, turn) = (Duration::ZERO, Turn::default());
    (permit, read, Live { outbox, interval, most, turn, deadline: None, lost: None })
}

/// A record with a number.
fn record(number: u64) -> Record {
    Record::Lost(Lost { time: Stamp::default(), reason: LostReason::Ring, count: Some(number) })
}

fn offer(live: &mut Live, numbers: impl IntoIterator<Item = u64>) {
    if let Some(records) = live.admit(numbers.into_iter().map(record).collect()) {
        live.push(Json.rows(&records, &Names::default())).unwrap();
    }
}

/// Waits until everything has been read.
fn read_on(live: &Live) {
    assert!(live.outbox.wait_below(0, Instant::now() + LIMIT));
}

/// How many records were read or lost, and the counts of the losses. All records must be there in
/// order, or be counted in their place.
fn received(read: &Mutex<Vec<u8>>) -> (u64, Vec<u64>) {
    let text = String::from_utf8(read.lock().unwrap().clone()).unwrap();
    assert!(text.ends_with('\n'), "no record is cut");
    let (mut next, mut losses) = (0, Vec::new());
    for line in text.lines() {
        let value: Value = serde_json::from_str(line).expect("no record is cut");
        let count = value["count"].as_u64().unwrap();
        if value["reason"] == "output" {
            losses.push(count);
            next += count;
        } else {
            assert_eq!(count, next, "the next record, or the next behind a loss");
            next += 1;
        }
    }
    (next, losses)
}

#[test]
fn records_that_have_room_are_not_lost() {
    let (permit, read, mut live) = live(1 << 20);
    (0..1000).for_each(|number| offer(&mut live, [number]));
    assert_eq!(live.lost(), None);
    drop(permit);
    read_on(&live);
    assert_eq!(received(&read), (1000, vec![]));
}

#[test]
fn records_without_room_are_counted_in_their_place() {
    let (permit, read, mut live) = live(10_000);
    (0..1000).for_each(|number| offer(&mut live, [number]));
    assert!(live.outbox.waiting() < 10_200, "a little more than has room");
    drop(permit);
    read_on(&live);
    offer(&mut live, 1000..1003);
    read_on(&live);
    let (all, losses) = received(&read);
    assert_eq!((all, losses.len()), (1003, 1));
    assert_eq!(live.lost(), None, "it is reported once");
}

#[test]
fn losses_in_a_row_are_one_gap() {
    let (permit, read, mut live) = live(40_000);
    (0..1000).for_each(|number| offer(&mut live, [number]));
    // The reader takes a tenth: that makes too little room to go on.
    let soon = Instant::now() + LIMIT;
    while live.outbox.waiting() > 37_000 {
        let before = live.outbox.waiting();
        permit.send(()).unwrap();
        assert!(live.outbox.wait_below(before - 1, soon));
    }
    assert!(live.outbox.waiting() > 20_000);
    (1000..1010).for_each(|number| offer(&mut live, [number]));
    drop(permit);
    read_on(&live);
    offer(&mut live, [1010]);
    read_on(&live);
    let (all, losses) = received(&read);
    assert_eq!((all, losses.len()), (1011, 1));
}

#[test]
fn a_loss_is_reported_although_nothing_follows() {
    let (permit, read, mut live) = live(1000);
    (0..100).for_each(|number| offer(&mut live, [number]));
    drop(permit);
    read_on(&live);
    offer(&mut live, []);
    read_on(&live);
    let (all, losses) = received(&read);
    assert_eq!((all, losses.len()), (100, 1));
}

#[test]
fn parts_of_a_reading_wait_until_one_instant() {
    let (_permit, _, mut live) = live(1000);
    let hour = Duration::from_hours(1);
    let at = Stamp::default();
    let due = Instant::now() + hour;
    live.begin_turn(Turn { at, due: Some(due) });
    live.let_read();
    let first = live.deadline.expect("the first part sets it");
    assert!(first + hour / 3 < due);
    live.let_read();
    assert_eq!(live.deadline, Some(first));
    live.begin_turn(Turn { at, due: Some(due + hour) });
    live.let_read();
    assert!(live.deadline > Some(first));
    live.begin_turn(Turn { at, due: None });
    live.let_read();
    assert!(live.deadline <= Some(Instant::now()), "unknown: a share of the interval");
}

#[test]
fn a_reader_is_waited_for_until_the_time_is_over() {
    let stop = Signals::for_command(&[]).unwrap();
    let mut has_to_end = false;
    for _ in 0..3 {
        assert_eq!(patience(&stop, &mut has_to_end), Patience::Endless);
    }
    stop.set_deadline(Some(Instant::now()));
    assert_eq!(patience(&stop, &mut has_to_end), Patience::Short);
    assert_eq!(patience(&stop, &mut has_to_end), Patience::Short);
}

#[test]
fn a_signal_shortens_the_wait_and_another_ends_it() {
    let stop = Signals::for_command(&[]).unwrap();
    // Among others, SIGQUIT ends a run that draws on a terminal.
    stop.catch_terminal_signals().unwrap();
    let mut has_to_end = false;
    assert_eq!(patience(&stop, &mut has_to_end), Patience::Endless);
    raise(SIGQUIT).unwrap();
    assert_eq!(patience(&stop, &mut has_to_end), Patience::Short);
    assert_eq!(patience(&stop, &mut has_to_end), Patience::Short);
    raise(SIGQUIT).unwrap();
    assert_eq!(patience(&stop, &mut has_to_end), Patience::Over);
}
