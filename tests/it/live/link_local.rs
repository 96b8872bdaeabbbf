//! Two connections with the same 4-tuple on two links: link-local addresses belong to a link.

use crate::support::netns::isolated;
use crate::support::program::{Program, list, run};
use crate::support::require::{Feature, skip};
use crate::support::sockets::reset_pair;
use crate::support::wait::until;
use rustix::fs::fstat;
use rustix::net::netdevice::name_to_index;
use socket2::{Domain, Socket, Type};
use std::net::{Ipv6Addr, SocketAddrV6};
use std::process::Command;
use tcplapse::testing::model::reading::{LookupRequest, LookupResult};
use tcplapse::testing::model::socket::Family;
use tcplapse::testing::source::netlink::client::SockDiag;
use tcplapse::testing::source::netlink::wire::{Selection, StateMask};

const ADDR: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
const SERVER_PORT: u16 = 9000;
const CLIENT_PORT: u16 = 9001;

/// Makes two links with the same link-local address; false where that cannot be done.
fn make_links() -> bool {
    let commands = [
        "link add twin0 type veth peer name twin1",
        "addr add fe80::1/64 dev twin0 nodad",
        "addr add fe80::1/64 dev twin1 nodad",
        "link set twin0 up",
        "link set twin1 up",
    ];
    let made = commands.iter().all(|command| {
        let ip = Command::new("ip").args(command.split(' ')).status();
        ip.is_ok_and(|status| status.success())
    });
    if !made {
        skip(Feature::Ip, "two links cannot be made here");
    }
    made
}

/// A connection on one link, and its listener.
struct Connection {
    link: u32,
    client: Socket,
    accepted: Socket,
    _listener: Socket,
}

impl Connection {
    fn open(link: &str) -> Self {
        let link = name_to_index(socket(), link).expect("the link was just made");
        let addr = |port| SocketAddrV6::new(ADDR, port, 0, link).into();
        let (listener, client) = (socket(), socket());
        listener.bind(&addr(SERVER_PORT)).expect("the address is on the link");
        listener.listen(8).expect("it is bound");
        listener.set_nonblocking(true).expect("it is open");
        client.bind(&addr(CLIENT_PORT)).expect("the address is on the link");
        client.connect(&addr(SERVER_PORT)).expect("the listener is there");
        let accepted = until("a connection to accept", || listener.accept().ok()).0;
        Self { link, client, accepted, _listener: listener }
    }

    /// The inodes of both ends.
    fn inodes(&self) -> [u64; 2] {
        [&self.client, &self.accepted].map(|socket| fstat(socket).expect("it is open").st_ino)
    }
}

fn socket() -> Socket {
    let socket = Socket::new(Domain::IPV6, Type::STREAM, None).expect("a kernel with IPv6");
    socket.set_reuse_address(true).expect("it is not bound");
    socket
}

#[test]
fn a_lookup_finds_the_socket_on_its_link() {
    isolated(|| {
        if !make_links() {
            return;
        }
        let (first, second) = (Connection::open("twin0"), Connection::open("twin1"));
        let mut client = SockDiag::open().expect("sock_diag answers anybody");
        let mut rows = Vec::new();
        client.dump(Family::Ipv6, Selection::In(StateMask::ALL), &mut rows).expect("a dump");
        let question = |connection: &Connection| {
            let [inode, _] = connection.inodes();
            let row = rows.iter().find(|row| row.inode == inode).expect("it is there");
            assert_eq!(row.ifindex, connection.link);
            LookupRequest { addrs: row.addrs, inode, cookie: row.cookie, ifindex: row.ifindex }
        };
        let questions = [question(&first), question(&second)];
        assert_eq!(questions[0].addrs, questions[1].addrs);
        let as_proc_asks = LookupRequest { cookie: 0, ifindex: 0, ..questions[0] };
        assert_eq!(client.look_up(&as_proc_asks), None, "it may be on any link");
        reset_pair(first.client, first.accepted);
        assert_eq!(client.look_up(&questions[0]), Some(LookupResult::Gone));
        let Some(LookupResult::There(row)) = client.look_up(&questions[1]) else {
            panic!("it is open")
        };
        assert_eq!((row.inode, row.ifindex), (second.inodes()[0], second.link));
    });
}

