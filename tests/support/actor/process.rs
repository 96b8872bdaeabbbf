//! The process behind an [`super::Actor`]: it does with sockets what its orders say.
//!
//! One command per line, one answer per command:
//!
//! ```text
//! listen NAME ADDR BACKLOG      connect NAME LOCAL REMOTE     accept LISTENER → names
//! shutdown|close|reset NAME     drop all|syn|ack|none NAME    private ADDR
//! descriptors COUNT             fd NAME                       rename BYTE,BYTE…
//! listen-group NAME ADDR BACKLOG                              private-instead ADDR
//! send NAME                     peek NAME                     error NAME → error, if any
//! open PATH                     give NAME PATH                take NAME PATH
//! lend NAME → pid               end PID
//! ```
//! Where LOCAL is `unbound`, connect() chooses the port. An accepted socket is named after its remote address; a v4-mapped one after the IPv4 address.
//! `listen-group` listens with SO_REUSEPORT. `give` sends a descriptor to the process
//! that has opened PATH and keeps its own; `take` receives it there. `lend` starts a process that inherits the descriptor;
//! `end` ends it. `send` sends a byte, `peek` waits until one has arrived and leaves it there.

use super::{ACTOR, ANSWER};
use crate::support::sockets::{self, Drop, connecting, listener};
use nix::sched::{CloneFlags, unshare};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{SockAddr, Socket};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};

