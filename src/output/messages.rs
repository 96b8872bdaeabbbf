//! Messages on standard error, where records never go: a slow reader delays no poll.

use super::queue::{Queue, Wait};
use crate::model::escape::printable;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// How many bytes may be queued: messages are few, and who requests reports without reading them
/// needs no further one.
pub(super) const CAPACITY: usize = 1 << 20;

/// No warnings, hints and closing line are wanted. It holds for the whole program, so that no place
/// that prints one can miss it.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Prints no warnings, hints and closing line from now on; errors are still printed.
pub(crate) fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// Queues messages and reports for standard error. When it is dropped they are written, unless
/// nobody reads them.
#[derive(Default)]
pub(crate) struct Messages {
    /// `None` before the first message.
    queue: Option<Queue>,
    /// How many had no room since the last that had.
    dropped: u64,
}

impl Messages {
    /// Writes warnings, a line each.
    pub(crate) fn print(&mut self, sentences: impl IntoIterator<Item = String>) {
        self.write(warnings(sentences));
    }

    /// Writes text as it is, if there is room for it; what had none is counted before the next.
    pub(crate) fn write(&mut self, mut text: Vec<u8>) {
        if text.is_empty() {
            return;
        }
        if self.queue.is_none() {
            self.queue = Queue::to(&io::stderr(), CAPACITY, || ()).ok();
        }
        let Some(queue) = &mut self.queue else {
            // Without a thread a late poll is better than no message.
            return write(&text);
        };
        if !queue.has_room() {
            self.dropped += 1;
            return;
        }
        if self.dropped > 0 {
            let dropped = std::mem::take(&mut self.dropped);
            let mut first = lines([format!(
                "{dropped} messages dropped before this one: reader of stderr too slow"
            )]);
            first.append(&mut text);
            text = first;
        }
        // Nothing is left to report to when standard error is closed.
        let _ = queue.push(text);
    }
}

impl Messages {
    /// Waits until all is written, unless nobody reads it.
    pub(crate) fn flush(&mut self) {
        self.queue.as_mut().map(|queue| queue.wait(0, &Wait::WhileRead));
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Writes warnings to standard error, and waits for its reader.
pub(crate) fn print(sentences: impl IntoIterator<Item = String>) {
    write(&warnings(sentences));
}

/// Writes what failed to standard error, and waits for its reader.
pub(crate) fn print_errors(sentences: impl IntoIterator<Item = String>) {
    write(&lines(sentences));
}

/// Writes text to standard error, and waits for its reader.
pub(crate) fn write(text: &[u8]) {
    // Nothing is left to report to when standard error is closed.
    let _ = io::stderr().write_all(text);
}

/// Warnings as lines of standard error; nothing where none are wanted.
pub(crate) fn warnings(sentences: impl IntoIterator<Item = String>) -> Vec<u8> {
    if QUIET.load(Ordering::Relaxed) { Vec::new() } else { lines(sentences) }
}

/// Sentences as lines of standard error.
pub(crate) fn lines(sentences: impl IntoIterator<Item = String>) -> Vec<u8> {
    let line = |sentence: String| format!("tcplapse: {}\n", printable(&sentence)).into_bytes();
    sentences.into_iter().flat_map(line).collect()
}