#[test]
fn a_close_on_one_link_is_not_taken_for_the_other() {
    isolated(|| {
        if !make_links() {
            return;
        }
        let connections = ["twin0", "twin1"].map(Connection::open);
        let port = CLIENT_PORT.to_string();
        let mut watch =
            Program::watch(&["--source", "netlink", "-i", "20ms", "--port", port.as_str()]);
        let present = || watch.until("a socket", |event| event.event == "present");
        let present: Vec<_> = std::iter::repeat_with(present).take(4).collect();
        for connection in connections {
            let inodes = connection.inodes().map(Some);
            let of_this = present.iter().filter(|event| inodes.contains(&event.inode));
            let mut expected: Vec<&str> = of_this.map(|event| event.id.as_str()).collect();
            assert_eq!(expected.len(), 2, "{present:?}");
            reset_pair(connection.client, connection.accepted);
            // Of all events, these are the next two, in any order.
            let mut closed = [watch.event(), watch.event()];
            closed.sort_by(|one, other| one.id.cmp(&other.id));
            expected.sort_unstable();
            assert!(closed.iter().all(|event| event.event == "closed"), "{closed:?}");
            assert!(closed.iter().map(|event| &event.id).eq(expected), "{closed:?}");
        }
        watch.stop();
    });
}

#[cfg(feature = "bpf")]
#[test]
fn ends_on_two_links_are_not_those_of_one_connection() {
    isolated(|| {
        if !super::trace::is_permitted() || !make_links() {
            return;
        }
        let [first, second] = ["twin0", "twin1"].map(Connection::open);
        let port = CLIENT_PORT.to_string();
        let mut watch =
            Program::watch(&["--source", "trace", "-i", "200ms", "--port", port.as_str()]);
        // On one link the client closes first, on the other the server.
        drop((first.client, second.accepted));
        for _ in 0..2 {
            watch.until("FIN_WAIT2", |event| event.to == "FIN_WAIT2");
        }
        drop((first.accepted, second.client));
        for _ in 0..2 {
            let event = watch.until("TIME_WAIT", |event| event.to == "TIME_WAIT");
            assert_eq!(event.closer.as_deref(), Some("local"), "{event:?}");
        }
        watch.stop();
    });
}

#[test]
fn the_interface_is_shown_and_filtered_by() {
    isolated(|| {
        if !make_links() {
            return;
        }
        let _connections = ["twin0", "twin1"].map(Connection::open);
        let by_netlink = |args: &[&str]| list(&[&["--source", "netlink"], args].concat());
        let scopes = |args: &[&str]| -> Vec<Option<String>> {
            by_netlink(args).into_iter().map(|row| row.scope).collect()
        };
        for link in ["twin0", "twin1"] {
            let filter = format!("fe80::1%{link}");
            let expected = Some(link.to_owned());
            assert_eq!(scopes(&["--local", &filter]), vec![expected.clone(); 3], "{link}");
            assert_eq!(scopes(&["--remote", &filter]), vec![expected; 2], "{link}");
            let args = ["list", "-H", "--source", "netlink", "--local"];
            let text = run(&[&args[..], &[&format!("[{filter}]:{CLIENT_PORT}")]].concat()).stdout;
            let ends = format!("[fe80::1%{link}]:{CLIENT_PORT}  [fe80::1%{link}]:{SERVER_PORT}  ");
            assert_eq!(text.lines().count(), 1, "{text}");
            assert!(text.contains(&ends), "{text}");
        }
        // The tables of procfs do not show it: none found is no answer.
        let question = ["--remote", "fe80::1%twin0", "--max", "ESTABLISHED:9", "-i", "5ms"];
        let check = run(&[&["check", "--for", "0"], &question[..]].concat());
        assert_eq!(check.code, Some(0), "{check:?}");
        let question = ["--remote", "fe80::1%twin0", "--max", "ESTABLISHED:0", "-i", "5ms"];
        let check = run(&[&["check", "--for", "0"], &question[..]].concat());
        assert_eq!(check.code, Some(2), "{check:?}");
    });
}

#[test]
fn a_recording_has_the_interface() {
    isolated(|| {
        if !make_links() {
            return;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let recording = folder.path().join("recording");
        let recording = recording.to_str().expect("UTF-8");
        let _connection = Connection::open("twin1");
        let args = ["--source", "netlink", "-i", "5ms", "--record", recording, "-m", "3"];
        assert_eq!(run(&args).code, Some(0));
        let shown = run(&["list", "-H", "--from", recording, "--local", "fe80::1%twin1"]).stdout;
        assert_eq!(shown.matches("[fe80::1%twin1]:9000").count(), 3, "{shown}");
        assert_eq!(run(&["list", "--from", recording, "--local", "fe80::1%twin0"]).code, Some(1));
    });
}
