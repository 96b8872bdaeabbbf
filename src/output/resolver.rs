//! Names of hosts, services and users. A thread of its own looks up hosts and services: a name server
//! may take seconds, and polling does not wait for it.

use crate::model::escape::{escape, one_word};
use crate::model::socket::Endpoint;
use crate::model::time::Stamp;
use crate::monitor::sink::ReadingInfo;
use crate::render::cell::Names;
use crate::view::Record;
use std::collections::HashSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How many endpoints are remembered, with a name or without: those of the busiest machine, not those
/// of its whole history. It is the limit for users, too.
const REMEMBERED: usize = 100_000;
/// How many lookups may be pending. A slow name server does not keep up with a busy machine: an
/// endpoint beyond this is shown by its numbers, and looked up when it is next shown.
const PENDING: usize = 4096;

/// Looks up names and remembers them.
#[derive(Debug)]
pub(super) struct Resolver {
    names: Names,
    /// The endpoints that were looked up, or are being looked up.
    requested: HashSet<Endpoint>,
    pending: usize,
    requests: Sender<Endpoint>,
    results: Receiver<(Endpoint, Option<String>)>,
    /// How long the records of a reading wait for names at most, and those after the last reading.
    max_wait: Duration,
    /// When the current reading was complete.
    reading: Option<Stamp>,
    /// Until when its records wait; `None` before the first of them.
    deadline: Option<Instant>,
}

impl Resolver {
    /// Starts the thread that looks names up; records wait for them no longer than `max_wait`.
    pub(super) fn new(max_wait: Duration) -> Self {
        let (requests, to_look_up) = channel::<Endpoint>();
        let (result, results) = channel();
        // Where no thread can be started there are no results, and numbers are shown.
        let _ = thread::Builder::new().spawn(move || {
            for endpoint in to_look_up {
                if result.send((endpoint, look_up(endpoint))).is_err() {
                    return;
                }
            }
        });
        Self::with_parts(requests, results, max_wait)
    }

    fn with_parts(
        requests: Sender<Endpoint>,
        results: Receiver<(Endpoint, Option<String>)>,
        max_wait: Duration,
    ) -> Self {
        Self {
            names: Names::default(),
            requested: HashSet::new(),
            pending: 0,
            requests,
            results,
            max_wait,
            reading: None,
            deadline: None,
        }
    }

    /// The records that follow are of this reading. All of them wait until the same instant, which
    /// leaves half of the time until the next poll.
    pub(super) fn begin_reading(&mut self, reading: ReadingInfo) {
        if self.reading == Some(reading.at) {
            return;
        }
        let now = Instant::now();
        let left = reading.due.map(|due| due.saturating_duration_since(now) / 2);
        self.reading = Some(reading.at);
        self.deadline = Some(now + left.map_or(self.max_wait, |left| left.min(self.max_wait)));
    }

    /// No reading follows: the records that are left may wait once more.
    pub(super) const fn end_readings(&mut self) {
        self.reading = None;
        self.deadline = None;
    }

