//! Hands metrics to scrapers, in one thread. However many connect, however slowly they send or read:
//! there are so many connections at most, each with so much memory and time, and no poll waits.

use super::connection::{Connection, Stream};
use super::published::Published;
use crate::error::{Error, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd};
use std::fs;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// More connections at once are not needed: for a new one the one that has taken longest is closed.
const MAX_CONNECTIONS: usize = 64;
/// After a failed accept(), as where no descriptor is left, the next one waits for so long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where scrapers connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// The thread that serves. It ends when it is dropped.
pub(crate) struct Server {
    published: Arc<Published>,
    thread: Option<JoinHandle<()>>,
    /// The address that scrapers read.
    url: String,
    /// Other machines can connect.
    is_open: bool,
    /// The Unix socket, to be removed at the end.
    path: Option<PathBuf>,
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Server {
    /// Listens, and serves what is published.
    ///
    /// # Errors
    /// The address cannot be listened on, or no thread can be started.
    pub(crate) fn start(address: &Address, published: Arc<Published>) -> Result<Self> {
        let (listener, url) = match address {
            Address::Tcp(address) => Listener::tcp(*address)?,
            Address::Unix(path) => Listener::unix(path)?,
        };
        let (path, is_open) = match address {
            Address::Tcp(address) => (None, !address.ip().is_loopback()),
            Address::Unix(path) => (Some(path.clone()), false),
        };
        let for_thread = Arc::clone(&published);
        let serve = move || Serving::new(listener, for_thread).run();
        let thread = std::thread::Builder::new().name("export".to_owned()).spawn(serve);
        let thread = thread.map_err(|cause| Error::System { what: "start a thread", cause })?;
        Ok(Self { published, thread: Some(thread), url, is_open, path })
    }

    /// Whether other machines may be able to connect.
    pub(crate) const fn is_open(&self) -> bool {
        self.is_open
    }

    /// Where the metrics are.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.published.finish();
        let _ = self.thread.take().map(JoinHandle::join);
        let _ = self.path.take().map(fs::remove_file);
    }
}

impl Listener {
    fn tcp(address: SocketAddr) -> Result<(Self, String)> {
        let failed = |cause| Error::Listen { address: address.to_string(), cause };
        let listener = TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        Ok((Self::Tcp(listener), format!("http://{bound}/metrics")))
    }

    /// Takes the place of a socket on which nobody listens any more.
    fn unix(path: &Path) -> Result<(Self, String)> {
        let failed = |cause| Error::Listen { address: format!("unix:{}", path.display()), cause };
        let is_left = |cause: &io::Error| {
            let is_socket =
                || fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket());
            let is_refused = || {
                let tried = UnixStream::connect(path);
                tried.is_err_and(|cause| cause.kind() == ErrorKind::ConnectionRefused)
            };
            cause.kind() == ErrorKind::AddrInUse && is_socket() && is_refused()
        };
        let listener = match UnixListener::bind(path) {
            Err(cause) if is_left(&cause) => {
                fs::remove_file(path).map_err(failed)?;
                UnixListener::bind(path)
            }
            bound => bound,
        };
        let listener = listener.map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        Ok((Self::Unix(listener), format!("unix:{}", path.display())))
    }

    fn accept(&self) -> io::Result<Stream> {
        let stream = match self {
            Self::Tcp(listener) => Stream::Tcp(listener.accept()?.0),
            Self::Unix(listener) => Stream::Unix(listener.accept()?.0),
        };
        stream.set_nonblocking()?;
        Ok(stream)
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener) => listener.as_fd(),
        }
    }
}

/// The state of the thread.
struct Serving {
    listener: Listener,
    published: Arc<Published>,
    /// The oldest first.
    connections: Vec<Connection>,
    /// No connection is accepted before this instant.
    accepts_from: Option<Instant>,
}

impl Serving {
    const fn new(listener: Listener, published: Arc<Published>) -> Self {
        Self { listener, published, connections: Vec::new(), accepts_from: None }
    }

    fn run(mut self) {
        while !self.published.is_over() {
            let Ok(ready) = self.wait() else { return };
            let now = Instant::now();
            if ready.update {
                self.published.take_update();
            }
            for (connection, is_ready) in self.connections.iter_mut().zip(ready.connections) {
                connection.advance(now, is_ready, ready.update, &self.published);
            }
            self.connections.retain(|connection| !connection.is_closed());
            if ready.listener {
                self.accept(now);
            }
        }
    }

    /// Waits until something can go on, or the time of a connection is over.
    fn wait(&mut self) -> io::Result<ReadySockets> {
        let now = Instant::now();
        self.accepts_from = self.accepts_from.filter(|from| *from > now);
        let deadlines = self.connections.iter().map(Connection::deadline);
        let next = deadlines.chain(self.accepts_from).min();
        let left = next.map(|next| next.saturating_duration_since(now));
        // Rounded up: a wait that ends before the time would be repeated at once.
        let timeout =
            left.and_then(|left| Timespec::try_from(left + Duration::from_millis(1)).ok());
        let mut polled = vec![PollFd::from_borrowed_fd(self.published.update_fd(), PollFlags::IN)];
        let accepts = self.accepts_from.is_none();
        let wanted = if accepts { PollFlags::IN } else { PollFlags::empty() };
        polled.push(PollFd::new(&self.listener, wanted));
        let connection = |connection| PollFd::new(connection, Connection::waits_for(connection));
        polled.extend(self.connections.iter().map(connection));
        match poll(&mut polled, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let is_ready = |polled: &PollFd<'_>| !polled.revents().is_empty();
        Ok(ReadySockets {
            update: is_ready(&polled[0]),
            listener: accepts && is_ready(&polled[1]),
            connections: polled[2..].iter().map(is_ready).collect(),
        })
    }

    /// Accepts one connection; the others follow in the next rounds.
    fn accept(&mut self, now: Instant) {
        match self.listener.accept() {
            Ok(stream) => {
                if self.connections.len() >= MAX_CONNECTIONS {
                    let place = self.connections.iter().position(Connection::is_dispensable);
                    self.connections.remove(place.unwrap_or_default());
                }
                self.connections.push(Connection::new(stream, now));
            }
            Err(cause) => match cause.kind() {
                ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                _ => self.accepts_from = Some(now + ACCEPT_PAUSE),
            },
        }
    }
}

/// What can go on.
struct ReadySockets {
    update: bool,
    listener: bool,
    connections: Vec<bool>,
}
