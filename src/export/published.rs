//! Where the run leaves its metrics for those who scrape them. The run measures when somebody has
//! asked, at most once a second: however often metrics are scraped, polls cost the same.

use super::exposition::Exposition;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// The latest metrics.
#[derive(Debug)]
pub(crate) struct Published {
    latest: Mutex<Option<(Instant, Arc<Exposition>)>>,
    /// Somebody waits for newer ones.
    is_wanted: AtomicBool,
    /// The run is over.
    is_over: AtomicBool,
    /// Readable once there is something new.
    update: OwnedFd,
}

impl Published {
    /// Nothing yet.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(crate) fn new() -> std::io::Result<Self> {
        let update = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        let (is_wanted, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(Self { latest: Mutex::new(None), is_wanted, is_over, update })
    }

    /// Whether somebody waits for newer metrics than the latest.
    pub(crate) fn is_wanted(&self) -> bool {
        self.is_wanted.load(Ordering::Acquire)
    }

    /// Leaves metrics.
    pub(crate) fn publish(&self, exposition: Exposition) {
        let new = Some((Instant::now(), Arc::new(exposition)));
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = new;
        self.is_wanted.store(false, Ordering::Release);
        self.wake();
    }

    /// No more metrics follow.
    pub(crate) fn finish(&self) {
        self.is_over.store(true, Ordering::Release);
        self.wake();
    }

    /// Asks for newer metrics.
    pub(super) fn request(&self) {
        self.is_wanted.store(true, Ordering::Release);
    }

    /// The latest metrics, and when they were left; `None` before the first.
    pub(super) fn latest(&self) -> Option<(Instant, Arc<Exposition>)> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Becomes readable when there are newer metrics, or the run is over.
    pub(super) fn update_fd(&self) -> BorrowedFd<'_> {
        self.update.as_fd()
    }

    /// Notes that these are known: there is nothing to read until there are newer ones.
    pub(super) fn take_update(&self) {
        let _ = rustix::io::read(&self.update, &mut [0; 8]);
    }

    fn wake(&self) {
        // It fails only where it is readable anyway.
        let _ = rustix::io::write(&self.update, &1_u64.to_ne_bytes());
    }
}
