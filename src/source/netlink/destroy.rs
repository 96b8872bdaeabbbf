//! The destroy events of sock_diag, which report sockets that close between two polls.

use super::client::{BUFFER, netlink, netlink_error};
use super::wire::{Message, NetlinkMessages};
use crate::error::Result;
use crate::model::reading::DestroyEvents;
use crate::model::socket::{Family, NetnsId};
use crate::source::clock::stamp;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_recv_buffer_size_force};
use rustix::net::{RecvFlags, SocketFlags, bind, recv};

/// `SKNLGRP_INET_TCP_DESTROY` (1) and `SKNLGRP_INET6_TCP_DESTROY` (3), as bits of `nl_groups`.
const DESTROYED: u32 = 1 << 0;
const DESTROYED6: u32 = 1 << 2;
/// The receive buffer for destroy events, in bytes: some thousand of them.
const EVENT_BUFFER: usize = 4 * 1024 * 1024;
/// At most this many destroy events are received at a time.
const EVENTS_AT_ONCE: usize = 16 * 1024;

/// Receives the destroy events of full sockets.
#[derive(Debug)]
pub struct DestroyListener {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl DestroyListener {
    /// Subscribes to the events of one family, or of both.
    ///
    /// # Errors
    /// [`crate::error::Error::Netlink`] where the kernel denies it.
    pub fn open(family: Option<Family>) -> Result<Self> {
        let groups = match family {
            None => DESTROYED | DESTROYED6,
            Some(Family::Ipv4) => DESTROYED,
            Some(Family::Ipv6) => DESTROYED6,
        };
        let subscribe = || {
            let socket = netlink(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
            // Beyond the machine's limit only with privilege.
            set_socket_recv_buffer_size_force(&socket, EVENT_BUFFER)
                .or_else(|_| set_socket_recv_buffer_size(&socket, EVENT_BUFFER))?;
            bind(&socket, &SocketAddrNetlink::new(0, groups))?;
            Ok(Self { socket, buffer: vec![0; BUFFER] })
        };
        subscribe().map_err(netlink_error)
    }

    /// Receives the events that have come, and waits for none; `None` if there are none.
    pub fn receive(&mut self) -> Option<DestroyEvents> {
        let (mut sockets, mut overrun) = (Vec::new(), false);
        while sockets.len() < EVENTS_AT_ONCE {
            match recv(&self.socket, &mut *self.buffer, RecvFlags::empty()) {
                Ok((_, length)) => {
                    let messages = NetlinkMessages::new(&self.buffer[..length]);
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
        (overrun || !sockets.is_empty()).then(|| DestroyEvents {
            time: stamp(),
            overrun,
            netns: NetnsId::default(),
            sockets,
        })
    }
}

/// Readable when there are events.
impl AsFd for DestroyListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
