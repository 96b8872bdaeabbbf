//! The client of `NETLINK_SOCK_DIAG`: dumps, exact look-ups, and notices of sockets that died. It
//! sees the network namespace of the thread that opened it, and needs no privilege.

use super::wire::{
    Message, Messages, States, Which, write_dump, write_dump_of_both, write_look_up,
};
use crate::error::{Error, Result};
use crate::model::reading::{DestroyEvents, LookupRequest, LookupResult, Lookups, Reading};
use crate::model::socket::{AddressPair, Family};
use crate::model::socket_row::SocketRow;
use crate::source::clock::stamp;
use crate::tcp::state::State;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::sockopt::{
    Timeout, set_socket_recv_buffer_size, set_socket_recv_buffer_size_force, set_socket_timeout,
};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, connect, recv, send,
    socket_with,
};
use std::net::IpAddr;
use std::time::Duration;

/// A datagram of a dump has up to 32 KiB where there is room for it: the fewer, the fewer places
/// where the kernel lets go of its table.
const BUFFER: usize = 64 * 1024;
/// The kernel answers at once; this keeps a broken one from holding us for ever.
const PATIENCE: Duration = Duration::from_secs(5);
/// A socket that is found in CLOSE is about to be found elsewhere, or not at all.
const ASK_AGAIN: usize = 50;

/// `SKNLGRP_INET_TCP_DESTROY` (1) and `SKNLGRP_INET6_TCP_DESTROY` (3), as bits of `nl_groups`.
const DESTROYED: u32 = 1 << 0;
const DESTROYED6: u32 = 1 << 2;
/// Room for notices that wait: some thousand.
const NOTICES: usize = 4 * 1024 * 1024;
/// So many notices are taken at a time; the rest waits for the next.
const MOST: usize = 16 * 1024;

/// Asks about sockets.
#[derive(Debug)]
pub struct SockDiag {
    socket: OwnedFd,
    sequence: u32,
    request: Vec<u8>,
    buffer: Vec<u8>,
    /// What the dumps behind look-ups found.
    found: Vec<SocketRow>,
    /// The kernel refuses to dump both families at once.
    by_family: bool,
}

/// What a dump was like, beside its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dump {
    /// Messages that could not be understood.
    pub bad_rows: u64,
    /// How many datagrams the rows came in: within one, no socket is missed.
    pub pieces: u32,
}

impl SockDiag {
    /// Opens a socket and makes sure that it is answered.
    ///
    /// # Errors
    /// [`Error::Netlink`] where the kernel has no sock_diag for TCP, or does not let us ask.
    pub fn open() -> Result<Self> {
        let mut client = Self::connect().map_err(unanswered)?;
        client.dump(Family::Ipv4, Which::In(States::LISTEN), &mut Vec::new())?;
        Ok(client)
    }

    fn connect() -> rustix::io::Result<Self> {
        let socket = netlink(SocketFlags::CLOEXEC)?;
        // Connected to the kernel, it takes messages from nobody else.
        connect(&socket, &SocketAddrNetlink::new(0, 0))?;
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
        let (request, found) = (Vec::new(), Vec::new());
        let buffer = vec![0; BUFFER];
        Ok(Self { socket, sequence: 0, request, buffer, found, by_family: false })
    }

    /// Appends the sockets of one family, or of both in one walk where the kernel knows how to.
    ///
    /// # Errors
    /// [`Error::Netlink`]
    pub fn dump_all(&mut self, family: Option<Family>, rows: &mut Vec<SocketRow>) -> Result<Dump> {
        let everything = Which::In(States::ALL);
        if let Some(family) = family {
            return self.dump(family, everything, rows);
        }
        let before = rows.len();
        if !self.by_family {
            self.sequence = self.sequence.wrapping_add(1);
            write_dump_of_both(&mut self.request, self.sequence);
            match self.read_dump(rows) {
                Ok(dump) => return Ok(dump),
                Err(_) => self.by_family = true,
            }
        }
        rows.truncate(before);
        let v4 = self.dump(Family::Ipv4, everything, rows)?;
        let v6 = self.dump(Family::Ipv6, everything, rows)?;
        Ok(Dump { bad_rows: v4.bad_rows + v6.bad_rows, pieces: v4.pieces + v6.pieces })
    }

