//! In which namespace a socket lives, and with which port.

use super::{ASK_AGAIN, FRESH, Joiner, Look};
use crate::model::reading::{LookupRequest, LookupResult, Snapshot};
use crate::model::socket::AddressPair;
use crate::model::socket_row::SocketRow;
use crate::source::trace::sockets::{Life, Serial, Step};
use crate::tcp::state::State;
use std::net::IpAddr;

impl Joiner {
    /// The namespace of the other end, if the connection does not leave it.
    pub(super) fn by_other_end(&self, addrs: &AddressPair) -> Option<bool> {
        let within = |addr: IpAddr| addr.is_loopback() && !addr.is_unspecified();
        let stays = (within(addrs.local.addr) && within(addrs.remote.addr))
            || addrs.local.addr == addrs.remote.addr;
        if !stays || addrs.local.port == 0 || addrs.remote.port == 0 {
            return None;
        }
        let mirrored = addrs.mirrored();
        let mut others = mirrored.iter().flat_map(|addrs| self.lives.with_ends(addrs));
        let here = others.next()?.1.here?;
        others.all(|(_, life)| life.here == Some(here)).then_some(here)
    }

    /// Decides of the lives behind these steps, and of those that wait aside, what can be decided.
    pub(super) fn judge(&mut self, due: &[Step], until: u64, look: &mut dyn Look) {
        let mut open: Vec<Serial> = due.iter().map(|step| step.life).collect();
        open.extend(&self.stuck);
        open.sort_unstable();
        open.dedup();
        let mut questions = Vec::new();
        for serial in open {
            let Some(life) = self.lives.get(serial).filter(|life| life.here.is_none()) else {
                continue;
            };
            let here = self.without_asking(life, until);
            if here.is_some() {
                self.decide(serial, here);
            } else if Self::worth_asking(life, until) {
                let question = LookupRequest { addrs: life.addrs, inode: 0, cookie: 0, ifindex: 0 };
                questions.push((serial, question));
            }
        }
        self.ask(&questions, look);
    }

    fn without_asking(&self, life: &Life, until: u64) -> Option<bool> {
        let unknown = life.unknown_at.is_some_and(|at| at <= until);
        if unknown && life.end.is_none_or(|(time, ..)| life.unknown_at < Some(time)) {
            // It went on after the kernel had not found it here.
            return Some(false);
        }
        let older = self.home.has_unnamed(&life.addrs);
        if life.born {
            let taken = older || self.is_taken(life);
            let nobody = life.passive && !self.home.can_accept(&life.addrs);
            return (taken || nobody).then_some(false);
        }
        if older {
            return Some(true);
        }
        let (time, ..) = life.end?;
        self.home.is_complete_at(time).then_some(false)
    }

    /// Whether another socket here has the ends of this one, which no two of a namespace share,
    /// but for those of two interfaces with link-local addresses.
    fn is_taken(&self, life: &Life) -> bool {
        let shared = |addr: IpAddr| matches!(addr, IpAddr::V6(v6) if v6.is_unicast_link_local());
        let connected = life.addrs.local.port != 0 && life.addrs.remote.port != 0;
        let mut others = self.lives.with_ends(&life.addrs).map(|(_, other)| other);
        connected
            && !shared(life.addrs.local.addr)
            && others.any(|other| other.here == Some(true) && other.end.is_none())
    }

    /// A look-up finds what is there: a socket that goes on, or what is left of one.
    const fn worth_asking(life: &Life, until: u64) -> bool {
        let finds = match life.end {
            None => true,
            Some((_, from, _)) => matches!(from, State::FinWait2 | State::Closing),
        };
        finds
            && life.addrs.local.port != 0
            && life.addrs.remote.port != 0
            && (life.asked == 0 || life.asked + ASK_AGAIN <= until)
    }

    fn ask(&mut self, asked: &[(Serial, LookupRequest)], look: &mut dyn Look) {
        if asked.is_empty() {
            return;
        }
        let questions: Vec<LookupRequest> = asked.iter().map(|(_, question)| *question).collect();
        let (time, answers) = look.sockets(&questions);
        for (serial, question) in asked {
            let answer = answers.iter().find(|(known, _)| known == question);
            let answer = answer.map(|(_, answer)| *answer);
            if matches!(answer, Some(LookupResult::There(row)) if self.is_row_of(*serial, &row)) {
                self.decide(*serial, Some(true));
            }
            let Some(life) = self.lives.get_mut(*serial) else { continue };
            life.asked = time;
            if answer == Some(LookupResult::Gone) && life.end.is_none() {
                life.unknown_at = Some(time);
            }
        }
    }

    /// Whether a row found by the ends of a life is of no other socket.
    fn is_row_of(&self, serial: Serial, row: &SocketRow) -> bool {
        let Some(life) = self.lives.get(serial) else { return false };
        let twin = |(other, twin): (Serial, &Life)| other != serial && twin.here != Some(false);
        let fits = match life.end {
            None => !row.mini,
            Some(_) => row.mini && (row.state != State::TimeWait || row.timer_left >= FRESH),
        };
        fits && !self.lives.with_ends(&life.addrs).any(twin)
    }

    pub(super) fn decide(&mut self, serial: Serial, here: Option<bool>) {
        if let Some(life) = self.lives.get_mut(serial) {
            life.here = here;
            if here == Some(true) {
                self.home.name(&life.addrs);
            }
        }
    }

    /// Finds the ports of connections and listeners that have told none since they began, if a
    /// row can be of one of them alone.
    pub(super) fn find_ports(&mut self, poll: &Snapshot) {
        let waiting: Vec<(Serial, AddressPair, u64)> = self
            .stuck
            .iter()
            .filter_map(|serial| Some((*serial, self.lives.get(*serial)?)))
            .filter(|(_, life)| life.here == Some(true) && life.lacks_port())
            .map(|(serial, life)| (serial, life.addrs, life.since))
            .collect();
        for (serial, addrs, since) in &waiting {
            let fits = |row: &&SocketRow| {
                let open = AddressPair { local: addrs.local, ..row.addrs };
                let state = if addrs.remote.port == 0 { State::Listen } else { State::SynSent };
                open == *addrs && row.addrs.local.addr == addrs.local.addr && row.state == state
            };
            let taken = |row: &&SocketRow| {
                self.lives.with_ends(&row.addrs).any(|(_, life)| life.here == Some(true))
            };
            let mut rows = poll.rows.iter().filter(fits).filter(|row| !taken(row));
            let alone = waiting.iter().filter(|(_, others, _)| others == addrs).count() == 1;
            if let (Some(row), None) = (rows.next(), rows.next())
                && alone
                && poll.start.boot * 1000 > *since
            {
                self.lives.mend(*serial, row.addrs);
                self.home.name(&row.addrs);
            }
        }
    }
}
