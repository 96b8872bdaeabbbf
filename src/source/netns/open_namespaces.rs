//! Which network namespaces are read: the ones that are asked for and exist, found by searches of all
//! processes and mounts. Each is kept open until it is gone.

use super::chosen::ChosenNamespaces;
use super::discovery::{self, FoundNamespace};
use super::failures::UnreadNamespaces;
use super::mounts;
use super::open_namespace::{NamespaceSettings, OpenNamespace, label};
use super::unfound::UnfoundNamespaces;
use crate::model::reading::PolledNamespace;
use crate::model::socket::NetnsId;
use crate::model::socket_row::SocketRow;
use crate::model::tcp_info::TcpInfos;
use log::debug;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// How often all processes are searched for namespaces, also while a poll of many goes on.
const SEARCH_INTERVAL: Duration = Duration::from_millis(600);
/// How often it is checked whether the processes of each namespace are there. Where all of them are
/// gone, namespaces are searched for at once, so that one that is gone is not kept for long.
const CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// The network namespaces that are read.
#[derive(Debug)]
pub(super) struct OpenNamespaces {
    settings: NamespaceSettings,
    /// Which ones are asked for; `None` for all.
    chosen: Option<ChosenNamespaces>,
    /// In the order of their numbers.
    open: Vec<OpenNamespace>,
    /// The number of the latest namespace.
    number: u32,
    /// Namespaces that are gone since the last poll.
    gone: Vec<NetnsId>,
    times: SearchTimes,
    pub(super) failures: UnreadNamespaces,
    pub(super) unfound: UnfoundNamespaces,
}

/// When namespaces are searched for.
#[derive(Debug)]
struct SearchTimes {
    /// When all processes are searched next.
    search: Instant,
    /// When the processes of each namespace are checked next.
    check: Instant,
}

impl OpenNamespaces {
    /// None yet: [`Self::search`] finds them.
    pub(super) fn new(settings: NamespaceSettings, chosen: Option<ChosenNamespaces>) -> Self {
        let now = Instant::now();
        Self {
            settings,
            chosen,
            open: Vec::new(),
            number: 0,
            gone: Vec::new(),
            times: SearchTimes { search: now, check: now },
            failures: UnreadNamespaces::default(),
            unfound: UnfoundNamespaces::default(),
        }
    }

