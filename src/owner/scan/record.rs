//! The records that `src/bpf/owners.bpf.c` writes, one for each descriptor. Pure.

/// The size of a record: `struct record`.
pub(super) const SIZE: usize = 64;
/// Nanoseconds of a clock tick, by which procfs counts (`USER_HZ` is 100).
const TICK: u64 = 10_000_000;

/// What a descriptor leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// A TCP socket with this inode.
    Socket(u64),
    /// An io_uring, which may have sockets in a table of its own.
    IoUring,
}

/// A descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SocketDescriptor {
    /// The process.
    pub(super) pid: i32,
    /// Its start in clock ticks since boot.
    pub(super) start: u64,
    /// Its name, filled up with zeros.
    comm: [u8; 16],
    /// The thread whose table it is in; that of the process has its pid.
    pub(super) tid: i32,
    /// The table's address in the kernel: threads may share one.
    pub(super) table: u64,
    /// Its number.
    pub(super) fd: i32,
    /// Where it leads.
    pub(super) target: Target,
}

impl SocketDescriptor {
    /// The name of the process.
    pub(super) fn comm(&self) -> &[u8] {
        self.comm.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    /// One in a process called `server`.
    #[cfg(test)]
    pub(super) fn of_server(pid: i32, tid: i32, table: u64, fd: i32, target: Target) -> Self {
        Self { pid, start: 7, comm: *b"server\0\0\0\0\0\0\0\0\0\0", tid, table, fd, target }
    }
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum IteratorRecord {
    /// A descriptor.
    Descriptor(SocketDescriptor),
    /// The last one: all processes of the reader's pid namespace have been walked through.
    End {
        /// That is the initial one, which has the processes of all others.
        has_all: bool,
    },
}

impl IteratorRecord {
    /// `None` for a record of a process that is gone.
    pub(super) fn parse(record: &[u8; SIZE]) -> Option<Self> {
        let long = |at: usize| u64::from_ne_bytes(bytes(record, at));
        let word = |at: usize| u32::from_ne_bytes(bytes(record, at));
        let number = |at: usize| i32::try_from(word(at)).ok();
        let target = match word(36) {
            0 => Target::Socket(long(0)),
            1 => Target::IoUring,
            _ => return Some(Self::End { has_all: word(40) == 0 }),
        };
        let (pid, tid) = (number(24).filter(|pid| *pid > 0)?, number(28)?);
        let (comm, table, start) = (bytes(record, 48), long(8), long(16) / TICK);
        let fd = number(32)?;
        Some(Self::Descriptor(SocketDescriptor { pid, start, comm, tid, table, fd, target }))
    }
}

fn bytes<const N: usize>(record: &[u8; SIZE], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&record[at..at + N]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(pid: u32, kind: u32, level: u32) -> [u8; SIZE] {
        let mut bytes = Vec::new();
        bytes.extend(77_u64.to_ne_bytes());
        bytes.extend(0xabc_u64.to_ne_bytes());
        bytes.extend(1_239_999_999_u64.to_ne_bytes());
        for word in [pid, 12, 5, kind, level, 0] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes.extend(b"server\0\0\0\0\0\0\0\0\0\0");
        bytes.try_into().expect("a record")
    }

    #[test]
    fn records_are_read_as_they_are_written() {
        let descriptor = |target| {
            let descriptor = SocketDescriptor::of_server(11, 12, 0xabc, 5, target);
            Some(IteratorRecord::Descriptor(SocketDescriptor { start: 123, ..descriptor }))
        };
        assert_eq!(IteratorRecord::parse(&record(11, 0, 0)), descriptor(Target::Socket(77)));
        assert_eq!(IteratorRecord::parse(&record(11, 1, 0)), descriptor(Target::IoUring));
        assert_eq!(IteratorRecord::parse(&record(0, 0, 0)), None, "its process is gone");
        assert_eq!(
            IteratorRecord::parse(&record(0, 2, 0)),
            Some(IteratorRecord::End { has_all: true })
        );
        assert_eq!(
            IteratorRecord::parse(&record(0, 2, 1)),
            Some(IteratorRecord::End { has_all: false })
        );
    }
}
