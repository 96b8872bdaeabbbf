//! The kernel's own account of every state change: the tracepoint `sock:inet_sock_set_state`, in
//! an instance of tracefs that nobody else uses.

use super::mounts::mount_privately;
use nix::mount::{MntFlags, umount2};
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV4};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

const EVENTS: [(&str, &str); 2] = [("sock", "inet_sock_set_state"), ("tcp", "tcp_receive_reset")];
const EINVAL: i32 = 22;
/// Per CPU: a connection makes ten events of some 100 bytes.
const BUFFER_KB: &str = "16384";

/// How many instances this process has made: each has a name of its own.
static MADE: AtomicU32 = AtomicU32::new(0);

/// One event between IPv4 addresses, in microseconds of the monotonic clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Traced {
    pub(crate) at: i64,
    pub(crate) local: SocketAddrV4,
    pub(crate) remote: SocketAddrV4,
    pub(crate) what: What,
}

/// One event of a socket of either family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SocketEvent {
    /// In microseconds of the clock of the trace.
    pub(crate) at: i64,
    /// The kernel's address of the socket, which is given to another once it is closed.
    pub(crate) socket: u64,
    /// It is an IPv6 socket; its addresses may be IPv4 all the same (v4-mapped).
    pub(crate) ipv6: bool,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) what: What,
    /// The kernel may have been interrupted by another task before it stored the state: this
    /// happened in a system call, with preemption enabled.
    pub(crate) preemptible: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// From one state to another, spelled as the records do.
    Change(String, String),
    /// A reset is about to end the socket.
    Reset,
}

/// A running trace; all that it made is removed when it is dropped.
pub(crate) struct Trace {
    instance: PathBuf,
    mount_point: TempDir,
}

impl Trace {
    /// Starts tracing what has one of these ports: the trace is of the whole machine. The calling
    /// thread gets a mount namespace of its own, in which tracefs is mounted. Times are of the
    /// monotonic clock.
    ///
    /// # Errors
    /// What the kernel does not allow, or does not have.
    pub(crate) fn start(ports: RangeInclusive<u16>) -> Result<Self, String> {
        Self::start_by_clock(ports, "mono")
    }

    /// As [`Self::start`], by a clock that tracefs knows: `mono` or `boot`.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub(crate) fn start_by_clock(ports: RangeInclusive<u16>, clock: &str) -> Result<Self, String> {
        let mount_point = tempfile::tempdir().map_err(|error| error.to_string())?;
        mount_privately("tracefs", mount_point.path(), None)
            .map_err(|error| format!("no tracefs: {error}"))?;
        let name = (std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let instance = mount_point.path().join(format!("instances/judge-{}-{}", name.0, name.1));
        let trace = Self { instance, mount_point };
        match fs::create_dir(&trace.instance).and_then(|()| trace.enable(&ports, clock)) {
            Ok(()) => Ok(trace),
            // Another error would be ours, and is no reason to skip.
            Err(error) if error.raw_os_error() == Some(EINVAL) => panic!("tracing: {error}"),
            Err(error) => Err(format!("no tracing: {error}")),
        }
    }

    fn enable(&self, ports: &RangeInclusive<u16>, clock: &str) -> io::Result<()> {
        self.set("trace_clock", clock)?;
        self.set("buffer_size_kb", BUFFER_KB)?;
        let (first, last) = (ports.start(), ports.end());
        let within = |port: &str| format!("{port} >= {first} && {port} <= {last}");
        let filter = format!("({}) || ({})", within("sport"), within("dport"));
        for (system, event) in EVENTS {
            self.set(&format!("events/{system}/{event}/filter"), &filter)?;
        }
        let enable = |(system, event)| self.set(&format!("events/{system}/{event}/enable"), "1");
        EVENTS.into_iter().try_for_each(enable)
    }

    /// How many events there were so far, of any kind and family.
    ///
    /// # Panics
    /// If the buffer was too small: then the account has holes and proves nothing.
    pub(crate) fn count(&self) -> usize {
        let (kept, written) = self.kept_and_written(&self.text());
        assert_eq!(kept, written, "events of the trace were lost");
        written
    }

    /// Stops tracing and returns what was traced between IPv4 addresses.
    ///
    /// # Panics
    /// As [`Self::count`].
    pub(crate) fn stop(self) -> Vec<Traced> {
        self.set("tracing_on", "0").expect("our own instance");
        self.so_far()
    }

    /// What has been traced between IPv4 addresses.
    ///
    /// # Panics
    /// As [`Self::count`].
    pub(crate) fn so_far(&self) -> Vec<Traced> {
        self.count();
        let events = self.text();
        let events = events.lines().filter_map(|line| parse(line, 0)).filter(|event| !event.ipv6);
        let between_v4 = |event: SocketEvent| {
            let (SocketAddr::V4(local), SocketAddr::V4(remote)) = (event.local, event.remote)
            else {
                return None;
            };
            Some(Traced { at: event.at, local, remote, what: event.what })
        };
        events.filter_map(between_v4).collect()
    }

