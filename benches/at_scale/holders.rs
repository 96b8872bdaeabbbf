//! The processes that hold the sockets: this binary again. Each ends with its standard input, and
//! so with the process that started it.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::ffi::CString;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

/// The word that makes this binary a holder: it goes before name, place and pairs.
pub(crate) const ROLE: &str = "hold";
/// The process that holds few sockets.
pub(crate) const FEW: &str = "few";

const PAIRS_OF_FEW: usize = 5;
/// Sockets are spread over this many processes each time, or more where descriptors are few.
const PROCESSES: usize = 10;
/// Descriptors that hold no connection.
const SPARE: usize = 64;
const PORT: u16 = 7000;
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
const READY: &str = "ready";

/// All that hold sockets; they end with it.
#[derive(Default)]
pub(crate) struct Holders {
    processes: Vec<Holder>,
    sockets: usize,
}

struct Holder {
    child: Child,
    /// Its end ends the process.
    stdin: Option<ChildStdin>,
}

impl Holders {
    /// A few sockets, in a process with a name of its own.
    pub(crate) fn few(&mut self) -> Result<(), String> {
        self.add(&[(FEW.to_owned(), PAIRS_OF_FEW)])
    }

    /// As many more as make so many in all, listeners aside.
    pub(crate) fn fill(&mut self, sockets: usize) -> Result<(), String> {
        eprintln!("building {sockets} sockets ...");
        let pairs = sockets.saturating_sub(self.sockets) / 2;
        let room = (descriptors() - SPARE) / 2;
        let processes = PROCESSES.max(pairs.div_ceil(room));
        let share = |i: usize| pairs * (i + 1) / processes - pairs * i / processes;
        let named = |i: usize| (format!("holder-{}", self.processes.len() + i), share(i));
        let wanted: Vec<_> = (0..processes).map(named).collect();
        self.add(&wanted)
    }

    fn add(&mut self, wanted: &[(String, usize)]) -> Result<(), String> {
        let first = self.processes.len();
        for (name, pairs) in wanted {
            let holder = Holder::start(name, self.processes.len() + 1, *pairs)?;
            self.processes.push(holder);
            self.sockets += 2 * pairs;
        }
        self.processes[first..].iter_mut().try_for_each(Holder::ready)
    }
}

impl Drop for Holders {
    fn drop(&mut self) {
        self.processes.iter_mut().for_each(|holder| holder.stdin = None);
        for holder in &mut self.processes {
            // It is our child, and ends now.
            let _ = holder.child.wait();
        }
    }
}

impl Holder {
    fn start(name: &str, place: usize, pairs: usize) -> Result<Self, String> {
        let this = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut child = Command::new(this)
            .args([ROLE, name, &place.to_string(), &pairs.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start a holder of sockets: {error}"))?;
        let stdin = child.stdin.take();
        Ok(Self { child, stdin })
    }

    /// Waits until it holds its sockets.
    fn ready(&mut self) -> Result<(), String> {
        let mut line = String::new();
        let read =
            self.child.stdout.take().map(|stdout| BufReader::new(stdout).read_line(&mut line));
        match (read, line.trim_end()) {
            (Some(Ok(_)), READY) => Ok(()),
            _ => Err("a holder of sockets has failed".to_owned()),
        }
    }
}

/// The holder's own life: connects to itself, says so, and waits for the end of its input. Each has
/// an address of its own, so that the ephemeral ports suffice for all.
pub(crate) fn hold(words: &[&str]) -> Result<(), String> {
    let [name, place, pairs] = words else { return Err(format!("{ROLE} NAME PLACE PAIRS")) };
    let number = |word: &str| word.parse::<usize>().map_err(|error| format!("{word}: {error}"));
    let name = CString::new(*name).map_err(|error| error.to_string())?;
    rustix::thread::set_name(&name).map_err(|error| error.to_string())?;
    descriptors();
    let addr = address(number(place)?);
    let connect = || -> std::io::Result<_> {
        let listener = TcpListener::bind((addr, PORT))?;
        let to = SocketAddr::from((addr, PORT));
        let mut held = Vec::new();
        for _ in 0..number(pairs).unwrap_or_default() {
            held.push((TcpStream::connect_timeout(&to, CONNECT_LIMIT)?, listener.accept()?));
        }
        Ok((listener, held))
    };
    let held = connect().map_err(|error| format!("{addr}: {error}"))?;
    println!("{READY}");
    let ended = std::io::stdout().flush().and_then(|()| std::io::stdin().read_to_end(&mut vec![]));
    drop(held);
    ended.map(drop).map_err(|error| error.to_string())
}

/// `127.PLACE.0.1`, in as many bytes as the place needs.
fn address(place: usize) -> Ipv4Addr {
    let [.., high, low] = place.to_be_bytes();
    Ipv4Addr::new(127, low, high, 1)
}

/// As many as this process may have, once it has asked for all it may.
fn descriptors() -> usize {
    let limit = getrlimit(Resource::Nofile);
    // What is refused is left as it is.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let now = getrlimit(Resource::Nofile).current;
    now.and_then(|now| usize::try_from(now).ok()).unwrap_or(usize::MAX / 2)
}
