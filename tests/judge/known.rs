//! Faults of the program that are known and not fixed yet: violations of their kind are printed and
//! do not count. An entry that no longer occurs fails nothing; the commit that fixes a fault deletes
//! its entry.

use super::claims::{Claim, Violation};
use super::plan::Kind;

/// One fault.
pub(crate) struct Known {
    pub(crate) fault: &'static str,
    source: &'static str,
    /// Empty: in every plan.
    plans: &'static [Kind],
    claims: &'static [Claim],
    /// Only where several sockets had the same addresses, one after the other.
    reused: bool,
}

const KNOWN: &[Known] = &[
    // A lookup without a cookie finds the TIME_WAIT of the next connection with the same addresses,
    // and a connect() that the kernel refuses is taken for the end of it: one socket gets two ids, or
    // a state too early.
    Known {
        fault: "T02, T03",
        source: "trace",
        plans: &[],
        claims: &[
            Claim::NoSuchSocket,
            Claim::NoSuchState,
            Claim::TooEarly,
            Claim::OverBefore,
            Claim::Closer,
            Claim::StateNotReported,
            Claim::EndNotReported,
        ],
        reused: true,
    },
    // A handshake that takes longer than a poll becomes two sockets, one of which never was.
    Known {
        fault: "T05",
        source: "trace",
        plans: &[],
        claims: &[Claim::NoSuchSocket],
        reused: false,
    },
    // A connection to another host that is gone before a poll could show in which network namespace
    // it was is not reported at all.
    Known {
        fault: "J03",
        source: "trace",
        plans: &[Kind::Link],
        claims: &[Claim::NotReported],
        reused: false,
    },
    // Who lets go of a socket is listed among those that are proven to hold it.
    Known {
        fault: "T08",
        source: "trace",
        plans: &[Kind::PassedDescriptors, Kind::Prefork],
        claims: &[Claim::NotProven],
        reused: false,
    },
    // A descriptor in /proc/PID/fd holds its socket while it is read, so a close() at that moment
    // ends in the process that reads: the kernel's event names a watcher.
    Known {
        fault: "J01",
        source: "trace",
        plans: &[],
        claims: &[Claim::WatcherIsNoOwner],
        reused: false,
    },
    // A row of /proc without an inode is that of the next mini-socket with the same addresses, which
    // a lookup by cookie shows later: the times before which one was there and the other was not are
    // those of the passes that showed the row.
    Known {
        fault: "J02",
        source: "proc",
        plans: &[Kind::Reuse],
        claims: &[Claim::OverBefore, Claim::TooEarly],
        reused: true,
    },
    // A request gets its cookie from our dump after its child was cloned: two ids.
    Known {
        fault: "N1",
        source: "netlink",
        plans: &[Kind::Link],
        claims: &[Claim::NoSuchSocket, Claim::NoSuchState],
        reused: false,
    },
];

/// The known fault that explains a violation.
pub(crate) fn find(source: &str, kind: Kind, violation: &Violation) -> Option<&'static Known> {
    KNOWN.iter().find(|known| {
        known.source == source
            && (known.plans.is_empty() || known.plans.contains(&kind))
            && known.claims.contains(&violation.claim)
            && (violation.reused || !known.reused)
    })
}
