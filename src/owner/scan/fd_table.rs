//! Descriptor tables: where the descriptors of a process or thread lead, and those that an io_uring
//! keeps in a table of its own.

use super::is_denied_errno;
use procfs::ProcError;
use procfs::process::Process as ProcEntry;
use rustix::buffer::spare_capacity;
use rustix::fs::{
    Mode, OFlags, RawDir, SeekFrom, openat, readlinkat, readlinkat_raw, seek, statat,
};
use rustix::io::Errno;
use rustix::path::DecInt;
use std::collections::VecDeque;
use std::fs::File;
use std::mem::MaybeUninit;

/// How many of a table's newest descriptors are compared. One that was split off
/// (`unshare(CLONE_FILES)`) and has a socket of its own differs there or in size, unless it has closed
/// another one.
const SAMPLE: usize = 8;

/// How often the table of an io_uring is read: the kernel shows nothing of one that is in use.
const RING_ATTEMPTS: usize = 20;

/// How much of a table was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Extent {
    /// All of it, and it can only be changed by its process.
    Whole,
    /// All that was there while it was read; it may change without its process.
    Changing,
    /// Part of it is hidden: permission is denied, or the kernel did not show it.
    Partial,
}

/// What distinguishes one table of descriptors from another.
pub(super) struct FdTable {
    /// How many descriptors it has; 0 on old kernels.
    size: u64,
    /// How many were read.
    read: usize,
    /// The newest descriptors and where they lead.
    sample: VecDeque<(i32, Vec<u8>)>,
}

impl FdTable {
    /// Whether the directory shows this table, by size and newest descriptors.
    pub(super) fn is(&self, dir: &File) -> bool {
        size_of(dir) == self.size
            && self.sample.iter().all(|(fd, link)| {
                readlinkat(dir, DecInt::new(*fd), Vec::new())
                    .is_ok_and(|found| found.as_bytes() == link)
            })
    }

    /// How many descriptors were read.
    pub(super) const fn len(&self) -> usize {
        self.read
    }

    fn add(&mut self, fd: i32, link: &[u8]) {
        self.read += 1;
        let full = self.sample.len() == SAMPLE;
        let oldest = if full { self.sample.pop_front() } else { None };
        let (_, mut copy) = oldest.unwrap_or_default();
        copy.clear();
        copy.extend_from_slice(link);
        self.sample.push_back((fd, copy));
    }
}

/// Reads all descriptors of a table, and calls `socket` with inode and descriptor for those that
/// lead to sockets, directly or as an io_uring that has them in its table.
pub(super) fn read_sockets(dir: &File, mut socket: impl FnMut(u64, i32)) -> Extent {
    let mut rings = Extent::Whole;
    let links =
        read_links(dir, |fd, link| rings = rings.max(read_link_of(dir, fd, link, &mut socket)));
    links.max(rings)
}

/// The same as [`read_sockets`], for a table that others are compared with.
pub(super) fn read_table(dir: &File, mut socket: impl FnMut(u64, i32)) -> (FdTable, Extent) {
    let mut table = FdTable { size: 0, read: 0, sample: VecDeque::with_capacity(SAMPLE) };
    let mut rings = Extent::Whole;
    let links = read_links(dir, |fd, link| {
        rings = rings.max(read_link_of(dir, fd, link, &mut socket));
        table.add(fd, link);
    });
    table.size = size_of(dir);
    (table, links.max(rings))
}

/// Calls `socket` for what the link of a descriptor leads to.
fn read_link_of(dir: &File, fd: i32, link: &[u8], socket: &mut impl FnMut(u64, i32)) -> Extent {
    if let Some(inode) = socket_inode(link) {
        socket(inode, fd);
        return Extent::Whole;
    }
    if link != RING {
        return Extent::Whole;
    }
    match ring_sockets(dir, fd) {
        Some(inodes) => {
            for inode in inodes {
                socket(inode, fd);
            }
            Extent::Changing
        }
        None => Extent::Partial,
    }
}

/// The sockets in the table of an io_uring (`io_uring_show_fdinfo()`); `None` if they are not shown.
/// One that is closed meanwhile has none.
pub(super) fn ring_sockets(dir: &File, ring: i32) -> Option<Vec<u64>> {
    let path = format!("../fdinfo/{ring}");
    for _ in 0..RING_ATTEMPTS {
        let text = match read_whole(dir, &path) {
            Ok(text) => text,
            Err(errno) => return (!is_denied_errno(errno)).then(Vec::new),
        };
        let mut lines = text.split(|byte| *byte == b'\n');
        if lines.any(|line| line.starts_with(b"UserFiles:")) {
            let files = lines.map_while(|line| {
                let (number, file) =
                    line.split_at_checked(line.iter().position(|b| *b == b':')?)?;
                let is_number = number.trim_ascii().iter().all(u8::is_ascii_digit);
                is_number.then(|| file[1..].trim_ascii())
            });
            return Some(files.filter_map(socket_inode).collect());
        }
    }
    None
}

