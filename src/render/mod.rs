//! Records to bytes: text, JSON Lines, CSV. Pure: what is written where is not decided here.

pub mod cell;
pub mod csv;
pub mod diagram;
pub mod events;
pub mod explain;
pub mod json;
mod sentence;
pub mod socket_table;
pub mod style;
pub mod timeline;
pub mod wrap;

use crate::view::Record;
use cell::Names;

/// The room that a terminal has for a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Size {
    pub columns: usize,
    pub rows: usize,
}

/// Turns records into bytes, ready to be written.
pub trait Renderer {
    /// What comes before the first record.
    fn begin(&mut self) -> Vec<u8>;
    /// Some records, in order. Names are for text alone: scripts get numbers.
    fn rows(&mut self, records: &[Record], names: &Names) -> Vec<u8>;
    /// What comes after the last record, or all of them where they are laid out together: in
    /// portions, until there is none.
    fn end(&mut self) -> Option<Vec<u8>> {
        None
    }
    /// The records of a picture as the lines of a frame that fits a terminal; none, where the
    /// records are no picture.
    fn frame(&mut self, _: &[Record], _: &Names, _: Size) -> Vec<String> {
        Vec::new()
    }
    /// Whether a record goes to standard error in this format, and how.
    fn aside(&self, record: &Record) -> Option<String>;
}

/// What a format without room for such a record says on standard error.
pub fn beside(record: &Record) -> Option<String> {
    match record {
        Record::Lost(lost) => Some(lost_sentence(lost)),
        Record::Alert(alert) => Some(format!("{} alert {}", alert.time, alert.sentence())),
        _ => None,
    }
}

/// A sentence about lost readings or records, for people.
pub fn lost_sentence(lost: &crate::model::reading::Lost) -> String {
    use crate::model::reading::LostReason;
    match (lost.reason, lost.count) {
        (LostReason::Gap, _) => "gap: too long since the last look to know what happened; \
             sockets without an inode start anew"
            .to_owned(),
        (LostReason::Table, Some(count)) => {
            format!(
                "{count} more lines of the tables than before could not be read, or are of more sockets than are followed"
            )
        }
        (LostReason::Ring, Some(count)) => {
            format!("{count} events of the kernel had no room in the ring (--ring)")
        }
        (LostReason::Ring, None) => "events of the kernel had no room".to_owned(),
        (LostReason::Table, None) => "a table could not be read as a whole".to_owned(),
        (LostReason::Output, Some(count)) => {
            format!("{count} records had no room: their reader was too slow")
        }
        (LostReason::Output, None) => "records had no room".to_owned(),
    }
}
