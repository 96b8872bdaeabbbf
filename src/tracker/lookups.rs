//! What exact look-ups prove: that a socket is gone, or that a pass only missed it.

use super::ending::Pending;
use super::{Missing, News, Tracker};
use crate::model::event::{SocketId, TrackerEvent};
use crate::model::reading::{LookupRequest, LookupResult, Lookups};
use crate::model::socket::AddressPair;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Which lives exact look-ups were asked about, after the latest reading.
#[derive(Debug, Default)]
pub(super) struct Asked {
    order: Vec<LookupRequest>,
    /// No life where several would ask the same: the answer could be about either.
    lives: HashMap<LookupRequest, Option<SocketId>>,
}

impl Asked {
    /// What is to be asked, in order.
    pub(super) fn questions(&self) -> Vec<LookupRequest> {
        self.order.iter().filter(|question| self.about(question).is_some()).copied().collect()
    }

    pub(super) const fn count(&self) -> usize {
        self.order.len()
    }

    pub(super) fn addrs(&self) -> Vec<AddressPair> {
        self.order.iter().map(|question| question.addrs).collect()
    }

    fn add(&mut self, question: LookupRequest, id: SocketId) {
        match self.lives.entry(question) {
            Entry::Vacant(entry) => {
                entry.insert(Some(id));
                self.order.push(question);
            }
            Entry::Occupied(mut entry) if *entry.get() != Some(id) => {
                entry.insert(None);
            }
            Entry::Occupied(_) => {}
        }
    }

    /// The life that a question was about.
    fn about(&self, question: &LookupRequest) -> Option<SocketId> {
        self.lives.get(question).copied().flatten()
    }
}

impl Tracker {
    pub(super) fn take_answers(&mut self, answers: &Lookups) -> Vec<TrackerEvent> {
        let look = answers.look();
        let (mut gone, mut touched) = (Vec::new(), Vec::new());
        for (question, answer) in &answers.answers {
            let (addrs, pass) = (question.addrs, self.pass);
            let alone = self.lives.of(addrs).len() == 1;
            let Some(id) = self.asked.about(question) else { continue };
            let Some(life) = self.lives.get_mut(addrs, id) else { continue };
            match answer {
                LookupResult::Gone => gone.push(Missing::over(addrs, life)),
                // What has these addresses and no inode may be what a successor left: a row beside
                // this one, or another timer, says so. The next pass decides.
                LookupResult::There(row)
                    if row.inode == 0
                        && life.cookie_says(row).is_none()
                        && (!alone || life.timer_restarted(row, &look)) => {}
                LookupResult::There(row) if row.addrs == addrs && life.may_become(row) => {
                    self.new_inodes.extend(life.new_inode(row));
                    life.show(row, life.now.index, pass, &look);
                    life.known_at = look.start.boot;
                    if life.state != Some(row.state) {
                        touched.push((addrs, id));
                    }
                }
                LookupResult::There(row) if row.addrs == addrs && life.began_anew(row) => {
                    gone.push(Missing::over(addrs, life));
                }
                // A successor, or a twin on another link: the next pass decides.
                LookupResult::There(_) => {}
            }
        }
        self.asked = Asked::default();
        self.compare_ends(touched.iter().copied());
        let mut told = Vec::new();
        self.close(&gone, &look, &mut told);
        self.release(&mut told);
        let news = News { look, absent: self.previous, pending: Pending::default() };
        self.tell_news(touched.into_iter(), &news, &mut told);
        told
    }

    /// Asks an exact look-up about a life.
    pub(super) fn ask(&mut self, addrs: AddressPair, id: SocketId) {
        if let Some(question) = self.lives.get(addrs, id).map(|life| life.question(addrs)) {
            self.asked.add(question, id);
        }
    }
}
