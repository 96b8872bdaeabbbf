//! A client of `NETLINK_SOCK_DIAG`: dumps and lookups. It sees the network namespace
//! of the thread that opened it, and needs no privilege.

use super::chosen::ChosenRows;
use super::devices::{Devices, name_of};
use super::tcp_info::DiagInfo;
use super::wire::{
    Body, Message, NetlinkMessages, Selection, StateMask, write_dump, write_dump_of_both,
    write_look_up,
};
use crate::error::{Error, Result};
use crate::model::binding::DeviceName;
use crate::model::reading::{LookupRequest, LookupResult, Lookups, Reading};
use crate::model::socket::Family;
use crate::model::socket_row::SocketRow;
use crate::source::clock::stamp;
use crate::tcp::state::State;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, recv, send, socket_with,
};
use std::time::Duration;

/// A datagram of a dump has up to 32 KiB where there is room for it: the fewer, the fewer places
/// where the kernel lets go of its table.
pub(super) const BUFFER: usize = 64 * 1024;
/// The kernel answers at once; without this a broken one could block us for ever.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// A socket that is found in CLOSE is about to be found in another state, or not at all.
const RETRIES: usize = 50;

/// So many sockets are looked up that went to CLOSE during a dump.
const MOST_CLOSING: usize = 64;

/// Dumps sockets and looks them up.
#[derive(Debug)]
pub struct SockDiag {
    socket: OwnedFd,
    sequence: u32,
    request: Vec<u8>,
    buffer: Vec<u8>,
    /// What the last dump for a lookup found.
    found: Vec<SocketRow>,
    /// Sockets that went to CLOSE while they were dumped.
    closing: Vec<LookupRequest>,
    /// The kernel does not dump both families at once.
    by_family: bool,
    devices: Devices,
}

/// A dump, besides its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dump {
    /// Messages that could not be understood.
    pub bad_rows: u64,
    /// How many datagrams the rows came in. Within one no socket is missed.
    pub pieces: u32,
}

impl SockDiag {
    /// Opens a client, and makes sure that the kernel answers.
    ///
    /// # Errors
    /// [`Error::Netlink`] where the kernel has no sock_diag for TCP, or denies it to us.
    pub fn open() -> Result<Self> {
        let mut client = Self::connect().map_err(netlink_error)?;
        client.dump(Family::Ipv4, Selection::In(StateMask::LISTEN), &mut Vec::new())?;
        Ok(client)
    }

    fn connect() -> rustix::io::Result<Self> {
        let socket = netlink(SocketFlags::CLOEXEC)?;
        // Connected to the kernel, it receives messages from nobody else.
        connect(&socket, &SocketAddrNetlink::new(0, 0))?;
        set_socket_timeout(&socket, Timeout::Recv, Some(ANSWER_TIMEOUT))?;
        let (request, found, closing) = (Vec::new(), Vec::new(), Vec::new());
        let buffer = vec![0; BUFFER];
        let devices = Devices::default();
        Ok(Self { socket, sequence: 0, request, buffer, found, closing, by_family: false, devices })
    }

    /// Appends the chosen sockets of both families, in one walk through the kernel's table where the
    /// kernel supports that, else family by family. The order of the rows is the same as that of
    /// all sockets. Returns how many messages could not be understood.
    ///
    /// # Errors
    /// [`Error::Netlink`]
    pub(crate) fn dump_chosen(
        &mut self,
        chosen: &ChosenRows,
        rows: &mut Vec<SocketRow>,
    ) -> Result<u64> {
        let before = rows.len();
        self.closing.clear();
        let bad_rows = self.dump_parts(chosen, rows)?;
        self.add_what_closing_left(rows, before);
        Ok(bad_rows)
    }

