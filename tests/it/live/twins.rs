//! Two connections with the same ends, on two links: link-local addresses belong to a link.

use crate::old_support::netns::{isolated, skip};
use crate::old_support::program::Watch;
use crate::old_support::record::Line;
use crate::old_support::sockets::reset;
use crate::old_support::wait::until;
use rustix::fs::fstat;
use rustix::net::netdevice::name_to_index;
use socket2::{Domain, Socket, Type};
use std::net::{Ipv6Addr, SocketAddrV6};
use std::process::Command;
use tcplapse::model::reading::{LookupRequest, LookupResult};
use tcplapse::model::socket::Family;
use tcplapse::source::netlink::client::SockDiag;
use tcplapse::source::netlink::wire::{States, Which};

const HERE: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
const PORTS: (u16, u16) = (9000, 9001);

/// Two links with the same link-local address on both.
fn twin_links() -> bool {
    let commands = [
        "link add twin0 type veth peer name twin1",
        "addr add fe80::1/64 dev twin0 nodad",
        "addr add fe80::1/64 dev twin1 nodad",
        "link set twin0 up",
        "link set twin1 up",
    ];
    commands.iter().all(|command| {
        let ip = Command::new("ip").args(command.split(' ')).status();
        ip.is_ok_and(|status| status.success())
    })
}

/// The ends of a connection on one link, and their listener.
struct Twin {
    link: u32,
    client: Socket,
    accepted: Socket,
    _listener: Socket,
}

impl Twin {
    fn new(link: &str) -> Self {
        let probe = socket();
        let link = name_to_index(&probe, link).expect("the link was made a moment ago");
        let end = |port| SocketAddrV6::new(HERE, port, 0, link).into();
        let (listener, client) = (socket(), socket());
        listener.bind(&end(PORTS.0)).expect("the address is on the link");
        listener.listen(8).expect("it is bound");
        client.bind(&end(PORTS.1)).expect("the address is on the link");
        client.connect(&end(PORTS.0)).expect("the listener is there");
        let accepted = listener.accept().expect("it is connected").0;
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
fn a_look_up_tells_twins_apart_by_their_links() {
    isolated(|| {
        if !twin_links() {
            return skip("two links cannot be made here");
        }
        let (first, second) = (Twin::new("twin0"), Twin::new("twin1"));
        let mut client = SockDiag::open().expect("sock_diag answers anybody");
        let mut rows = Vec::new();
        client.dump(Family::Ipv6, Which::In(States::ALL), &mut rows).expect("a dump");
        let question = |twin: &Twin| {
            let [inode, _] = twin.inodes();
            let row = rows.iter().find(|row| row.inode == inode).expect("it is there");
            assert_eq!(row.ifindex, twin.link);
            LookupRequest { addrs: row.addrs, inode, cookie: row.cookie, ifindex: row.ifindex }
        };
        let questions = [question(&first), question(&second)];
        assert_eq!(questions[0].addrs, questions[1].addrs);
        let as_proc_asks = LookupRequest { cookie: 0, ifindex: 0, ..questions[0] };
        assert_eq!(client.look_up(&as_proc_asks), None, "it may be on any link");
        reset(first.client);
        assert_eq!(client.look_up(&questions[0]), Some(LookupResult::Gone));
        let Some(LookupResult::There(row)) = client.look_up(&questions[1]) else {
            panic!("it lives")
        };
        assert_eq!((row.inode, row.ifindex), (second.inodes()[0], second.link));
    });
}

#[test]
fn the_end_of_one_twin_is_not_that_of_the_other() {
    isolated(|| {
        if !twin_links() {
            return skip("two links cannot be made here");
        }
        let (first, second) = (Twin::new("twin0"), Twin::new("twin1"));
        let watch = Watch::start(&["--source", "netlink", "-i", "20ms", "--port", "9001"]);
        let mut seen = 0;
        let ids = |twin: &Twin| {
            twin.inodes().map(|inode| {
                watch
                    .until("an end", |told| told.event == "present" && told.inode == Some(inode))
                    .id
            })
        };
        for twin in [first, second] {
            let mut gone = ids(&twin);
            reset(twin.client);
            drop(twin.accepted);
            // Of all that are told closed, these are the next two, in whatever order.
            let mut told = closed(&watch, &mut seen);
            told.sort_unstable();
            gone.sort_unstable();
            assert_eq!(told, gone);
        }
        watch.stop();
    });
}

/// Waits for the next two ends.
fn closed(watch: &Watch, seen: &mut usize) -> Vec<String> {
    until("two ends", || {
        let said = watch.said();
        let ids = said.iter().filter_map(|line| match line {
            Line::Event(event) if event.event == "closed" => Some(event.id.clone()),
            _ => None,
        });
        let new: Vec<String> = ids.skip(*seen).collect();
        let enough = new.len() >= 2;
        *seen += if enough { new.len() } else { 0 };
        enough.then_some(new)
    })
}
