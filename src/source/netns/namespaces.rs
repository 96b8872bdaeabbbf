//! The sockets of several network namespaces, read one namespace after the other.

use super::chosen::ChosenNamespaces;
use super::open_namespace::{NamespaceSettings, OpenNamespace};
use super::open_namespaces::OpenNamespaces;
use crate::error::{NetnsError, Result};
use crate::model::binding::DeviceName;
use crate::model::counted::counted;
use crate::model::reading::{
    DestroyEvents, Interface, LookupRequest, Lookups, PolledNamespace, Reading, Snapshot,
};
use crate::model::socket::NetnsId;
use crate::model::socket_row::SocketRow;
use crate::model::tcp_info::TcpInfos;
use crate::model::wanted::WantedRows;
use crate::privileges::may_enter_namespaces;
use crate::settings::PollSettings;
use crate::settings::netns::NetnsChoice;
use crate::source::clock::stamp;
use crate::source::netlink::client::SockDiag;
use crate::source::netlink::tcp_infos::nothing_measured;
use crate::source::poll::recycled;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

/// The tables of several network namespaces.
#[derive(Debug)]
pub(crate) struct Namespaces {
    open: OpenNamespaces,
    /// The namespaces that the last poll has read.
    polled: Rc<[PolledNamespace]>,
    /// What the last poll measured, where that is asked for.
    infos: Option<TcpInfos>,
    /// The user has been warned that in some nothing is measured.
    warned_unmeasured: bool,
    /// Memory for the rows of the next snapshot.
    spare_rows: Vec<SocketRow>,
    warnings: Vec<String>,
}

impl Namespaces {
    /// Finds the namespaces that are asked for, to be read by netlink or by procfs.
    ///
    /// # Errors
    /// One that is named is not there or cannot be read; the caller may not enter any.
    pub(crate) fn open(
        procfs: &Path,
        choices: &[NetnsChoice],
        (wanted, poll): (WantedRows, PollSettings),
        by_netlink: bool,
    ) -> Result<Self> {
        raise_limit();
        let chosen = ChosenNamespaces::of(choices, procfs)?;
        if by_netlink && chosen.is_none() && !may_enter_namespaces() {
            return Err(NetnsError::MayNotEnter.into());
        }
        let mut warnings = Vec::new();
        if (by_netlink || poll.tcp_info)
            && let Err(error) = SockDiag::open()
        {
            if by_netlink {
                return Err(error);
            }
            warnings.push(nothing_measured(&error));
        }
        let settings = NamespaceSettings { procfs: procfs.to_owned(), wanted, poll, by_netlink };
        let is_named = chosen.is_some();
        let mut open = OpenNamespaces::new(settings, chosen);
        open.search();
        // A namespace that is named and cannot be read is no empty one.
        if is_named && let Some(failure) = open.failures.sentence() {
            return Err(NetnsError::Unreadable(failure).into());
        }
        Ok(Self {
            open,
            polled: Rc::new([]),
            infos: None,
            warned_unmeasured: !warnings.is_empty(),
            spare_rows: Vec::new(),
            warnings,
        })
    }

    /// How they are polled.
    pub(super) const fn poll_settings(&self) -> PollSettings {
        self.open.settings().poll
    }

    /// Which of the kernel's interfaces they are read by.
    pub(super) const fn interface(&self) -> Interface {
        if self.open.settings().by_netlink { Interface::Netlink } else { Interface::Proc }
    }

    /// When a search for namespaces may be due.
    pub(super) fn next_search(&self) -> Instant {
        self.open.next_search()
    }

    /// Searches for namespaces that have come or gone, where that is due.
    pub(super) fn search_if_due(&mut self) {
        self.open.search_if_due();
    }

    /// Reads all namespaces once, after a search for others where that is due.
    #[cfg(feature = "bpf")]
    pub(in crate::source) fn poll(&mut self) -> Snapshot {
        self.open.search_if_due();
        self.snapshot()
    }

