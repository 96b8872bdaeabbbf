//! The record of the life of a socket: its states from its creation to its destruction, each with its
//! cause. A record of `--view timeline`.

use crate::model::binding::{Binding, BindingKeys};
use crate::model::event::{Roles, Side, SocketRef, Verdict};
use crate::model::process::Attribution;
use crate::model::socket::AddressPair;
use crate::model::tcp_info::TcpInfo;
use crate::model::time::{Stamp, seconds};
use crate::model::workload::{MainWorkload, WorkloadKeys};
use crate::tcp::state::State;
use schemars::JsonSchema;
use serde::Serialize;
use std::time::Duration;

/// The life of one socket, ended or not. Field names, order and values are the public schema,
/// version 1; the comments of the fields are the manual.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct LifeRecord {
    /// Which socket.
    #[serde(flatten)]
    pub socket: SocketRef,
    /// Who owns it.
    #[serde(flatten)]
    pub owner: Attribution,
    /// When it was first observed; null if it existed at the first poll, or matched the filters only
    /// later.
    pub opened: Option<Stamp>,
    /// When it was closed; null while it is not.
    pub ended: Option<Stamp>,
    /// Who opened and who closed.
    #[serde(flatten)]
    pub roles: Roles,
    /// How the connection ended, as in an event; null while it has not.
    pub verdict: Option<Verdict>,
    /// Which side sent the reset that ended it, as in an event; else null.
    pub reset_by: Option<Side>,
    /// Its states, a list of `state`, `at` (when it was first observed), `held` (seconds until the
    /// next observed state), `evidence` (`observed`, `certain`, `possible`) and `cause` (what leads
    /// to the state by the table of transitions; null where that may be several things). States
    /// that were not observed have no times.
    pub steps: Vec<LifeStep>,
    /// Seconds from `opened` to `ended`; null if one of them is.
    #[serde(serialize_with = "seconds")]
    #[schemars(with = "Option<f64>")]
    pub lived: Option<Duration>,
    /// What its main owner runs in.
    #[serde(flatten)]
    #[schemars(with = "WorkloadKeys<'_>")]
    pub workload: MainWorkload,
    /// What the network namespace is called, as below /run/netns; null if it has no name, and where
    /// only the own one is read.
    pub netns_name: Option<String>,
    /// What it is bound to besides its local address.
    #[serde(flatten)]
    #[schemars(with = "BindingKeys")]
    pub binding: Binding,
    /// What the kernel last measured of it, where that is asked for.
    #[serde(flatten)]
    pub tcp_info: Option<Box<TcpInfo>>,
    /// Until when the socket was followed; for text alone, as all fields below.
    #[serde(skip)]
    pub followed_until: Stamp,
    /// A process has a descriptor of it now.
    #[serde(skip)]
    pub is_held: bool,
    /// The filters matched it only after it was first observed: the first step is the state it was
    /// in then.
    #[serde(skip)]
    pub matched_late: bool,
    /// Several processes have owned it, or changed its state: what one of them did, its owner need not have done.
    #[serde(skip)]
    pub changed_hands: bool,
    /// How many steps after the first are left out, because there were too many.
    #[serde(skip)]
    pub left_out: u32,
    /// The life of the other end, where both ends of a connection are shown together.
    #[serde(skip)]
    pub peer: Option<Box<Self>>,
    /// Who owns the other end, where that is on this machine and its life is not shown.
    #[serde(skip)]
    pub peer_owner: Option<Attribution>,
}

/// A state in a life.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
#[schemars(rename = "life-step")]
pub struct LifeStep {
    /// Which state.
    pub state: State,
    /// When it was first observed; `None` if it was not.
    pub at: Option<Stamp>,
    /// Until the next observed state.
    #[serde(serialize_with = "seconds")]
    #[schemars(with = "Option<f64>")]
    pub held: Option<Duration>,
    /// How it is known.
    pub evidence: Evidence,
    /// What led to it, if that is one thing.
    pub cause: Option<&'static str>,
}

/// How it is known that a socket was in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
#[schemars(rename = "evidence")]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// The state was observed.
    Observed,
    /// The state was not observed, but is on every legal path.
    Certain,
    /// The state was not observed, and is on some legal path.
    Possible,
}

impl LifeRecord {
    /// For how long the socket was followed.
    pub(crate) fn followed_for(&self) -> Duration {
        let start = self.steps.iter().find_map(|step| step.at);
        start.map_or(Duration::ZERO, |start| self.ended.unwrap_or(self.followed_until).since(start))
    }

    /// What lives are sorted by that are printed together: when they were first observed, and those of
    /// one poll as `list` sorts sockets: listeners first, then by ports.
    pub(crate) fn order(&self) -> impl Ord + use<> {
        let AddressPair { local, remote, netns, .. } = self.socket.addrs;
        let first = self.steps.iter().find_map(|step| step.at).map(|at| at.boot);
        let listens = self.steps.iter().any(|step| step.state == State::Listen);
        (first, netns, !listens, local.port, local.addr, remote.addr, remote.port)
    }
}
