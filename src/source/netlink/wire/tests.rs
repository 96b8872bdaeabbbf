use super::*;
use proptest::prelude::*;

/// Bytes as Linux 6.18 sent or took them (x86_64), without the comments.
fn body(hex: &str) -> Vec<u8> {
    let plain = hex.lines().flat_map(|line| line.split("//").next().unwrap_or_default().bytes());
    let digits: Vec<u8> = plain.filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// A message around a body.
fn message(kind: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + body.len()).unwrap();
    let mut message = Vec::new();
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend([2, 0]); // NLM_F_MULTI
    message.extend(sequence.to_ne_bytes());
    message.extend([0; 4]);
    message.extend(body);
    message.resize(message.len().next_multiple_of(ALIGN), 0);
    message
}

fn read(datagram: &[u8]) -> Vec<(u32, Message<'_>)> {
    NetlinkMessages::new(datagram).collect()
}

fn row(hex: &str) -> SocketRow {
    Body(&body(hex)).row().expect("a socket")
}

fn end(addr: &str, port: u16) -> Endpoint {
    Endpoint { addr: addr.parse().unwrap(), port }
}

const SHUTDOWN: &str = "0500 0800 00000000";
const MARK: &str = "0800 0f00 00000000";

const LISTEN: &str = "02 0a 00 00              // AF_INET, LISTEN, no timer, no retransmissions
    8dfd 0000                                  // ports 36349 and 0
    7f000001 000000000000000000000000          // 127.0.0.1
    00000000 000000000000000000000000          // nobody
    00000000 bd290100 00000000                 // no device, cookie 0x129bd
    00000000 02000000 07000000                 // no timer, 2 to be accepted, room for 7
    00000000 f0a20500";

#[cfg(target_endian = "little")] // the bytes are those of such a machine
mod golden {
    use super::*;

    #[test]
    fn a_listener_shows_whether_it_accepts_ipv4_too() {
        let ipv6_only = |more: &str| row(&[LISTEN, SHUTDOWN, more].join("\n")).binding.ipv6_only;
        assert_eq!(ipv6_only(""), None);
        assert_eq!(ipv6_only("0500 0b00 00000000"), Some(false));
        assert_eq!(ipv6_only("0500 0b00 01000000"), Some(true));
        assert_eq!(ipv6_only("0400 0b00"), None, "without a value");
    }

    #[test]
    fn a_listener_shows_its_backlog_and_its_limit() {
        let row = row(&[LISTEN, SHUTDOWN].join("\n"));
        assert_eq!(row.addrs.local, end("127.0.0.1", 36349));
        assert_eq!(row.addrs.remote, end("0.0.0.0", 0));
        assert_eq!((row.state, row.mini, row.inode), (State::Listen, false, 0x5a2f0));
        assert_eq!(
            (row.details.rx_queue, row.details.tx_queue, row.details.backlog_limit),
            (2, 0, Some(7))
        );
        assert_eq!((row.cookie, row.ifindex), (0x129bd, 0));
        assert_eq!(row.known_uid(), Some(0));
    }

    #[test]
    fn a_connection_shows_timer_queues_and_device() {
        let row = row(&format!(
            "02 01 01 03               // AF_INET, ESTABLISHED, retransmit, 3 of them
            ac8c 8dfd                  // ports 44172 and 36349
            7f000001 000000000000000000000000
            7f000002 000000000000000000000000
            07000000 be290100 01000000 // device 7, cookie with an upper half
            e8030000 04000000 05000000 // 1 s left, 4 to be read, 5 not acknowledged
            e8030000 159f0500          // user 1000
            {SHUTDOWN}"
        ));
        assert_eq!(row.addrs.local, end("127.0.0.1", 44172));
        assert_eq!(row.addrs.remote, end("127.0.0.2", 36349));
        assert_eq!((row.state, row.mini), (State::Established, false));
        assert_eq!(
            (row.details.timer, row.details.timer_left, row.details.retransmits),
            (Timer::Retransmit, 100, 3)
        );
        assert_eq!(
            (row.details.rx_queue, row.details.tx_queue, row.details.backlog_limit),
            (4, 5, None)
        );
        assert_eq!((row.uid, row.inode), (1000, 0x59f15));
        assert_eq!((row.ifindex, row.cookie), (7, 0x1_0001_29be));
    }

