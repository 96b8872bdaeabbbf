//! Waiting for a condition, with a limit, and never for time to pass.

use std::time::{Duration, Instant};

/// Between two checks of a condition that cannot wake us.
const PARK: Duration = Duration::from_millis(2);
/// No test that passes comes near it, on any machine: a wait this long has failed.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Checks again and again until there is a value.
///
/// # Panics
/// After [`LIMIT`], saying what was waited for.
pub(crate) fn until<T>(what: &str, check: impl FnMut() -> Option<T>) -> T {
    until_or(check, || what.to_owned())
}

/// As [`until`], with a description that is made only if the wait fails.
pub(crate) fn until_or<T>(
    mut check: impl FnMut() -> Option<T>,
    what: impl FnOnce() -> String,
) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(value) = check() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited {LIMIT:?} in vain for {}", what());
        std::thread::park_timeout(PARK);
    }
}

/// Parks until an instant: for traffic that follows a plan, not for anything to happen.
pub(crate) fn until_instant(due: Instant) {
    while let Some(left) = due.checked_duration_since(Instant::now()).filter(|d| !d.is_zero()) {
        std::thread::park_timeout(left);
    }
}
