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

const KNOWN: &[Known] = &[];

/// The known fault that explains a violation.
pub(crate) fn find(source: &str, kind: Kind, violation: &Violation) -> Option<&'static Known> {
    KNOWN.iter().find(|known| {
        known.source == source
            && (known.plans.is_empty() || known.plans.contains(&kind))
            && known.claims.contains(&violation.claim)
            && (violation.reused || !known.reused)
    })
}
