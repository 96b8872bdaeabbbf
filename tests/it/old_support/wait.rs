//! Waiting for a condition, never for a time.

use std::time::{Duration, Instant};

/// Between two looks at a condition.
const PARK: Duration = Duration::from_millis(2);
/// Long enough for a loaded machine; a test that needs it has failed.
const LIMIT: Duration = Duration::from_secs(20);

/// Looks again and again until there is an answer.
///
/// # Panics
/// When the condition never comes, saying what was waited for.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(answer) = look() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::park_timeout(PARK);
    }
}

/// Parks until an instant has come: for tests that drive traffic by a plan.
pub(crate) fn until_instant(due: Instant) {
    while let Some(left) = due.checked_duration_since(Instant::now()).filter(|d| !d.is_zero()) {
        std::thread::park_timeout(left);
    }
}