fn read_whole(dir: &File, path: &str) -> rustix::io::Result<Vec<u8>> {
    let file = openat(dir, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut bytes = Vec::with_capacity(4096);
    while rustix::io::read(&file, spare_capacity(&mut bytes))? > 0 {
        bytes.reserve(4096);
    }
    Ok(bytes)
}

// The text of a link, and no stat of what it leads to, though that costs a tenth less: where that is a
// file of a FUSE mount that hangs, a stat waits for it (seen on Linux 6.18), and so would this run.
fn read_links(dir: &File, mut each: impl FnMut(i32, &[u8])) -> Extent {
    let mut buffer = [MaybeUninit::<u8>::uninit(); 8192];
    let mut entries = RawDir::new(dir, &mut buffer);
    let mut link = Vec::with_capacity(64);
    let mut extent = Extent::Whole;
    let mut run = ConsecutiveFds::default();
    while let Some(entry) = entries.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(errno) => return extent.max(extent_after(errno)),
        };
        let name = entry.file_name();
        let Some(fd) = name.to_str().ok().and_then(|name| name.parse().ok()) else { continue };
        run.add(fd, entry.next_entry_cookie());
        link.clear();
        match readlinkat_raw(dir, name, spare_capacity(&mut link)) {
            Ok(_) => each(fd, &link),
            // `proc_fd_access_allowed()` asks about the process: it denies all of its descriptors.
            Err(Errno::ACCESS) => return Extent::Partial,
            Err(errno) => extent = extent.max(extent_after(errno)),
        }
        if entries.is_buffer_empty() && run.is_long() {
            while read_link(dir, run.next, &mut link) {
                each(run.next, &link);
                run.next += 1;
            }
            let listed = run.next_position().map(|position| seek(dir, SeekFrom::Start(position)));
            if !matches!(listed, Some(Ok(_))) {
                return extent.max(Extent::Changing);
            }
            run = ConsecutiveFds::default();
        }
    }
    extent
}

/// What is known of a table after an error: a descriptor, or the whole process, may be gone.
fn extent_after(errno: Errno) -> Extent {
    if is_denied_errno(errno) { Extent::Partial } else { Extent::Changing }
}

/// A descriptor's target; false if there is no such descriptor.
fn read_link(dir: &File, fd: i32, link: &mut Vec<u8>) -> bool {
    link.clear();
    readlinkat_raw(dir, DecInt::new(fd).as_c_str(), spare_capacity(link)).is_ok()
}

/// Descriptors that were listed without a gap, and whose positions in the directory follow them. To
/// list them costs a quarter of what reading their links does: after a long run the next ones are
/// tried without listing them.
#[derive(Default)]
struct ConsecutiveFds {
    length: usize,
    /// The next descriptor, if the run goes on.
    next: i32,
    /// How far a descriptor's position in the directory is ahead of its number.
    ahead: Option<u64>,
}

impl ConsecutiveFds {
    const LONG: usize = 128;
    /// In procfs, where `.` and `..` come first (`fs/proc/fd.c`).
    const AHEAD: u64 = 2;

    fn add(&mut self, fd: i32, next_position: u64) {
        let next = fd.saturating_add(1);
        let ahead = next_position.checked_sub(u64::try_from(next).unwrap_or(u64::MAX));
        let goes_on = fd == self.next && ahead == self.ahead;
        *self = Self { length: if goes_on { self.length + 1 } else { 1 }, next, ahead };
    }

    const fn is_long(&self) -> bool {
        self.length >= Self::LONG && matches!(self.ahead, Some(Self::AHEAD))
    }

    fn next_position(&self) -> Option<u64> {
        self.ahead?.checked_add(u64::try_from(self.next).ok()?)
    }
}

/// Whether a descriptor of the table leads to this socket.
pub(super) fn leads_to(dir: &File, fd: i32, inode: u64) -> bool {
    readlinkat(dir, DecInt::new(fd), Vec::new()).is_ok_and(|link| {
        let link = link.as_bytes();
        socket_inode(link) == Some(inode)
            || link == RING && ring_sockets(dir, fd).is_some_and(|held| held.contains(&inode))
    })
}

