//! A socket as it is now: a record of `list`.

use super::SCHEMA;
use super::event::{Owner, Socket, seconds};
use crate::owner::Attribution;
use crate::reading::{Observation, Stamp, Timer};
use crate::tcp::state::State;
use crate::transition::Transition;
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
    /// The record of a socket that was there at this look.
    pub fn new(told: &Transition, row: &Observation, owner: &Attribution) -> Self {
        let left = Duration::from_millis(row.timer_left.saturating_mul(10));
        Self {
            v: SCHEMA,
            time: told.time,
            socket: Socket::of(told),
            state: told.to,
            held: Some(Duration::ZERO),
            held_at_least: true,
            owner: Owner::of(owner),
            uid: told.uid,
            inode: Some(told.inode).filter(|inode| *inode != 0),
            recv_queue: row.rx_queue,
            send_queue: row.tx_queue,
            backlog_limit: None, // /proc/net/tcp does not tell it
            timer: row.timer,
            timer_left: (row.timer != Timer::None).then_some(left.as_secs_f64()),
            retransmits: row.retransmits,
        }
    }
}