    /// What all of them are read with.
    pub(super) const fn settings(&self) -> &NamespaceSettings {
        &self.settings
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &OpenNamespace> {
        self.open.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut OpenNamespace> {
        self.open.iter_mut()
    }

    /// The namespace with this number, if it is read.
    pub(super) fn get(&self, id: NetnsId) -> Option<&OpenNamespace> {
        self.open.iter().find(|namespace| namespace.id == id)
    }

    /// The namespace with this number, if it is read.
    pub(super) fn get_mut(&mut self, id: NetnsId) -> Option<&mut OpenNamespace> {
        self.open.iter_mut().find(|namespace| namespace.id == id)
    }

    /// The number of the namespace with this inode; `None` if it is not read. One that may be new is
    /// searched for soon.
    #[cfg(feature = "bpf")]
    pub(super) fn number_of(&mut self, inode: u64) -> Option<NetnsId> {
        /// A namespace that an event names and that is not known is searched for so soon.
        const EARLY_SEARCH: Duration = Duration::from_millis(50);
        let namespace = self.open.iter().find(|namespace| namespace.inode == Some(inode));
        if namespace.is_none() && self.chosen.is_none() && self.unfound.note(inode) {
            self.times.search = self.times.search.min(Instant::now() + EARLY_SEARCH);
        }
        namespace.map(|namespace| namespace.id)
    }

    /// When [`Self::search_if_due`] may have something to do.
    pub(super) fn next_search(&self) -> Instant {
        self.times.search.min(self.times.check)
    }

    /// Whether a namespace seems to be gone, as far as that is due to be checked.
    #[cfg(feature = "bpf")]
    pub(super) fn needs_search(&mut self) -> bool {
        let now = Instant::now();
        if self.times.check.max(self.times.search) > now {
            return false;
        }
        self.times.check = now + CHECK_INTERVAL;
        self.is_any_deserted()
    }

    /// When [`needs_search`](Self::needs_search) is due to be asked next.
    #[cfg(feature = "bpf")]
    pub(super) fn next_check(&self) -> Instant {
        self.times.check.max(self.times.search)
    }

    fn is_any_deserted(&self) -> bool {
        self.open.iter().any(|namespace| namespace.is_deserted(&self.settings.procfs))
    }

    /// Searches for namespaces that have come or gone, where that is due; whether it was.
    pub(super) fn search_if_due(&mut self) -> bool {
        let now = Instant::now();
        if self.times.check <= now {
            if self.is_any_deserted() {
                self.times.search = now;
            }
            self.times.check = now + CHECK_INTERVAL;
        }
        let is_due = self.times.search <= now;
        if is_due {
            self.search();
        }
        is_due
    }

    /// Searches for namespaces that have come or gone.
    pub(super) fn search(&mut self) {
        let mut present = HashSet::new();
        let mut others = self.find(&mut present);
        // A search may miss a process that has come meanwhile, in the place of one that has gone.
        if self.open.iter().any(|namespace| !present.contains(&namespace.id)) {
            others = self.find(&mut present);
        }
        self.drop_gone(&present);
        self.failures.unopened = 0;
        for found in others {
            if self.chosen.as_ref().is_none_or(|chosen| chosen.includes(&found)) {
                self.follow(&found);
            }
        }
        let open = &self.open;
        self.unfound
            .end_search(|inode| open.iter().any(|namespace| namespace.inode == Some(inode)));
        let now = Instant::now();
        self.times = SearchTimes { search: now + SEARCH_INTERVAL, check: now + CHECK_INTERVAL };
    }

    /// Adds the namespaces that are found and read to `present`, and returns the others.
    fn find(&mut self, present: &mut HashSet<NetnsId>) -> Vec<FoundNamespace> {
        let mut others = Vec::new();
        for found in discovery::find(&self.settings.procfs) {
            match self.open.iter_mut().find(|namespace| namespace.is(&found)) {
                Some(namespace) => {
                    present.insert(namespace.id);
                    namespace.refresh(found);
                }
                None => others.push(found),
            }
        }
        others
    }

    /// Lets go of the namespaces that are not `present` and have no socket of a process left.
    fn drop_gone(&mut self, present: &HashSet<NetnsId>) {
        let settings = &self.settings;
        let gone = self.open.extract_if(.., |namespace| {
            !present.contains(&namespace.id) && namespace.is_gone(settings)
        });
        for namespace in gone {
            debug!("network namespace {} is gone", namespace.label());
            if let (Some(chosen), Some(table)) = (&mut self.chosen, namespace.table) {
                // Its number may be given to another one.
                chosen.tables.remove(&table);
            }
            if let Some(inode) = namespace.inode {
                self.unfound.forget(inode);
            }
            self.gone.push(namespace.id);
        }
    }

    fn follow(&mut self, found: &FoundNamespace) {
        let id = NetnsId(self.number + 1);
        match OpenNamespace::open(id, found, &self.settings) {
            Ok(namespace) => {
                debug!("network namespace {} is number {}", namespace.label(), id.0);
                self.number += 1;
                self.open.push(namespace);
            }
            Err(why) => {
                let name = found.mounts.first().map(|at| mounts::name_of(at));
                let label = label(name.as_deref(), found.inode, found);
                self.failures.unopened += self.failures.note(&label, &why);
            }
        }
    }

    /// Appends the sockets of all namespaces, and what the kernel measured of them where that is asked
    /// for. Returns the namespaces that were read, and how many could not be. Searches for others in
    /// between, where that is due.
    pub(super) fn read_all(
        &mut self,
        rows: &mut Vec<SocketRow>,
        infos: &mut TcpInfos,
    ) -> (Vec<PolledNamespace>, u64) {
        let (mut read, mut unread) = (Vec::with_capacity(self.open.len()), 0);
        let mut place = 0;
        while place < self.open.len() {
            let next = self.open[place].id;
            if self.search_if_due() {
                // Their numbers only grow.
                place = self.open.partition_point(|namespace| namespace.id < next);
                continue;
            }
            let namespace = &mut self.open[place];
            place += 1;
            let before = rows.len();
            match namespace.read(rows, infos, &self.settings) {
                Ok(()) => read.push(namespace.polled()),
                Err(why) => {
                    rows.truncate(before);
                    unread += self.failures.note(&namespace.label(), &why);
                }
            }
        }
        (read, unread + self.failures.unopened)
    }

    /// The namespaces that are gone and that the last poll has not `polled`: what a poll has shown is
    /// gone by the next one. Each once.
    pub(super) fn take_gone(&mut self, polled: &[PolledNamespace]) -> Vec<NetnsId> {
        let was_polled = |id: &NetnsId| polled.iter().any(|polled| polled.id == *id);
        self.gone.extract_if(.., |id| !was_polled(id)).collect()
    }
}
