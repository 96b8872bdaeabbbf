//! The names of the network interfaces that sockets are bound to: sock_diag says only their numbers.

use crate::model::binding::{Binding, Device, DeviceName};
use crate::model::socket_row::SocketRow;
use crate::source::with_known_uid;
use rustix::fd::AsFd;
use rustix::net::netdevice::index_to_name_inlined;

/// The names of the interfaces that rows of one answer have shown, by their indexes.
#[derive(Debug, Default)]
pub(super) struct Devices(Vec<(u32, Device)>);

impl Devices {
    /// Forgets all names: interfaces may have other ones by now.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    /// A row with what its message does not say. `socket` is any one of its network namespace.
    pub(super) fn complete(&mut self, row: SocketRow, socket: impl AsFd) -> SocketRow {
        let row = with_known_uid(row);
        if row.ifindex == 0 {
            return row;
        }
        let known = self.0.iter().find(|(ifindex, _)| *ifindex == row.ifindex);
        let device = if let Some((_, device)) = known {
            *device
        } else {
            let device = name_of(socket, row.ifindex).map_or(row.binding.device, Device::Named);
            self.0.push((row.ifindex, device));
            device
        };
        SocketRow { binding: Binding { device, ..row.binding }, ..row }
    }
}

/// What an interface is called in the network namespace of a socket; `None` where it is gone.
pub(super) fn name_of(socket: impl AsFd, ifindex: u32) -> Option<DeviceName> {
    DeviceName::new(index_to_name_inlined(socket, ifindex).ok()?.as_bytes())
}
