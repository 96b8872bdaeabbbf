use super::*;
use crate::model::reading::Interface;
use crate::output::queue::tests::{slow_queue, soon};
use serde_json::Value;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};

/// A live output of JSON to a stream that takes pieces as they are permitted.
struct Fixture {
    output: Output,
    signals: Signals,
    permit: Sender<()>,
    taken: Arc<Mutex<Vec<u8>>>,
}

impl Fixture {
    fn new(capacity: usize) -> Self {
        let (queue, permit, taken) = slow_queue(capacity);
        let mut output = Output::with_parts(queue, Formatter::json());
        output.go_live(Duration::ZERO);
        Self { output, signals: Signals::for_command(&[]).unwrap(), permit, taken }
    }

    /// Writes records with these numbers.
    fn write(&mut self, numbers: impl IntoIterator<Item = u64>) {
        assert!(self.try_to_write(numbers), "the run goes on");
    }

    fn try_to_write(&mut self, numbers: impl IntoIterator<Item = u64>) -> bool {
        let record = |number| {
            let (time, reason) = (Stamp::default(), LostReason::Ring);
            Record::Lost(Lost { time, reason, count: Some(number) })
        };
        self.output.write(numbers.into_iter().map(record), &self.signals).unwrap()
    }

    /// From now on the stream takes everything. Waits until it has.
    fn read_on(&mut self) {
        self.permit = std::sync::mpsc::channel().0;
        self.wait_until_read();
    }

    fn wait_until_read(&mut self) {
        assert!(self.output.queue.wait(0, &soon()));
    }

    /// How many records were read or lost, and the counts of the losses. Each record must be there,
    /// in order, or counted in its place.
    fn received(&self) -> (u64, Vec<u64>) {
        let text = String::from_utf8(self.taken.lock().unwrap().clone()).unwrap();
        assert!(text.ends_with('\n'), "no record is cut");
        let (mut next, mut losses) = (0, Vec::new());
        for line in text.lines() {
            let value: Value = serde_json::from_str(line).expect("no record is cut");
            let count = value["count"].as_u64().unwrap();
            if value["reason"] == "output" {
                losses.push(count);
                next += count;
            } else {
                assert_eq!(count, next, "the next record, or the next after a loss");
                next += 1;
            }
        }
        (next, losses)
    }
}

#[test]
fn records_that_have_room_are_not_lost() {
    let mut fixture = Fixture::new(1 << 20);
    (0..1000).for_each(|number| fixture.write([number]));
    fixture.read_on();
    assert_eq!(fixture.received(), (1000, vec![]));
}

#[test]
fn records_of_readings_that_come_together_are_queued_together() {
    let mut fixture = Fixture::new(1 << 20);
    let begin = |fixture: &mut Fixture, has_more| {
        let (at, interface) = (Stamp::default(), Interface::Trace);
        fixture.output.begin_reading(ReadingInfo {
            at,
            due: None,
            took: None,
            interface,
            has_more,
        });
    };
    begin(&mut fixture, true);
    fixture.write(0..3);
    assert_eq!(fixture.output.queue.queued(), 0, "another reading follows at once");
    fixture.write(3..5000);
    let queued = fixture.output.queue.queued();
    assert!(queued > MOST_HELD, "{queued}: not more than that is held");
    begin(&mut fixture, false);
    fixture.write([]);
    assert!(fixture.output.held.is_empty(), "none follows");
    fixture.read_on();
    assert_eq!(fixture.received(), (5000, vec![]));
    begin(&mut fixture, true);
    fixture.write(5000..5001);
    assert!(fixture.output.finish(&fixture.signals).unwrap());
    assert_eq!(fixture.received(), (5001, vec![]), "the run ends in between");
}

#[test]
fn records_without_room_are_counted_in_their_place() {
    let mut fixture = Fixture::new(10_000);
    (0..1000).for_each(|number| fixture.write([number]));
    assert!(fixture.output.queue.queued() < 10_200, "a little more than has room");
    fixture.read_on();
    fixture.write(1000..1003);
    fixture.wait_until_read();
    let (all, losses) = fixture.received();
    assert_eq!((all, losses.len()), (1003, 1));
    assert_eq!(fixture.output.lost, None, "it is reported once");
}

#[test]
fn losses_in_a_row_are_one_gap() {
    let mut fixture = Fixture::new(40_000);
    (0..1000).for_each(|number| fixture.write([number]));
    // The reader takes a tenth: that makes too little room to go on.
    while fixture.output.queue.queued() > 37_000 {
        let before = fixture.output.queue.queued();
        fixture.permit.send(()).unwrap();
        assert!(fixture.output.queue.wait(before - 1, &soon()));
    }
    assert!(fixture.output.queue.queued() > 20_000);
    (1000..1010).for_each(|number| fixture.write([number]));
    fixture.read_on();
    fixture.write([1010]);
    fixture.wait_until_read();
    let (all, losses) = fixture.received();
    assert_eq!((all, losses.len()), (1011, 1));
}

#[test]
fn a_loss_is_reported_although_nothing_follows() {
    for ends in [false, true] {
        let mut fixture = Fixture::new(1000);
        (0..100).for_each(|number| fixture.write([number]));
        fixture.read_on();
        if ends {
            assert!(fixture.output.finish(&fixture.signals).unwrap());
        } else {
            fixture.write([]);
            fixture.wait_until_read();
        }
        let (all, losses) = fixture.received();
        assert_eq!((all, losses.len()), (100, 1));
    }
}

#[test]
fn a_recording_is_written_as_it_is_read() {
    let mut fixture = Fixture::new(CAPACITY);
    fixture.output.live = None;
    fixture.permit = std::sync::mpsc::channel().0;
    fixture.write(0..100_000);
    assert!(fixture.output.queue.queued() < 2 * BACKLOG, "it waits for its reader");
    assert!(fixture.output.finish(&fixture.signals).unwrap());
    assert_eq!(fixture.received(), (100_000, vec![]));
}

#[test]
fn a_recording_that_nobody_reads_is_given_up_once_it_has_to_end() {
    let mut fixture = Fixture::new(CAPACITY);
    fixture.output.live = None;
    fixture.signals.set_deadline(Some(Instant::now()));
    assert!(!fixture.try_to_write(0..100_000));
    assert!(!fixture.output.finish(&fixture.signals).unwrap());
    let [message] = &fixture.output.formatter.take_messages()[..] else { panic!("one message") };
    assert!(message.contains(&fixture.output.queue.queued().to_string()), "{message}");
}

#[test]
fn parts_of_a_reading_wait_until_one_instant() {
    let mut fixture = Fixture::new(1000);
    let hour = Duration::from_secs(3600);
    let due = Instant::now() + hour;
    let mut deadline_of = |due, is_new| {
        if is_new {
            let (at, interface) = (Stamp::default(), Interface::Proc);
            let reading = ReadingInfo { at, due, took: None, interface, has_more: false };
            fixture.output.begin_reading(reading);
        }
        fixture.write([]);
        fixture.output.live.as_ref().and_then(|live| live.deadline).expect("it is live")
    };
    let first = deadline_of(Some(due), true);
    assert!(first + hour / 3 < due);
    assert_eq!(deadline_of(Some(due), false), first);
    assert!(deadline_of(Some(due + hour), true) > first);
    assert!(deadline_of(None, true) <= Instant::now(), "unknown: a share of the interval");
}
