//! An event of one socket as a record: a line of `--view events`.

use super::life::LifeHistories;
use super::{Record, Run, View};
use crate::model::binding::{Binding, BindingKeys};
use crate::model::event::{
    Ages, EventKind, HeldFrom, MonitorEvent, OwnerClues, Roles, Side, SocketEvent, SocketRef,
    Verdict,
};
use crate::model::process::Attribution;
use crate::model::reading::Interface;
use crate::model::tcp_info::TcpInfo;
use crate::model::time::{Stamp, seconds};
use crate::model::workload::{MainWorkload, WorkloadKeys};
use crate::tcp::state::State;
use schemars::JsonSchema;
use serde::Serialize;
use std::time::Duration;

/// One event of one socket. Field names, order and values are the public schema, version 1; the
/// comments of the fields are the manual.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct EventRecord {
    /// `present` (it existed at the first poll, or it is not known whether it is an older one: see
    /// tcplapse-accuracy(7)), `opened` (first observed later), `changed`, `closed`.
    pub event: EventKind,
    /// RFC 3339, UTC: the end of the poll that showed the event, or the kernel's own time; for
    /// `closed`, the end of the lookup or poll that confirmed it.
    pub time: Stamp,
    /// The start of the last poll that showed the previous state: the event happened between
    /// `after` and `time`. Equal to `time` where the kernel gave the time; null for `present`, and
    /// for a TIME_WAIT or FIN_WAIT2 that the first poll can have missed.
    pub after: Option<Stamp>,
    /// Which socket.
    #[serde(flatten)]
    pub socket: SocketRef,
    /// The previous state; null when the socket is first observed.
    pub from: Option<State>,
    /// States that were certainly passed between `from` and `to` without being observed, in order.
    pub via: Vec<State>,
    /// States that were possibly passed.
    pub maybe: Vec<State>,
    /// The new state; `CLOSED` once the socket is gone.
    pub to: State,
    /// How long it was in `from`.
    #[serde(flatten)]
    pub ages: Ages,
    /// Who owns it.
    #[serde(flatten)]
    pub owner: Attribution,
    /// What its owner is found by.
    #[serde(flatten)]
    pub clues: OwnerClues,
    /// Who opened and who closed.
    #[serde(flatten)]
    pub roles: Roles,
    /// Of `closed` events, how the connection ended, if it is proven: `local-close`,
    /// `remote-close`, `simultaneous-close`; with `--source trace` also `reset`, `refused`,
    /// `timed-out` (the kernel gave up), `no-answer` (its process closed it in SYN_SENT, before the
    /// peer answered; the process may have learnt of a network error before), `unreachable` (a network error), `no-port` (connect() found no free port);
    /// `netns-gone` of what was there when its network namespace was last read before it was removed;
    /// else `unknown`. Null for listeners and other events.
    pub verdict: Option<Verdict>,
    /// Of `closed` events with `--source trace`, which side sent the reset that ended it: `local`,
    /// `remote`; else null.
    pub reset_by: Option<Side>,
    /// Where the event was read: `proc`, `netlink`, `trace`.
    pub source: Interface,
    /// Of `closed` events, seconds since the socket was first observed; null if it existed at the
    /// first poll.
    #[serde(serialize_with = "seconds")]
    #[schemars(with = "Option<f64>")]
    pub lived: Option<Duration>,
    /// How `held` is known: `observed` by the polls of this run, or also by what the `kernel` remembers
    /// of the time before them, which is never more than the truth.
    pub held_from: Option<HeldFrom>,
    /// Of `present` events in ESTABLISHED, seconds since data was last sent or received; null where the
    /// kernel does not say.
    #[serde(serialize_with = "seconds")]
    #[schemars(with = "Option<f64>")]
    pub idle: Option<Duration>,
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
    /// What the kernel measured of it, where that is asked for.
    #[serde(flatten)]
    pub tcp_info: Option<Box<TcpInfo>>,
}

impl EventRecord {
    /// The record of an event that was read from `source`.
    pub fn new(event: SocketEvent, source: Interface) -> Self {
        let SocketEvent { transition, owner, tcp_info, .. } = event;
        Self {
            event: transition.kind,
            time: transition.time,
            after: transition.after,
            socket: transition.socket,
            from: transition.from,
            via: transition.via,
            maybe: transition.maybe,
            to: transition.to,
            held_from: transition.ages.held_from,
            idle: transition.ages.idle,
            ages: transition.ages,
            workload: owner.workload(),
            netns_name: transition.netns_name.as_deref().map(str::to_owned),
            binding: transition.socket.binding,
            owner,
            clues: transition.clues,
            roles: transition.roles,
            verdict: transition.verdict,
            reset_by: transition.reset_by,
            source,
            lived: (transition.kind == EventKind::Closed && !transition.ages.lived_at_least)
                .then_some(transition.ages.lived),
            tcp_info,
        }
    }
}

/// `--view events`: a record per transition.
pub(super) struct EventsView;

impl View for EventsView {
    fn apply(
        &mut self,
        events: Vec<MonitorEvent>,
        (_, interface): (Stamp, Interface),
        _: &LifeHistories,
    ) -> Vec<Record> {
        let record = |event| match event {
            MonitorEvent::Lost(lost) => Some(Record::Lost(lost)),
            MonitorEvent::Socket(event) if event.passes => {
                Some(Record::Event(Box::new(EventRecord::new(*event, interface))))
            }
            MonitorEvent::Socket(_) => None,
        };
        events.into_iter().filter_map(record).collect()
    }

    fn current(&mut self, _: &mut dyn Run) -> Vec<Record> {
        Vec::new()
    }
}
