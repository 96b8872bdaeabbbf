//! Sockets counted in groups: what `--by` groups by, and the records of `check --by`, one for each
//! group and state.

use crate::model::event::SocketRef;
use crate::model::process::Attribution;
use crate::model::time::seconds;
use crate::model::workload::Workload;
use crate::tcp::state::State;
use crate::view::socket::SocketRecord;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::HashMap;
use std::time::Duration;

/// What sockets are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
#[schemars(rename = "group-key")]
#[serde(rename_all = "kebab-case")]
pub enum GroupKey {
    /// The address of the remote end.
    Remote,
    /// The name of the owning process.
    Process,
    /// The port of the local end.
    LocalPort,
    /// The unit of systemd in which the owning process runs.
    Unit,
    /// The container in which it runs.
    Container,
    /// The pod in which it runs.
    Pod,
    /// The state alone.
    State,
}

impl GroupKey {
    /// The name of the group that a socket belongs to; `None` where no owner is known, or it runs in
    /// nothing of that kind.
    pub(crate) fn of(
        self,
        socket: &SocketRef,
        owner: &Attribution,
        state: State,
    ) -> Option<String> {
        match self {
            Self::Remote => Some(socket.addrs.remote.addr.to_string()),
            Self::Process => owner.main.as_ref().and_then(|process| process.name()),
            Self::LocalPort => Some(socket.addrs.local.port.to_string()),
            Self::Unit => of_workload(owner, |it| it.unit.clone()),
            Self::Container => {
                of_workload(owner, |it| Some(it.container.as_ref()?.label().to_owned()))
            }
            Self::Pod => of_workload(owner, |it| Some(it.pod.as_ref()?.full_label())),
            Self::State => Some(state.to_string()),
        }
    }

    /// Whether a socket belongs to the group with this name.
    pub(crate) fn is_in(
        self,
        group: Option<&str>,
        socket: &SocketRef,
        owner: &Attribution,
        state: State,
    ) -> bool {
        match self {
            Self::Process => {
                let name = owner.main.as_ref().and_then(|process| process.shown_name());
                name.as_deref() == group
            }
            _ => self.of(socket, owner, state).as_deref() == group,
        }
    }
}

fn of_workload(owner: &Attribution, name: impl Fn(&Workload) -> Option<String>) -> Option<String> {
    owner.workload().0.as_deref().and_then(name)
}

/// The sockets of one group in one state. Field names, order and values are the public schema,
/// version 1.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct GroupRecord {
    /// The remote address, the name of the process, the local port, the unit, container or pod of the
    /// process, or the state; null where no owner is known, or where it runs in no such thing.
    pub group: Option<String>,
    /// The state of the sockets.
    pub state: State,
    /// How many sockets they are.
    pub count: u64,
    /// How long (seconds) the oldest of them has been in its state; null where none of these times is
    /// known.
    #[serde(serialize_with = "seconds")]
    #[schemars(with = "Option<f64>")]
    pub oldest: Option<Duration>,
    /// Whether it may be longer: one of the sockets was in its state before it was first seen.
    pub oldest_at_least: bool,
}

/// The groups of sockets, the largest first, then the oldest.
pub(crate) fn grouped(sockets: &[SocketRecord], key: GroupKey) -> Vec<GroupRecord> {
    let mut groups: HashMap<(Option<String>, State), GroupRecord> = HashMap::new();
    for socket in sockets {
        let group = key.of(&socket.socket, &socket.owner, socket.state);
        let state = socket.state;
        let found = groups.entry((group.clone(), state)).or_insert(GroupRecord {
            group,
            state,
            count: 0,
            oldest: None,
            oldest_at_least: false,
        });
        found.count += 1;
        found.oldest = found.oldest.max(socket.held);
        found.oldest_at_least |= socket.held_at_least || socket.held.is_none();
    }
    let mut groups: Vec<GroupRecord> = groups.into_values().collect();
    groups.sort_by(|a, b| {
        let rank = |group: &GroupRecord| (group.count, group.oldest);
        rank(b)
            .cmp(&rank(a))
            .then_with(|| a.group.cmp(&b.group))
            .then_with(|| a.state.cmp(&b.state))
    });
    groups
}
