//! The socket that is selected: its timeline so far, its owner, how it ended or what is missing, and
//! what to do about its state.

use super::Look;
use super::contents::Contents;
use super::rows::Row;
use crate::model::counted::counted;
use crate::model::socket_row::Details;
use crate::render::Renderer;
use crate::render::cell::Names;
use crate::render::socket_table::columns::Column;
use crate::render::style::Palette;
use crate::render::timeline::TimelineText;
use crate::render::wrap::wrap;
use crate::tcp::docs;
use crate::tcp::state::State;
use crate::view::Record;

/// What waits in the queues of a socket, under their names in ss: their bytes may be a FIN.
fn queues(state: State, details: &Details) -> Option<String> {
    let Details { rx_queue, tx_queue, retransmits, backlog_limit, .. } = *details;
    if state == State::Listen {
        let limit = backlog_limit.map(|limit| format!(" of at most {limit}"));
        let waiting = counted(u64::from(rx_queue), "connection");
        let text = format!("{waiting} waiting for accept(){}", limit.unwrap_or_default());
        return (rx_queue > 0).then_some(text);
    }
    let text = format!("RECV-Q {rx_queue}, SEND-Q {tx_queue}, retransmissions {retransmits}");
    (rx_queue > 0 || tx_queue > 0 || retransmits > 0).then_some(text)
}

/// What is known of a socket, in lines that fit a width.
pub(super) struct Detail<'t> {
    pub(super) contents: &'t Contents,
    pub(super) look: &'t Look,
    pub(super) names: &'t Names,
    pub(super) width: usize,
}

impl Detail<'_> {
    pub(super) fn lines(&self, row: &Row) -> Vec<String> {
        let width = self.width.max(1);
        let mut lines = self.timeline(row);
        if let Some(verdict) = row.closed {
            let name = serde_json::to_value(verdict).ok();
            let name = name.as_ref().and_then(|name| name.as_str()).unwrap_or("unknown");
            lines.push(format!("ended: {name}"));
        }
        lines.extend(queues(row.status.state, &row.status.details));
        lines.extend(self.belongings(row).into_iter().flat_map(|line| wrap(&line, width)));
        if let Some(doc) = docs::of(row.status.state) {
            let advice = [doc.brief, doc.many].join(". ");
            lines.extend(wrap(&format!("{}: {advice}", row.status.state), width));
            lines.extend(doc.next.iter().map(|(command, shows)| format!("  {command}  {shows}")));
        }
        lines
    }

    /// Whose the socket is, and its timer, as far as that is known: what columns show if asked for.
    fn belongings(&self, row: &Row) -> Option<String> {
        let record = self.contents.record(row);
        let word = |(column, name): (Column, &str)| {
            let mut text = String::new();
            column.write(&mut text, &record, self.names);
            (!matches!(text.as_str(), "-" | "?")).then(|| format!("{name} {text}"))
        };
        let columns = [
            (Column::User, "user"),
            (Column::Inode, "inode"),
            (Column::Descriptors, "descriptor"),
            (Column::Unit, "runs in"),
            (Column::Timer, "timer"),
        ];
        let words: Vec<String> = columns.into_iter().filter_map(word).collect();
        (!words.is_empty()).then(|| words.join(", "))
    }

    fn timeline(&self, row: &Row) -> Vec<String> {
        let Some(life) = self.contents.life(row) else { return Vec::new() };
        let (clock, palette) = (self.look.clock.clone(), Palette { on: false });
        let mut text = TimelineText { clock, palette, width: Some(self.width.max(20)) };
        let bytes = text.rows(&[Record::Life(Box::new(life))], self.names);
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_are_named_by_what_they_hold() {
        let details = |rx_queue, tx_queue| Details { tx_queue, rx_queue, ..Details::NONE };
        let listener = Details { backlog_limit: Some(7), ..details(1, 0) };
        let text = queues(State::Listen, &listener);
        assert_eq!(text.as_deref(), Some("1 connection waiting for accept() of at most 7"));
        assert_eq!(queues(State::Listen, &details(0, 0)), None);
        // Perhaps a FIN, and no byte.
        let text = queues(State::CloseWait, &details(1, 0));
        assert_eq!(text.as_deref(), Some("RECV-Q 1, SEND-Q 0, retransmissions 0"));
        assert_eq!(queues(State::Established, &details(0, 0)), None);
    }
}
