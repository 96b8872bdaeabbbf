//! The histories of the sockets that are open now, as records.

use crate::model::event::{SocketId, SocketStatus};
use crate::model::process::Attribution;
use crate::monitor::Monitor;
use crate::view::life::{LifeHistories, LifeRecord};
use std::collections::HashSet;

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
