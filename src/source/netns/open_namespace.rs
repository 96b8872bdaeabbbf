//! One of several network namespaces: what is kept open of it, and how its sockets are read.
//!
//! What is kept open keeps the namespace from going away, and so its inodes from being used again:
//! it is closed as soon as no process is in it.

use super::discovery::{FoundNamespace, table_of};
use super::enter::in_namespace;
use super::mounts;
use crate::error::{Error, reason};
use crate::model::binding::DeviceName;
use crate::model::escape::escape;
use crate::model::reading::{
    DestroyEvents, LookupRequest, LookupResult, Lookups, PolledNamespace, Reading,
};
use crate::model::socket::{AddressPair, Family, NetnsId};
use crate::model::socket_row::SocketRow;
use crate::model::tcp_info::TcpInfos;
use crate::model::wanted::WantedRows;
use crate::privileges::may_enter_namespaces;
use crate::settings::{OWN_PROCFS, PollSettings};
use crate::source::Source as _;
use crate::source::namespace::own_process;
use crate::source::netlink::Dumps;
use crate::source::netlink::client::SockDiag;
use crate::source::netlink::destroy::DestroyListener;
use crate::source::proc::{Counters, Proc};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// What every namespace of a run is read with.
#[derive(Debug)]
pub(super) struct NamespaceSettings {
    pub(super) procfs: PathBuf,
    pub(super) wanted: WantedRows,
    pub(super) poll: PollSettings,
    /// By sock_diag; else by the tables of procfs.
    pub(super) by_netlink: bool,
}

/// A network namespace that is read, and kept open for that.
#[derive(Debug)]
pub(super) struct OpenNamespace {
    pub(super) id: NetnsId,
    pub(super) inode: Option<u64>,
    pub(super) table: Option<u64>,
    name: Option<String>,
    /// How it was found last.
    found: FoundNamespace,
    /// How many sockets it has, by the kernel's counters.
    counters: Counters,
    /// Opened once there is a socket.
    reader: Option<Reader>,
    /// The last poll showed rows.
    had_rows: bool,
    /// The last poll showed a socket that a process holds, wherever that process is: so it lives on.
    has_held: bool,
}

#[derive(Debug)]
enum Reader {
    /// With the files that it opens again by their descriptors.
    Proc(Box<Proc>, #[allow(dead_code)] Vec<File>),
    Netlink(Box<Dumps>, DestroyListener),
}

/// Why a namespace cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// Its processes went away meanwhile: it may be gone, or be found by others.
    Passing,
    /// It cannot be read for this reason.
    Lasting(String),
}

impl OpenNamespace {
    /// Opens the counters that show whether there is any socket.
    pub(super) fn open(
        id: NetnsId,
        found: &FoundNamespace,
        settings: &NamespaceSettings,
    ) -> Result<Self, Failure> {
        let counters = with_files(found, settings, &Counters::open)?;
        let mut namespace = Self {
            id,
            inode: None,
            table: None,
            name: None,
            found: FoundNamespace::default(),
            counters,
            reader: None,
            had_rows: false,
            has_held: false,
        };
        namespace.refresh(found.clone());
        Ok(namespace)
    }

    /// Takes over the processes and names that a search has found it with.
    pub(super) fn refresh(&mut self, found: FoundNamespace) {
        self.inode = self.inode.or(found.inode);
        self.table = self.table.or(found.table);
        self.name = found.mounts.first().map(|at| escape(mounts::name_of(at).as_bytes()));
        self.found = found;
    }

    /// Whether a search has found this namespace.
    pub(super) fn is(&self, found: &FoundNamespace) -> bool {
        let same = |one: Option<u64>, other: Option<u64>| one.is_some() && one == other;
        same(self.table, found.table) || same(self.inode, found.inode)
    }

    /// Whether none of the processes that it was found by is in it any more. Others may be.
    pub(super) fn is_deserted(&self, procfs: &Path) -> bool {
        let FoundNamespace { members, mounts, .. } = &self.found;
        let is_in_it = |pid: &i32| table_of(&procfs.join(pid.to_string())) == self.table;
        mounts.is_empty() && !members.is_empty() && !members.iter().any(is_in_it)
    }

    /// Whether it is gone, but for what is kept open here. To be called where a search has not found it.
    pub(super) fn is_gone(&mut self, settings: &NamespaceSettings) -> bool {
        self.found = FoundNamespace::default();
        // Its tables need no walk through those of all namespaces then.
        if !settings.poll.bound && self.counters.show_no_full_socket() {
            return true;
        }
        // Since the last poll sockets may have been closed, or handed to a process elsewhere. Where they
        // cannot be read, that poll has to do.
        let _ = self.read(&mut Vec::new(), &mut TcpInfos::default(), settings);
        !self.has_held
    }

