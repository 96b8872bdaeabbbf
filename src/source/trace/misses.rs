//! How often the kernel has left out programs, since the same processor was within them already.

use crate::settings::OWN_PROCFS;
use std::fs::File;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::FileExt;

/// Longer than what the kernel says about a program.
const LONGEST: usize = 1024;

/// The kernel's files about the descriptors of some programs.
#[derive(Debug, Default)]
pub(super) struct Misses(Vec<File>);

impl Misses {
    /// Counts those of this program, too, where the kernel tells.
    pub(super) fn add(&mut self, program: BorrowedFd<'_>) {
        let path = format!("{OWN_PROCFS}/self/fdinfo/{}", program.as_raw_fd());
        match File::open(&path) {
            Ok(file) => self.0.push(file),
            Err(error) => log::debug!("{path}: {error}"),
        }
    }

    /// Of all of them.
    pub(super) fn count(&self) -> u64 {
        let mut buffer = [0; LONGEST];
        let mut count = |file: &File| {
            let length = file.read_at(&mut buffer, 0).ok()?;
            recursion_misses(&buffer[..length])
        };
        self.0.iter().filter_map(&mut count).sum()
    }
}

/// What the kernel says of a program in `/proc/PID/fdinfo/FD`; kernels before 5.12 do not say it, and
/// leave none out.
fn recursion_misses(fdinfo: &[u8]) -> Option<u64> {
    let mut lines = std::str::from_utf8(fdinfo).ok()?.lines();
    lines.find_map(|line| line.strip_prefix("recursion_misses:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_says_how_often_it_left_a_program_out() {
        let fdinfo = b"pos:\t0\nflags:\t02000002\nprog_type:\t26\nprog_jited:\t1\nmemlock:\t4096\n\
                       prog_id:\t26\nrun_time_ns:\t0\nrun_cnt:\t0\nrecursion_misses:\t17\n\
                       verified_insns:\t614\n";
        assert_eq!(recursion_misses(fdinfo), Some(17));
        assert_eq!(recursion_misses(b"pos:\t0\nflags:\t02000002\nrun_cnt:\t0\n"), None);
        assert_eq!(recursion_misses(b"recursion_misses:\tmany\n"), None);
        assert_eq!(recursion_misses(b"\xff\n"), None);
    }
}
