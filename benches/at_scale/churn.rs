//! Connections that come and go at a bounded rate, in a process of their own: this binary again.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::park_timeout;
use std::time::{Duration, Instant};

/// The word that makes this binary the one that connects: it goes before a number of connections.
pub(crate) const ROLE: &str = "churn";

const PER_SECOND: u32 = 2000;
const ADDR: Ipv4Addr = Ipv4Addr::new(127, 255, 0, 1);

/// Starts a process that makes so many connections.
pub(crate) fn start(connections: u32) -> std::io::Result<Child> {
    let this = std::env::current_exe()?;
    Command::new(this).args([ROLE, &connections.to_string()]).stdin(Stdio::null()).spawn()
}

/// Opens them one after the other; the side that opens closes first.
pub(crate) fn connect_and_close(words: &[&str]) -> Result<(), String> {
    let [count] = words else { return Err(format!("{ROLE} COUNT")) };
    let count: u32 = count.parse().map_err(|error| format!("{count}: {error}"))?;
    let run = || -> std::io::Result<()> {
        let listener = TcpListener::bind((ADDR, 0))?;
        let to = listener.local_addr()?;
        let begin = Instant::now();
        for number in 0..count {
            let due = begin + Duration::from_secs(1) * number / PER_SECOND;
            while let Some(early) = due.checked_duration_since(Instant::now()) {
                park_timeout(early.max(Duration::from_micros(50)));
            }
            let client = TcpStream::connect(to)?;
            let (server, _) = listener.accept()?;
            drop(client);
            drop(server);
        }
        Ok(())
    };
    run().map_err(|error| error.to_string())
}
