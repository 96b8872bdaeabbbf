//! The sockets of a run as its view sees them.

use super::counts::RunCounts;
use crate::model::event::{SocketId, SocketStatus};
use crate::model::process::Attribution;
use crate::model::socket::AddressPair;
use crate::model::time::Stamp;
use crate::monitor::{Monitor, SocketOrder};
use crate::tcp::state::State;
use crate::view::life::{LifeHistories, LifeRecord};
use crate::view::socket::SocketRecord;
use crate::view::{Record, Run};
use std::collections::HashSet;

/// The sockets as of the last reading, their histories, and how many there are and were.
pub(super) struct RunState<'m, 's, 'f> {
    pub(super) monitor: &'m mut Monitor<'f>,
    pub(super) histories: &'s mut LifeHistories,
    pub(super) counts: &'s mut RunCounts,
}

impl Run for RunState<'_, '_, '_> {
    fn read_at(&self) -> Stamp {
        self.monitor.read_at()
    }

    fn histories(&self) -> &LifeHistories {
        self.histories
    }

    fn open_addrs(&mut self) -> Vec<AddressPair> {
        let sockets = self.monitor.open_sockets().into_iter().map(|(status, _)| status.socket);
        let open = sockets.filter(|socket| self.histories.is_open(socket.id));
        open.map(|socket| socket.addrs).collect()
    }

    fn open_lives(&mut self) -> Vec<LifeRecord> {
        open_lives(self.monitor, self.histories)
    }

    fn name_peers(&mut self, lives: &mut [LifeRecord]) {
        name_peers(self.monitor, lives);
    }

    fn sockets(&mut self) -> Vec<SocketRecord> {
        let (at, infos) = (self.monitor.read_at(), self.monitor.tcp_infos());
        let record = |(now, owner): (SocketStatus, Attribution)| {
            SocketRecord::new(&now, at, owner).with_tcp_info(infos.as_deref())
        };
        self.monitor.sockets(SocketOrder::Kernel).map(record).collect()
    }

    fn states(&self) -> Vec<State> {
        self.monitor.states().collect()
    }

    fn summary(&mut self, with_owners: bool) -> Vec<Record> {
        self.counts.records(self.monitor, with_owners)
    }

    fn coverage(&self) -> String {
        self.monitor.coverage().to_string()
    }
}

/// The lives of the sockets that are open now and pass the filter by state.
pub(crate) fn open_lives(monitor: &mut Monitor<'_>, histories: &LifeHistories) -> Vec<LifeRecord> {
    let at = monitor.read_at();
    let passing: HashSet<SocketId> = monitor.statuses().map(|now| now.socket.id).collect();
    let sockets = monitor.open_sockets().into_iter();
    let record = |(now, owner): (SocketStatus, Attribution)| {
        histories.so_far(&now, &owner, at, passing.contains(&now.socket.id))
    };
    let mut lives: Vec<LifeRecord> = sockets.filter_map(record).collect();
    lives.sort_by_key(LifeRecord::order);
    lives
}

/// Sets who owns the other ends that are on this machine and that the filters do not ask for, of
/// lives that have waited for their FIN.
pub(crate) fn name_peers(monitor: &mut Monitor<'_>, lives: &mut [LifeRecord]) {
    let without: Vec<&mut LifeRecord> = lives.iter_mut().filter(|l| l.lacks_peer()).collect();
    let owners = monitor.peer_owners(without.iter().map(|life| life.socket.addrs));
    for (life, owner) in without.into_iter().zip(owners) {
        life.peer_owner = owner;
    }
}