    /// The names for these records, as far as they are known in time.
    pub(super) fn names_for(&mut self, records: &[Record]) -> &Names {
        self.forget_if_too_many();
        for record in records {
            self.request_names(record);
        }
        let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + self.max_wait);
        while self.pending > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.results.recv_timeout(left) {
                Ok((endpoint, name)) => {
                    self.pending -= 1;
                    self.names.addrs.extend(name.map(|name| (endpoint, name)));
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        &self.names
    }

    /// The names of these records that are known by now; the others are looked up meanwhile.
    #[cfg(feature = "tui")]
    pub(super) fn known_names(&mut self, records: &[Record]) -> Names {
        self.forget_if_too_many();
        for record in records {
            self.request_names(record);
        }
        self.receive();
        let mut known = Names::default();
        for socket in records.iter().filter_map(Record::socket) {
            for end in [socket.addrs.local, socket.addrs.remote] {
                let name = self.names.addrs.get(&end).cloned();
                known.addrs.extend(name.map(|name| (end, name)));
            }
        }
        known.users.clone_from(&self.names.users);
        known
    }

    /// Takes in the names that were found; whether there are any.
    #[cfg(feature = "tui")]
    pub(super) fn receive(&mut self) -> bool {
        let before = self.names.addrs.len();
        for (endpoint, name) in self.results.try_iter() {
            self.pending -= 1;
            self.names.addrs.extend(name.map(|name| (endpoint, name)));
        }
        self.names.addrs.len() > before
    }

    /// Whether names are being looked up.
    #[cfg(feature = "tui")]
    pub(super) const fn is_waiting(&self) -> bool {
        self.pending > 0
    }

    fn forget_if_too_many(&mut self) {
        if self.requested.len() > REMEMBERED {
            self.names.addrs.clear();
            self.requested.clear();
        }
        if self.names.users.len() > REMEMBERED {
            self.names.users.clear();
        }
    }

    fn request_names(&mut self, record: &Record) {
        // The other socket of a connection has the same two addresses.
        let addrs = record.socket().map(|socket| [socket.addrs.local, socket.addrs.remote]);
        for endpoint in addrs.into_iter().flatten().filter(|endpoint| endpoint.port != 0) {
            self.request_name(endpoint);
        }
        if let Record::Ports(ports) = record {
            self.request_name(Endpoint { addr: ports.remote_addr, port: ports.remote_port });
        }
        if let Record::Socket(socket) = record
            && let Some(uid) = socket.clues.uid
        {
            self.names.users.entry(uid).or_insert_with(|| {
                uzers::get_user_by_uid(uid)
                    .map_or_else(|| uid.to_string(), |user| word(&user.name().to_string_lossy()))
            });
        }
    }

    fn request_name(&mut self, endpoint: Endpoint) {
        let may_request = self.pending < PENDING && !self.requested.contains(&endpoint);
        if may_request && self.requests.send(endpoint).is_ok() {
            self.requested.insert(endpoint);
            self.pending += 1;
        }
    }
}

/// `host:service`, either of them a number where it has no name.
fn look_up(endpoint: Endpoint) -> Option<String> {
    let (host, service) = dns_lookup::getnameinfo(&endpoint.into(), 0).ok()?;
    let host = word(&host);
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    Some(format!("{host}:{}", word(&service)))
}

/// A name server may return any bytes: no name is printed raw.
fn word(name: &str) -> String {
    one_word(&escape(name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::reading::Interface;
    use crate::view::port_usage::PortRecord;
    use std::net::IpAddr;

    fn endpoints() -> impl Iterator<Item = Endpoint> {
        (1..).map(|n: u32| Endpoint { addr: IpAddr::V4(n.into()), port: 443 })
    }

    #[test]
    fn pending_lookups_are_limited() {
        let (requests, to_look_up) = channel();
        let (result, results) = channel();
        let mut resolver = Resolver::with_parts(requests, results, Duration::ZERO);
        let all: Vec<Endpoint> = endpoints().take(3 * PENDING).collect();
        for endpoint in &all {
            resolver.request_name(*endpoint);
        }
        assert_eq!(to_look_up.try_iter().count(), PENDING);
        result.send((all[0], None)).unwrap();
        resolver.names_for(&[]);
        for endpoint in &all {
            resolver.request_name(*endpoint);
        }
        let next: Vec<Endpoint> = to_look_up.try_iter().collect();
        assert_eq!(next, [all[PENDING]], "the first that was not looked up before");
    }

    fn reading(at: u64, due: Option<Instant>) -> ReadingInfo {
        let at = Stamp { boot: at, ..Stamp::default() };
        ReadingInfo { at, due, took: None, interface: Interface::Proc, has_more: false }
    }

    #[test]
    fn the_remote_end_of_a_row_of_ports_has_a_name() {
        let (requests, to_look_up) = channel();
        let (_result, results) = channel();
        let mut resolver = Resolver::with_parts(requests, results, Duration::ZERO);
        let [local, remote] = [1, 2].map(|n| IpAddr::V4(n.into()));
        let ports = PortRecord {
            time: Stamp::default(),
            netns: None,
            local_addr: local,
            remote_addr: remote,
            remote_port: 443,
            used: 1,
            time_wait: 0,
            available: 10,
            percent: 10.0,
        };
        resolver.names_for(&[Record::Ports(Box::new(ports))]);
        let requested: Vec<Endpoint> = to_look_up.try_iter().collect();
        assert_eq!(requested, [Endpoint { addr: remote, port: 443 }]);
    }

    #[test]
    fn the_records_of_a_reading_share_a_deadline() {
        let (requests, _to_look_up) = channel();
        let (_result, results) = channel();
        let max_wait = Duration::from_secs(3600);
        let mut resolver = Resolver::with_parts(requests, results, max_wait);
        let mut deadline_of = |at, due| {
            resolver.begin_reading(reading(at, due));
            resolver.names_for(&[]);
            resolver.deadline.unwrap()
        };
        let first = deadline_of(1, None);
        assert_eq!([deadline_of(1, None), deadline_of(1, None)], [first, first]);
        assert!(deadline_of(2, None) > first);
        let due = Instant::now() + Duration::from_secs(60);
        assert!(deadline_of(3, Some(due)) < due, "a late poll leaves less time");
    }

    #[test]
    fn the_last_records_wait_once_for_a_dead_name_server() {
        let (requests, _to_look_up) = channel();
        let (_result, results) = channel();
        let mut resolver = Resolver::with_parts(requests, results, Duration::from_millis(1));
        endpoints().take(10).for_each(|endpoint| resolver.request_name(endpoint));
        resolver.names_for(&[]);
        let deadline = resolver.deadline;
        assert!(deadline.is_some_and(|deadline| deadline <= Instant::now()), "it was waited for");
        resolver.names_for(&[]);
        assert_eq!(resolver.deadline, deadline, "all parts share a deadline");
        resolver.end_readings();
        resolver.names_for(&[]);
        assert!(resolver.deadline > deadline);
    }

    #[test]
    fn addresses_without_names_are_forgotten() {
        let (requests, to_look_up) = channel();
        let (result, results) = channel();
        let mut resolver = Resolver::with_parts(requests, results, Duration::ZERO);
        for endpoint in endpoints().take(3 * REMEMBERED) {
            resolver.request_name(endpoint);
            result.send((to_look_up.try_recv().unwrap(), None)).unwrap();
            resolver.names_for(&[]);
            let remembered = resolver.requested.len();
            assert!(remembered <= REMEMBERED + 1, "{remembered}");
        }
    }
}