    /// How a reading names it.
    pub(super) fn polled(&self) -> PolledNamespace {
        PolledNamespace { id: self.id, inode: self.inode, name: self.name.clone() }
    }

    /// What it is called in messages.
    pub(super) fn label(&self) -> String {
        label(self.name.as_deref(), self.inode, &self.found)
    }

    /// Appends its sockets, and what the kernel measured of them, where that is asked for.
    pub(super) fn read(
        &mut self,
        rows: &mut Vec<SocketRow>,
        infos: &mut TcpInfos,
        settings: &NamespaceSettings,
    ) -> Result<(), Failure> {
        if !self.had_rows && self.counters.are_zero() {
            return Ok(());
        }
        let reader = match &mut self.reader {
            Some(reader) => reader,
            None => self.reader.insert(Reader::open(&self.found, settings)?),
        };
        let snapshot = match reader {
            Reader::Proc(tables, _) => tables.snapshot(),
            Reader::Netlink(dumps, _) => dumps.snapshot(),
        };
        let snapshot = snapshot.map_err(|error| in_few_words(&error))?;
        if snapshot.bad_rows > 0 {
            return Err(Failure::Lasting("some of its rows cannot be read".to_owned()));
        }
        self.had_rows = !snapshot.rows.is_empty();
        self.has_held = snapshot.rows.iter().any(|row| row.inode != 0);
        if let Some(of_it) = reader.take_tcp_infos() {
            infos.add_all_in(self.id, of_it);
        }
        let in_it = |row: &SocketRow| SocketRow { addrs: row.addrs.in_netns(self.id), ..*row };
        rows.extend(snapshot.rows.iter().map(in_it));
        match reader {
            Reader::Proc(..) => {}
            Reader::Netlink(dumps, _) => dumps.recycle(snapshot.rows),
        }
        Ok(())
    }

    /// Looks up some of its sockets.
    pub(super) fn lookup(&mut self, requests: &[LookupRequest]) -> Option<Lookups> {
        let inside = |addrs: AddressPair| addrs.in_netns(NetnsId::default());
        let inner: Vec<LookupRequest> = requests
            .iter()
            .map(|request| LookupRequest { addrs: inside(request.addrs), ..*request })
            .collect();
        let found = match self.reader.as_mut()? {
            Reader::Netlink(dumps, _) => dumps.lookup(&inner),
            Reader::Proc(tables, _) => tables.lookup(&inner).ok().flatten(),
        };
        let Reading::Lookups(mut lookups) = found? else { return None };
        for (request, result) in &mut lookups.answers {
            request.addrs.netns = self.id;
            if let LookupResult::There(row) = result {
                row.addrs.netns = self.id;
            }
        }
        Some(lookups)
    }

    /// What an interface in it is called; `None` where that is not known.
    #[cfg_attr(not(feature = "bpf"), allow(dead_code))]
    pub(super) fn device_name(&self, ifindex: u32) -> Option<DeviceName> {
        let Some(Reader::Netlink(dumps, _)) = &self.reader else { return None };
        dumps.device_name(ifindex)
    }

    /// Whether it has sockets of which nothing can be measured.
    pub(super) fn is_unmeasured(&self) -> bool {
        self.had_rows
            && matches!(&self.reader, Some(Reader::Proc(tables, _)) if !tables.has_client())
    }

    /// The destroy events that have come.
    pub(super) fn destroy_events(&mut self) -> Option<DestroyEvents> {
        let Some(Reader::Netlink(_, listener)) = &mut self.reader else { return None };
        let mut events = listener.receive()?;
        events.netns = self.id;
        for socket in &mut events.sockets {
            socket.addrs = socket.addrs.map(|addrs| addrs.in_netns(self.id));
        }
        Some(events)
    }
}

impl Reader {
    fn take_tcp_infos(&mut self) -> Option<TcpInfos> {
        match self {
            Self::Proc(tables, _) => tables.take_tcp_infos(),
            Self::Netlink(dumps, _) => dumps.take_tcp_infos(),
        }
    }

    fn open(found: &FoundNamespace, settings: &NamespaceSettings) -> Result<Self, Failure> {
        if !settings.by_netlink {
            return open_tables(found, settings);
        }
        let open = || -> crate::error::Result<(Dumps, DestroyListener)> {
            // Before the first dump, so that no event is missed between them.
            let listener = DestroyListener::open(settings.wanted.family)?;
            let dumps = Dumps::open(&settings.wanted, &settings.poll)?;
            Ok((dumps, listener))
        };
        let opened = if found.is_own { Ok(open()) } else { enter(found, settings, open) };
        let (dumps, listener) = opened?.map_err(|error| in_few_words(&error))?;
        Ok(Self::Netlink(Box::new(dumps), listener))
    }
}