    /// Whether a namespace seems to be gone that is kept until the next poll.
    #[cfg(feature = "bpf")]
    pub(in crate::source) fn needs_poll(&mut self) -> bool {
        self.open.needs_search()
    }

    /// When that may change next.
    #[cfg(feature = "bpf")]
    pub(in crate::source) fn next_check(&self) -> Instant {
        self.open.next_check()
    }

    /// The number of the namespace with this inode; `None` if it is not read. One that may be new is
    /// searched for with the next poll.
    #[cfg(feature = "bpf")]
    pub(in crate::source) fn number_of(&mut self, inode: u64) -> Option<NetnsId> {
        self.open.number_of(inode)
    }

    /// What an interface of a namespace is called; `None` where that is not known.
    #[cfg_attr(not(feature = "bpf"), allow(dead_code))]
    pub(in crate::source) fn device_name(
        &self,
        netns: NetnsId,
        ifindex: u32,
    ) -> Option<DeviceName> {
        self.open.get(netns)?.device_name(ifindex)
    }

    /// Looks up sockets, namespace by namespace, and calls `before` each of them.
    pub(in crate::source) fn look_up(
        &mut self,
        requests: &[LookupRequest],
        before: fn(&mut Self),
    ) -> Option<Reading> {
        let asked: BTreeSet<NetnsId> = requests.iter().map(|request| request.addrs.netns).collect();
        let mut all: Option<Lookups> = None;
        for id in asked {
            before(self);
            let Some(namespace) = self.open.get_mut(id) else { continue };
            let of_it = |request: &&LookupRequest| request.addrs.netns == id;
            let requests: Vec<LookupRequest> = requests.iter().filter(of_it).copied().collect();
            let Some(mut found) = namespace.lookup(&requests) else { continue };
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

    /// The destroy events that have come, namespace by namespace.
    pub(super) fn destroy_events(&mut self) -> impl Iterator<Item = DestroyEvents> {
        self.open.iter_mut().filter_map(OpenNamespace::destroy_events)
    }

    /// Reads all namespaces once.
    pub(super) fn snapshot(&mut self) -> Snapshot {
        let start = stamp();
        let mut rows = std::mem::take(&mut self.spare_rows);
        let mut infos = TcpInfos::default();
        let (polled, bad_rows) = self.open.read_all(&mut rows, &mut infos);
        if self.poll_settings().tcp_info {
            self.infos = Some(infos);
            self.warn_unmeasured();
        }
        if *self.polled != *polled {
            self.polled = polled.into();
        }
        let (gone, namespaces) = (self.open.take_gone(&self.polled), Some(Rc::clone(&self.polled)));
        let (end, netns) = (stamp(), None);
        Snapshot { start, end, netns, rows, bad_rows, namespaces, gone }
    }

    /// Warns once of namespaces in which nothing can be measured.
    fn warn_unmeasured(&mut self) {
        let unmeasured = self.open.iter().filter(|namespace| namespace.is_unmeasured()).count();
        if unmeasured > 0 && !std::mem::replace(&mut self.warned_unmeasured, true) {
            let namespaces = counted(unmeasured as u64, "network namespace");
            self.warnings.push(format!(
                "--tcp-info: nothing is measured in {namespaces} that may not be entered \
                 (CAP_SYS_ADMIN); run as root"
            ));
        }
    }

    /// What the kernel measured of connections with the last snapshot; once.
    pub(in crate::source) fn take_tcp_infos(&mut self) -> Option<TcpInfos> {
        self.infos.take()
    }

    /// Takes back rows that are done with.
    pub(in crate::source) fn recycle(&mut self, rows: Vec<SocketRow>) {
        self.spare_rows = recycled(rows);
    }

    /// What the user should know, each thing once.
    pub(in crate::source) fn warnings(&mut self) -> Vec<String> {
        let mut warnings = std::mem::take(&mut self.warnings);
        warnings.extend(self.open.unfound.sentence().map(str::to_owned));
        let unread = self.open.failures.sentence();
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