    /// Appends the sockets of a family. Those that went to CLOSE while the kernel looked at them
    /// are left out: they are elsewhere now, or gone.
    ///
    /// # Errors
    /// [`Error::Netlink`]
    pub fn dump(
        &mut self,
        family: Family,
        which: Which,
        rows: &mut Vec<SocketRow>,
    ) -> Result<Dump> {
        self.sequence = self.sequence.wrapping_add(1);
        write_dump(&mut self.request, self.sequence, family, which);
        self.read_dump(rows).map_err(unanswered)
    }

    fn read_dump(&mut self, rows: &mut Vec<SocketRow>) -> rustix::io::Result<Dump> {
        self.send()?;
        let mut dump = Dump::default();
        loop {
            let length = self.receive()?;
            let before = rows.len();
            for (sequence, message) in Messages::new(&self.buffer[..length]) {
                match message {
                    Message::Broken => dump.bad_rows += 1,
                    _ if sequence != self.sequence => {}
                    Message::Socket(body) => match body.observation() {
                        Some(row) if row.state == State::Closed => {}
                        Some(row) => rows.push(row),
                        None => dump.bad_rows += 1,
                    },
                    Message::Done(0) => return Ok(dump),
                    Message::Done(errno) | Message::Error(errno) => {
                        return Err(Errno::from_raw_os_error(errno));
                    }
                    Message::Other => {}
                }
            }
            dump.pieces += u32::from(rows.len() > before);
        }
    }

    /// Looks for exactly one socket; `None` where what the kernel says proves nothing.
    ///
    /// A question with a cookie is about that socket alone. Without one, a socket with the same
    /// ends may be its successor: the reader compares. And without one, the interface that it may
    /// be bound to is not known, so "gone" is right only for sockets that are bound to none:
    /// [`Self::lookup`] knows which are.
    pub fn look_up(&mut self, question: &LookupRequest) -> Option<LookupResult> {
        let LookupRequest { addrs, ifindex, .. } = question;
        if addrs.remote.port == 0 {
            return self.look_up_listener(question);
        }
        if *ifindex == 0 && is_link_local(addrs) {
            return None;
        }
        for _ in 0..ASK_AGAIN {
            match self.ask(question) {
                Ok(Some(row)) if row.state == State::Closed => {}
                // Connections come before listeners: what is found instead has taken no place.
                Ok(Some(row)) if row.addrs == *addrs => return Some(LookupResult::There(row)),
                Ok(Some(_)) | Err(Errno::NOENT | Errno::STALE) => return Some(LookupResult::Gone),
                Ok(None) | Err(_) => return None,
            }
        }
        None
    }

    /// Looks for many, as [`Self::look_up`]; questions that cannot be answered for certain are
    /// left out.
    pub fn lookup(&mut self, questions: &[LookupRequest]) -> Vec<(LookupRequest, LookupResult)> {
        let mut answers: Vec<_> =
            questions.iter().filter_map(|q| Some((*q, self.look_up(q)?))).collect();
        for family in [Family::Ipv4, Family::Ipv6] {
            let doubtful = |(question, answer): &(LookupRequest, LookupResult)| {
                question.addrs.family == family
                    && (question.cookie, question.ifindex) == (0, 0)
                    && question.addrs.remote.port != 0
                    && *answer == LookupResult::Gone
            };
            if answers.iter().any(doubtful) {
                let bound = self.bound_to_a_device(family);
                answers.retain(|answer| {
                    let sure =
                        bound.is_some_and(|rows| rows.iter().all(|r| r.addrs != answer.0.addrs));
                    sure || !doubtful(answer)
                });
            }
        }
        answers
    }

    /// A reading of what [`Self::lookup`] finds, if it finds anything.
    pub(in crate::source) fn answer(
        &mut self,
        questions: &[LookupRequest],
        netns: Option<u64>,
    ) -> Option<Reading> {
        let start = stamp();
        let answers = self.lookup(questions);
        let told = !answers.is_empty();
        told.then(|| Reading::Lookups(Lookups { start, end: stamp(), netns, answers }))
    }

