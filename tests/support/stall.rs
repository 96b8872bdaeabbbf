//! A machine that stalls, or whose kernel leaves an event out. Where the program was kept from polling for more
//! than two seconds it reports a gap and may rightly take a socket for a new one; where later events show that one
//! is missing it says so. No test is about that unless it makes the gap itself, so a failure in such
//! a run says nothing, and the run is repeated.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// So many such runs in a row are no accident.
const TRIES: usize = 4;

thread_local! {
    static STALLED: Cell<bool> = const { Cell::new(false) };
}

/// Notes that a program of this thread's test has reported a gap, or a missing event.
pub(crate) fn note() {
    STALLED.set(true);
}

/// Runs the body of a test, again if it fails while the machine stalled.
pub(crate) fn repeat_if_stalled(body: impl Fn()) {
    for tries_left in (0..TRIES).rev() {
        STALLED.set(false);
        match catch_unwind(AssertUnwindSafe(&body)) {
            Ok(()) => return,
            Err(_) if STALLED.get() && tries_left > 0 => {
                eprintln!("the machine stalled, or left an event out: running again");
            }
            Err(panic) => resume_unwind(panic),
        }
    }
}
