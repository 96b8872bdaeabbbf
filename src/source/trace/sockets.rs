//! The sockets that events have shown, of all network namespaces, by the kernel's address and by
//! their ends. Pure.
//!
//! An address names a socket until it is in CLOSED, and is then given to another within
//! microseconds; so each life has a serial number of its own.

use super::record::Context;
use crate::model::process::Caller;
use crate::model::socket::AddressPair;
use crate::tcp::state::State;
use std::collections::HashMap;

/// Counts the lives.
pub type Serial = u64;

/// A step that has not been told yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When (ns of the boot clock).
    pub time: u64,
    /// Of which life.
    pub life: Serial,
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
    /// A listener made the socket in this step.
    pub passive: bool,
    /// Whose system call it was.
    pub caller: Option<Caller>,
    /// When it entered the state before (ns), 0 if that was not seen.
    pub since: u64,
}

/// A socket from the first event to the last.
#[derive(Debug)]
pub struct Life {
    /// The kernel's address of it.
    pub socket: u64,
    /// Its ends, as far as they are known: the local port may come later.
    pub addrs: AddressPair,
    /// Whether it is of the watched namespace, once that is decided.
    pub here: Option<bool>,
    /// Its birth was seen; if not, it is older than the events.
    pub born: bool,
    /// A listener made it.
    pub passive: bool,
    /// When it entered its state (ns), 0 if that was not seen.
    pub since: u64,
    /// When, from where and in what context it went to CLOSED.
    pub end: Option<(u64, State, Context)>,
    /// When its address was given to another.
    pub until: u64,
    /// When the kernel was last asked for it (ns).
    pub asked: u64,
    /// When the kernel did not know it in the watched namespace (ns).
    pub unknown_at: Option<u64>,
    /// Steps in the queue.
    pub queued: usize,
    /// Steps that were due before it was known whose they are, or with which ends.
    pub aside: Vec<Step>,
}

impl Life {
    /// Whether the local port is still to come.
    pub const fn lacks_port(&self) -> bool {
        self.addrs.local.port == 0 && self.end.is_none()
    }

    /// Whether nothing more is to be told of it.
    const fn is_over(&self) -> bool {
        self.end.is_some() && self.queued == 0 && self.aside.is_empty()
    }

    /// Whether an event with these ends can be of this life: its port may have been chosen since,
    /// and a listener has no remote end.
    fn fits(&self, addrs: &AddressPair) -> bool {
        let mended = AddressPair { local: addrs.local, ..self.addrs };
        self.addrs == *addrs || (self.addrs.local.port == 0 && mended == *addrs)
    }
}

/// All lives that have something to be told, or may have.
#[derive(Debug, Default)]
pub struct Lives {
    all: HashMap<Serial, Life>,
    /// The last life with this address.
    named: HashMap<u64, Serial>,
    by_addrs: HashMap<AddressPair, Vec<Serial>>,
    count: Serial,
}

impl Lives {
    /// The life of this number.
    pub fn get(&self, serial: Serial) -> Option<&Life> {
        self.all.get(&serial)
    }

    /// The same, to be changed; its ends are changed by [`Self::mend`].
    pub fn get_mut(&mut self, serial: Serial) -> Option<&mut Life> {
        self.all.get_mut(&serial)
    }

    /// The last life with this address, over or not.
    pub fn named(&self, socket: u64) -> Option<Serial> {
        self.named.get(&socket).copied()
    }

    /// The life that goes on with this address and these ends.
    pub fn going_on(&self, socket: u64, addrs: &AddressPair) -> Option<Serial> {
        let serial = self.named(socket)?;
        let life = self.get(serial)?;
        (life.end.is_none() && life.fits(addrs)).then_some(serial)
    }

    /// Lives with these ends.
    pub fn with_ends(&self, addrs: &AddressPair) -> impl Iterator<Item = (Serial, &Life)> {
        let serials = self.by_addrs.get(addrs).into_iter().flatten();
        serials.filter_map(|serial| Some((*serial, self.all.get(serial)?)))
    }

    /// A life begins; whatever had the address before is over.
    pub fn begin(&mut self, socket: u64, addrs: AddressPair, time: u64, born: bool) -> Serial {
        self.count += 1;
        let serial = self.count;
        if let Some(before) = self.named.insert(socket, serial) {
            self.replaced(before, time);
        }
        self.by_addrs.entry(addrs).or_default().push(serial);
        let life = Life {
            socket,
            addrs,
            here: None,
            born,
            passive: false,
            since: 0,
            end: None,
            until: u64::MAX,
            asked: 0,
            unknown_at: None,
            queued: 0,
            aside: Vec::new(),
        };
        self.all.insert(serial, life);
        serial
    }

    /// Its address was given to another life, so it is over, also where its end was lost.
    fn replaced(&mut self, serial: Serial, time: u64) {
        if let Some(life) = self.all.get_mut(&serial) {
            life.until = time;
            life.end.get_or_insert((time, State::Closed, Context::Interrupt));
        }
        self.drop_if_over(serial);
    }

    /// The ends of a life are known better.
    pub fn mend(&mut self, serial: Serial, addrs: AddressPair) {
        let Some(life) = self.all.get_mut(&serial) else { return };
        let before = std::mem::replace(&mut life.addrs, addrs);
        if before != addrs {
            self.unlist(before, serial);
            self.by_addrs.entry(addrs).or_default().push(serial);
        }
    }

    /// Forgets a life once it has ended and all has been told.
    pub fn drop_if_over(&mut self, serial: Serial) {
        if let Some(life) = self.all.get(&serial).filter(|life| life.is_over()) {
            let (addrs, socket) = (life.addrs, life.socket);
            self.all.remove(&serial);
            self.unlist(addrs, serial);
            if self.named(socket) == Some(serial) {
                self.named.remove(&socket);
            }
        }
    }

    /// Forgets lives of which nothing waits to be told.
    pub fn forget_where(&mut self, over: impl Fn(&Life) -> bool) {
        let idle = |life: &Life| life.queued == 0 && life.aside.is_empty();
        let found = self.all.iter().filter(|(_, life)| idle(life) && over(life));
        let found: Vec<Serial> = found.map(|(serial, _)| *serial).collect();
        for serial in found {
            if let Some(life) = self.all.get_mut(&serial) {
                let since = life.since;
                life.end.get_or_insert((since, State::Closed, Context::Interrupt));
            }
            self.drop_if_over(serial);
        }
    }

    fn unlist(&mut self, addrs: AddressPair, serial: Serial) {
        if let Some(serials) = self.by_addrs.get_mut(&addrs) {
            serials.retain(|listed| *listed != serial);
            if serials.is_empty() {
                self.by_addrs.remove(&addrs);
            }
        }
    }
}
