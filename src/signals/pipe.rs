//! The pipe by which signals, and other threads, end a wait.

use crate::error::{Error, Result};
use rustix::fd::{AsFd, BorrowedFd};
use signal_hook::flag;
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;
use std::cell::{Ref, RefCell};
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The signals that are caught.
#[derive(Debug)]
pub(super) struct SignalPipe {
    /// Its end of the pipe is readable once a signal has come.
    delivery: RefCell<SignalDelivery<UnixStream, SignalOnly>>,
    /// A signal has come that was not read from the pipe yet: to know costs no system call.
    has_signal: Arc<AtomicBool>,
    /// The other end of the pipe: a byte in it ends a wait, too.
    wake: UnixStream,
}

/// The end of the pipe that is read.
pub(super) struct ReadEnd<'p>(Ref<'p, SignalDelivery<UnixStream, SignalOnly>>);

impl SignalPipe {
    /// Opens a pipe for no signals yet.
    pub(super) fn open() -> Result<Self> {
        let (read, wake) = UnixStream::pair().map_err(cannot_catch)?;
        wake.set_nonblocking(true).map_err(cannot_catch)?;
        let write = wake.try_clone().map_err(cannot_catch)?;
        let delivery = SignalDelivery::with_pipe(read, write, SignalOnly, [0; 0]);
        let delivery = RefCell::new(delivery.map_err(cannot_catch)?);
        Ok(Self { delivery, has_signal: Arc::default(), wake })
    }

    /// Catches these signals, too.
    pub(super) fn catch(&self, caught: &[i32]) -> Result<()> {
        let handle = self.delivery.borrow().handle();
        for signal in caught {
            handle.add_signal(*signal).map_err(cannot_catch)?;
            flag::register(*signal, Arc::clone(&self.has_signal)).map_err(cannot_catch)?;
        }
        Ok(())
    }

    /// Something that another thread calls to end a wait early.
    pub(super) fn waker(&self) -> Result<impl FnOnce() + Send + 'static> {
        let mut wake = self.wake.try_clone().map_err(cannot_catch)?;
        // A pipe without room for one more byte is readable.
        Ok(move || drop(wake.write(&[0])))
    }

    /// What is readable once a signal has come, or a byte of a [`waker`](Self::waker).
    pub(super) fn read_end(&self) -> ReadEnd<'_> {
        ReadEnd(self.delivery.borrow())
    }

    /// Whether a signal has come since the pipe was emptied last.
    pub(super) fn has_signal(&self) -> bool {
        self.has_signal.load(Ordering::Relaxed)
    }

    /// Empties the pipe; the signals that have come.
    pub(super) fn empty(&self, mut note: impl FnMut(i32)) {
        self.has_signal.store(false, Ordering::Relaxed);
        self.delivery.borrow_mut().pending().for_each(&mut note);
    }
}

impl AsFd for ReadEnd<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_read().as_fd()
    }
}

fn cannot_catch(cause: io::Error) -> Error {
    Error::System { what: "catch signals", cause }
}
