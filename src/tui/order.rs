//! The order of the rows, and their groups.

use super::rows::Row;
use crate::model::event::SocketId;
use crate::model::process::Process;
use crate::model::time::Stamp;
use crate::render::socket_table::columns::Column;
use crate::tcp::state::State;
use crate::view::group::GroupKey;
use foldhash::fast::RandomState;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::rc::Rc;

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
    /// What a click on the heading of a column sorts by.
    pub(super) const fn by_column(column: Column) -> Option<Self> {
        Some(match column {
            Column::Held => Self::Held,
            Column::State => Self::State,
            Column::Owner => Self::Owner,
            Column::Local => Self::Local,
            Column::Remote => Self::Remote,
            Column::Queues => Self::RecvQueue,
            _ => return None,
        })
    }

    /// Whether polls change the order also where nothing happens to a socket.
    pub(super) const fn is_by_queue(self) -> bool {
        matches!(self, Self::RecvQueue | Self::SendQueue)
    }

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
    let since = |row: &Row| (row.closed.is_some(), row.status.since.boot);
    match sort {
        Sort::Held => by_key(rows, reversed, since),
        Sort::State => by_key(rows, reversed, |row| (row.status.state, since(row))),
        Sort::Owner => by_key(rows, reversed, |row| {
            let main = row.owner.main.as_ref();
            (main.is_none(), main.map(|main| main.comm.as_slice()), since(row))
        }),
        Sort::Local => by_key(rows, reversed, |row| {
            let end = row.status.socket.addrs.local;
            (end.addr, end.port, since(row))
        }),
        Sort::Remote => by_key(rows, reversed, |row| {
            let end = row.status.socket.addrs.remote;
            (end.addr, end.port, since(row))
        }),
        Sort::RecvQueue => {
            by_key(rows, reversed, |row| (Reverse(row.status.details.rx_queue), since(row)))
        }
        Sort::SendQueue => {
            by_key(rows, reversed, |row| (Reverse(row.status.details.tx_queue), since(row)))
        }
    }
}

/// Sorts by a key, and by the id where keys are equal. The keys stand side by side: to follow a
/// reference for each comparison takes four times as long where there are many rows.
fn by_key<'r, K: Ord>(
    rows: impl Iterator<Item = &'r Row>,
    reversed: bool,
    key: impl Fn(&'r Row) -> K,
) -> Vec<SocketId> {
    let mut keys: Vec<(K, SocketId)> = rows.map(|row| (key(row), row.id())).collect();
    keys.sort_unstable();
    if reversed {
        keys.reverse();
    }
    keys.into_iter().map(|(_, id)| id).collect()
}

/// The open sockets of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GroupLine {
    pub(super) name: Option<String>,
    pub(super) count: u64,
    pub(super) states: BTreeMap<State, u64>,
    /// Since when the oldest of them has been in its state.
    pub(super) since: Stamp,
}

impl GroupLine {
    fn new(name: Option<String>) -> Self {
        Self {
            name,
            count: 0,
            states: BTreeMap::new(),
            since: Stamp { wall: i64::MAX, boot: u64::MAX },
        }
    }

    fn add(&mut self, count: u64, since: Stamp) {
        self.count += count;
        if since.boot < self.since.boot {
            self.since = since;
        }
    }
}

/// What names a group, before the name is made: that takes longer than to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Unnamed {
    Address(IpAddr),
    Port(u16),
    State,
    /// A process by its place in memory: those of all its sockets share it.
    Owner(Option<*const Process>),
}

impl Unnamed {
    fn of(row: &Row, key: GroupKey) -> Self {
        let addrs = row.status.socket.addrs;
        match key {
            GroupKey::Remote => Self::Address(addrs.remote.addr),
            GroupKey::LocalPort => Self::Port(addrs.local.port),
            GroupKey::State => Self::State,
            GroupKey::Process | GroupKey::Unit | GroupKey::Container | GroupKey::Pod => {
                Self::Owner(row.owner.main.as_ref().map(Rc::as_ptr))
            }
        }
    }
}

/// The groups of rows, the largest first.
pub(super) fn grouped<'r>(rows: impl Iterator<Item = &'r Row>, key: GroupKey) -> Vec<GroupLine> {
    let mut parts: HashMap<(Unnamed, State), (&Row, GroupLine), RandomState> = HashMap::default();
    for row in rows.filter(|row| row.closed.is_none()) {
        let part = parts.entry((Unnamed::of(row, key), row.status.state));
        let (_, part) = part.or_insert_with(|| (row, GroupLine::new(None)));
        part.add(1, row.status.since);
    }
    let mut groups: HashMap<Option<String>, GroupLine> = HashMap::new();
    for ((_, state), (row, part)) in parts {
        let name = key.of(&row.status.socket, &row.owner, state);
        let group = groups.entry(name.clone()).or_insert_with(|| GroupLine::new(name));
        group.add(part.count, part.since);
        *group.states.entry(state).or_default() += part.count;
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
