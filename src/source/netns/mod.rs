//! Several network namespaces as one source: each is polled through its own tables, and a poll that
//! fails in one costs only that one.
//!
//! The kernel walks through the sockets of all namespaces to dump those of one, so its counters are
//! asked first: an empty namespace costs two small files.

mod chosen;
mod discovery;
mod enter;
mod failures;
mod mounts;
mod space;

use super::clock::stamp;
use super::poll::{PollTimer, continues, recycled};
use super::{ReadingContext, Source};
use crate::error::{NetnsError, Result};
use crate::model::binding::DeviceName;
use crate::model::counted::counted;
use crate::model::reading::{
    Interface, LookupRequest, Lookups, PolledNamespace, Reading, Snapshot,
};
use crate::model::socket::NetnsId;
use crate::model::socket_row::SocketRow;
use crate::model::tcp_info::TcpInfos;
use crate::model::wanted::WantedRows;
use crate::privileges::may_enter_namespaces;
use crate::settings::PollSettings;
use crate::settings::netns::NetnsChoice;
use crate::signals::Signals;
use chosen::ChosenNamespaces;
pub(crate) use chosen::inode_of;
use discovery::FoundNamespace;
use failures::UnreadNamespaces;
use log::debug;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use space::{Means, Space};
use std::collections::{BTreeSet, HashSet, VecDeque};
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How often all processes are searched for namespaces, also while a poll of many goes on.
const DISCOVERY: Duration = Duration::from_millis(600);
/// How often the processes of each namespace are looked for. Where all of them are gone, namespaces
/// are searched for at once, so that one that is gone is not kept for long.
const LOOK: Duration = Duration::from_millis(200);

/// Where the sockets of several network namespaces come from.
#[derive(Debug)]
pub(crate) struct Namespaces {
    means: Means,
    /// `None`: all.
    chosen: Option<ChosenNamespaces>,
    spaces: Vec<Space>,
    /// The number of the latest namespace.
    number: u32,
    /// Gone since the last poll.
    gone: Vec<NetnsId>,
    /// Those of the last poll.
    polled: Rc<[PolledNamespace]>,
    next_discovery: Instant,
    next_look: Instant,
    timer: PollTimer,
    queue: VecDeque<Reading>,
    /// What the last poll measured, where that is asked for.
    infos: Option<TcpInfos>,
    /// It was said of which namespaces nothing is measured.
    said_unmeasured: bool,
    /// Memory for the rows of the next snapshot.
    spare_rows: Vec<SocketRow>,
    failures: UnreadNamespaces,
    warnings: Vec<String>,
}

impl Namespaces {
    /// Finds the namespaces that are asked for.
    ///
    /// # Errors
    /// One of them is not there.
    pub(crate) fn open(
        procfs: &Path,
        choices: &[NetnsChoice],
        (wanted, settings): (WantedRows, PollSettings),
        by_netlink: bool,
    ) -> Result<Self> {
        raise_limit();
        let chosen = ChosenNamespaces::of(choices, procfs)?;
        let means = Means { procfs: procfs.to_owned(), wanted, settings, by_netlink };
        if by_netlink && chosen.is_none() && !may_enter_namespaces() {
            return Err(NetnsError::MayNotEnter.into());
        }
        let mut namespaces = Self {
            means,
            chosen,
            spaces: Vec::new(),
            number: 0,
            gone: Vec::new(),
            polled: Rc::new([]),
            next_discovery: Instant::now(),
            next_look: Instant::now(),
            timer: PollTimer::new(settings),
            queue: VecDeque::new(),
            infos: None,
            said_unmeasured: false,
            spare_rows: Vec::new(),
            failures: UnreadNamespaces::default(),
            warnings: Vec::new(),
        };
        namespaces.discover();
        // A namespace that is named and cannot be read is no empty one.
        if namespaces.chosen.is_some()
            && let Some(failure) = namespaces.failures.sentence()
        {
            return Err(NetnsError::Unreadable(failure).into());
        }
        Ok(namespaces)
    }

    /// Looks which namespaces there are now, where that is due; whether it was.
    fn discover_if_due(&mut self) -> bool {
        let now = Instant::now();
        if self.next_look <= now {
            let procfs = &self.means.procfs;
            if self.spaces.iter().any(|space| space.is_deserted(procfs)) {
                self.next_discovery = now;
            }
            self.next_look = now + LOOK;
        }
        let is_due = self.next_discovery <= now;
        if is_due {
            self.discover();
        }
        is_due
    }