/// Opens the tables for good: they lead to the same namespace when the process is gone.
fn open_tables(found: &FoundNamespace, settings: &NamespaceSettings) -> Result<Reader, Failure> {
    let open = |net: &Path| -> io::Result<Vec<(File, Family)>> {
        let mut files = vec![(File::open(net.join("tcp"))?, Family::Ipv4)];
        // A kernel without IPv6 has none.
        files.extend(File::open(net.join("tcp6")).ok().map(|file| (file, Family::Ipv6)));
        Ok(files)
    };
    let files = with_files(found, settings, &open)?;
    let again = |(file, family): &(File, Family)| {
        (PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd())), *family)
    };
    let tables = files.iter().map(again).collect();
    let client = client(found, settings);
    let proc =
        Proc::of_namespace(tables, client, &settings.procfs, &settings.wanted, settings.poll);
    let files = files.into_iter().map(|(file, _)| file).collect();
    Ok(Reader::Proc(Box::new(proc), files))
}

/// What sock_diag adds to the tables, where the namespace may be entered.
fn client(found: &FoundNamespace, settings: &NamespaceSettings) -> Option<SockDiag> {
    match settings.procfs == Path::new(OWN_PROCFS) {
        true if found.is_own => SockDiag::open().ok(),
        true if may_enter_namespaces() => enter(found, settings, SockDiag::open).ok()?.ok(),
        _ => None,
    }
}

/// Opens files below the `net` of a process in a namespace, or of a thread that enters it.
fn with_files<T: Send>(
    found: &FoundNamespace,
    settings: &NamespaceSettings,
    open: &(dyn Fn(&Path) -> io::Result<T> + Sync),
) -> Result<T, Failure> {
    let mut failure = Failure::Passing;
    for pid in &found.members {
        let process = settings.procfs.join(pid.to_string());
        match open(&process.join("net")) {
            // Else it has entered another one meanwhile, or is another process.
            Ok(files) if table_of(&process) == found.table => return Ok(files),
            Ok(_) => {}
            Err(error) => failure = Failure::of(&error),
        }
    }
    if found.mounts.is_empty() {
        return Err(failure);
    }
    let opened = enter(found, settings, || open(&own_process(Path::new("/proc")).join("net")))?;
    opened.map_err(|error| Failure::of(&error))
}

/// What `open` returns in a namespace.
fn enter<T: Send>(
    found: &FoundNamespace,
    settings: &NamespaceSettings,
    open: impl Fn() -> T + Sync,
) -> Result<T, Failure> {
    let of_member = |pid: &i32| settings.procfs.join(pid.to_string()).join("ns/net");
    let ways = found.members.iter().map(of_member).chain(found.mounts.iter().cloned());
    let mut failure = Failure::Passing;
    for way in ways {
        let entered = File::open(way).and_then(|namespace| {
            let is_it = found.inode.is_none_or(|inode| inode_of(&namespace) == Some(inode));
            if !is_it {
                return Ok(None);
            }
            in_namespace(&namespace, &open).map(Some)
        });
        match entered {
            Ok(Some(opened)) => return Ok(opened),
            Ok(None) => {}
            Err(error) => failure = Failure::of(&error),
        }
    }
    Err(failure)
}

fn inode_of(file: &File) -> Option<u64> {
    Some(rustix::fs::fstat(file).ok()?.st_ino)
}

/// What a namespace is called in messages: its name, or its inode, or a process in it.
pub(super) fn label(name: Option<&str>, inode: Option<u64>, found: &FoundNamespace) -> String {
    match (name, inode, found.members.first()) {
        (Some(name), ..) => name.to_owned(),
        (None, Some(inode), _) => inode.to_string(),
        (None, None, Some(pid)) => format!("that of process {pid}"),
        (None, None, None) => "one without a name".to_owned(),
    }
}

fn in_few_words(error: &Error) -> Failure {
    match error {
        Error::Read { cause, .. } => Failure::of(cause),
        // Where sock_diag is not there, its sockets are.
        other => Failure::Lasting(other.lack()),
    }
}

impl Failure {
    fn of(error: &io::Error) -> Self {
        match Errno::from_io_error(error) {
            // A process that has ended, or is about to.
            Some(Errno::NOENT | Errno::SRCH | Errno::INVAL) => Self::Passing,
            _ => Self::Lasting(reason(error)),
        }
    }
}
