//! Lengths of time, kept so small that there may be millions of them: exactly as long as there are
//! few, then by buckets that are at most 3 % wide.

use std::collections::BTreeMap;
use std::time::Duration;

/// So many are kept exactly.
const EXACT: usize = 64;
/// Each power of two is divided into so many buckets, and the numbers below twice as many are exact.
const STEPS: u64 = 32;

/// Lengths of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Times {
    /// In microseconds, while there are few.
    exact: Vec<u64>,
    /// How many there are in each bucket; empty while there are few.
    buckets: BTreeMap<u64, u64>,
    count: u64,
}

impl Times {
    /// Adds a length of time.
    pub(crate) fn add(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.count += 1;
        if self.buckets.is_empty() && self.exact.len() < EXACT {
            self.exact.push(micros);
            return;
        }
        for micros in std::mem::take(&mut self.exact).into_iter().chain([micros]) {
            *self.buckets.entry(bucket(micros)).or_default() += 1;
        }
    }

    /// How many there are.
    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    /// The time that so many percent of them do not exceed; `None` without any.
    pub(crate) fn percentile(&self, percent: u64) -> Option<Duration> {
        let rank = (self.count * percent).div_ceil(100).max(1);
        if self.buckets.is_empty() {
            let mut sorted = self.exact.clone();
            sorted.sort_unstable();
            let place = usize::try_from(rank - 1).ok()?;
            return sorted.get(place).copied().map(Duration::from_micros);
        }
        let mut passed = 0;
        let reached = self.buckets.iter().find(|(_, count)| {
            passed += **count;
            passed >= rank
        });
        reached.map(|(bucket, _)| Duration::from_micros(middle(*bucket)))
    }
}

/// The bucket of a number.
const fn bucket(number: u64) -> u64 {
    if number < 2 * STEPS {
        return number;
    }
    let shift = number.ilog2() as u64 - STEPS.ilog2() as u64;
    shift * STEPS + (number >> shift)
}

/// The number in the middle of a bucket.
const fn middle(bucket: u64) -> u64 {
    if bucket < 2 * STEPS {
        return bucket;
    }
    let shift = bucket / STEPS - 1;
    let lowest = (bucket % STEPS + STEPS) << shift;
    lowest + (1 << shift) / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(micros: impl Iterator<Item = u64>) -> Times {
        let mut times = Times::default();
        micros.for_each(|micros| times.add(Duration::from_micros(micros)));
        times
    }

    #[test]
    fn few_times_are_exact() {
        let times = of([9_000_001, 5, 7_000_003].into_iter());
        assert_eq!(times.percentile(50), Some(Duration::from_micros(7_000_003)));
        assert_eq!(times.percentile(95), Some(Duration::from_micros(9_000_001)));
        assert_eq!(Times::default().percentile(50), None);
    }

    #[test]
    fn many_times_are_near_enough() {
        let times = of((1..=100_000).map(|number| number * 17));
        assert_eq!(times.count(), 100_000);
        for percent in [1, 50, 95, 100] {
            let exact = 17 * 1000 * percent;
            let found = u64::try_from(times.percentile(percent).unwrap().as_micros()).unwrap();
            assert!(found.abs_diff(exact) * 100 <= 3 * exact, "{percent}: {found}, not {exact}");
        }
    }

    proptest! {
        #[test]
        fn the_middle_of_a_bucket_is_near_every_number_in_it(number: u64) {
            let found = middle(bucket(number));
            prop_assert_eq!(bucket(found), bucket(number));
            prop_assert!(found.abs_diff(number) <= number / 32);
        }
    }
}
