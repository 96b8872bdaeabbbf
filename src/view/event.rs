//! An event of one socket as a record: a line of `--view events`.

use crate::model::event::{
    Ages, EventKind, OwnerClues, Roles, Side, SocketEvent, SocketRef, Verdict,
};
use crate::model::process::Attribution;
use crate::model::reading::Interface;
use crate::model::time::Stamp;
use crate::tcp::state::State;
use serde::Serialize;

/// One event of one socket. Field names, order and values are the public schema, version 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)] // README and man page describe the schema
pub struct EventRecord {
    pub event: EventKind,
    pub time: Stamp,
    pub after: Option<Stamp>,
    #[serde(flatten)]
    pub socket: SocketRef,
    pub from: Option<State>,
    pub via: Vec<State>,
    pub maybe: Vec<State>,
    pub to: State,
    #[serde(flatten)]
    pub ages: Ages,
    #[serde(flatten)]
    pub owner: Attribution,
    #[serde(flatten)]
    pub clues: OwnerClues,
    #[serde(flatten)]
    pub roles: Roles,
    pub verdict: Option<Verdict>,
    pub reset_by: Option<Side>,
    pub source: Interface,
}

impl EventRecord {
    /// The record of an event that was read from `source`.
    pub fn new(event: SocketEvent, source: Interface) -> Self {
        let SocketEvent { transition, owner, .. } = event;
        Self {
            event: transition.kind,
            time: transition.time,
            after: transition.after,
            socket: transition.socket,
            from: transition.from,
            via: transition.via,
            maybe: transition.maybe,
            to: transition.to,
            ages: transition.ages,
            owner,
            clues: transition.clues,
            roles: transition.roles,
            verdict: transition.verdict,
            reset_by: transition.reset_by,
            source,
        }
    }
}
