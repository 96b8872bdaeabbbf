//! One look at the sockets there are, where nothing is followed.

use super::Monitor;
use crate::error::Result;
use crate::model::process::Inodes;
use crate::model::reading::{Reading, Snapshot};
use crate::model::socket::AddressPair;
use crate::signals::Signals;
use crate::tcp::state::State;
use foldhash::fast::RandomState;
use std::collections::HashSet;

impl Monitor<'_> {
    /// Takes in a single reading; false when the run is over.
    ///
    /// # Errors
    /// What ends the run: see [`Source::next`](crate::source::Source::next).
    pub fn look_once(&mut self, stop: &Signals) -> Result<bool> {
        while let Some(mut reading) = self.source.next(stop)? {
            if let Reading::Snapshot(snapshot) = &mut reading {
                self.leave_out_others(snapshot);
            }
            if let Some(conclusions) = self.take(reading)? {
                self.note(conclusions);
                return if self.has_more() { self.look(stop) } else { Ok(true) };
            }
        }
        Ok(false)
    }

    /// Where a process is asked for, the sockets that others hold are not worth a life: there may
    /// be a hundred thousand. Listeners are, since they speak for what they have not handed on, and
    /// what the same look shows without an inode, too: it was accepted or closed meanwhile.
    fn leave_out_others(&mut self, snapshot: &mut Snapshot) {
        if !self.filter.process.needs_owner() || self.source.tells_at_once() {
            return;
        }
        self.begin_round(snapshot.end);
        // This is the look for sockets without an owner, too.
        self.finder.looks_again();
        let rows = &mut snapshot.rows;
        let mut there = Inodes::default();
        there.reserve(rows.len());
        there.extend(rows.iter().map(|row| row.inode).filter(|inode| *inode != 0));
        let found = self.finder.find(self.among(), &there);
        let held: Inodes = found.holders.iter().map(|(inode, _)| *inode).collect();
        let bare: HashSet<AddressPair, RandomState> =
            rows.iter().filter(|row| row.inode == 0).map(|row| row.addrs).collect();
        let (mut asked, mut hidden) = (Inodes::default(), HashSet::new());
        rows.retain(|row| {
            let stays = row.state == State::Listen
                || held.contains(&row.inode)
                || bare.contains(&row.addrs);
            if stays {
                asked.extend((row.inode != 0).then_some(row.inode));
            } else if found.denied > 0
                && self.filter.wants_addrs(&row.addrs)
                && self.filter.wants_change(None, row.state)
            {
                hidden.insert((row.addrs, row.inode));
            }
            stays
        });
        self.unowned.leave_out(hidden.len() as u64);
        self.book.learn(&asked, found);
    }
}
