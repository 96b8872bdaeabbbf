//! What is shown: records made of conclusions and readings. Pure.

pub mod event;
pub mod name;
pub mod socket;

use crate::reading::Lost;

/// Version of the schema of all records.
pub const SCHEMA: u8 = 1;

/// Whatever is printed as one record.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// Something happened to a socket.
    Event(Box<event::EventRecord>),
    /// A socket as it is now.
    Socket(Box<socket::SocketRecord>),
    /// Readings were lost.
    Lost(Lost),
}