    /// Looks which namespaces there are now.
    fn discover(&mut self) {
        let mut present = HashSet::new();
        let mut others = self.search(&mut present);
        // A search may miss a process that has come meanwhile, in the place of one that has gone.
        if self.spaces.iter().any(|space| !present.contains(&space.id)) {
            others = self.search(&mut present);
        }
        let means = &self.means;
        let gone = self
            .spaces
            .extract_if(.., |space| !present.contains(&space.id) && space.is_gone(means));
        for space in gone {
            debug!("network namespace {} is gone", space.label());
            if let (Some(chosen), Some(table)) = (&mut self.chosen, space.table) {
                // Its number may be given to another one.
                chosen.tables.remove(&table);
            }
            self.gone.push(space.id);
        }
        self.failures.unopened = 0;
        for found in others {
            if self.chosen.as_ref().is_none_or(|chosen| chosen.includes(&found)) {
                self.follow(&found);
            }
        }
        let now = Instant::now();
        (self.next_discovery, self.next_look) = (now + DISCOVERY, now + LOOK);
    }

    /// Adds the namespaces that are found and followed to `present`, and returns the others.
    fn search(&mut self, present: &mut HashSet<NetnsId>) -> Vec<FoundNamespace> {
        let mut others = Vec::new();
        for found in discovery::find(&self.means.procfs) {
            match self.spaces.iter_mut().find(|space| space.is(&found)) {
                Some(space) => {
                    present.insert(space.id);
                    space.refresh(found);
                }
                None => others.push(found),
            }
        }
        others
    }

    fn follow(&mut self, found: &FoundNamespace) {
        let id = NetnsId(self.number + 1);
        match Space::open(id, found, &self.means) {
            Ok(space) => {
                debug!("network namespace {} is number {}", space.label(), id.0);
                self.number += 1;
                self.spaces.push(space);
            }
            Err(why) => {
                let name = found.mounts.first().map(|at| mounts::name_of(at));
                let label = space::label(name.as_deref(), found.inode, found);
                self.failures.unopened += self.failures.note(&label, &why);
            }
        }
    }

    /// Reads all namespaces once, after a search for others where that is due.
    #[cfg(feature = "bpf")]
    pub(super) fn poll(&mut self) -> Snapshot {
        self.discover_if_due();
        self.snapshot()
    }

    /// Whether a namespace seems to be gone that is kept until the next poll.
    #[cfg(feature = "bpf")]
    pub(super) fn needs_poll(&mut self) -> bool {
        let now = Instant::now();
        if self.next_look.max(self.next_discovery) > now {
            return false;
        }
        self.next_look = now + LOOK;
        self.spaces.iter().any(|space| space.is_deserted(&self.means.procfs))
    }

    /// The number of the namespace with this inode; `None` if it is not read. One that may be new is
    /// searched for with the next poll.
    #[cfg(feature = "bpf")]
    pub(super) fn number_of(&mut self, inode: u64) -> Option<NetnsId> {
        /// One that an event names and that is not known is searched for so soon.
        const EARLY_DISCOVERY: Duration = Duration::from_millis(50);
        let space = self.spaces.iter().find(|space| space.inode == Some(inode));
        if space.is_none() && self.chosen.is_none() {
            self.next_discovery = self.next_discovery.min(Instant::now() + EARLY_DISCOVERY);
        }
        space.map(|space| space.id)
    }

    /// Looks up sockets, namespace by namespace, and calls `before` each of them.
    pub(super) fn look_up(
        &mut self,
        requests: &[LookupRequest],
        before: fn(&mut Self),
    ) -> Option<Reading> {
        let asked: BTreeSet<NetnsId> = requests.iter().map(|request| request.addrs.netns).collect();
        let mut all: Option<Lookups> = None;
        for id in asked {
            before(self);
            let Some(space) = self.spaces.iter_mut().find(|space| space.id == id) else { continue };
            let of_it = requests.iter().filter(|request| request.addrs.netns == id);
            let of_it: Vec<LookupRequest> = of_it.copied().collect();
            let Some(mut found) = space.lookup(&of_it) else { continue };
            match &mut all {
                Some(all) => {
                    all.end = found.end;
                    all.answers.append(&mut found.answers);
                }
                None => all = Some(Lookups { netns: None, ..found }),
            }
        }
        all.map(Reading::Lookups)
    }

    /// What an interface of a namespace is called; `None` where that is not known.
    #[cfg_attr(not(feature = "bpf"), allow(dead_code))]
    pub(super) fn device_name(&self, netns: NetnsId, ifindex: u32) -> Option<DeviceName> {
        self.spaces.iter().find(|space| space.id == netns)?.device_name(ifindex)
    }

