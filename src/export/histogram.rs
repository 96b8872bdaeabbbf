//! How often times were of which length.

use std::time::Duration;

/// Counts of times up to each of some bounds.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    /// In seconds, rising.
    bounds: &'static [f64],
    /// How many were above the bound before and up to this one; the last: above all bounds.
    counts: Vec<u64>,
    sum: Duration,
}

impl Histogram {
    /// Nothing counted yet.
    pub(crate) fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1], sum: Duration::ZERO }
    }

    /// Counts a time.
    pub(crate) fn add(&mut self, time: Duration) {
        let seconds = time.as_secs_f64();
        let place = self.bounds.iter().position(|bound| seconds <= *bound);
        self.counts[place.unwrap_or(self.bounds.len())] += 1;
        self.sum = self.sum.saturating_add(time);
    }

    /// The sum of all times, in seconds.
    pub(crate) fn sum(&self) -> f64 {
        self.sum.as_secs_f64()
    }

    /// How many times there were.
    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Each bound, the last one infinite, with how many times were above the bound
    /// before it.
    pub(crate) fn buckets(&self) -> Vec<(f64, u64)> {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        bounds.zip(self.counts.iter().copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_the_first_bucket_that_holds_it() {
        let mut histogram = Histogram::new(&[0.5, 1.0]);
        for millis in [0, 500, 501, 1000, 5000] {
            histogram.add(Duration::from_millis(millis));
        }
        assert_eq!(histogram.buckets(), [(0.5, 2), (1.0, 2), (f64::INFINITY, 1)]);
        assert_eq!(histogram.count(), 5);
        assert!((histogram.sum() - 7.001).abs() < 1e-9);
    }
}
