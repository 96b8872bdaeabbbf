use super::*;
use crate::output::queue::tests::Reader;
use crate::render::Renderer;
use crate::render::cell::Names;
use crate::render::json::Json;
use serde_json::Value;
use std::sync::{Arc, Mutex};

/// A stream with little room, to a reader who is told when to read.
fn live(most: usize) -> (std::sync::mpsc::Sender<()>, Arc<Mutex<Vec<u8>>>, Live) {
    let (permit, read, reader) = Reader::new();
    let outbox = Outbox::over(reader, || ()).unwrap();
    (permit, read, Live { outbox, interval: Duration::ZERO, most, deadline: None, lost: None })
}

/// A record with a number.
fn record(number: u64) -> Record {
    Record::Lost(Lost { time: Stamp::default(), reason: LostReason::Ring, count: Some(number) })
}

fn offer(live: &mut Live, numbers: impl IntoIterator<Item = u64>) {
    if let Some(records) = live.admit(numbers.into_iter().map(record).collect(), Stamp::default()) {
        live.push(Json.rows(&records, &Names::default())).unwrap();
    }
}

/// Lets him read all that waits.
fn read_on(live: &Live) {
    assert!(live.outbox.wait_below(0, Instant::now() + Duration::from_secs(20)));
}

/// The numbers that were read, with those that are told to be lost counted at their place; each
/// stands for itself and comes in order.
fn told(read: &Mutex<Vec<u8>>) -> (u64, Vec<u64>) {
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
            assert_eq!(count, next, "the next, or behind a loss of as many as are missing");
            next += 1;
        }
    }
    (next, losses)
}

#[test]
fn what_fits_waits_and_is_not_lost() {
    let (permit, read, mut live) = live(1 << 20);
    (0..1000).for_each(|number| offer(&mut live, [number]));
    assert_eq!(live.lost(), None);
    drop(permit);
    read_on(&live);
    assert_eq!(told(&read), (1000, vec![]));
}

#[test]
fn what_finds_no_room_is_counted_and_told_in_its_place() {
    let (permit, read, mut live) = live(10_000);
    (0..1000).for_each(|number| offer(&mut live, [number]));
    assert!(live.outbox.waiting() < 10_200, "a little more than may wait");
    drop(permit);
    read_on(&live);
    offer(&mut live, 1000..1003);
    read_on(&live);
    let (all, losses) = told(&read);
    assert_eq!((all, losses.len()), (1003, 1));
    assert_eq!(live.lost(), None, "it is told once");
}

#[test]
fn there_is_one_long_gap_instead_of_many() {
    let (permit, read, mut live) = live(40_000);
    (0..1000).for_each(|number| offer(&mut live, [number]));
    // He takes a tenth: more room, but not much.
    let soon = Instant::now() + Duration::from_secs(20);
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
    let (all, losses) = told(&read);
    assert_eq!((all, losses.len()), (1011, 1));
}

#[test]
fn a_loss_is_told_where_nothing_follows_it() {
    let (permit, read, mut live) = live(1000);
    (0..100).for_each(|number| offer(&mut live, [number]));
    drop(permit);
    read_on(&live);
    offer(&mut live, []);
    read_on(&live);
    let (all, losses) = told(&read);
    assert_eq!((all, losses.len()), (100, 1));
}

#[test]
fn all_portions_of_a_reading_wait_together_and_leave_time_before_the_next() {
    let (_permit, _, mut live) = live(1000);
    let hour = Duration::from_hours(1);
    let mut at = Stamp::default();
    let due = Instant::now() + hour;
    let first = live.deadline(Turn { at, due: Some(due), goes_on: true });
    assert!(first + hour / 3 < due);
    assert_eq!(live.deadline(Turn { at, due: Some(due + hour), goes_on: false }), first);
    at.boot += 1;
    assert!(live.deadline(Turn { at, due: Some(due + hour), goes_on: false }) > first);
    at.boot += 1;
    let deadline = live.deadline(Turn { at, due: None, goes_on: false });
    assert!(deadline <= Instant::now(), "where it is not known, a share of the interval");
}
