//! One connection of a scraper, from its request to its end.

use super::exposition::TextFormat;
use super::http::{self, MAX_REQUEST, Refusal, Request};
use super::published::Published;
use rustix::event::PollFlags;
use rustix::fd::{AsFd, BorrowedFd};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A request has to come within this time, and its response to be taken within the next.
const REQUEST_TIME: Duration = Duration::from_secs(5);
const RESPONSE_TIME: Duration = Duration::from_secs(10);
/// Metrics that are not older than this are new enough.
const FRESH: Duration = Duration::from_secs(1);
/// Newer ones are waited for no longer than this; then the latest are sent.
const WAIT_TIME: Duration = Duration::from_millis(1500);
/// What a client still sends is read for so long, and so much of it: closed before, the response might
/// not reach it.
const LINGER_TIME: Duration = Duration::from_secs(1);
const MAX_LINGER: usize = 64 << 10;

/// A connected socket.
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A connection.
pub(super) struct Connection {
    stream: Stream,
    state: ConnectionState,
    deadline: Instant,
}

enum ConnectionState {
    /// Its request is not complete.
    Reading(Vec<u8>),
    /// It waits for new metrics.
    Waiting {
        format: TextFormat,
        body: bool,
    },
    /// Its response is being sent.
    Writing(Response),
    /// The response is sent; what it still sends is read, so many bytes more.
    Lingering(usize),
    Closed,
}

/// A response, and how much of it was sent.
struct Response {
    head: Vec<u8>,
    body: Arc<[u8]>,
    sent: usize,
}

impl Connection {
    /// One that has just been accepted.
    pub(super) fn new(stream: Stream, now: Instant) -> Self {
        Self { stream, state: ConnectionState::Reading(Vec::new()), deadline: now + REQUEST_TIME }
    }

    /// When it has taken too long.
    pub(super) const fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(super) const fn is_closed(&self) -> bool {
        matches!(self.state, ConnectionState::Closed)
    }

    /// Whether it may be closed for another one: its request is not complete, or its response is sent.
    pub(super) const fn is_dispensable(&self) -> bool {
        !matches!(self.state, ConnectionState::Waiting { .. } | ConnectionState::Writing(_))
    }

    /// What lets it go on.
    pub(super) const fn waits_for(&self) -> PollFlags {
        match self.state {
            ConnectionState::Reading(_) | ConnectionState::Lingering(_) => PollFlags::IN,
            ConnectionState::Writing(_) => PollFlags::OUT,
            // A client that closes is noticed.
            ConnectionState::Waiting { .. } | ConnectionState::Closed => PollFlags::empty(),
        }
    }

    /// Goes on as far as possible. `is_ready`: what it [waits for](Self::waits_for) has come;
    /// `has_update`: there are new metrics.
    pub(super) fn advance(
        &mut self,
        now: Instant,
        is_ready: bool,
        has_update: bool,
        published: &Published,
    ) {
        let is_late = now >= self.deadline;
        let advanced = match &mut self.state {
            ConnectionState::Waiting { .. } if is_ready => Err(ErrorKind::ConnectionReset.into()),
            ConnectionState::Waiting { format, body } if has_update || is_late => {
                let (format, body) = (*format, *body);
                self.respond_with_latest(now, format, body, published);
                self.write(now)
            }
            ConnectionState::Reading(_) if is_ready => self.read(now, published),
            ConnectionState::Writing(_) if is_ready => self.write(now),
            ConnectionState::Lingering(_) if is_ready => self.linger(),
            _ if is_late => Err(ErrorKind::TimedOut.into()),
            _ => Ok(()),
        };
        if advanced.is_err_and(|cause| !is_temporary(&cause)) {
            self.state = ConnectionState::Closed;
        }
    }

    fn read(&mut self, now: Instant, published: &Published) -> io::Result<()> {
        let ConnectionState::Reading(received) = &mut self.state else { return Ok(()) };
        let mut piece = [0; 4096];
        let length = self.stream.read(&mut piece)?;
        if length == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        received.extend(&piece[..length]);
        let Some(request) = http::request(received) else { return Ok(()) };
        match request {
            Request::Index { body } => self.respond(now, http::index(body), Arc::default()),
            Request::Refused(why) => self.respond(now, http::refusal(why), Arc::default()),
            Request::Metrics { format, body } => {
                let is_fresh = |(at, _): &(Instant, _)| now.saturating_duration_since(*at) < FRESH;
                if published.latest().as_ref().is_some_and(is_fresh) {
                    self.respond_with_latest(now, format, body, published);
                } else {
                    published.request();
                    self.state = ConnectionState::Waiting { format, body };
                    self.deadline = now + WAIT_TIME;
                    return Ok(());
                }
            }
        }
        self.write(now)
    }

    fn respond_with_latest(
        &mut self,
        now: Instant,
        format: TextFormat,
        body: bool,
        published: &Published,
    ) {
        let Some((_, latest)) = published.latest() else {
            return self.respond(now, http::refusal(Refusal::NotReady), Arc::default());
        };
        let text = latest.text(format);
        let head = http::metrics_head(format, text.len());
        self.respond(now, head, if body { text } else { Arc::default() });
    }

    fn respond(&mut self, now: Instant, head: Vec<u8>, body: Arc<[u8]>) {
        self.state = ConnectionState::Writing(Response { head, body, sent: 0 });
        self.deadline = now + RESPONSE_TIME;
    }

    fn write(&mut self, now: Instant) -> io::Result<()> {
        let ConnectionState::Writing(response) = &mut self.state else { return Ok(()) };
        while let Some(rest) = response.rest() {
            match self.stream.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(sent) => response.sent += sent,
                Err(cause) => return Err(cause),
            }
        }
        self.stream.end_output()?;
        self.state = ConnectionState::Lingering(MAX_LINGER);
        self.deadline = now + LINGER_TIME;
        Ok(())
    }

    fn linger(&mut self) -> io::Result<()> {
        let ConnectionState::Lingering(left) = &mut self.state else { return Ok(()) };
        let length = self.stream.read(&mut [0; 4096])?;
        *left = left.saturating_sub(length);
        if length == 0 || *left == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

const _: () = assert!(MAX_REQUEST >= 4096);

impl Response {
    /// What was not sent yet; `None` for nothing.
    fn rest(&self) -> Option<&[u8]> {
        let head = self.head.get(self.sent..).filter(|rest| !rest.is_empty());
        let in_body = self.sent.saturating_sub(self.head.len());
        head.or_else(|| self.body.get(in_body..).filter(|rest| !rest.is_empty()))
    }
}

fn is_temporary(cause: &io::Error) -> bool {
    matches!(cause.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

impl Stream {
    pub(super) fn set_nonblocking(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_nonblocking(true),
            Self::Unix(stream) => stream.set_nonblocking(true),
        }
    }

    fn end_output(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
    }

    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(piece),
            Self::Unix(stream) => stream.read(piece),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.stream {
            Stream::Tcp(stream) => stream.as_fd(),
            Stream::Unix(stream) => stream.as_fd(),
        }
    }
}