    #[test]
    fn a_time_wait_is_a_mini_socket_with_its_remaining_time() {
        let row = row(&format!(
            "02 06 03 00               // AF_INET, TIME_WAIT, its timer
            a258 1770                  // ports 41560 and 6000
            7f000001 000000000000000000000000
            7f000001 000000000000000000000000
            00000000 c8290100 00000000
            34e90000 00000000 00000000 // 59.7 s left
            00000000 00000000          // no user, no inode
            {MARK}"
        ));
        assert_eq!((row.state, row.mini, row.inode), (State::TimeWait, true, 0));
        assert_eq!((row.details.timer, row.details.timer_left), (Timer::TimeWait, 5970));
        assert_eq!(row.known_uid(), None);
    }

    #[test]
    fn only_a_full_fin_wait2_has_a_shutdown_attribute() {
        let shown = "02 05 03 00 a258 1770 7f000001 000000000000000000000000
            7f000001 000000000000000000000000 00000000 c8290100 00000000
            34e90000 00000000 00000000 00000000 00000000";
        let (mini, full) = (row(&(shown.to_owned() + MARK)), row(&(shown.to_owned() + SHUTDOWN)));
        assert_eq!((mini.state, mini.mini), (State::FinWait2, true));
        assert_eq!((full.state, full.mini), (State::FinWait2, false));
        let request = row(&shown.replace("02 05 03", "02 03 01"));
        assert_eq!((request.state, request.mini), (State::SynRecv, true));
        assert_eq!(request.known_uid(), None, "a request shows uid 0 for any listener");
    }

