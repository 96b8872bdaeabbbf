//! A socket as it is now: a record of `list`.

use super::SCHEMA;
use super::event::{Owner, Socket, seconds};
use crate::model::event::{OwnerClues, SocketEvent, SocketStatus, Transition};
use crate::model::process::Attribution;
use crate::model::socket_row::{Details, Timer};
use crate::model::time::Stamp;
use crate::tcp::state::State;
use serde::Serialize;
use std::time::Duration;

/// One socket at one look. Field names, order and values are the public schema, version 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)] // README and man page describe the schema
pub struct SocketRecord {
    pub v: u8,
    pub time: Stamp,
    #[serde(flatten)]
    pub socket: Socket,
    pub state: State,
    #[serde(serialize_with = "seconds")]
    pub held: Option<Duration>,
    pub held_at_least: bool,
    #[serde(flatten)]
    pub owner: Owner,
    pub uid: Option<u32>,
    pub inode: Option<u64>,
    pub recv_queue: u32,
    pub send_queue: u32,
    pub backlog_limit: Option<u32>,
    pub timer: Timer,
    pub timer_left: Option<f64>,
    pub retransmits: u32,
}

impl SocketRecord {
    /// The record of a socket as it was at an instant.
    pub fn new(now: &SocketStatus, at: Stamp, owner: &Attribution) -> Self {
        let Details { timer, timer_left, .. } = now.details;
        let left = Duration::from_millis(timer_left.saturating_mul(10));
        Self {
            v: SCHEMA,
            time: at,
            socket: Socket::of(now.socket),
            state: now.state,
            held: Some(at.since(now.since)),
            held_at_least: now.held_at_least,
            owner: Owner::of(owner),
            uid: now.clues.uid,
            inode: Some(now.clues.inode).filter(|inode| *inode != 0),
            recv_queue: now.details.rx_queue,
            send_queue: now.details.tx_queue,
            backlog_limit: now.details.backlog_limit,
            timer,
            timer_left: (timer != Timer::None).then_some(left.as_secs_f64()),
            retransmits: now.details.retransmits,
        }
    }

    /// The record of a socket that has just gone.
    pub fn gone(told: &SocketEvent) -> Self {
        let Transition { socket, time, to, clues, .. } = told.transition;
        let now = SocketStatus {
            socket,
            state: to,
            since: time,
            held_at_least: false,
            row: 0,
            missed: true,
            withheld: false,
            clues: OwnerClues { inode: 0, listener: 0, uid: None, ..clues },
            details: Details::NONE,
        };
        Self::new(&now, time, &told.owner)
    }
}