    fn dump_parts(&mut self, chosen: &ChosenRows, rows: &mut Vec<SocketRow>) -> Result<u64> {
        let before = rows.len();
        if chosen.family.is_none() && !self.by_family {
            match self.dump_both(chosen, rows) {
                Ok(bad_rows) => return Ok(bad_rows),
                Err(_) => self.by_family = true,
            }
            rows.truncate(before);
        }
        let mut bad_rows = 0;
        let families = [Family::Ipv4, Family::Ipv6];
        for family in families.into_iter().filter(|it| chosen.family.is_none_or(|f| f == *it)) {
            for (states, program) in chosen.parts() {
                bad_rows += self.dump(family, Selection::Accepted(states, program), rows)?.bad_rows;
            }
        }
        if let Some(family) = chosen.family.filter(|_| chosen.other_listeners) {
            let listeners = Selection::In(StateMask::LISTEN);
            bad_rows += self.dump(family.other(), listeners, rows)?.bad_rows;
        }
        Ok(bad_rows)
    }

    fn dump_both(&mut self, of: &ChosenRows, rows: &mut Vec<SocketRow>) -> rustix::io::Result<u64> {
        let mut bad_rows = 0;
        for (states, program) in of.parts() {
            self.sequence = self.sequence.wrapping_add(1);
            write_dump_of_both(&mut self.request, self.sequence, states, program);
            bad_rows += self.read_dump(rows)?.bad_rows;
        }
        Ok(bad_rows)
    }

    /// Appends what sockets left that went to CLOSE while they were dumped: the kernel had found the
    /// full socket, and not the mini-socket that took its place. `before` rows are of another dump.
    fn add_what_closing_left(&mut self, rows: &mut Vec<SocketRow>, before: usize) {
        for request in std::mem::take(&mut self.closing) {
            if rows[before..].iter().all(|row| row.addrs != request.addrs)
                && let Some(LookupResult::There(row)) = self.look_up(&request)
            {
                rows.push(row);
            }
        }
    }

    /// Appends the selected sockets of a family. Those that went to CLOSE during the dump are left
    /// out: they are in another state now, or gone.
    ///
    /// # Errors
    /// [`Error::Netlink`]
    pub fn dump(
        &mut self,
        family: Family,
        selection: Selection<'_>,
        rows: &mut Vec<SocketRow>,
    ) -> Result<Dump> {
        self.sequence = self.sequence.wrapping_add(1);
        write_dump(&mut self.request, self.sequence, family, selection);
        self.read_dump(rows).map_err(netlink_error)
    }

    /// Appends the sockets of one family, or of both, that are merely bound. Returns how many messages
    /// could not be understood.
    ///
    /// # Errors
    /// [`Error::Netlink`]
    pub(super) fn dump_bound(
        &mut self,
        family: Option<Family>,
        rows: &mut Vec<SocketRow>,
    ) -> Result<u64> {
        let mut bad_rows = 0;
        let both = [Family::Ipv4, Family::Ipv6];
        for family in both.into_iter().filter(|one| family.is_none_or(|family| family == *one)) {
            let selection = Selection::In(StateMask::BOUND);
            self.sequence = self.sequence.wrapping_add(1);
            write_dump(&mut self.request, self.sequence, family, selection);
            // What listens or connects meanwhile is in the next poll.
            let mut push = |row: SocketRow| {
                if row.state == State::Closed {
                    rows.push(SocketRow { state: State::Bound, ..row });
                }
            };
            let dump = self.read_each(&mut |_, row| push(row)).map_err(netlink_error)?;
            bad_rows += dump.bad_rows;
        }
        Ok(bad_rows)
    }

