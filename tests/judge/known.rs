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
    // A request and its child have two cookies by netlink. They are joined now, which has not been
    // seen to hold often enough to do without these entries.
    Known {
        fault: "N1",
        source: "netlink",
        plans: &[Kind::Link],
        claims: &[Claim::NoSuchSocket, Claim::NoSuchState],
        reused: false,
    },
    // Seen once, with a 4-tuple that was used again: a request was dumped 7 ms before the kernel made
    // the child that the judge takes for it.
    Known {
        fault: "N2",
        source: "netlink",
        plans: &[Kind::Reuse],
        claims: &[Claim::TooEarly],
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
