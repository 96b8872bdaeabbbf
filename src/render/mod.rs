//! Records to bytes: text, pictures, JSON Lines, CSV. Pure: where they are written is not decided
//! here.
//!
//! A [`Renderer`] knows one format. JSON and CSV take every [`Record`]; of text there is a renderer
//! for each view ([`of_view`]), which takes the records of that view, losses and alerts.

pub(crate) mod ascii;
pub(crate) mod cell;
pub(crate) mod csv;
pub(crate) mod diagram;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod groups;
pub(crate) mod html;
pub(crate) mod json;
pub(crate) mod ports;
pub(crate) mod socket_table;
pub(crate) mod style;
pub(crate) mod summary;
pub(crate) mod timeline;
mod wording;
pub(crate) mod wrap;

use crate::model::counted::counted;
use crate::model::event::Alert;
use crate::view::{Record, ViewName};
use cell::{Names, TimeFormatter};
use diagram::{DiagramFormat, DiagramRenderer};
use events::EventsText;
use socket_table::TableOptions;
use socket_table::by_held::HeldTable;
use summary::SummaryText;
use timeline::TimelineText;

/// The room that a terminal has for a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Size {
    pub columns: usize,
    pub rows: usize,
}

/// How the records of a view look as text.
#[derive(Debug, Clone)]
pub(crate) struct TextOptions {
    /// The colours, and the columns of tables.
    pub(crate) table: TableOptions,
    /// How times are written.
    pub(crate) clock: TimeFormatter,
    /// The columns of the terminal; `None` where it is none.
    pub(crate) width: Option<u16>,
    /// What a diagram is drawn with.
    pub(crate) drawing: DiagramFormat,
}

/// The renderer of a view's records as text, or in a format that only this view has.
pub(crate) fn of_view(view: ViewName, options: TextOptions) -> Box<dyn Renderer> {
    let TextOptions { table, clock, width, drawing } = options;
    let (TableOptions { palette, header, .. }, columns) = (table, width.map(usize::from));
    match view {
        ViewName::Events => Box::new(EventsText::new(clock, palette, header, columns)),
        #[cfg(feature = "tui")]
        ViewName::Top => Box::new(EventsText::new(clock, palette, header, columns)),
        ViewName::Timeline => Box::new(TimelineText { clock, palette, width: columns }),
        ViewName::Table => Box::new(HeldTable::new(table, width)),
        ViewName::Summary => Box::new(SummaryText::new(palette, header, width)),
        ViewName::Diagram => {
            let width = columns.unwrap_or(80);
            Box::new(DiagramRenderer { format: drawing, palette, width })
        }
    }
}

/// Turns records into bytes, ready to be written.
pub trait Renderer {
    /// The bytes before the first record.
    fn header(&mut self) -> Vec<u8> {
        Vec::new()
    }

    /// The bytes of some records, in order; none yet where they are laid out with those to come.
    /// Names are for text alone: scripts get numbers.
    fn rows(&mut self, records: &[Record], names: &Names) -> Vec<u8>;

    /// The bytes after the last record, part by part; `None` when there are no more.
    fn rest(&mut self) -> Option<Vec<u8>> {
        None
    }

    /// The records of a picture as the lines of a frame that fits a terminal; no lines where the
    /// view is no picture.
    fn frame(&mut self, _: &[Record], _: &Names, _: Size) -> Vec<String> {
        Vec::new()
    }

    /// How many rows of a frame stay on the terminal after the run even if it has fewer: those of a
    /// picture that is no use in part.
    fn least_rows(&self) -> usize {
        0
    }

    /// A record for which this format has no place, as a sentence for standard error; `None` for
    /// a record that has one.
    fn message(&self, record: &Record) -> Option<String> {
        message(record)
    }
}

/// A loss or an alert as a sentence; `None` for other records.
fn message(record: &Record) -> Option<String> {
    match record {
        Record::Lost(lost) => Some(lost_sentence(lost)),
        Record::Alert(alert) => Some(alert_message(alert)),
        _ => None,
    }
}

/// An alert with its time, for people.
pub(crate) fn alert_message(alert: &Alert) -> String {
    format!("{} alert {}", alert.time, alert_sentence(alert))
}

/// What an alert says, for people.
pub(crate) fn alert_sentence(alert: &Alert) -> String {
    let Alert { rule, active, sockets, .. } = alert;
    let sockets_there = counted(sockets.len(), "socket");
    match active {
        true => format!("{rule}: {sockets_there}"),
        false if sockets.is_empty() => format!("{rule} cleared"),
        false => format!("{rule} cleared: {sockets_there} left"),
    }
}

/// A sentence about lost readings or records, for people.
pub(crate) fn lost_sentence(lost: &crate::model::reading::Lost) -> String {
    use crate::model::reading::LostReason;
    match (lost.reason, lost.count) {
        (LostReason::Gap, _) => "gap: too long since the last poll to know what happened; \
             sockets without an inode may be reported as new"
            .to_owned(),
        (LostReason::Table, Some(count)) => {
            format!(
                "{count} more table rows than before could not be read, or are beyond the limit of followed sockets"
            )
        }
        (LostReason::Ring, Some(count)) => {
            format!("{count} kernel events lost: ring buffer full (enlarge --ring)")
        }
        (LostReason::Ring, None) => {
            "kernel events lost: ring buffer full (enlarge --ring)".to_owned()
        }
        (LostReason::Recursion, count) => {
            let count = count.map(|count| format!("up to {count} ")).unwrap_or_default();
            format!(
                "{count}kernel events lost: they came while a processor was still at another one"
            )
        }
        (LostReason::Unreported, count) => {
            let count = count.map(|count| format!("at least {count} ")).unwrap_or_default();
            format!("{count}kernel events lost: what came after them shows that they are missing")
        }
        (LostReason::Table, None) => "a table could not be read completely".to_owned(),
        (LostReason::Output, Some(count)) => {
            format!("{count} records dropped: output reader too slow")
        }
        (LostReason::Output, None) => "records dropped: output reader too slow".to_owned(),
    }
}
