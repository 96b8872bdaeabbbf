//! What a recording is read from: a file, standard input, a file that grows; packed by gzip or zstd
//! or not at all, as its first bytes tell.

use super::follow::Tail;
use super::state::State;
use crate::error::{Error, Result};
use crate::signals::Signals;
use flate2::bufread::MultiGzDecoder;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::OFlags;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// As many first bytes tell how a file is packed.
const MAGIC: u64 = 4;
const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Waits are renewed after this long, to no effect.
const LONG: Duration = Duration::from_hours(1);

/// The bytes of a recording, unpacked.
pub(super) struct Input<'a> {
    bytes: Box<dyn Read + 'a>,
    state: Rc<State>,
}

impl<'a> Input<'a> {
    pub(super) fn open(path: &Path, follow: bool, stop: &'a Signals) -> Result<Self> {
        let unreadable = |cause: io::Error| Error::read(path, cause, "");
        let state = Rc::new(State::default());
        let mut raw: Box<dyn Read + 'a> = if follow {
            Box::new(Tail::open(path, stop, Rc::clone(&state))?)
        } else {
            let file = if path.as_os_str() == "-" {
                let stdin: OwnedFd =
                    io::stdin().as_fd().try_clone_to_owned().map_err(unreadable)?;
                File::from(stdin)
            } else {
                // Whoever writes into a pipe may come later: that is waited for where a signal is
                // heard.
                let waiting = OFlags::NONBLOCK.bits().cast_signed();
                let mut options = File::options();
                options.read(true).custom_flags(waiting).open(path).map_err(unreadable)?
            };
            Box::new(Patient { file, stop, state: Rc::clone(&state) })
        };
        let mut head = Vec::new();
        match (&mut raw).take(MAGIC).read_to_end(&mut head) {
            Ok(_) => {}
            Err(_) if state.stopped.get() => {}
            Err(cause) => return Err(unreadable(cause)),
        }
        let packed = head.starts_with(GZIP) || head == ZSTD;
        if follow && packed {
            let path = path.display();
            return Err(Error::Usage(format!(
                "{path} is packed, so it does not grow: leave out --follow"
            )));
        }
        let whole = BufReader::new(Cursor::new(head.clone()).chain(raw));
        let bytes: Box<dyn Read + 'a> = if head.starts_with(GZIP) {
            Box::new(MultiGzDecoder::new(whole))
        } else if packed {
            Box::new(Zstd { source: whole, decoder: FrameDecoder::new(), in_frame: false })
        } else {
            Box::new(whole)
        };
        Ok(Self { bytes, state })
    }

    /// Whether the run was over while it was read.
    pub(super) fn is_stopped(&self) -> bool {
        self.state.stopped.get()
    }

    /// What happened to the file meanwhile.
    pub(super) fn notices(&self) -> Vec<String> {
        self.state.notices.take()
    }
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(buffer)
    }
}

/// Reads a file without missing the end of the run while nothing comes.
struct Patient<'a> {
    file: File,
    stop: &'a Signals,
    state: Rc<State>,
}

impl Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.state.wait(self.stop, Instant::now() + LONG, self.file.as_fd())?;
            match self.file.read(buffer) {
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }
}

/// Unpacks zstd, one frame after the other.
struct Zstd<R> {
    source: R,
    decoder: FrameDecoder,
    in_frame: bool,
}

impl<R: BufRead> Zstd<R> {
    /// Begins the next frame that holds anything; false at the end.
    fn begin_frame(&mut self) -> io::Result<bool> {
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
        while self.begin_frame()? {
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
