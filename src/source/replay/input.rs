//! The bytes of a recording: from a file, standard input, or a file that grows; compressed by gzip or
//! zstd or not, as the first bytes show.

use super::follow::GrowingFile;
use super::ring::{Joined, RingFiles, open_newest};
use super::state::InputState;
use crate::error::{Error, RecordingError, Result, UnreadPart};
use crate::signals::Signals;
use flate2::bufread::MultiGzDecoder;
use rustix::fd::{AsFd, OwnedFd};
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// This many bytes show how a file is compressed.
const MAGIC: u64 = 4;
const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// What is read unpacks to at most so many times its size: the times in every line see to that. More
/// is a file that was made to fill the memory of its reader.
const MOST_UNPACKED: u64 = 100;
/// Short files may be anything.
const SHORT: u64 = 1 << 20;
/// Nothing happens after this time but another wait.
const LONG: Duration = Duration::from_secs(3600);

/// The bytes of a recording, decompressed.
pub(super) struct Input<'a> {
    bytes: Box<dyn Read + 'a>,
    state: Rc<InputState>,
    /// How many bytes have been read of the file, and how many these were unpacked to.
    packed: Rc<Cell<u64>>,
    unpacked: u64,
}

impl<'a> Input<'a> {
    /// Opens a file; `-` is standard input. With `follow` it does not end: see [`GrowingFile`].
    ///
    /// # Errors
    /// A file that cannot be read, or that is compressed although it is to be followed.
    pub(super) fn open(path: &Path, follow: bool, signals: &'a Signals) -> Result<Self> {
        let unreadable = |cause: io::Error| Error::read(path, cause, "");
        let state = Rc::new(InputState::default());
        let ring = RingFiles::of(path);
        let files_before = |file: &File| ring.as_ref().map(|ring| ring.before(file, &state));
        let mut raw: Box<dyn Read + 'a> = if follow {
            let growing = GrowingFile::open(path, signals, Rc::clone(&state))?;
            let before = files_before(growing.file()).unwrap_or_default();
            Box::new(Joined::new(before, growing))
        } else {
            let file = if path.as_os_str() == "-" {
                let stdin: OwnedFd =
                    io::stdin().as_fd().try_clone_to_owned().map_err(unreadable)?;
                File::from(stdin)
            } else {
                open_newest(path, ring.as_ref(), &state).map_err(unreadable)?
            };
            let before = files_before(&file).unwrap_or_default();
            let last = InterruptibleFile { file, signals, state: Rc::clone(&state) };
            Box::new(Joined::new(before, last))
        };
        let mut head = Vec::new();
        match (&mut raw).take(MAGIC).read_to_end(&mut head) {
            Ok(_) => {}
            Err(_) if state.is_stopped.get() => {}
            Err(cause) => return Err(unreadable(cause)),
        }
        let is_compressed = head.starts_with(GZIP) || head == ZSTD;
        if follow && is_compressed {
            return Err(RecordingError::Packed(path.to_owned()).into());
        }
        let packed = Rc::new(Cell::new(0));
        let raw = CountingReader { bytes: raw, count: Rc::clone(&packed) };
        let whole = BufReader::new(Cursor::new(head.clone()).chain(raw));
        let bytes: Box<dyn Read + 'a> = if head.starts_with(GZIP) {
            Box::new(MultiGzDecoder::new(whole))
        } else if is_compressed {
            Box::new(Zstd { source: whole, decoder: FrameDecoder::new(), in_frame: false })
        } else {
            Box::new(whole)
        };
        Ok(Self { bytes, state, packed, unpacked: 0 })
    }

    /// Whether a read has ended because the run was over.
    pub(super) fn is_stopped(&self) -> bool {
        self.state.is_stopped.get()
    }

    /// The files that cannot be read. `lacks_beginning`: there were others before the first one that
    /// was read, and they may be where nothing can be listed.
    pub(super) fn unread(&self, lacks_beginning: bool) -> Vec<UnreadPart> {
        if let Some(folder) = self.state.unlisted.take().filter(|_| lacks_beginning) {
            self.state.note_unread(folder);
        }
        self.state.unread.borrow().clone()
    }

    /// What the user should know of the file, each thing once.
    pub(super) fn take_warnings(&self) -> Vec<String> {
        self.state.warnings.take()
    }
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(buffer)?;
        self.unpacked = self.unpacked.saturating_add(read as u64);
        if self.unpacked > self.packed.get().saturating_mul(MOST_UNPACKED).max(SHORT) {
            return Err(io::Error::other(format!(
                "it unpacks to more than {MOST_UNPACKED} times its size, as no recording does"
            )));
        }
        Ok(read)
    }
}

/// Counts what is read.
struct CountingReader<R> {
    bytes: R,
    count: Rc<Cell<u64>>,
}

impl<R: Read> Read for CountingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(buffer)?;
        self.count.set(self.count.get().saturating_add(read as u64));
        Ok(read)
    }
}

/// Reads a file, and ends with the run while there is nothing to read.
struct InterruptibleFile<'a> {
    file: File,
    signals: &'a Signals,
    state: Rc<InputState>,
}

impl Read for InterruptibleFile<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.state.wait(self.signals, Instant::now() + LONG, Some(self.file.as_fd()))?;
            match self.file.read(buffer) {
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }
}

/// Decompresses zstd, one frame after the other.
struct Zstd<R> {
    source: R,
    decoder: FrameDecoder,
    in_frame: bool,
}

impl<R: BufRead> Zstd<R> {
    /// Starts the next frame that is not skippable; false at the end.
    fn start_frame(&mut self) -> io::Result<bool> {
        while !self.in_frame && !self.source.fill_buf()?.is_empty() {
            match self.decoder.reset(&mut self.source) {
                Ok(()) => self.in_frame = true,
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    io::copy(&mut (&mut self.source).take(length.into()), &mut io::sink())?;
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(self.in_frame)
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.start_frame()? {
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                self.decoder
                    .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(io::Error::other)?;
            }
            let read = self.decoder.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            self.in_frame = false;
        }
        Ok(0)
    }
}
