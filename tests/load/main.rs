//! Tests that load the machine with processes, connections or records. They run one by one, and
//! cargo runs no other target beside them: no test that waits for a poll is kept waiting by them.

mod churn;
mod forks;
mod lookups;
mod memory;
mod scrapes;
#[path = "../support/mod.rs"]
#[allow(dead_code)]
mod support;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Held by every test here for as long as it runs.
fn alone() -> MutexGuard<'static, ()> {
    static MACHINE: Mutex<()> = Mutex::new(());
    MACHINE.lock().unwrap_or_else(PoisonError::into_inner)
}
