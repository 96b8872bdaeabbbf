//! The use of the port range towards remote ends: the one metric that has remote addresses, of few.

use crate::view::port_usage::PortRecord;
use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;

/// So many remote ends are shown at once, those with the largest share.
const SHOWN: usize = 5;
/// A smaller share is not worth a label.
const LEAST: f64 = 0.1;
/// All other remote ends.
const OTHER: &str = "other";

/// The remote ends that have been shown: no more than a limit of them ever are.
#[derive(Debug)]
pub(super) struct Remotes {
    known: HashSet<String>,
    limit: usize,
}

impl Remotes {
    pub(super) fn new(limit: usize) -> Self {
        Self { known: HashSet::new(), limit }
    }

    /// The share (up to 1) of the port range in use towards each of the remote ends that are shown, and
    /// the largest of all others.
    pub(super) fn shares(&mut self, usage: &[PortRecord]) -> Vec<(String, f64)> {
        // Of the local addresses of this machine each has a range of its own: the fullest counts.
        let mut by_remote: BTreeMap<SocketAddr, f64> = BTreeMap::new();
        for PortRecord { remote_addr, remote_port, percent, .. } in usage {
            let share = by_remote.entry((*remote_addr, *remote_port).into()).or_default();
            *share = share.max(percent / 100.0);
        }
        let mut all: Vec<(SocketAddr, f64)> = by_remote.into_iter().collect();
        all.sort_by(|(_, one), (_, two)| two.total_cmp(one));
        let (mut shown, mut other) = (Vec::new(), 0.0_f64);
        for (remote, share) in all {
            let name = remote.to_string();
            let is_large = share >= LEAST && shown.len() < SHOWN;
            if is_large && (self.known.contains(&name) || self.known.len() < self.limit) {
                self.known.insert(name.clone());
                shown.push((name, share));
            } else {
                other = other.max(share);
            }
        }
        shown.push((OTHER.to_owned(), other));
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Stamp;

    fn usage(remote: &str, percent: f64) -> PortRecord {
        let remote: SocketAddr = remote.parse().expect("an address");
        PortRecord {
            time: Stamp::default(),
            netns: None,
            local_addr: remote.ip(),
            remote_addr: remote.ip(),
            remote_port: remote.port(),
            used: 1,
            time_wait: 0,
            available: 10,
            percent,
        }
    }

    fn shares(remotes: &mut Remotes, usage: &[PortRecord]) -> Vec<String> {
        let shares = remotes.shares(usage);
        shares.into_iter().map(|(remote, share)| format!("{remote} {share:.2}")).collect()
    }

    #[test]
    fn the_largest_shares_have_names() {
        let mut remotes = Remotes::new(9);
        let all: Vec<PortRecord> =
            (1..=7).map(|n| usage(&format!("10.0.0.{n}:80"), f64::from(n) * 10.0)).collect();
        let expected = [
            "10.0.0.7:80 0.70",
            "10.0.0.6:80 0.60",
            "10.0.0.5:80 0.50",
            "10.0.0.4:80 0.40",
            "10.0.0.3:80 0.30",
            "other 0.20",
        ];
        assert_eq!(shares(&mut remotes, &all), expected);
        let small = [usage("[2001:db8::1]:443", 9.0), usage("10.0.0.1:80", 2.0)];
        assert_eq!(shares(&mut remotes, &small), ["other 0.09"]);
        let twice = [usage("10.0.0.7:80", 20.0), usage("10.0.0.7:80", 50.0)];
        assert_eq!(shares(&mut remotes, &twice), ["10.0.0.7:80 0.50", "other 0.00"]);
        assert_eq!(shares(&mut remotes, &[]), ["other 0.00"]);
    }

    #[test]
    fn names_are_bounded_over_a_run() {
        let mut remotes = Remotes::new(2);
        for (number, name) in
            [(1, "10.0.0.1:80"), (2, "10.0.0.2:80"), (3, "other"), (1, "10.0.0.1:80")]
        {
            let shares = remotes.shares(&[usage(&format!("10.0.0.{number}:80"), 50.0)]);
            let largest = shares.iter().max_by(|(_, a), (_, b)| a.total_cmp(b)).expect("one");
            assert_eq!(largest.0, name);
        }
    }
}
