//! How many sockets a network namespace has, by the kernel's own counters: where there is none of
//! IPv6, its table need not be read. The kernel would walk through all sockets of IPv4 for it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The counters of a network namespace.
#[derive(Debug)]
pub(super) struct Sockstat {
    both: PathBuf,
    ipv6: PathBuf,
    /// The last poll found rows in `tcp6`.
    pub(super) tcp6_had_rows: bool,
}

impl Sockstat {
    /// The counters that a process's directory of a procfs shows.
    pub(super) fn new(process: &Path) -> Self {
        let net = process.join("net");
        let (both, ipv6) = (net.join("sockstat"), net.join("sockstat6"));
        Self { both, ipv6, tcp6_had_rows: false }
    }

    /// Whether `tcp6` is empty. `inuse` counts every full socket of IPv6, open or orphaned, and `tw`
    /// the TIME_WAITs of both families. A full socket leaves `inuse` for `tw`, so that is read last.
    /// Requests are in neither, but their listener is: one whose listener is gone is overlooked,
    /// unless there were rows before.
    pub(super) fn tcp6_is_empty(&self) -> bool {
        let none = |path, line, name| count(path, line, name) == Some(0);
        !self.tcp6_had_rows && none(&self.ipv6, "TCP6:", "inuse") && none(&self.both, "TCP:", "tw")
    }
}

/// The counters of `sockstat` and `sockstat6`, kept open.
#[derive(Debug)]
pub(in crate::source) struct Counters {
    both: File,
    /// `None` of a kernel without IPv6.
    ipv6: Option<File>,
}

impl Counters {
    /// Opens them in the `net` of a process.
    ///
    /// # Errors
    /// The files cannot be opened.
    pub(in crate::source) fn open(net: &Path) -> io::Result<Self> {
        Ok(Self {
            both: File::open(net.join("sockstat"))?,
            ipv6: File::open(net.join("sockstat6")).ok(),
        })
    }

    /// Whether there is no socket, but perhaps a request whose listener is gone.
    pub(in crate::source) fn are_zero(&self) -> bool {
        // A full socket leaves `inuse` for `tw`, so that is read last.
        self.has_no_ipv6() && {
            let both = text_of(&self.both);
            is_zero(&both, "TCP:", "inuse") && is_zero(&both, "TCP:", "tw")
        }
    }

    /// Whether there is no socket that a process may hold, but perhaps mini-sockets.
    pub(in crate::source) fn show_no_full_socket(&self) -> bool {
        self.has_no_ipv6() && is_zero(&text_of(&self.both), "TCP:", "inuse")
    }

    fn has_no_ipv6(&self) -> bool {
        self.ipv6.as_ref().is_none_or(|file| is_zero(&text_of(file), "TCP6:", "inuse"))
    }
}

/// The text of a file from its beginning; empty where it cannot be read.
fn text_of(file: &File) -> String {
    let mut text = [0; 1024];
    let length = file.read_at(&mut text, 0).unwrap_or_default();
    String::from_utf8_lossy(&text[..length]).into_owned()
}

fn is_zero(text: &str, line: &str, name: &str) -> bool {
    number(text, line, name) == Some(0)
}

/// A number of a line such as `TCP: inuse 4 orphan 0 tw 0 alloc 6 mem 1`.
fn count(path: &Path, line: &str, name: &str) -> Option<u64> {
    number(&fs::read_to_string(path).ok()?, line, name)
}

fn number(text: &str, line: &str, name: &str) -> Option<u64> {
    let mut words = text.lines().find_map(|text| text.strip_prefix(line))?.split_ascii_whitespace();
    words.find(|word| *word == name)?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the table is taken to be empty with these counters.
    fn is_empty(sockstat: &str, sockstat6: &str) -> bool {
        let home = tempfile::tempdir().expect("a directory");
        fs::create_dir(home.path().join("net")).expect("a new one");
        fs::write(home.path().join("net/sockstat"), sockstat).expect("a file");
        fs::write(home.path().join("net/sockstat6"), sockstat6).expect("a file");
        let mut counters = Sockstat::new(home.path());
        let empty = counters.tcp6_is_empty();
        counters.tcp6_had_rows = true;
        assert!(!counters.tcp6_is_empty(), "one of the rows may be a request");
        empty
    }

    #[test]
    fn tcp6_is_empty_only_if_both_counters_say_so() {
        let (quiet, waits) = (
            "sockets: used 40\nTCP: inuse 9 orphan 0 tw 0 alloc 9 mem 1\n",
            "TCP: inuse 9 orphan 0 tw 1 alloc 9 mem 1\n",
        );
        assert!(is_empty(quiet, "TCP6: inuse 0\nUDP6: inuse 1\n"));
        assert!(!is_empty(quiet, "TCP6: inuse 1\n"));
        assert!(!is_empty(waits, "TCP6: inuse 0\n"));
        assert!(!is_empty("", "TCP6: inuse 0\n"));
        assert!(!is_empty(quiet, "UDP6: inuse 0\n"));
        assert!(!is_empty("TCP: inuse 9 orphan 0 tw\n", "TCP6: inuse 0\n"));
    }
}
