//! A socket as it is now: a row of `list`, `check` and `--view table`.

use crate::model::event::{OwnerClues, SocketEvent, SocketRef, SocketStatus, Transition};
use crate::model::process::Attribution;
use crate::model::socket_row::Details;
use crate::model::time::{Stamp, seconds};
use crate::tcp::state::State;
use serde::Serialize;
use std::time::Duration;

/// One socket at one instant. Field names, order and values are the public schema, version 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)] // README and man page describe the schema
pub struct SocketRecord {
    pub time: Stamp,
    #[serde(flatten)]
    pub socket: SocketRef,
    pub state: State,
    #[serde(serialize_with = "seconds")]
    pub held: Option<Duration>,
    pub held_at_least: bool,
    #[serde(flatten)]
    pub owner: Attribution,
    #[serde(flatten)]
    pub clues: OwnerClues,
    #[serde(flatten)]
    pub details: Details,
}

impl SocketRecord {
    /// The record of a socket as it was at an instant.
    pub fn new(now: &SocketStatus, time: Stamp, owner: Attribution) -> Self {
        let SocketStatus { socket, state, since, held_at_least, clues, details, .. } = *now;
        let held = Some(time.since(since));
        Self { time, socket, state, held, held_at_least, owner, clues, details }
    }

    /// The record of a socket at the instant at which it closed.
    pub fn closed(event: &SocketEvent) -> Self {
        let Transition { socket, time, to, clues, .. } = event.transition;
        Self {
            time,
            socket,
            state: to,
            held: Some(Duration::ZERO),
            held_at_least: false,
            owner: event.owner.clone(),
            clues: OwnerClues { uid: None, inode: 0, ..clues },
            details: Details::NONE,
        }
    }
}
