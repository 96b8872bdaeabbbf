//! Whose sockets they are: looked for when they are new, and again when there is news of them.

use super::Monitor;
use crate::model::event::{EventKind, OwnerClues, SocketId, TrackerEvent};
use crate::model::process::{Attribution, Holder, Inodes, OwnerSource, Process};
use crate::owner::Among;
use std::rc::Rc;

impl<'a> Monitor<'a> {
    /// Looks for the holders of sockets that nobody has looked for yet; where a process is asked
    /// for, now and then also of those that had none.
    pub(super) fn find_new(&mut self, is_pass: bool) {
        let again = !self.filter.process.is_empty() && self.finder.looks_again();
        if !(is_pass || again) {
            return;
        }
        let came = self.tracker.take_new_inodes();
        let mut new = self.book.room_for(came.len());
        new.extend(came.into_iter().filter(|inode| !self.book.knows(*inode)));
        if again {
            let ownerless = |inode: &u64| !self.book.is_held(*inode);
            new.extend(self.tracker.shown_inodes().filter(ownerless));
        }
        self.find(self.among(), &new);
        if again {
            self.match_again();
        }
    }

    /// Where to look for holders: among the processes the filter can match. By user alone all
    /// count, since a socket of another user's process is not one without an owner.
    pub(super) const fn among(&self) -> Among<'a> {
        let filter = &self.filter.process;
        if filter.needs_owner() { Among::Matching(filter) } else { Among::All(filter) }
    }

    fn find(&mut self, among: Among<'_>, wanted: &Inodes) {
        if !wanted.is_empty() {
            let found = self.finder.find(among, wanted);
            self.book.learn(wanted, found);
        }
    }

    /// Makes sure that the holders of sockets with news still hold them, and looks again for
    /// those that do not, and for those never found.
    pub(super) fn prove(&mut self, conclusions: &[TrackerEvent]) {
        let (mut doubtful, mut listeners) = (Inodes::default(), Inodes::default());
        for conclusion in conclusions {
            let TrackerEvent::Transition(told) = conclusion else { continue };
            if !self.filter.wants_addrs(&told.socket.addrs) {
                continue;
            }
            if told.clues.last_inode == 0 && self.book.is_held(told.clues.listener) {
                listeners.insert(told.clues.listener);
            }
            if told.clues.inode != 0 && !self.still_proven(told.clues.inode) {
                doubtful.insert(told.clues.inode);
            }
        }
        self.find(self.among(), &doubtful);
        // A listener speaks for what it has not accepted only if it has one holder among all
        // processes, whatever the filter.
        self.find(Among::All(&self.filter.process), &listeners);
        self.disown_newborns(conclusions);
    }

    /// Makes sure of the holders known. Kernel events come by the thousand: they are no reason to
    /// look into every process, and who acted says so.
    pub(super) fn recall(&mut self, conclusions: &[TrackerEvent]) {
        for conclusion in conclusions {
            if let TrackerEvent::Transition(told) = conclusion
                && told.clues.inode != 0
                && self.filter.wants_addrs(&told.socket.addrs)
            {
                self.still_proven(told.clues.inode);
            }
        }
        self.disown_newborns(conclusions);
    }

    /// Who held this inode in an earlier life is no owner of a new one.
    fn disown_newborns(&mut self, conclusions: &[TrackerEvent]) {
        for conclusion in conclusions {
            if let TrackerEvent::Transition(told) = conclusion
                && told.kind == EventKind::Opened
            {
                self.book.disown(told.clues.inode, told.time.boot);
            }
        }
    }

    /// Whether the holders of a socket were seen, for this reading, to hold it, or looked for.
    pub(super) fn still_proven(&mut self, inode: u64) -> bool {
        if self.book.is_settled(inode) {
            return true;
        }
        let mut holders: Vec<Holder> = self.book.holders(inode).collect();
        holders.retain(|holder| self.holds(holder, inode));
        // Whoever has let go since is no holder any more, unless nobody was seen to hold it.
        self.book.confirm(inode, &holders);
        self.book.is_proven(inode)
    }

    fn holds(&mut self, holder: &Holder, inode: u64) -> bool {
        let comm = self.finder.still_holds(holder, inode);
        comm.is_some_and(|comm| {
            self.book.rename(holder, comm);
            true
        })
    }

    pub(super) fn owner(&self, id: SocketId, clues: OwnerClues) -> Attribution {
        let found = self.book.attribute(clues, &self.filter.process);
        let last_inode = clues.last_inode;
        let Some((process, at)) = self.callers.get(&id) else { return found };
        let now = *at == self.read_at.boot;
        let seen_later = self.book.proven_at(last_inode) > *at;
        // A descriptor that was seen names the holder and its number; a system call only the
        // process.
        if found.source == OwnerSource::Proven || !found.holders.is_empty() && seen_later {
            return found;
        }
        let source = if now { OwnerSource::Proven } else { OwnerSource::Remembered };
        let main = self.book.named(last_inode, Rc::clone(process));
        Attribution { main: Some(main), holders: found.holders, source }
    }

    /// A process that could not be asked any more, as it was known when it acted before.
    pub(super) fn best_known(&self, life: SocketId, process: Process) -> Rc<Process> {
        let before = self.callers.get(&life).map(|(before, _)| before);
        let same = before.filter(|before| process.is_unknown() && before.pid == process.pid);
        same.cloned().unwrap_or_else(|| Rc::new(process))
    }
}
