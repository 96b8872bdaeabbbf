//! When the program really polled: the readings of its recording, and the two clocks of each.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;

/// The readings of one run; all times are of the boot clock, in microseconds.
#[derive(Debug, Default)]
pub(crate) struct Readings {
    /// Start and end of each pass over the table, in order.
    pub(crate) passes: Vec<(i64, i64)>,
    /// Starts of the readings, by their ends.
    starts: BTreeMap<i64, i64>,
    /// Every instant of the recording, by the wall clock, which the records show.
    boot_times: HashMap<i64, i64>,
    /// The program was kept from polling, or the kernel had more events than room.
    pub(crate) lost: BTreeSet<String>,
    /// At least so many kernel events were lost, by what came after them.
    pub(crate) unreported: usize,
    /// The wall clock was set back, and shows one time twice.
    pub(crate) ambiguous: bool,
}

impl Readings {
    /// Reads a recording.
    ///
    /// # Panics
    /// If it is none.
    pub(crate) fn of(recording: &Path) -> Self {
        let text = fs::read_to_string(recording).expect("the program wrote it");
        let mut readings = Self::default();
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).expect("a recording is of JSON lines");
            let (kind, line) = line.as_object().and_then(|line| line.iter().next()).expect("one");
            readings.add(kind, line);
        }
        readings
    }

    fn add(&mut self, kind: &str, line: &Value) {
        match kind {
            "pass" | "quiet" | "answers" => {
                let (start, end) = if kind == "quiet" {
                    (&line[0], &line[1])
                } else {
                    (&line["start"], &line["end"])
                };
                let (start, end) = (self.instant(start), self.instant(end));
                self.starts.insert(end, start);
                if kind != "answers" {
                    self.passes.push((start, end));
                }
            }
            "lost" => {
                self.instant(&line["time"]);
                let reason = line["reason"].as_str();
                self.lost.extend(reason.map(str::to_owned));
                if reason == Some("unreported") {
                    let count = line["count"].as_u64().expect("it is counted");
                    self.unreported += usize::try_from(count).expect("few");
                }
            }
            "change" | "deaths" => {
                self.instant(&line["time"]);
            }
            _ => {}
        }
    }

    /// Wall clock and boot clock.
    fn instant(&mut self, at: &Value) -> i64 {
        let number = |place: usize| at[place].as_i64().expect("microseconds");
        let (wall, boot) = (number(0), number(1));
        let before = self.boot_times.insert(wall, boot);
        self.ambiguous |= before.is_some_and(|before| before.abs_diff(boot) > 1000);
        boot
    }

    /// The boot time of an instant that a record shows.
    pub(crate) fn boot_time(&self, wall: i64) -> Option<i64> {
        self.boot_times.get(&wall).copied()
    }

    /// When the reading began that ended then; an event of the kernel has no duration.
    pub(crate) fn start_of(&self, end: i64) -> i64 {
        self.starts.get(&end).copied().unwrap_or(end)
    }

    /// When the next reading was over: whatever was done for the one that ended at `time` was done
    /// before.
    pub(crate) fn next_after(&self, time: i64) -> i64 {
        self.starts.range(time + 1..).next().map_or(i64::MAX, |(end, _)| *end)
    }

    /// How long the two passes around an instant took together.
    pub(crate) fn longest_passes_at(&self, time: i64) -> i64 {
        let place = self.passes.partition_point(|(start, _)| *start < time);
        let around = self.passes.iter().skip(place.saturating_sub(2)).take(4);
        let mut took: Vec<i64> = around.map(|(start, end)| end - start).collect();
        took.sort_unstable();
        took.iter().rev().take(2).sum()
    }

    /// Whether there were this many passes, each from its start to its end, between two instants.
    pub(crate) fn has_passes_between(&self, from: i64, until: i64, count: usize) -> bool {
        let first = self.passes.partition_point(|(start, _)| *start < from);
        let last = first + count - 1;
        self.passes.get(last).is_some_and(|(_, end)| *end <= until)
    }

    #[cfg(test)]
    pub(crate) fn from_passes(passes: &[(i64, i64)]) -> Self {
        let mut readings = Self::default();
        for (start, end) in passes {
            readings.passes.push((*start, *end));
            readings.starts.insert(*end, *start);
            readings.boot_times.extend([(*start, *start), (*end, *end)]);
        }
        readings
    }
}
