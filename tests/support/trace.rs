//! The kernel's own account of every state change: the tracepoint `sock:inet_sock_set_state`, in
//! an instance of tracefs that nobody else uses.

use super::mounts::mount_privately;
use nix::mount::{MntFlags, umount2};
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
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

/// One event, in microseconds of the monotonic clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Traced {
    pub(crate) at: i64,
    pub(crate) local: SocketAddrV4,
    pub(crate) remote: SocketAddrV4,
    pub(crate) what: What,
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
    /// thread gets a mount namespace of its own, in which tracefs is mounted.
    ///
    /// # Errors
    /// What the kernel does not allow, or does not have.
    pub(crate) fn start(ports: RangeInclusive<u16>) -> Result<Self, String> {
        let mount_point = tempfile::tempdir().map_err(|error| error.to_string())?;
        mount_privately("tracefs", mount_point.path(), None)
            .map_err(|error| format!("no tracefs: {error}"))?;
        let name = (std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let instance = mount_point.path().join(format!("instances/judge-{}-{}", name.0, name.1));
        let trace = Self { instance, mount_point };
        match fs::create_dir(&trace.instance).and_then(|()| trace.enable(&ports)) {
            Ok(()) => Ok(trace),
            // Another error would be ours, and is no reason to skip.
            Err(error) if error.raw_os_error() == Some(EINVAL) => panic!("tracing: {error}"),
            Err(error) => Err(format!("no tracing: {error}")),
        }
    }

    fn enable(&self, ports: &RangeInclusive<u16>) -> io::Result<()> {
        self.set("trace_clock", "mono")?;
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
        let text = fs::read_to_string(self.instance.join("trace")).expect("names are ASCII");
        let counts = text.lines().find_map(|line| {
            let counts = line.strip_prefix("# entries-in-buffer/entries-written: ")?;
            counts.split_whitespace().next()?.split_once('/')
        });
        let (kept, written) = counts.expect("every trace has a head");
        assert_eq!(kept, written, "events of the trace were lost");
        written.parse().expect("a number")
    }

    /// Stops tracing and returns what was traced between IPv4 ends.
    ///
    /// # Panics
    /// As [`Self::count`].
    pub(crate) fn stop(self) -> Vec<Traced> {
        self.set("tracing_on", "0").expect("our own instance");
        self.so_far()
    }

    /// What has been traced between IPv4 ends.
    ///
    /// # Panics
    /// As [`Self::count`].
    pub(crate) fn so_far(&self) -> Vec<Traced> {
        self.count();
        let text = fs::read_to_string(self.instance.join("trace")).expect("names are ASCII");
        text.lines().filter_map(parse).collect()
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

/// `it-1234  [000] ..s2.  61.250123: inet_sock_set_state: family=AF_INET … oldstate=…`
fn parse(line: &str) -> Option<Traced> {
    let named = |(_, name): &(_, &'static str)| {
        line.split_once(&format!(": {name}: ")).map(|(head, fields)| (*name, head, fields))
    };
    let (name, head, fields) = EVENTS.iter().find_map(named)?;
    let field = |name: &str| {
        let mut words = fields.split_whitespace().filter_map(|word| word.split_once('='));
        words.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let end = |addr: &str, port: &str| {
        let addr: Ipv4Addr = field(addr)?.parse().ok()?;
        Some(SocketAddrV4::new(addr, field(port)?.parse().ok()?))
    };
    let what = match name {
        "tcp_receive_reset" => What::Reset,
        _ => What::Change(state(field("oldstate")?)?, state(field("newstate")?)?),
    };
    let ours = field("family") == Some("AF_INET")
        && field("protocol").is_none_or(|protocol| protocol == "IPPROTO_TCP");
    let (local, remote) = (end("saddr", "sport")?, end("daddr", "dport")?);
    ours.then_some(Traced { at: micros(head)?, local, remote, what })
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
    let traced = parse(line).unwrap();
    assert_eq!(traced.at, 12_000_345);
    assert_eq!(
        (traced.local, traced.remote),
        ("127.0.0.1:80".parse().unwrap(), "127.0.0.2:4000".parse().unwrap())
    );
    assert_eq!(traced.what, What::Change("LAST_ACK".to_owned(), "CLOSED".to_owned()));
    assert_eq!(parse("# tracer: nop"), None);
}
