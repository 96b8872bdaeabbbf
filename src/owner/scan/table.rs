//! Descriptor tables: where the descriptors of a process or thread lead.

use procfs::ProcError;
use procfs::process::Process as Entry;
use rustix::buffer::spare_capacity;
use rustix::fs::{OFlags, RawDir, readlinkat, statat};
use std::collections::VecDeque;
use std::fs::File;
use std::mem::MaybeUninit;

/// Two tables whose newest descriptors are the same are the same table: one that was split off
/// (`unshare(CLONE_FILES)`) and has a socket of its own differs there.
const SAMPLE: usize = 8;

/// What tells one table from another.
pub(super) struct Table {
    /// Its size as the directory tells it; 0 on old kernels.
    size: u64,
    /// The newest descriptors and where they lead.
    sample: VecDeque<(i32, Vec<u8>)>,
}

impl Table {
    /// Whether the table in this directory is this one, judged by size and newest descriptors.
    pub(super) fn is(&self, dir: &File) -> bool {
        size_of(dir) == self.size
            && self.sample.iter().all(|(fd, link)| {
                readlinkat(dir, fd.to_string(), Vec::new())
                    .is_ok_and(|found| found.as_bytes() == link)
            })
    }

    fn add(&mut self, fd: i32, link: &[u8]) {
        let full = self.sample.len() == SAMPLE;
        let oldest = if full { self.sample.pop_front() } else { None };
        let (_, mut copy) = oldest.unwrap_or_default();
        copy.clear();
        copy.extend_from_slice(link);
        self.sample.push_back((fd, copy));
    }
}

/// Reads all descriptors of a table, and tells of those that lead to sockets. Returns whether none
/// of them was kept from us, as by the end of their process.
pub(super) fn read_sockets(dir: &File, mut socket: impl FnMut(u64, i32)) -> bool {
    read_links(dir, |fd, link| {
        if let Some(inode) = socket_inode(link) {
            socket(inode, fd);
        }
    })
}

/// The same, where there may be other tables to tell this one from.
pub(super) fn read_table(dir: &File, mut socket: impl FnMut(u64, i32)) -> Table {
    let mut table = Table { size: 0, sample: VecDeque::with_capacity(SAMPLE) };
    read_links(dir, |fd, link| {
        if let Some(inode) = socket_inode(link) {
            socket(inode, fd);
        }
        table.add(fd, link);
    });
    table.size = size_of(dir);
    table
}

fn read_links(dir: &File, mut each: impl FnMut(i32, &[u8])) -> bool {
    let mut buffer = [MaybeUninit::<u8>::uninit(); 8192];
    let mut entries = RawDir::new(dir, &mut buffer);
    let mut link = Vec::with_capacity(64);
    let mut whole = true;
    while let Some(entry) = entries.next() {
        let Ok(entry) = entry else { return false };
        let name = entry.file_name();
        let Some(fd) = name.to_str().ok().and_then(|name| name.parse().ok()) else { continue };
        link.clear();
        match rustix::fs::readlinkat_raw(dir, name, spare_capacity(&mut link)) {
            Ok(_) => each(fd, &link),
            Err(_) => whole = false,
        }
    }
    whole
}

/// Whether a descriptor of the table leads to this socket.
pub(super) fn leads_to(dir: &File, fd: i32, inode: u64) -> bool {
    readlinkat(dir, fd.to_string(), Vec::new())
        .is_ok_and(|link| socket_inode(link.as_bytes()) == Some(inode))
}

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
pub(super) fn open_dir(entry: &Entry, path: &str) -> Result<File, ProcError> {
    entry.open_relative_flags(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC)
}
