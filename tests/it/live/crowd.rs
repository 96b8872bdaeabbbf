//! Processes by the thousand, descriptors by the thousand, and namespaces that go away.

use crate::old_support::actor::Actor;
use crate::old_support::netns::{isolated, skip};
use crate::old_support::program::{Asked, Watch, list};
use crate::old_support::record::{Line, Listed};
use crate::old_support::wait::until;
use nix::sched::{CloneFlags, unshare};
use std::os::unix::fs::symlink;
use std::process::{Child, Command, Stdio};

/// A shell forks some thousand times a second; it ends by itself, should nobody end it.
const FORKS: &str = "i=0; while [ $i -lt 100000 ]; do (:); i=$((i+1)); done";
/// So many looks, or connections, while it does.
const ENOUGH: usize = 8;
/// As many as a limit of 20,000 leaves room for.
const DESCRIPTORS: u64 = 19_900;

/// A crowd of short processes; it ends with this.
struct Forks {
    shell: Child,
    before: u64,
}

impl Forks {
    fn start() -> Self {
        let before = Self::of_the_machine();
        let shell = Command::new("sh").args(["-c", FORKS]).stdin(Stdio::null()).spawn();
        Self { shell: shell.expect("there is a shell"), before }
    }

    /// How many there were on this machine since it was started.
    fn of_the_machine() -> u64 {
        let stat = std::fs::read_to_string("/proc/stat").expect("procfs is mounted");
        let forks = stat.lines().find_map(|line| line.strip_prefix("processes "));
        forks.expect("a line of it").trim().parse().expect("a number")
    }

    /// Ends the crowd; how many there were meanwhile.
    fn end(mut self) -> u64 {
        let still_forks = self.shell.try_wait().expect("it is our child").is_none();
        assert!(still_forks, "the crowd was gone too early");
        Self::of_the_machine() - self.before
    }
}

impl Drop for Forks {
    fn drop(&mut self) {
        // Where it has ended already there is nothing to kill.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

#[test]
fn processes_that_vanish_while_they_are_looked_at_cost_no_look_its_owners() {
    isolated(|| {
        let mut server = Actor::start("server");
        server.tell("listen l 127.0.0.1:7000 8");
        let forks = Forks::start();
        for _ in 0..ENOUGH {
            let (status, printed, told) = Asked::start(&["list", "-j"]).answer();
            assert_eq!((status, told.as_str()), (0, ""), "{printed}");
            let row = Listed::parse(printed.trim_end());
            assert_eq!((row.pid, row.owner_source.as_str()), (Some(server.pid()), "proven"));
        }
        let forked = forks.end();
        assert!(forked > 100, "{forked} forks are no crowd");
    });
}

#[test]
fn owners_are_told_rightly_among_processes_that_come_and_go() {
    isolated(|| {
        let (mut server, mut client) = (Actor::start("server"), Actor::start("client"));
        server.tell("listen l 127.0.0.1:7000 8");
        let watch = Watch::start(&["-i", "10ms", "--max-cpu", "100", "server|client"]);
        watch.until("the listener", |told| told.to == "LISTEN");
        let forks = Forks::start();
        for _ in 0..ENOUGH {
            let name = client.tell("connect c 127.0.0.1:0 127.0.0.1:7000");
            let (_, port) = name.rsplit_once(':').expect("an address");
            let port: u16 = port.parse().expect("a port");
            let accepted = || Some(server.tell("accept l")).filter(|name| !name.is_empty());
            let accepted = until("the connection", accepted);
            watch.until("the client", |told| told.to == "ESTABLISHED" && told.local_port == port);
            watch.until("the server", |told| told.to == "ESTABLISHED" && told.remote_port == port);
            client.tell("reset c");
            server.tell(&format!("close {accepted}"));
            watch.until("an end", |told| told.event == "closed" && told.local_port == port);
        }
        let forked = forks.end();
        assert!(forked > 100, "{forked} forks are no crowd");
        for line in watch.stop() {
            // That so busy a machine may keep it waiting is told, too.
            let Line::Event(told) = line else { continue };
            let (of_client, pid) = (told.local_port != 7000, told.pid);
            let owner = if of_client { client.pid() } else { server.pid() };
            // What was closed before anybody saw who had accepted it is nobody's for certain.
            let unseen = told.event == "closed" && !of_client && pid.is_none();
            assert!(unseen || pid == Some(owner), "{told:?}");
        }
    });
}

#[test]
fn a_socket_is_found_behind_thousands_of_descriptors() {
    isolated(|| {
        let mut holder = Actor::start("holder");
        match holder.ask(&format!("descriptors {DESCRIPTORS}")) {
            Ok(_) => {}
            Err(error) => return skip(&format!("not so many descriptors: {error}")),
        }
        holder.tell("listen l 127.0.0.1:0 1");
        let fd: i64 = holder.tell("fd l").parse().expect("a number");
        assert!(fd >= i64::try_from(DESCRIPTORS).expect("it is small"), "{fd}");
        for args in [&[][..], &["-x", "holder"]] {
            let rows = list(args);
            assert_eq!(rows.len(), 1, "{rows:?}");
            let owners: Vec<_> = rows[0].owners.iter().map(|owner| (owner.pid, owner.fd)).collect();
            let (pid, fd) = (holder.pid(), fd);
            assert_eq!(format!("{owners:?}"), format!("{:?}", [(pid, fd)]));
        }
    });
}

/// What is watched is the namespace of process 1 of that procfs.
#[test]
fn a_namespace_that_goes_away_ends_the_run_and_no_socket() {
    isolated(|| {
        let procfs = tempfile::tempdir().expect("a folder");
        let start = || unshare(CloneFlags::CLONE_NEWNET).map(|()| Actor::start("inmate"));
        let inmate = std::thread::scope(|scope| scope.spawn(start).join().expect("no panic"));
        let mut inmate = match inmate {
            Ok(inmate) => inmate,
            Err(errno) => return skip(&format!("no second namespace: {errno}")),
        };
        inmate.tell("listen l 127.0.0.1:7000 1");
        symlink(format!("/proc/{}", inmate.pid()), procfs.path().join("1")).expect("it is ours");
        let procfs = procfs.path().to_str().expect("UTF-8");
        let mut watch = Asked::start(&["-j", "-i", "10ms", "--procfs", procfs]);
        let first = watch.line();
        assert!(matches!(Line::parse(first.trim_end()), Line::Event(told) if told.to == "LISTEN"));
        inmate.exit();
        let (status, printed, told) = watch.answer();
        assert_eq!((status, printed.as_str()), (2, ""), "its sockets are not known to be closed");
        assert!(told.starts_with("tcplapse: cannot read "), "{told}");
        assert_eq!(told.matches("cannot read").count(), 1, "{told}");
    });
}