    /// Reads all namespaces once.
    fn snapshot(&mut self) -> Snapshot {
        let start = stamp();
        let mut rows = std::mem::take(&mut self.spare_rows);
        let mut polled = Vec::with_capacity(self.spaces.len());
        let mut unread = 0;
        let mut infos = TcpInfos::default();
        let mut place = 0;
        while place < self.spaces.len() {
            let next = self.spaces[place].id;
            if self.discover_if_due() {
                // Their numbers only grow.
                place = self.spaces.partition_point(|space| space.id < next);
                continue;
            }
            let space = &mut self.spaces[place];
            place += 1;
            let before = rows.len();
            match space.read(&mut rows, &mut infos, &self.means) {
                Ok(()) => {
                    let (id, inode, name) = (space.id, space.inode, space.name.clone());
                    polled.push(PolledNamespace { id, inode, name });
                }
                Err(why) => {
                    rows.truncate(before);
                    unread += self.failures.note(&space.label(), &why);
                }
            }
        }
        if self.means.settings.tcp_info {
            self.infos = Some(infos);
            self.note_unmeasured();
        }
        if *self.polled != *polled {
            self.polled = polled.into();
        }
        // What this poll shows is gone by the next one.
        let is_shown = |id: &NetnsId| self.polled.iter().any(|polled| polled.id == *id);
        let gone = self.gone.extract_if(.., |id| !is_shown(id)).collect();
        let namespaces = Some(Rc::clone(&self.polled));
        let (end, bad_rows, netns) = (stamp(), unread + self.failures.unopened, None);
        Snapshot { start, end, netns, rows, bad_rows, namespaces, gone }
    }
}

impl Namespaces {
    /// Says once in how many namespaces nothing can be measured.
    fn note_unmeasured(&mut self) {
        let spaces = self.spaces.iter().filter(|space| space.is_unmeasured()).count();
        if spaces > 0 && !std::mem::replace(&mut self.said_unmeasured, true) {
            let spaces = counted(spaces as u64, "network namespace");
            self.warnings.push(format!(
                "--tcp-info: nothing is measured in {spaces} that may not be entered (CAP_SYS_ADMIN); run \
                 as root"
            ));
        }
    }

    /// What the kernel measured of connections with the last snapshot, once.
    pub(super) fn take_tcp_infos(&mut self) -> Option<TcpInfos> {
        self.infos.take()
    }
}

impl Source for Namespaces {
    fn next(&mut self, signals: &Signals) -> Result<Option<Reading>> {
        if let Some(reading) = self.queue.pop_front().or_else(|| self.timer.take_held_back()) {
            return Ok(Some(reading));
        }
        loop {
            let due = self.timer.due();
            let is_due = due.is_none_or(|due| due <= Instant::now());
            let search = self.next_discovery.min(self.next_look);
            let until = due.map_or(search, |due| due.min(search));
            let until = if is_due { Instant::now() } else { until };
            if !continues(signals.wait(until)?)? {
                return Ok(self.timer.gap_at_end());
            }
            self.discover_if_due();
            if is_due {
                break;
            }
        }
        let events = self.spaces.iter_mut().filter_map(Space::destroy_events);
        self.queue.extend(events.map(Reading::DestroyEvents));
        let poll = self.timer.start_poll(&mut self.warnings);
        let snapshot = self.snapshot();
        let reading = self.timer.finish_poll(&poll, snapshot);
        self.queue.push_back(reading);
        Ok(self.queue.pop_front())
    }

    fn lookup(&mut self, requests: &[LookupRequest]) -> Result<Option<Reading>> {
        Ok(self.look_up(requests, |namespaces| {
            namespaces.discover_if_due();
        }))
    }

    fn recycle(&mut self, rows: Vec<SocketRow>) {
        self.spare_rows = recycled(rows);
    }

    fn context(&mut self) -> ReadingContext {
        let (due, has_more) = (self.timer.due(), !self.queue.is_empty());
        ReadingContext { due, has_more, tcp_infos: self.take_tcp_infos() }
    }

    fn interface(&self) -> Interface {
        if self.means.by_netlink { Interface::Netlink } else { Interface::Proc }
    }

    fn warnings(&mut self) -> Vec<String> {
        let mut warnings = std::mem::take(&mut self.warnings);
        let unread = self.failures.sentence();
        warnings.extend(unread.map(|which| {
            format!("cannot read network namespace {which}; their sockets are not shown")
        }));
        warnings
    }
}

/// Each namespace takes some descriptors, and a shell usually allows 1024.
fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    // Where this fails, the sentence about a namespace that cannot be opened says why.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}
