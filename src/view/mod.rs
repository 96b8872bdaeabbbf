//! What is shown: records made of conclusions and readings. Pure.

pub mod alert;
pub mod diagram;
pub mod event;
pub mod life;
pub mod pairing;
pub mod socket;

use crate::model::reading::Lost;

/// Version of the schema of all records.
pub const SCHEMA: u8 = 1;

/// Whatever is printed as one record.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// A rule has something to tell.
    Alert(Box<alert::AlertRecord>),
    /// Something happened to a socket.
    Event(Box<event::EventRecord>),
    /// A socket as it is now.
    Socket(Box<socket::SocketRecord>),
    /// The life of a socket.
    Life(Box<life::LifeRecord>),
    /// How often the edges of the diagram were walked.
    Diagram(Box<diagram::Diagram>),
    /// Readings were lost.
    Lost(Lost),
}
