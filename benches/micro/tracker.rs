//! Passes over many sockets: the first, one with nothing new, with some news, with nothing but news.

use crate::fixture::{SOCKETS, Tables};
use criterion::{BatchSize, Criterion, Throughput};
use tcplapse::testing::model::event::TrackerEvent;
use tcplapse::testing::model::reading::Reading;
use tcplapse::testing::tracker::{Collected, Tracker};

pub(crate) fn benches(criterion: &mut Criterion) {
    let none = Tables::empty().reading();
    let all = Tables::steady().reading();
    let changed = Tables::one_percent_changed().reading();
    let mut group = criterion.benchmark_group("tracker");
    group.throughput(Throughput::Elements(SOCKETS as u64));
    let mut steady = after(Some(&all));
    group.bench_function("steady", |bencher| bencher.iter(|| events(&mut steady, &all)));
    for (name, before, reading) in [
        ("first poll", None, &all),
        ("births", Some(&none), &all),
        ("one percent changed", Some(&all), &changed),
    ] {
        let pass = |mut tracker: Tracker| {
            let events = events(&mut tracker, reading);
            // Dropped when the clock stands.
            (tracker, events)
        };
        group.bench_function(name, |bencher| {
            bencher.iter_batched(|| after(before), pass, BatchSize::PerIteration);
        });
    }
    group.finish();
}

/// A tracker that has taken in this reading, if any.
fn after(reading: Option<&Reading>) -> Tracker {
    let mut tracker = Tracker::default();
    if let Some(reading) = reading {
        events(&mut tracker, reading);
    }
    tracker
}

fn events(tracker: &mut Tracker, reading: &Reading) -> Vec<TrackerEvent> {
    let mut collected = Collected::default();
    tracker.update(reading, &mut collected);
    collected.events
}
