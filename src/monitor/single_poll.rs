//! One poll of the sockets there are, where nothing is followed.

use super::Monitor;
use crate::error::Result;
use crate::filter::{Filter, Match};
use crate::model::event::{Listeners, OwnerClues};
use crate::model::process::Inodes;
use crate::model::reading::{Reading, Snapshot};
use crate::model::socket::AddressPair;
use crate::model::socket_row::SocketRow;
use crate::signals::Signals;
use crate::tcp::state::State;
use foldhash::fast::RandomState;
use std::collections::HashSet;

impl Monitor<'_> {
    /// Waits for a single reading and takes it in; false when the run is over.
    ///
    /// # Errors
    /// What ends the run: see [`Source::next`](crate::source::Source::next).
    pub fn poll_once(&mut self, stop: &Signals) -> Result<bool> {
        while let Some(mut reading) = self.next_reading(stop)? {
            if let Reading::Snapshot(snapshot) = &mut reading {
                self.leave_out_others(snapshot);
            }
            if self.process(reading, &mut None) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Drops the rows that are not asked for: where a process is, those of sockets that others hold,
    /// of which there may be a hundred thousand. There listeners stay, since they name the owner of
    /// what they have not handed on, and so does a 4-tuple that the same poll shows without an inode,
    /// too: the socket was accepted or closed meanwhile.
    fn leave_out_others(&mut self, snapshot: &mut Snapshot) {
        let filter = self.reporter.filter;
        if self.reporter.owners.finder.is_recorded() {
            return;
        }
        if !filter.process.needs_owner() {
            leave_out_unasked(filter, &mut snapshot.rows);
            return;
        }
        let owners = &mut self.reporter.owners;
        owners.begin_round(snapshot.end.boot);
        // This is the search for sockets without an owner, too.
        owners.finder.take_due_retry();
        let rows = &mut snapshot.rows;
        let mut inodes = Inodes::default();
        inodes.reserve(rows.len());
        inodes.extend(rows.iter().map(|row| row.inode).filter(|inode| *inode != 0));
        let found = owners.finder.find(owners.among(), &inodes);
        let held: Inodes = found.holders.iter().map(|(inode, _)| *inode).collect();
        let without_inode: HashSet<AddressPair, RandomState> =
            rows.iter().filter(|row| row.inode == 0).map(|row| row.addrs).collect();
        let (mut kept, mut hidden) = (Inodes::default(), HashSet::new());
        rows.retain(|row| {
            let stays = row.state == State::Listen
                || held.contains(&row.inode)
                || without_inode.contains(&row.addrs);
            if stays {
                kept.extend((row.inode != 0).then_some(row.inode));
            } else if !found.is_whole() && filter.matches(row) {
                hidden.insert((row.addrs, row.inode));
            }
            stays
        });
        for (_, inode) in hidden {
            let (last_inode, listeners) = (inode, Listeners::default());
            let clues = OwnerClues { uid: None, inode, last_inode, listeners };
            self.reporter.hidden.count(false, true, &clues);
        }
        self.reporter.owners.table.insert(&kept, found);
    }
}

/// Drops the rows that are not asked for, whose owners would be searched for in vain; listeners only
/// where no socket is left that one of them may not have handed on.
fn leave_out_unasked(filter: &Filter, rows: &mut Vec<SocketRow>) {
    let is_queued = |row: &SocketRow| row.inode == 0 && filter.matches(row);
    let needs_listeners = rows.iter().any(is_queued);
    rows.retain(|row| {
        let is_needed = needs_listeners && row.state == State::Listen;
        // Those that may match are counted.
        is_needed || filter.shows(row) && filter.may_follow(&row.addrs, &row.binding) != Match::No
    });
}