/// No test: it asserts nothing and does nothing unless another test starts it as an actor. The
/// test binary is the only program at hand that can hold sockets under any name.
#[test]
fn actor() {
    if std::env::var_os(ACTOR).is_none() {
        return;
    }
    let mut sockets = OpenSockets::default();
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
struct OpenSockets {
    by_name: HashMap<String, Socket>,
    /// Descriptors of no socket.
    others: Vec<File>,
    /// Threads with a descriptor table of their own; each ends with its sender.
    threads: Vec<Sender<()>>,
    /// Where others send descriptors to, by path.
    doors: HashMap<String, UnixListener>,
    /// Processes that were lent a descriptor; each ends with its standard input.
    borrowers: Vec<Child>,
}

impl OpenSockets {
    /// Carries out a command, and returns the answer to it.
    fn execute(&mut self, words: &[&str]) -> io::Result<String> {
        match *words {
            ["listen", name, "unbound", backlog] => {
                let socket = sockets::listener_unbound(parse(backlog)?)?;
                Ok(self.keep(name, socket))
            }
            ["listen", name, addr, backlog] => {
                let socket = listener(parse::<SocketAddr>(addr)?, parse(backlog)?)?;
                Ok(self.keep(name, socket))
            }
            ["connect", name, "unbound", remote] => {
                let socket = sockets::connecting_unbound(parse(remote)?)?;
                Ok(self.keep(name, socket))
            }
            ["connect", name, local, remote] => {
                let socket = connecting(parse::<SocketAddr>(local)?, parse::<SocketAddr>(remote)?)?;
                Ok(self.keep(name, socket))
            }
            ["listen-group", name, addr, backlog] => {
                let socket = sockets::group_member(parse(addr)?, parse(backlog)?)?;
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
            ["private", addr] => self.private(parse(addr)?, None),
            ["private-instead", addr] => {
                let closed = self.others.remove(0);
                self.private(parse(addr)?, Some(closed))
            }
            ["send", name] => self.get(name)?.send(&[0]).map(|_| String::new()),
            ["peek", name] => {
                self.get(name)?.peek(&mut [MaybeUninit::uninit()]).map(|_| String::new())
            }
            ["error", name] => {
                let error = self.get(name)?.take_error()?;
                Ok(error.map(|error| format!("{:?}", error.kind())).unwrap_or_default())
            }
            ["descriptors", count] => self.fill(parse(count)?).map(|()| String::new()),
            ["fd", name] => self.get(name).map(|socket| socket.as_raw_fd().to_string()),
            ["rename", name] => rename(name).map(|()| String::new()),
            ["open", path] => {
                self.doors.insert(path.to_owned(), UnixListener::bind(path)?);
                Ok(String::new())
            }
            ["give", name, path] => give(self.get(name)?, path).map(|()| String::new()),
            ["take", name, path] => self.receive(name, path),
            ["lend", name] => self.lend(name),
            ["end", pid] => self.end_borrower(parse(pid)?).map(|()| String::new()),
            _ => Err(ErrorKind::Unsupported.into()),
        }
    }

    /// Keeps a socket under a name; returns its local address.
    fn keep(&mut self, name: &str, socket: Socket) -> String {
        let local = address(&socket.local_addr());
        self.by_name.insert(name.to_owned(), socket);
        local
    }

    /// Accepts all connections that wait; returns the names of their sockets.
    fn accept(&mut self, listener: &str) -> io::Result<String> {
        let mut names = Vec::new();
        loop {
            match self.get(listener)?.accept() {
                Ok((socket, peer)) => {
                    let name = address(&Ok(peer));
                    self.by_name.insert(name.clone(), socket);
                    names.push(name);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(names.join(" ")),
                Err(error) => return Err(error),
            }
        }
    }

    /// Listens in a thread whose descriptors are not those of the process.
    fn private(&mut self, addr: SocketAddr, closed: Option<File>) -> io::Result<String> {
        let (stop, stopped) = channel::<()>();
        let (ready, is_ready) = channel();
        std::thread::spawn(move || {
            let private = unshare(CloneFlags::CLONE_FILES).map_err(io::Error::from);
            drop(closed);
            let made = private.and_then(|()| listener(addr, 1));
            let local = made.as_ref().map(|s| address(&s.local_addr())).map_err(io::Error::kind);
            let _ = ready.send(local);
            // The thread holds the socket until the process ends.
            let _ = stopped.recv();
        });
        self.threads.push(stop);
        Ok(is_ready.recv().map_err(|_| ErrorKind::BrokenPipe)??)
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

    /// Receives the descriptor that another process has sent to this path.
    fn receive(&mut self, name: &str, path: &str) -> io::Result<String> {
        let (stream, _) = self.doors.get(path).ok_or(ErrorKind::NotFound)?.accept()?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut messages = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        recvmsg(&stream, &mut [IoSliceMut::new(&mut byte)], &mut messages, RecvFlags::empty())?;
        let descriptors = messages.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        });
        let descriptor = descriptors.flatten().next().ok_or(ErrorKind::UnexpectedEof)?;
        fcntl_setfd(&descriptor, FdFlags::CLOEXEC)?;
        Ok(self.keep(name, Socket::from(descriptor)))
    }

    /// Starts a process that inherits a descriptor, and waits until it has none of the others: the kernel
    /// closes them after this process may go on.
    fn lend(&mut self, name: &str) -> io::Result<String> {
        let socket = self.get(name)?;
        fcntl_setfd(socket.as_fd(), FdFlags::empty())?;
        let child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        fcntl_setfd(socket.as_fd(), FdFlags::CLOEXEC)?;
        let mut child = child?;
        if let (Some(to), Some(from)) = (&mut child.stdin, &mut child.stdout) {
            to.write_all(b"?")?;
            from.read_exact(&mut [0])?;
        }
        let pid = child.id();
        self.borrowers.push(child);
        Ok(pid.to_string())
    }

    /// Ends such a process, and waits until it has ended.
    fn end_borrower(&mut self, pid: u32) -> io::Result<()> {
        let place = self.borrowers.iter().position(|child| child.id() == pid);
        let mut child = self.borrowers.swap_remove(place.ok_or(ErrorKind::NotFound)?);
        child.stdin = None;
        child.wait().map(|_| ())
    }

    fn get(&self, name: &str) -> io::Result<&Socket> {
        self.by_name.get(name).ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn take(&mut self, name: &str) -> io::Result<Socket> {
        self.by_name.remove(name).ok_or_else(|| ErrorKind::NotFound.into())
    }
}

/// An address as it is printed; a v4-mapped one as the IPv4 address.
fn address(addr: &io::Result<SockAddr>) -> String {
    let addr = addr.as_ref().expect("the socket has an address");
    let addr = addr.as_socket().expect("these sockets speak IP");
    SocketAddr::new(addr.ip().to_canonical(), addr.port()).to_string()
}

/// Sends a descriptor to who listens at a path.
fn give(socket: &Socket, path: &str) -> io::Result<()> {
    let stream = UnixStream::connect(path)?;
    let descriptors = [socket.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut messages = SendAncillaryBuffer::new(&mut space);
    messages.push(SendAncillaryMessage::ScmRights(&descriptors));
    sendmsg(&stream, &[IoSlice::new(b"x")], &mut messages, SendFlags::empty())?;
    Ok(())
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
