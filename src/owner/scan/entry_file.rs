//! The files of one process that are read as a whole.

use procfs::process::Process as ProcEntry;
use procfs::{ProcError, ProcResult};
use rustix::buffer::spare_capacity;

/// No more is read of a file: a command line may be of megabytes, and read again with every scan.
const LONGEST: usize = 128 << 10;

/// The kernel makes each of these files as a whole, and hands out as much as there is room for: a
/// read that leaves room was the last.
pub(super) fn read_file(entry: &ProcEntry, name: &str) -> ProcResult<Vec<u8>> {
    let file = entry.open_relative(name)?;
    let mut bytes = Vec::with_capacity(1024);
    let error = |errno: rustix::io::Errno| ProcError::Io(errno.into(), None);
    loop {
        let room = bytes.capacity() - bytes.len();
        let read = rustix::io::read(&file, spare_capacity(&mut bytes)).map_err(error)?;
        if read < room || bytes.len() >= LONGEST {
            return Ok(bytes);
        }
        bytes.reserve(bytes.len());
    }
}
