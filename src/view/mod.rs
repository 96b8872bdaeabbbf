//! What is shown: records made of conclusions and readings. Pure.

pub mod alert;
pub mod conversation;
pub mod diagram;
pub mod event;
pub mod name;
pub mod socket;
pub mod timeline;

use crate::owner::Attribution;
use crate::reading::Lost;
use crate::transition::Transition;

/// Version of the schema of all records.
pub const SCHEMA: u8 = 1;

/// A transition of a socket that the filters ask for, and whose socket it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// What happened.
    pub transition: Transition,
    /// Whose socket it is.
    pub owner: Attribution,
    /// The filter by state asks for it: views of whole lives need the others too.
    pub passes: bool,
}

/// What a reading told of the sockets that the filters ask for.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// Something happened to a socket.
    Told(Box<Told>),
    /// Readings were lost.
    Lost(Lost),
}

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
    Life(Box<timeline::LifeRecord>),
    /// How often the edges of the diagram were walked.
    Diagram(Box<diagram::Diagram>),
    /// Readings were lost.
    Lost(Lost),
}
