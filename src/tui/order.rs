//! The order of the rows, and their groups.

use super::rows::Row;
use crate::model::event::SocketId;
use crate::model::time::Stamp;
use crate::tcp::state::State;
use crate::view::group::GroupKey;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// What rows are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// Longest in its state first.
    Held,
    State,
    Owner,
    Local,
    Remote,
    /// Most bytes first.
    RecvQueue,
    SendQueue,
}

impl Sort {
    pub(super) const fn next(self) -> Self {
        match self {
            Self::Held => Self::State,
            Self::State => Self::Owner,
            Self::Owner => Self::Local,
            Self::Local => Self::Remote,
            Self::Remote => Self::RecvQueue,
            Self::RecvQueue => Self::SendQueue,
            Self::SendQueue => Self::Held,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Held => "time in state",
            Self::State => "state",
            Self::Owner => "owner",
            Self::Local => "local address",
            Self::Remote => "remote address",
            Self::RecvQueue => "receive queue",
            Self::SendQueue => "send queue",
        }
    }
}

/// The sockets in their order; those that have closed stand where they stood.
pub(super) fn sorted<'r>(
    rows: impl Iterator<Item = &'r Row>,
    sort: Sort,
    reversed: bool,
) -> Vec<SocketId> {
    let mut rows: Vec<&Row> = rows.collect();
    let since = |row: &Row| (row.closed.is_some(), row.status.since.boot, row.id());
    match sort {
        Sort::Held => rows.sort_unstable_by_key(|row| since(row)),
        Sort::State => rows.sort_unstable_by_key(|row| (row.status.state, since(row))),
        Sort::Owner => {
            rows.sort_by_cached_key(|row| {
                let main = row.owner.main.as_ref();
                (main.is_none(), main.map(|main| main.comm.clone()), since(row))
            });
        }
        Sort::Local => rows.sort_unstable_by_key(|row| {
            let end = row.status.socket.addrs.local;
            (end.addr, end.port, since(row))
        }),
        Sort::Remote => rows.sort_unstable_by_key(|row| {
            let end = row.status.socket.addrs.remote;
            (end.addr, end.port, since(row))
        }),
        Sort::RecvQueue => {
            rows.sort_unstable_by_key(|row| (Reverse(row.status.details.rx_queue), since(row)));
        }
        Sort::SendQueue => {
            rows.sort_unstable_by_key(|row| (Reverse(row.status.details.tx_queue), since(row)));
        }
    }
    if reversed {
        rows.reverse();
    }
    rows.into_iter().map(Row::id).collect()
}

/// The open sockets of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GroupLine {
    pub(super) name: Option<String>,
    pub(super) count: u64,
    pub(super) states: BTreeMap<State, u64>,
    pub(super) oldest: Duration,
}

/// The groups of rows, the largest first.
pub(super) fn grouped<'r>(
    rows: impl Iterator<Item = &'r Row>,
    key: GroupKey,
    at: Stamp,
) -> Vec<GroupLine> {
    let mut groups: HashMap<Option<String>, GroupLine> = HashMap::new();
    for row in rows.filter(|row| row.closed.is_none()) {
        let name = key.of(&row.status.socket, &row.owner, row.status.state);
        let group = groups.entry(name.clone()).or_insert_with(|| GroupLine {
            name,
            count: 0,
            states: BTreeMap::new(),
            oldest: Duration::ZERO,
        });
        group.count += 1;
        *group.states.entry(row.status.state).or_default() += 1;
        group.oldest = group.oldest.max(row.held(at));
    }
    let mut groups: Vec<GroupLine> = groups.into_values().collect();
    groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
    groups
}

/// A row as one line of plain text, to be copied. Names in it are escaped.
pub(super) fn line(row: &Row, at: Stamp) -> String {
    use crate::render::cell::{Names, held, local_end, owner_in, remote_end};
    let (names, socket) = (Names::default(), &row.status.socket);
    format!(
        "{} {} {} {} {}",
        owner_in(&row.owner, socket, row.status.netns_name.as_deref()),
        local_end(socket, &names),
        remote_end(socket, &names),
        row.status.state,
        held(Some(row.held(at)), row.status.held_at_least)
    )
}