    /// Dumps sockets of a family with their `tcp_info`, one after the other. Mini-sockets have none.
    ///
    /// # Errors
    /// [`Error::Netlink`]
    pub(in crate::source) fn dump_infos(
        &mut self,
        family: Family,
        (states, program): (StateMask, &[u8]),
        apply: &mut dyn FnMut(&SocketRow, DiagInfo<'_>),
    ) -> Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        write_dump(&mut self.request, self.sequence, family, Selection::WithInfo(states, program));
        let mut push = |body: Body<'_>, row: SocketRow| {
            if let Some(info) = body.info().filter(|_| row.state != State::Closed) {
                apply(&row, info);
            }
        };
        self.read_each(&mut push).map_err(netlink_error)?;
        Ok(())
    }

    /// What an interface is called; `None` where it is gone.
    #[cfg_attr(not(feature = "bpf"), allow(dead_code))]
    pub(super) fn device_name(&self, ifindex: u32) -> Option<DeviceName> {
        name_of(&self.socket, ifindex)
    }

    fn read_dump(&mut self, rows: &mut Vec<SocketRow>) -> rustix::io::Result<Dump> {
        let mut closing = std::mem::take(&mut self.closing);
        let dump = self.read_each(&mut |_, row| match row {
            SocketRow { state: State::Closed, addrs, ifindex, .. } => {
                if closing.len() < MOST_CLOSING && addrs.remote.port != 0 {
                    closing.push(LookupRequest { addrs, ifindex, inode: 0, cookie: 0 });
                }
            }
            row => rows.push(row),
        });
        self.closing = closing;
        dump
    }

    /// Calls `push` for each row of the dump that is requested.
    fn read_each(&mut self, push: &mut dyn FnMut(Body<'_>, SocketRow)) -> rustix::io::Result<Dump> {
        self.send()?;
        let mut dump = Dump::default();
        loop {
            let length = self.receive()?;
            let mut has_rows = false;
            let Self { buffer, devices, socket, sequence: ours, .. } = &mut *self;
            for (sequence, message) in NetlinkMessages::new(&buffer[..length]) {
                match message {
                    Message::Broken => dump.bad_rows += 1,
                    _ if sequence != *ours => {}
                    Message::Socket(body) => {
                        match body.row().map(|row| devices.complete(row, &*socket)) {
                            Some(row) => {
                                has_rows = true;
                                push(body, row);
                            }
                            None => dump.bad_rows += 1,
                        }
                    }
                    Message::Done(0) => return Ok(dump),
                    Message::Done(errno) | Message::Error(errno) => {
                        return Err(Errno::from_raw_os_error(errno));
                    }
                    Message::Other => {}
                }
            }
            dump.pieces += u32::from(has_rows);
        }
    }

    /// Looks up one socket; `None` where the kernel's answer proves nothing.
    ///
    /// With a cookie only that very socket is found. Without one, the socket that is found may be a
    /// successor with the same addresses: the caller has to compare. And without one, the interface
    /// that it may be bound to is not known, so "gone" is right only for sockets that are bound to
    /// none: see [`Self::look_up_all`].
    pub fn look_up(&mut self, request: &LookupRequest) -> Option<LookupResult> {
        let LookupRequest { addrs, ifindex, .. } = request;
        if addrs.remote.port == 0 {
            return self.look_up_listener(request);
        }
        if *ifindex == 0 && addrs.has_link_local_end() {
            return None;
        }
        for _ in 0..RETRIES {
            match self.look_up_once(request) {
                Ok(Some(row)) if row.state == State::Closed => {}
                // The kernel finds connections before listeners: another one means that it is gone.
                Ok(Some(row)) if row.addrs == *addrs || request.has_become(&row) => {
                    return Some(LookupResult::There(row));
                }
                Ok(Some(_)) | Err(Errno::NOENT | Errno::STALE) => return Some(LookupResult::Gone),
                Ok(None) | Err(_) => return None,
            }
        }
        None
    }

    /// Looks up many sockets; requests that cannot be answered for certain are left out.
    pub fn look_up_all(
        &mut self,
        requests: &[LookupRequest],
    ) -> Vec<(LookupRequest, LookupResult)> {
        let mut results: Vec<_> = requests
            .iter()
            .filter_map(|request| Some((*request, self.look_up(request)?)))
            .collect();
        for family in [Family::Ipv4, Family::Ipv6] {
            let is_doubtful = |(request, result): &(LookupRequest, LookupResult)| {
                request.addrs.family == family
                    && (request.cookie, request.ifindex) == (0, 0)
                    && request.addrs.remote.port != 0
                    && *result == LookupResult::Gone
            };
            if results.iter().any(is_doubtful) {
                let bound = self.bound_to_device(family);
                results.retain(|result| {
                    let addrs = result.0.addrs;
                    let is_unbound = |rows: &[SocketRow]| rows.iter().all(|row| row.addrs != addrs);
                    !is_doubtful(result) || bound.is_some_and(is_unbound)
                });
            }
        }
        results
    }

    /// The reading of [`Self::look_up_all`]; `None` if nothing could be answered.
    pub(in crate::source) fn lookup(
        &mut self,
        requests: &[LookupRequest],
        netns: Option<u64>,
    ) -> Option<Reading> {
        let start = stamp();
        let answers = self.look_up_all(requests);
        let is_answered = !answers.is_empty();
        is_answered.then(|| Reading::Lookups(Lookups { start, end: stamp(), netns, answers }))
    }

    /// Of several listeners with the same addresses (`SO_REUSEPORT`) the kernel finds any, so all
    /// of the port are dumped: it holds its lock over them.
    fn look_up_listener(&mut self, request: &LookupRequest) -> Option<LookupResult> {
        let LookupRequest { addrs, inode, cookie, .. } = *request;
        let rows = self.dump_whole(addrs.family, Selection::ListenersOn(addrs.local.port))?;
        let same = |row: &&SocketRow| {
            let itself = if cookie == 0 { row.inode == inode } else { row.cookie == cookie };
            row.addrs == addrs && itself
        };
        Some(rows.iter().find(same).map_or(LookupResult::Gone, |row| LookupResult::There(*row)))
    }

    /// The sockets that a request without their interface does not find.
    fn bound_to_device(&mut self, family: Family) -> Option<&[SocketRow]> {
        self.dump_whole(family, Selection::BoundToDevice)
    }

    /// The rows of a dump; `None` unless it is certain that it misses none.
    fn dump_whole(&mut self, family: Family, selection: Selection<'_>) -> Option<&[SocketRow]> {
        let mut rows = std::mem::take(&mut self.found);
        rows.clear();
        let dump = self.dump(family, selection, &mut rows);
        self.found = rows;
        matches!(dump, Ok(Dump { bad_rows: 0, pieces: 0..=1 })).then_some(&self.found)
    }

    fn look_up_once(&mut self, request: &LookupRequest) -> rustix::io::Result<Option<SocketRow>> {
        self.sequence = self.sequence.wrapping_add(1);
        write_look_up(&mut self.request, self.sequence, request);
        self.send()?;
        loop {
            let length = self.receive()?;
            let Self { buffer, devices, socket, sequence: ours, .. } = &mut *self;
            for (sequence, message) in NetlinkMessages::new(&buffer[..length]) {
                match message {
                    _ if sequence != *ours => {}
                    Message::Socket(body) => {
                        return Ok(body.row().map(|row| devices.complete(row, &*socket)));
                    }
                    Message::Error(errno) => return Err(Errno::from_raw_os_error(errno)),
                    _ => return Ok(None),
                }
            }
        }
    }

    fn send(&mut self) -> rustix::io::Result<()> {
        self.devices.forget();
        rustix::io::retry_on_intr(|| send(&self.socket, &self.request, SendFlags::empty()))?;
        Ok(())
    }

    fn receive(&mut self) -> rustix::io::Result<usize> {
        let buffer = &mut *self.buffer;
        rustix::io::retry_on_intr(|| recv(&self.socket, &mut *buffer, RecvFlags::empty()))
            .map(|(_, length)| length)
    }
}

/// A socket that speaks to sock_diag.
pub(super) fn netlink(flags: SocketFlags) -> rustix::io::Result<OwnedFd> {
    socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(SOCK_DIAG))
}

pub(super) fn netlink_error(errno: Errno) -> Error {
    Error::Netlink { cause: errno.into() }
}