    #[test]
    fn mapped_addresses_become_those_of_ipv4() {
        let row = row("0a 08 00 00            // AF_INET6, CLOSE_WAIT
            1771 ceb0 00000000000000000000ffff7f000001 fe800000000000000000000000000001
            02000000 cb290100 00000000 00000000 00000000 00000000 00000000 8e9f0500");
        assert_eq!(row.addrs.family, Family::Ipv6);
        assert_eq!(row.addrs.local, end("127.0.0.1", 6001));
        assert_eq!(row.addrs.remote, end("fe80::1", 52912));
        assert_eq!(row.state, State::CloseWait);
    }

    #[test]
    fn a_destroy_event_has_the_addresses_that_are_left() {
        let event = |ports: &str, local: &str, remote: &str| {
            let zeros = "000000000000000000000000";
            let body = body(&format!(
                "02 07 00 00 {ports} {local}{zeros} {remote}{zeros} 00000000 c5290100 00000000
                 00000000 00000000 00000000 00000000 00000000 0500 0a00 06000000"
            ));
            Body(&body).destroyed()
        };
        let (none, here) = ("00000000", "7f000001");
        let addrs = AddressPair::new(Family::Ipv4, end("127.0.0.1", 6000), end("127.0.0.1", 41560));
        assert_eq!(
            event("1770 a258", here, here),
            Some(DestroyedSocket { addrs: Some(addrs), cookie: 0x129c5 })
        );
        assert_eq!(
            event("8efa 0000", none, here),
            Some(DestroyedSocket { addrs: None, cookie: 0x129c5 }),
            "it was refused"
        );
        assert_eq!(event("1770 0000", here, none), None, "a listener, or merely bound");
        assert_eq!(event("0000 0000", none, none), None, "never used");
    }

    #[test]
    fn a_request_for_a_dump() {
        let mut bytes = vec![1, 2, 3];
        write_dump(&mut bytes, 9, Family::Ipv6, Selection::In(StateMask::ALL));
        let expected = body(
            "48000000 1400 0103 09000000 00000000 // 72 bytes, SOCK_DIAG_BY_FAMILY, REQUEST | DUMP
            0a 06 00 00 7e1f0000                  // AF_INET6, TCP, no extension, the states
            0000 0000                             // any port
            00000000000000000000000000000000 00000000000000000000000000000000
            00000000 ffffffff ffffffff            // any device, no cookie",
        );
        assert_eq!(bytes, expected);
    }

    #[test]
    fn a_request_for_both_families() {
        let mut bytes = vec![1];
        write_dump_of_both(&mut bytes, 9, StateMask::ALL, &[]);
        let mut expected = body("4c000000 1200 0103 09000000 00000000 00000000");
        expected.extend([0; 48]);
        expected.extend(body("7e1f0000 00000000"));
        assert_eq!(bytes, expected);
    }

    #[test]
    fn a_request_for_sockets_bound_to_a_device() {
        let mut bytes = Vec::new();
        write_dump(&mut bytes, 9, Family::Ipv4, Selection::BoundToDevice);
        let expected = body(
            "1000 0100            // an attribute of 16 bytes: a program
            09 08 0c00 00000000   // bound to no device: go on; else take it
            01 04 0800            // never: reject",
        );
        assert_eq!(bytes[72..], expected);
        assert_eq!(bytes[0], 88);
    }

    #[test]
    fn a_request_for_one_socket() {
        let addrs = AddressPair::new(Family::Ipv6, end("127.0.0.1", 80), end("2001:db8::7", 40000));
        let lookup = LookupRequest { addrs, inode: 5, cookie: 0x2_0000_0001, ifindex: 3 };
        let mut bytes = Vec::new();
        write_look_up(&mut bytes, 1, &lookup);
        let expected = body(
            "48000000 1400 0100 01000000 00000000 // REQUEST
            0a 06 00 00 7e1f0000
            0050 9c40                             // the ports in network order
            00000000000000000000ffff7f000001      // mapped, as the kernel keeps it
            20010db8000000000000000000000007
            03000000 01000000 02000000            // device 3, cookie, its lower half first",
        );
        assert_eq!(bytes, expected);
        write_look_up(&mut bytes, 1, &LookupRequest { cookie: 0, ..lookup });
        assert_eq!(bytes[64..], [0xff; 8], "INET_DIAG_NOCOOKIE");
    }
}

#[test]
fn a_datagram_is_split_into_messages() {
    let socket = vec![2; SOCKET];
    let mut datagram = message(SOCK_DIAG_BY_FAMILY, 1, &socket);
    datagram.extend(message(NLMSG_NOOP, 2, &[]));
    datagram.extend(message(NLMSG_ERROR, 3, &(-2_i32).to_ne_bytes()));
    datagram.extend(message(NLMSG_DONE, 4, &0_i32.to_ne_bytes()));
    datagram.extend(message(NLMSG_DONE, 5, &(-22_i32).to_ne_bytes()));
    datagram.extend(message(NLMSG_DONE, 6, &[]));
    let expected = [
        (1, Message::Socket(Body(&socket))),
        (2, Message::Other),
        (3, Message::Error(2)),
        (4, Message::Done(0)),
        (5, Message::Done(22)),
        (6, Message::Done(0)),
    ];
    assert_eq!(read(&datagram), expected);
}

#[test]
fn a_truncated_message_is_broken_and_the_last() {
    let whole = message(SOCK_DIAG_BY_FAMILY, 7, &[2; SOCKET]);
    for length in 1..whole.len() {
        assert_eq!(read(&whole[..length]), [(0, Message::Broken)], "{length} bytes");
    }
    let mut endless = whole.clone();
    endless[..4].fill(0);
    assert_eq!(read(&endless), [(0, Message::Broken)]);
    let short = message(SOCK_DIAG_BY_FAMILY, 7, &[2; SOCKET - 1]);
    assert_eq!(read(&short), [(7, Message::Broken)]);
    assert_eq!(read(&[]), []);
}

#[test]
fn attributes_of_any_length_are_skipped() {
    const INET_DIAG_INFO: u16 = 2;
    let plain = Sample::default();
    for length in [0, 1, 104, 232, 300, 4000] {
        let info = attribute(INET_DIAG_INFO, &vec![7; length]);
        let bytes = [plain.body(), info, attribute(INET_DIAG_SHUTDOWN, &[3])].concat();
        let row = Body(&bytes).row().expect("a socket");
        assert!(!row.mini, "tcp_info of {length} bytes");
    }
    // An impossible length, and one that goes beyond the end.
    for length in [0_u16, 3, u16::MAX] {
        let mut bytes = plain.body();
        bytes.extend(length.to_ne_bytes());
        bytes.extend(INET_DIAG_INFO.to_ne_bytes());
        assert!(Body(&bytes).row().expect("a socket").mini);
    }
}

#[test]
fn an_overdue_timer_has_no_time_left() {
    assert_eq!(centiseconds(u32::MAX), 0);
    assert_eq!(centiseconds(59_999), 5999);
}

fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(u16::try_from(ATTRIBUTE + payload.len()).unwrap().to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(ALIGN), 0);
    bytes
}

/// What the kernel writes, field by field.
#[derive(Debug, Clone)]
struct Sample {
    v6: bool,
    codes: [u8; 3],
    ports: [u16; 2],
    addrs: [u128; 2],
    ifindex: u32,
    cookie: u64,
    numbers: [u32; 5],
    full: bool,
}

impl Default for Sample {
    fn default() -> Self {
        let (codes, ports, addrs) = ([1, 0, 0], [1, 2], [3, 4]);
        Self { v6: false, codes, ports, addrs, ifindex: 0, cookie: 1, numbers: [0; 5], full: false }
    }
}

