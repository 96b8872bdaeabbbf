//! What the tables of procfs do not show of listeners.

use super::client::SockDiag;
use super::wire::{Selection, StateMask};
use crate::model::process::ByInode;
use crate::model::socket::Family;
use crate::model::socket_row::SocketRow;
use crate::tcp::state::State;
use log::debug;

/// Adds to the rows of listeners the limits of their backlogs and what they are bound to: a walk through
/// the listeners alone, which takes less than a tenth of the time of a table. Without a client nothing
/// is known.
pub(in crate::source) fn add_what_tables_lack(
    rows: &mut [SocketRow],
    client: Option<&mut SockDiag>,
) {
    let Some(client) = client else { return };
    for family in [Family::Ipv4, Family::Ipv6] {
        let is_listener =
            |row: &SocketRow| row.state == State::Listen && row.addrs.family == family;
        if !rows.iter().any(is_listener) {
            continue;
        }
        let mut found = Vec::new();
        if let Err(error) = client.dump(family, Selection::In(StateMask::LISTEN), &mut found) {
            debug!("nothing more is known of listeners: {error}");
            continue;
        }
        let by_inode: ByInode<SocketRow> = found.into_iter().map(|row| (row.inode, row)).collect();
        for row in rows.iter_mut().filter(|row| is_listener(row)) {
            if let Some(SocketRow { details, binding, .. }) = by_inode.get(&row.inode) {
                (row.details.backlog_limit, row.binding) = (details.backlog_limit, *binding);
            }
        }
    }
}
