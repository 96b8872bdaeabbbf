//! A socket as it is now: a row of `list`, `check` and `--view table`.

use crate::model::event::{HeldFrom, OwnerClues, SocketEvent, SocketRef, SocketStatus, Transition};
use crate::model::process::Attribution;
use crate::model::socket_row::Details;
use crate::model::time::{Stamp, seconds};
use crate::tcp::state::State;
use serde::Serialize;
use std::time::Duration;

/// One socket at one instant. Field names, order and values are the public schema, version 1; the
/// comments of the fields are the manual.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SocketRecord {
    /// RFC 3339, UTC: the end of the poll that showed the socket.
    pub time: Stamp,
    /// Which socket.
    #[serde(flatten)]
    pub socket: SocketRef,
    /// The current state.
    pub state: State,
    /// Seconds in `state`; of `list` a lower bound, 0 where the kernel remembers nothing.
    #[serde(serialize_with = "seconds")]
    pub held: Option<Duration>,
    /// Whether `held` is a lower bound.
    pub held_at_least: bool,
    /// Who owns it.
    #[serde(flatten)]
    pub owner: Attribution,
    /// What its owner is found by.
    #[serde(flatten)]
    pub clues: OwnerClues,
    /// What else its row showed.
    #[serde(flatten)]
    pub details: Details,
    /// How `held` is known: `observed` by the polls of this run, or also by what the `kernel` remembers
    /// of the time before them, which is never more than the truth.
    pub held_from: Option<HeldFrom>,
}

impl SocketRecord {
    /// The record of a socket as it was at an instant.
    pub fn new(now: &SocketStatus, time: Stamp, owner: Attribution) -> Self {
        let SocketStatus { socket, state, since, held_at_least, held_from, details, .. } = *now;
        let (held, held_from, clues) =
            (Some(time.since(since)), Some(held_from), now.clues.clone());
        Self { time, socket, state, held, held_at_least, owner, clues, details, held_from }
    }

    /// The record of a socket at the instant at which it closed.
    pub fn closed(event: &SocketEvent) -> Self {
        let Transition { socket, time, to, ref clues, .. } = event.transition;
        Self {
            time,
            socket,
            state: to,
            held: Some(Duration::ZERO),
            held_at_least: false,
            owner: event.owner.clone(),
            clues: OwnerClues { uid: None, inode: 0, ..clues.clone() },
            details: Details::NONE,
            held_from: Some(HeldFrom::Observed),
        }
    }
}