    /// Stops tracing and returns all events, in order; an error if some were lost.
    ///
    /// # Errors
    /// Events were lost.
    pub(crate) fn finish(self) -> Result<Vec<SocketEvent>, String> {
        self.set("tracing_on", "0").expect("our own instance");
        let text = self.text();
        // Printed as fields, an event has the address of its socket, and no IPv6 addresses.
        self.set("options/fields", "1").expect("our own instance");
        let fields = self.text();
        let (kept, written) = self.kept_and_written(&text);
        if kept != written {
            return Err(format!("{} events of the trace were lost", written - kept));
        }
        let lines: Vec<&str> = text.lines().filter(is_event).collect();
        let fields: Vec<&str> = fields.lines().filter(is_event).collect();
        assert_eq!(lines.len(), fields.len(), "the same events, printed twice");
        let events = lines.into_iter().zip(fields);
        Ok(events.filter_map(|(line, fields)| parse(line, socket_of(fields)?)).collect())
    }

    fn text(&self) -> String {
        fs::read_to_string(self.instance.join("trace")).expect("names are ASCII")
    }

    #[allow(clippy::unused_self)] // it is what the text is of
    fn kept_and_written(&self, text: &str) -> (usize, usize) {
        let counts = text.lines().find_map(|line| {
            let counts = line.strip_prefix("# entries-in-buffer/entries-written: ")?;
            counts.split_whitespace().next()?.split_once('/')
        });
        let (kept, written) = counts.expect("every trace has a head");
        let number = |text: &str| text.parse().expect("a number");
        (number(kept), number(written))
    }

    fn set(&self, file: &str, value: &str) -> io::Result<()> {
        fs::write(self.instance.join(file), value)
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        // Where it could not be made, there is nothing to remove.
        let _ = fs::remove_dir(&self.instance);
        let _ = umount2(self.mount_point.path(), MntFlags::MNT_DETACH);
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as filter() has it
fn is_event(line: &&str) -> bool {
    !line.starts_with('#') && line.contains(": ")
}

/// `skaddr=0xffff8883a06f65c0 (…)`
fn socket_of(fields: &str) -> Option<u64> {
    let (_, address) = fields.split_once("skaddr=0x")?;
    u64::from_str_radix(address.split([' ', '(']).next()?, 16).ok()
}

/// `it-1234  [000] ..s2.  61.250123: inet_sock_set_state: family=AF_INET … oldstate=…`
fn parse(line: &str, socket: u64) -> Option<SocketEvent> {
    let named = |(_, name): &(_, &'static str)| {
        line.split_once(&format!(": {name}: ")).map(|(head, fields)| (*name, head, fields))
    };
    let (name, head, fields) = EVENTS.iter().find_map(named)?;
    let field = |name: &str| {
        let mut words = fields.split_whitespace().filter_map(|word| word.split_once('='));
        words.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    if field("protocol").is_some_and(|protocol| protocol != "IPPROTO_TCP") {
        return None;
    }
    let ipv6 = field("family")? == "AF_INET6";
    let address = |v4: &str, v6: &str, port: &str| {
        let ip = if ipv6 {
            field(v6)?.parse::<Ipv6Addr>().ok()?.to_canonical()
        } else {
            IpAddr::V4(field(v4)?.parse().ok()?)
        };
        Some(SocketAddr::new(ip, field(port)?.parse().ok()?))
    };
    let local = address("saddr", "saddrv6", "sport")?;
    let remote = address("daddr", "daddrv6", "dport")?;
    let what = match name {
        "tcp_receive_reset" => What::Reset,
        _ => What::Change(state(field("oldstate")?)?, state(field("newstate")?)?),
    };
    let preemptible = is_preemptible(head);
    Some(SocketEvent { at: micros(head)?, socket, ipv6, local, remote, what, preemptible })
}

/// `..s2.`: interrupts or softirqs off, rescheduling, in an interrupt, depth of disabled
/// preemption, of disabled migration; in a system call that anything may interrupt all of these
/// but the second are dots.
fn is_preemptible(head: &str) -> bool {
    let flags = head.split_whitespace().rev().nth(1).unwrap_or_default().as_bytes();
    [0, 2, 3].into_iter().all(|place| flags.get(place) == Some(&b'.'))
}

/// The kernel's word for a state, in the spelling of the records.
fn state(word: &str) -> Option<String> {
    let name = word.strip_prefix("TCP_")?;
    Some(if name == "CLOSE" { "CLOSED" } else { name }.to_owned())
}

/// Seconds with six decimals at the end of the line's head.
fn micros(head: &str) -> Option<i64> {
    let (seconds, fraction) = head.split_whitespace().last()?.split_once('.')?;
    Some(seconds.parse::<i64>().ok()? * 1_000_000 + fraction.parse::<i64>().ok()?)
}

#[test]
fn a_line_of_the_trace_is_read() {
    let line = "    client-71  [001] ..s2.    12.000345: inet_sock_set_state: family=AF_INET \
                protocol=IPPROTO_TCP sport=80 dport=4000 saddr=127.0.0.1 daddr=127.0.0.2 \
                saddrv6=::ffff:127.0.0.1 daddrv6=::ffff:127.0.0.2 oldstate=TCP_LAST_ACK \
                newstate=TCP_CLOSE";
    let traced = parse(line, 7).unwrap();
    assert_eq!((traced.at, traced.socket), (12_000_345, 7));
    assert_eq!(
        (traced.local, traced.remote),
        ("127.0.0.1:80".parse().unwrap(), "127.0.0.2:4000".parse().unwrap())
    );
    assert_eq!(traced.what, What::Change("LAST_ACK".to_owned(), "CLOSED".to_owned()));
    assert!(!traced.preemptible && !traced.ipv6);
    assert_eq!(parse("# tracer: nop", 0), None);
}
