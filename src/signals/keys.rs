//! The keys of a run that is drawn on a terminal: who reads them, within every wait.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::time::Instant;

/// Reads the keys that were pressed in a wait that ends at an instant.
pub(crate) type KeyReader = Box<dyn FnMut(Instant) -> Keys>;

/// The keys on standard input.
#[derive(Default)]
pub(super) struct KeyWatch {
    is_watched: Cell<bool>,
    /// Who reads them; `None` where only `q` matters.
    reader: RefCell<Option<KeyReader>>,
    /// The reader has something left to do, and is called again soon.
    calls_soon: Cell<bool>,
}

/// What came of reading keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "tui"), allow(dead_code))]
pub(crate) enum Keys {
    /// The run goes on.
    Pressed,
    /// The run goes on; the reader wants to be called again soon, also without a key.
    Later,
    /// The run has to end.
    Quit,
    /// No keys can be pressed any more.
    Gone,
}

impl KeyWatch {
    /// From now on keys are waited for, too.
    pub(super) fn watch(&self) {
        self.is_watched.set(true);
    }

    pub(super) fn is_watched(&self) -> bool {
        self.is_watched.get()
    }

    /// From now on this reads them.
    #[cfg(feature = "tui")]
    pub(super) fn watch_with(&self, reader: KeyReader) {
        *self.reader.borrow_mut() = Some(reader);
        self.watch();
    }

    #[cfg(feature = "tui")]
    pub(super) fn stop(&self) {
        self.is_watched.set(false);
        self.calls_soon.set(false);
        drop(self.reader.take());
    }

    /// Whether the reader is to be called soon, also without a key.
    pub(super) fn calls_soon(&self) -> bool {
        self.calls_soon.get()
    }

    #[cfg(feature = "tui")]
    pub(super) fn call_soon(&self, soon: bool) {
        self.calls_soon.set(soon && self.is_watched());
    }

    /// Reads the keys that were pressed in a wait until `due`; whether the run has to end.
    pub(super) fn read(&self, due: Instant) -> bool {
        let keys = match self.reader.borrow_mut().as_mut() {
            Some(read) => read(due),
            None => read_quit_key(),
        };
        self.calls_soon.set(keys == Keys::Later);
        if keys == Keys::Gone {
            self.is_watched.set(false);
        }
        keys == Keys::Quit
    }
}

/// Reads keys of which only `q` matters.
fn read_quit_key() -> Keys {
    let mut keys = [0; 64];
    match rustix::io::read(io::stdin(), &mut keys) {
        Ok(0) | Err(_) => Keys::Gone,
        Ok(read) if keys[..read].iter().any(|key| matches!(key, b'q' | b'Q')) => Keys::Quit,
        Ok(_) => Keys::Pressed,
    }
}

impl fmt::Debug for KeyWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyWatch").field("is_watched", &self.is_watched).finish_non_exhaustive()
    }
}
