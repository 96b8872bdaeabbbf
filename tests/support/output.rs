//! What a child process prints, read by a thread as it comes: nothing has to read it in time, and
//! every wait for more has a limit.

use super::schema::fault_of;
use super::wait::LIMIT;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A stream of a child process, and how much of it has been taken.
pub(crate) struct Output {
    shared: Arc<Shared>,
    /// In bytes.
    taken: usize,
}

#[derive(Default)]
struct Shared {
    text: Mutex<Text>,
    changed: Condvar,
}

#[derive(Default)]
struct Text {
    printed: Vec<u8>,
    ended: bool,
    /// What is wrong with the first record that breaks the schema.
    fault: Option<String>,
}

impl Output {
    /// Reads a stream to its end, and keeps those of its lines that `keep` wants. Where one of these
    /// is a record that breaks the schema, a wait for more panics.
    pub(crate) fn of(
        stream: impl Read + Send + 'static,
        keep: impl Fn(&str) -> bool + Send + 'static,
    ) -> Self {
        let shared = Arc::new(Shared::default());
        let for_reader = Arc::clone(&shared);
        std::thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while stream.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                let text = String::from_utf8_lossy(&line);
                if keep(&text) {
                    let fault = fault_of(&text);
                    let mut read = for_reader.lock();
                    read.fault = read.fault.take().or(fault);
                    read.printed.append(&mut line);
                    drop(read);
                    for_reader.changed.notify_all();
                }
                line.clear();
            }
            for_reader.lock().ended = true;
            for_reader.changed.notify_all();
        });
        Self { shared, taken: 0 }
    }

    /// Reads a stream to its end; what has been read is there at once, not line by line.
    pub(crate) fn of_bytes(mut stream: impl Read + Send + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let for_reader = Arc::clone(&shared);
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            // A terminal whose other end was closed reports its end as an error.
            while let Ok(read @ 1..) = stream.read(&mut piece) {
                for_reader.lock().printed.extend_from_slice(&piece[..read]);
                for_reader.changed.notify_all();
            }
            for_reader.lock().ended = true;
            for_reader.changed.notify_all();
        });
        Self { shared, taken: 0 }
    }

    /// Waits for the next line and takes it, with its newline if it has one; `None` at the end of
    /// the stream, or after [`LIMIT`].
    pub(crate) fn next_line(&mut self) -> Option<String> {
        let deadline = Instant::now() + LIMIT;
        let mut text = self.shared.lock();
        loop {
            text.assert_valid();
            let rest = &text.printed[self.taken..];
            let newline = rest.iter().position(|byte| *byte == b'\n');
            let length = newline.map_or(rest.len(), |at| at + 1);
            if newline.is_some() || text.ended {
                let line = String::from_utf8(rest[..length].to_vec()).expect("UTF-8");
                self.taken += length;
                return Some(line).filter(|line| !line.is_empty());
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            let waited = self.shared.changed.wait_timeout(text, left);
            text = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes all that has been printed and not taken yet, in whole lines.
    pub(crate) fn take_lines(&mut self) -> Vec<String> {
        let text = self.shared.lock();
        text.assert_valid();
        let rest = &text.printed[self.taken..];
        let length = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let lines = String::from_utf8(rest[..length].to_vec()).expect("UTF-8");
        self.taken += length;
        lines.lines().map(str::to_owned).collect()
    }

    /// Waits for the end of the stream; false after [`LIMIT`].
    pub(crate) fn wait_for_end(&self) -> bool {
        let (text, _) = self
            .shared
            .changed
            .wait_timeout_while(self.shared.lock(), LIMIT, |text| !text.ended)
            .unwrap_or_else(PoisonError::into_inner);
        text.assert_valid();
        text.ended
    }

    /// Waits for the end of the stream; takes all lines that have not been taken yet.
    ///
    /// # Panics
    /// If the stream does not end in time.
    pub(crate) fn rest(&mut self) -> Vec<String> {
        assert!(self.wait_for_end(), "a stream stays open; it was {}", self.so_far());
        self.take_lines()
    }

    /// Whether all that has been printed so far, taken or not, is this.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.shared.lock().printed == text.as_bytes()
    }

    /// All that has been printed so far, taken or not.
    pub(crate) fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.shared.lock().printed).into_owned()
    }
}

impl Text {
    #[track_caller]
    fn assert_valid(&self) {
        if let Some(fault) = &self.fault {
            panic!("a record breaks the schema: {fault}");
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Text> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until a stream has something to read, and reads it: at most as much as fits, 0 at its end.
///
/// # Panics
/// If there is nothing to read after [`LIMIT`].
pub(crate) fn read_some(stream: &mut (impl Read + AsFd), piece: &mut [u8]) -> io::Result<usize> {
    let limit = Timespec::try_from(LIMIT).expect("the limit is small");
    let ready = poll(&mut [PollFd::new(stream, PollFlags::IN)], Some(&limit))?;
    assert!(ready > 0, "nothing to read after {LIMIT:?}");
    stream.read(piece)
}