    /// A listener among others with its ends (`SO_REUSEPORT`) is found by the kernel's choice, so
    /// all of the port are dumped: the kernel holds its lock over them.
    fn look_up_listener(&mut self, question: &LookupRequest) -> Option<LookupResult> {
        let LookupRequest { addrs, inode, cookie, .. } = *question;
        let rows = self.found_by(addrs.family, Which::ListenersOn(addrs.local.port))?;
        let same = |row: &&SocketRow| {
            let itself = if cookie == 0 { row.inode == inode } else { row.cookie == cookie };
            row.addrs == addrs && itself
        };
        Some(rows.iter().find(same).map_or(LookupResult::Gone, |row| LookupResult::There(*row)))
    }

    /// Sockets that no question without their interface finds.
    fn bound_to_a_device(&mut self, family: Family) -> Option<&[SocketRow]> {
        self.found_by(family, Which::BoundToADevice)
    }

    /// The rows of a dump that is known to miss none.
    fn found_by(&mut self, family: Family, which: Which) -> Option<&[SocketRow]> {
        let mut rows = std::mem::take(&mut self.found);
        rows.clear();
        let dump = self.dump(family, which, &mut rows);
        self.found = rows;
        matches!(dump, Ok(Dump { bad_rows: 0, pieces: 0..=1 })).then_some(&self.found)
    }

    fn ask(&mut self, question: &LookupRequest) -> rustix::io::Result<Option<SocketRow>> {
        self.sequence = self.sequence.wrapping_add(1);
        write_look_up(&mut self.request, self.sequence, question);
        self.send()?;
        loop {
            let length = self.receive()?;
            for (sequence, message) in Messages::new(&self.buffer[..length]) {
                match message {
                    _ if sequence != self.sequence => {}
                    Message::Socket(body) => return Ok(body.observation()),
                    Message::Error(errno) => return Err(Errno::from_raw_os_error(errno)),
                    _ => return Ok(None),
                }
            }
        }
    }

    fn send(&self) -> rustix::io::Result<()> {
        rustix::io::retry_on_intr(|| send(&self.socket, &self.request, SendFlags::empty()))?;
        Ok(())
    }

    fn receive(&mut self) -> rustix::io::Result<usize> {
        let buffer = &mut *self.buffer;
        rustix::io::retry_on_intr(|| recv(&self.socket, &mut *buffer, RecvFlags::empty()))
            .map(|(_, length)| length)
    }
}

/// Hears of full sockets that die.
#[derive(Debug)]
pub struct DeathWatch {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl DeathWatch {
    /// Subscribes; `family` is the one to hear of, or both.
    ///
    /// # Errors
    /// [`Error::Netlink`] where the kernel does not let us.
    pub fn open(family: Option<Family>) -> Result<Self> {
        let groups = match family {
            None => DESTROYED | DESTROYED6,
            Some(Family::Ipv4) => DESTROYED,
            Some(Family::Ipv6) => DESTROYED6,
        };
        let subscribe = || {
            let socket = netlink(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
            // Beyond the limit of the machine only with privilege.
            set_socket_recv_buffer_size_force(&socket, NOTICES)
                .or_else(|_| set_socket_recv_buffer_size(&socket, NOTICES))?;
            bind(&socket, &SocketAddrNetlink::new(0, groups))?;
            Ok(Self { socket, buffer: vec![0; BUFFER] })
        };
        subscribe().map_err(unanswered)
    }

    /// Takes the notices that wait, and waits for none.
    pub fn drain(&mut self) -> Option<DestroyEvents> {
        let (mut sockets, mut overrun) = (Vec::new(), false);
        while sockets.len() < MOST {
            match recv(&self.socket, &mut *self.buffer, RecvFlags::empty()) {
                Ok((_, length)) => {
                    let messages = Messages::new(&self.buffer[..length]);
                    sockets.extend(messages.filter_map(|(_, message)| match message {
                        Message::Socket(body) => body.destroyed(),
                        _ => None,
                    }));
                }
                Err(Errno::NOBUFS) => overrun = true,
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
        (overrun || !sockets.is_empty()).then(|| DestroyEvents { time: stamp(), overrun, sockets })
    }
}

/// Readable when there are notices.
impl AsFd for DeathWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn netlink(flags: SocketFlags) -> rustix::io::Result<OwnedFd> {
    socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(SOCK_DIAG))
}

fn unanswered(errno: Errno) -> Error {
    Error::Netlink { cause: errno.into() }
}

fn is_link_local(addrs: &AddressPair) -> bool {
    [addrs.local.addr, addrs.remote.addr].iter().any(|addr| match addr {
        IpAddr::V4(_) => false,
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    })
}
