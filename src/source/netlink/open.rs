//! Opens the source for the caller's own network namespace.

use super::Netlink;
use crate::error::{Result, UsageError};
use crate::settings::Settings;
use crate::tcp::state_set::StateSet;
use rustix::system::uname;

/// Opens the source.
///
/// # Errors
/// The kernel has no sock_diag for TCP, or does not list a state that is asked for.
pub(in crate::source) fn open(settings: &Settings) -> Result<Netlink> {
    if settings.filter.states.as_ref().is_some_and(StateSet::names_bound) {
        knows_bound(&uname().release().to_string_lossy())?;
    }
    Netlink::open(&settings.wanted_rows(), settings.poll)
}

/// Refuses to ask a kernel for BOUND that knows no such sockets: "none" would be no answer.
fn knows_bound(release: &str) -> Result<()> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().ok());
    let version = (numbers.next().flatten(), numbers.next().flatten());
    if version < (Some(6_u32), Some(8_u32)) {
        return Err(UsageError::BoundUnknown(release.to_owned()).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_kernels_know_no_bound_sockets() {
        for release in ["6.8.0-31-generic", "6.18.44", "7.0", "10.1"] {
            assert!(knows_bound(release).is_ok(), "{release}");
        }
        for release in ["6.7.12", "5.14.0-503.el9", "3.10", "?"] {
            assert!(knows_bound(release).is_err(), "{release}");
        }
    }
}