/// Whether a descriptor leads to an io_uring.
///
/// # Errors
/// Its link cannot be read.
#[cfg(feature = "bpf")]
pub(super) fn is_ring(dir: &File, fd: i32) -> rustix::io::Result<bool> {
    Ok(readlinkat(dir, DecInt::new(fd), Vec::new())?.as_bytes() == RING)
}

/// Where the descriptor of an io_uring leads.
const RING: &[u8] = b"anon_inode:[io_uring]";

/// `socket:[4026]`.
fn socket_inode(link: &[u8]) -> Option<u64> {
    let digits = link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The number of descriptors since Linux 6.2, before that 0.
fn size_of(dir: &File) -> u64 {
    let stat = statat(dir, "", rustix::fs::AtFlags::EMPTY_PATH);
    stat.map_or(0, |stat| u64::try_from(stat.st_size).unwrap_or_default())
}

/// Opens the directory of a table.
pub(super) fn open_dir(entry: &ProcEntry, path: &str) -> Result<File, ProcError> {
    entry.open_relative_flags(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::{MetadataExt, symlink};
    use std::os::unix::net::UnixDatagram;

    /// More descriptors than one part of a list holds.
    const MANY: usize = 450;

    fn sockets_in(dir: &std::path::Path) -> (Extent, Vec<(u64, i32)>) {
        let mut found = Vec::new();
        let extent = read_sockets(&File::open(dir).unwrap(), |inode, fd| found.push((inode, fd)));
        (extent, found)
    }

    #[test]
    fn each_descriptor_is_read_once_with_and_without_gaps() {
        let socket = UnixDatagram::unbound().unwrap();
        let mut copies: Vec<_> = (0..MANY).map(|_| socket.try_clone().unwrap()).collect();
        copies.sort_by_key(AsRawFd::as_raw_fd);
        for gap in [None, Some(400), Some(398), Some(20)] {
            // Another test may get the number at once, but this socket is ours alone.
            drop(gap.map(|place| copies.remove(place)));
            let mut ours: Vec<i32> = copies.iter().map(AsRawFd::as_raw_fd).collect();
            ours.push(socket.as_raw_fd());
            ours.sort_unstable();
            let link = format!("/proc/self/fd/{}", socket.as_raw_fd());
            let inode = std::fs::metadata(link).unwrap().ino();
            let (_, found) = sockets_in("/proc/self/fd".as_ref());
            let mut found: Vec<i32> =
                found.iter().filter(|(of, _)| *of == inode).map(|(_, fd)| *fd).collect();
            found.sort_unstable();
            assert_eq!(found, ours, "without {gap:?}");
        }
    }

    #[test]
    fn a_directory_with_other_positions_is_read_to_its_end() {
        let dir = tempfile::tempdir().unwrap();
        for fd in 0..1000 {
            symlink(format!("socket:[{}]", 5000 + fd), dir.path().join(fd.to_string())).unwrap();
        }
        let (extent, mut found) = sockets_in(dir.path());
        found.sort_unstable();
        let all: Vec<_> = (0..1000).map(|fd| (5000 + u64::try_from(fd).unwrap(), fd)).collect();
        assert_eq!((extent, found), (Extent::Whole, all));
    }

    /// A table with a ring whose `fdinfo` is this text.
    fn ring(fdinfo: &str) -> (Extent, Vec<(u64, i32)>) {
        let process = tempfile::tempdir().unwrap();
        let [fds, info] = ["fd", "fdinfo"].map(|name| process.path().join(name));
        for dir in [&fds, &info] {
            std::fs::create_dir(dir).unwrap();
        }
        symlink("anon_inode:[io_uring]", fds.join("4")).unwrap();
        std::fs::write(info.join("4"), fdinfo).unwrap();
        sockets_in(&fds)
    }

    #[test]
    fn sockets_of_an_io_uring_are_found() {
        let text = "pos:\t0\nSqThread:\t-1\nUserFiles:\t3\n    0: socket:[77]\n    1: <none>\n    \
                    2: socket:[78]\nUserBufs:\t1\n    0: 0x7f/4096\nPollList:\n  op=6: socket:[79]\n";
        assert_eq!(ring(text), (Extent::Changing, vec![(77, 4), (78, 4)]));
        assert_eq!(ring("UserFiles:\t0\nUserBufs:\t0\n"), (Extent::Changing, vec![]));
        assert_eq!(ring("pos:\t0\nflags:\t02\n"), (Extent::Partial, vec![]), "it was in use");
    }
}