impl Sample {
    fn body(&self) -> Vec<u8> {
        let mut bytes = vec![if self.v6 { AF_INET6 } else { AF_INET }];
        bytes.extend(self.codes);
        bytes.extend(self.ports.iter().flat_map(|port| port.to_be_bytes()));
        bytes.extend(self.addrs.iter().flat_map(|addr| addr.to_be_bytes()));
        bytes.extend(self.ifindex.to_ne_bytes());
        let words = [self.cookie & u64::from(u32::MAX), self.cookie >> 32];
        bytes.extend(words.iter().flat_map(|w| u32::try_from(*w).unwrap().to_ne_bytes()));
        bytes.extend(self.numbers.iter().flat_map(|number| number.to_ne_bytes()));
        if self.full {
            bytes.extend(attribute(INET_DIAG_SHUTDOWN, &[0]));
        }
        bytes
    }

    fn addr(&self, i: usize) -> IpAddr {
        let bits = self.addrs[i];
        if self.v6 {
            return IpAddr::V6(Ipv6Addr::from_bits(bits)).to_canonical();
        }
        IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(bits >> 96).unwrap()))
    }
}

prop_compose! {
    fn samples()(
        v6: bool, state in 1_u8..=12, timer in 0_u8..5, retransmits: u8, ports: [u16; 2],
        addrs: [u128; 2], mapped: bool, ifindex: u32, cookie: u64, numbers: [u32; 5], full: bool,
    ) -> Sample {
        let map = |bits: u128| if mapped { bits >> 96 | 0xffff << 32 } else { bits };
        let codes = [state, timer, retransmits];
        Sample { v6, codes, ports, addrs: addrs.map(map), ifindex, cookie, numbers, full }
    }
}

proptest! {
    #[test]
    fn messages_written_as_by_the_kernel_are_parsed(sample in samples()) {
        let bytes = message(SOCK_DIAG_BY_FAMILY, 1, &sample.body());
        let [(1, Message::Socket(body))] = read(&bytes)[..] else { panic!("one socket") };
        let row = body.row().expect("a socket");
        let end = |i: usize| Endpoint { addr: sample.addr(i), port: sample.ports[i] };
        let addrs = AddressPair::new(row.addrs.family, end(0), end(1)).of_state(row.state);
        prop_assert_eq!(row.addrs, addrs);
        prop_assert_eq!(row.state, State::from_code(sample.codes[0]));
        prop_assert_eq!((row.cookie, row.ifindex), (sample.cookie, sample.ifindex));
        let [_, rx, tx, uid, inode] = sample.numbers;
        prop_assert_eq!((row.details.rx_queue, row.uid, row.inode), (rx, uid, u64::from(inode)));
        prop_assert_eq!(row.details.backlog_limit.unwrap_or(row.details.tx_queue), tx);
        prop_assert_eq!(row.mini, row.state == State::TimeWait || !sample.full);
    }

    #[test]
    fn a_lookup_requests_the_addresses_of_a_row(sample in samples(), cookie in 1_u64..) {
        let shown = Body(&sample.body()).row().expect("a socket");
        let SocketRow { addrs, ifindex, .. } = shown;
        let mut request = Vec::new();
        write_look_up(&mut request, 1, &LookupRequest { addrs, inode: 0, cookie, ifindex });
        // The id of a request is laid out as that of a message, four bytes further on.
        let mut requested = vec![request[HEADER], 1, 0, 0];
        requested.extend(&request[HEADER + 8..]);
        requested.resize(SOCKET, 0);
        let requested = Body(&requested).row().expect("the same layout");
        prop_assert_eq!((requested.addrs, requested.ifindex, requested.cookie), (addrs, ifindex, cookie));
    }

    #[test]
    fn no_bytes_panic(datagram: Vec<u8>) {
        parse_all(&datagram);
    }

    #[test]
    fn no_damaged_message_panics(sample in samples(), at: prop::sample::Index, byte: u8) {
        let mut bytes = message(SOCK_DIAG_BY_FAMILY, 1, &sample.body());
        let at = at.index(bytes.len());
        bytes[at] = byte;
        parse_all(&bytes);
        parse_all(&bytes[..at]);
    }
}

fn parse_all(datagram: &[u8]) {
    for (_, message) in NetlinkMessages::new(datagram) {
        if let Message::Socket(body) = message {
            let _ = (body.row(), body.destroyed());
        }
    }
}
