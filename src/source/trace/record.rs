//! The records that `src/bpf/events.bpf.c` writes, as events. Pure.

use crate::model::socket::Family;
use crate::tcp::state::State;
use smallvec::SmallVec;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The size of a record: `struct event`.
pub const SIZE: usize = 120;

/// `TASK_COMM_LEN`.
const MOST_COMM: usize = 16;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
/// The current thread is the kernel's own: what it does, it does for others.
const KERNEL_THREAD: u8 = 1;
/// The current process descends from the root that was set.
const DESCENDANT: u8 = 2;

/// A process has the socket, in a system call or at its end.
const IN_CALL: u8 = 4;

/// What happened in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A socket changed its state; a listener's new child comes from LISTEN.
    Step {
        /// The state before.
        from: State,
        /// The state after.
        to: State,
    },
    /// A socket in this state sent a reset.
    ResetSent(State),
    /// A socket received a reset, or data after its process had closed it.
    ResetReceived,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawEvent {
    /// When (ns since boot).
    pub time: u64,
    /// The address of the socket in the kernel, which is given to another socket later.
    pub socket: u64,
    /// The cookie; 0 of a listener's new child, which has none yet.
    pub cookie: u64,
    /// The inode; 0 of a socket that no process has.
    pub inode: u64,
    /// The inode of the network namespace.
    pub netns: u32,
    /// The socket's user.
    pub uid: u32,
    /// The interface it is bound to; 0 for none.
    pub ifindex: u32,
    /// The error that ended it (`sk_err`); 0 for none.
    pub error: u32,
    /// How many segments it has sent.
    pub segments: u32,
    /// Its family.
    pub family: Family,
    /// Its address.
    pub local: IpAddr,
    /// The port it has now; 0 for none.
    pub port: u16,
    /// The port it had last.
    pub last_port: u16,
    /// The other end's address.
    pub remote: IpAddr,
    /// The other end's port.
    pub remote_port: u16,
    /// What happened.
    pub what: What,
    /// The current process: in an interrupt, that is any. 0 of one without a number in the reader's pid
    /// namespace.
    pub pid: i32,
    /// Its name.
    pub comm: SmallVec<[u8; MOST_COMM]>,
    /// It is a thread of the kernel.
    pub is_kernel_thread: bool,
    /// It descends from the process that was set as the root.
    pub is_descendant: bool,
    /// The current process has the socket (`sock_owned_by_user()`): this is no interrupt. What came by packets
    /// or timers meanwhile is done by that process, too.
    pub is_in_call: bool,
}

impl RawEvent {
    /// The event of a record; `None` where it is of another family or kind.
    pub fn parse(record: &[u8; SIZE]) -> Option<Self> {
        let long = |at: usize| u64::from_ne_bytes(bytes(record, at));
        let word = |at: usize| u32::from_ne_bytes(bytes(record, at));
        let (from, to) = (State::from_code(record[64]), State::from_code(record[65]));
        let what = match record[62] {
            0 => What::Step { from, to },
            1 => What::ResetSent(from),
            2 => What::ResetReceived,
            _ => return None,
        };
        let family = match record[63] {
            AF_INET => Family::Ipv4,
            AF_INET6 => Family::Ipv6,
            _ => return None,
        };
        let address = |at: usize| match family {
            Family::Ipv4 => IpAddr::V4(Ipv4Addr::from(bytes::<4>(record, at))),
            Family::Ipv6 => IpAddr::V6(Ipv6Addr::from(bytes::<16>(record, at))).to_canonical(),
        };
        let comm = record[104..].split(|byte| *byte == 0).next().unwrap_or_default();
        Some(Self {
            time: long(0),
            socket: long(8),
            cookie: long(16),
            inode: long(24),
            netns: word(32),
            uid: word(36),
            pid: word(40).cast_signed(),
            ifindex: word(44),
            error: word(48),
            segments: word(52),
            port: u16::from_ne_bytes(bytes(record, 56)),
            last_port: u16::from_be_bytes(bytes(record, 58)),
            remote_port: u16::from_be_bytes(bytes(record, 60)),
            family,
            local: address(72),
            remote: address(88),
            what,
            comm: SmallVec::from_slice(comm),
            is_kernel_thread: record[66] & KERNEL_THREAD != 0,
            is_descendant: record[66] & DESCENDANT != 0,
            is_in_call: record[66] & IN_CALL != 0,
        })
    }
}

fn bytes<const N: usize>(record: &[u8; SIZE], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&record[at..at + N]);
    bytes
}

#[cfg(test)]
mod tests;
