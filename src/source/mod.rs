//! Where readings come from. Besides `owner::scan`, only sources read the kernel; besides the header
//! of a recording, only they ask the clock.
//!
//! [`open`] has the sources by their [`Interface`].

#[cfg(feature = "bpf")]
mod by_events;
#[cfg(not(feature = "bpf"))]
#[path = "without_bpf.rs"]
mod by_events;
pub(crate) mod clock;
mod namespace;
pub(crate) mod net_limits;
pub(crate) mod netlink;
pub(crate) mod netns;
mod poll;
pub(crate) mod proc;
pub(crate) mod replay;
#[cfg(feature = "bpf")]
pub(crate) mod trace;

use crate::error::{Result, Unseen};
use crate::model::reading::{Interface, LookupRequest, Reading};
use crate::model::socket_row::SocketRow;
use crate::model::tcp_info::TcpInfos;
use crate::privileges::known_uid;
use crate::settings::Settings;
use crate::settings::netns::NetnsChoice;
use crate::signals::Signals;
use netns::{NamespacePolls, Namespaces};
use proc::Proc;
use rustix::fs::OFlags;
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Instant;

/// Opens the source that reads the caller's own network namespace by an interface.
///
/// # Errors
/// What the kernel lacks or denies.
pub(crate) fn open(interface: Interface, settings: &Settings) -> Result<Box<dyn Source>> {
    Ok(match interface {
        Interface::Proc => {
            Box::new(Proc::open(&settings.procfs, &settings.wanted_rows(), settings.poll)?)
        }
        Interface::Netlink => Box::new(netlink::open::open(settings)?),
        Interface::Trace => by_events::open(settings)?,
    })
}

/// Opens the source that reads several network namespaces by an interface.
///
/// # Errors
/// See [`open`]; a namespace that is named is not there or cannot be read.
pub(crate) fn open_several(
    interface: Interface,
    settings: &Settings,
    choices: &[NetnsChoice],
) -> Result<Box<dyn Source>> {
    let polls = |by_netlink| -> Result<Box<dyn Source>> {
        let rows = (settings.wanted_rows(), settings.poll);
        let namespaces = Namespaces::open(&settings.procfs, choices, rows, by_netlink)?;
        Ok(Box::new(NamespacePolls::new(namespaces)))
    };
    match interface {
        Interface::Proc => polls(false),
        Interface::Netlink => polls(true),
        Interface::Trace => by_events::open_several(settings, choices),
    }
}

/// Yields what the kernel, or a recording, says about sockets.
pub trait Source {
    /// Waits for the next reading; `None` when the run is over.
    ///
    /// # Errors
    /// What ends the run: tables that cannot be read, a damaged recording, or a standard output
    /// that nobody reads any more.
    fn next(&mut self, signals: &Signals) -> Result<Option<Reading>>;

    /// Looks up sockets that the last readings did not show. `None` where that is not possible or
    /// found out nothing: then later readings have to decide.
    ///
    /// # Errors
    /// What ends the run.
    fn lookup(&mut self, requests: &[LookupRequest]) -> Result<Option<Reading>>;

    /// Whether it ever looks anything up.
    fn can_look_up(&self) -> bool {
        true
    }

    /// Takes back the rows of a snapshot that is processed, to use their memory again.
    fn recycle(&mut self, _: Vec<SocketRow>) {}

    /// What belongs to the reading that was yielded last. To be asked for once.
    fn context(&mut self) -> ReadingContext {
        ReadingContext::default()
    }

    /// Which of the kernel's interfaces the readings come from.
    fn interface(&self) -> Interface;

    /// What the user should know about the readings, each thing once.
    fn warnings(&mut self) -> Vec<String>;

    /// What a recording is known to lack beside what its own readings report, each thing once.
    fn take_unread(&mut self) -> Vec<Unseen> {
        Vec::new()
    }
}

/// What a source knows beside a reading.
#[derive(Debug, Default)]
pub struct ReadingContext {
    /// When the next poll is due: what is done until then makes no poll late. `None` where nothing
    /// is late.
    pub(crate) due: Option<Instant>,
    /// Kernel events follow that came together with this one: a lookup can wait until the last of
    /// them.
    pub(crate) has_more: bool,
    /// All kernel events from before this boot time (µs) have been read; 0 where there are none.
    pub(crate) events_until: u64,
    /// After this state change the process has closed the socket: nobody holds it now.
    pub(crate) is_released: bool,
    /// What the kernel measured of connections with the last snapshot, where it is asked for that.
    pub(crate) tcp_infos: Option<TcpInfos>,
}

/// A row of this kernel, without a uid that may be anybody's.
pub(in crate::source) fn with_known_uid(row: SocketRow) -> SocketRow {
    SocketRow { uid: known_uid(row.uid).unwrap_or(SocketRow::NO_UID), ..row }
}

/// Opens a file for reading without waiting for a pipe's other end, which may never come.
pub(in crate::source) fn open_nonblocking(path: &Path) -> io::Result<File> {
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    File::options().read(true).custom_flags(nonblocking).open(path)
}
