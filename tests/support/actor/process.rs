//! The process behind an [`super::Actor`]: it does with sockets what it is told.
//!
//! One command per line, one answer per command:
//!
//! ```text
//! listen NAME ADDR BACKLOG      connect NAME LOCAL REMOTE     accept LISTENER → names
//! shutdown|close|reset NAME     drop all|syn|ack|none NAME    private ADDR
//! descriptors COUNT             fd NAME                       rename BYTE,BYTE…
//! ```
//! An accepted socket is named after its remote address.

use super::{ACTOR, ANSWER};
use crate::support::sockets::{self, Drop, connecting, end, listener};
use nix::sched::{CloneFlags, unshare};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::Socket;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, ErrorKind, Write};
use std::net::{Shutdown, SocketAddrV4};
use std::os::fd::AsRawFd;
use std::sync::mpsc::{Sender, channel};

/// No test: it asserts nothing and does nothing unless another test starts it as an actor. The
/// test binary is the only program at hand that can hold sockets under any name.
#[test]
fn actor() {
    if std::env::var_os(ACTOR).is_none() {
        return;
    }
    let mut sockets = Sockets::default();
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { return };
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match sockets.execute(&words) {
            Ok(answer) => format!("{ANSWER}ok {answer}"),
            Err(error) => format!("{ANSWER}error {:?}", error.kind()),
        };
        // A test that does not read any more closes our standard input, too.
        let _ = writeln!(io::stdout(), "{answer}");
    }
}

#[derive(Default)]
struct Sockets {
    by_name: HashMap<String, Socket>,
    /// Descriptors of no socket.
    others: Vec<File>,
    /// Threads with a descriptor table of their own; each ends with its sender.
    threads: Vec<Sender<()>>,
}

impl Sockets {
    /// Carries out a command, and returns the answer to it.
    fn execute(&mut self, words: &[&str]) -> io::Result<String> {
        match *words {
            ["listen", name, addr, backlog] => {
                let socket = listener(parse(addr)?, parse(backlog)?)?;
                Ok(self.keep(name, socket))
            }
            ["connect", name, local, remote] => {
                let socket = connecting(parse(local)?, parse(remote)?)?;
                Ok(self.keep(name, socket))
            }
            ["accept", name] => self.accept(name),
            ["shutdown", name] => self.get(name)?.shutdown(Shutdown::Write).map(|()| String::new()),
            ["close", name] => self.take(name).map(|_| String::new()),
            ["reset", name] => {
                self.take(name).map(sockets::reset)?;
                Ok(String::new())
            }
            ["drop", what, name] => filter(self.get(name)?, what).map(|()| String::new()),
            ["private", addr] => self.private(parse(addr)?),
            ["descriptors", count] => self.fill(parse(count)?).map(|()| String::new()),
            ["fd", name] => self.get(name).map(|socket| socket.as_raw_fd().to_string()),
            ["rename", name] => rename(name).map(|()| String::new()),
            _ => Err(ErrorKind::Unsupported.into()),
        }
    }

    /// Keeps a socket under a name; returns its local address.
    fn keep(&mut self, name: &str, socket: Socket) -> String {
        let local = end(&socket.local_addr()).to_string();
        self.by_name.insert(name.to_owned(), socket);
        local
    }

    /// Accepts all connections that wait; returns the names of their sockets.
    fn accept(&mut self, listener: &str) -> io::Result<String> {
        let mut names = Vec::new();
        loop {
            match self.get(listener)?.accept() {
                Ok((socket, peer)) => {
                    let name = peer.as_socket_ipv4().ok_or(ErrorKind::InvalidData)?.to_string();
                    self.by_name.insert(name.clone(), socket);
                    names.push(name);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(names.join(" ")),
                Err(error) => return Err(error),
            }
        }
    }

    /// Listens in a thread whose descriptors are not those of the process.
    fn private(&mut self, addr: SocketAddrV4) -> io::Result<String> {
        let (stop, stopped) = channel::<()>();
        let (ready, is_ready) = channel();
        std::thread::spawn(move || {
            let made = unshare(CloneFlags::CLONE_FILES)
                .map_err(io::Error::from)
                .and_then(|()| listener(addr, 1));
            let local = made.as_ref().map(|s| end(&s.local_addr())).map_err(io::Error::kind);
            let _ = ready.send(local);
            // The thread holds the socket until the process ends.
            let _ = stopped.recv();
        });
        self.threads.push(stop);
        let local = is_ready.recv().map_err(|_| ErrorKind::BrokenPipe)??;
        Ok(local.to_string())
    }

    /// Opens this many descriptors.
    fn fill(&mut self, count: u64) -> io::Result<()> {
        let maximum = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
        self.others.push(File::open("/dev/null")?);
        for _ in 1..count {
            self.others.push(self.others[0].try_clone()?);
        }
        Ok(())
    }

    fn get(&self, name: &str) -> io::Result<&Socket> {
        self.by_name.get(name).ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn take(&mut self, name: &str) -> io::Result<Socket> {
        self.by_name.remove(name).ok_or_else(|| ErrorKind::NotFound.into())
    }
}

fn filter(socket: &Socket, what: &str) -> io::Result<()> {
    match what {
        "all" => Drop::All.attach(socket),
        "syn" => Drop::Syn.attach(socket),
        "ack" => Drop::Ack.attach(socket),
        _ => socket.detach_filter(),
    }
}

/// Gives the process a name of any bytes.
fn rename(name: &str) -> io::Result<()> {
    let bytes: Vec<u8> = name.split(',').map(parse).collect::<io::Result<_>>()?;
    std::fs::write("/proc/self/comm", bytes)
}

fn parse<T: std::str::FromStr>(word: &str) -> io::Result<T> {
    word.parse().map_err(|_| ErrorKind::InvalidInput.into())
}
