use super::*;
use proptest::prelude::*;

// Lines of Linux 6.18, x86_64.
const FULL: &str = "   0: 0100007F:2537 0100007F:9C3A 01 00000001:0000000A 01:00000014 00000002  \
                    1000        0 18345 2 ffff8881048e0000 20 4 30 10 -1";
const MINI: &str = "   4: 0100007F:9C3A 0100007F:2537 06 00000000:00000000 03:0000176E 00000000     \
                    0        0 0 3 ffff888103b1b4a8";
const LISTEN6: &str = "   0: 00000000000000000000000000000000:0016 \
                       00000000000000000000000000000000:0000 0A 00000000:00000003 00:00000000 \
                       00000000     0        0 9981 1 ffff888100a90000 100 0 0 10 0";
const MAPPED: &str = "   1: 0000000000000000FFFF00000107637F:0050 \
                      0000000000000000FFFF00000100007F:8001 08 00000000:00000001 00:00000000 \
                      00000000    33        0 777 1 ffff888100a90001 20 0 0 10 -1";

fn row(line: &str, family: Family) -> SocketRow {
    parse(line.as_bytes(), family).expect("a row")
}

#[test]
fn a_full_row_keeps_every_column() {
    let row = row(FULL, Family::Ipv4);
    assert_eq!(row.addrs.local, end("127.0.0.1", 9527));
    assert_eq!(row.addrs.remote, end("127.0.0.1", 39_994));
    assert_eq!((row.state, row.inode, row.uid), (State::Established, 18345, 1000));
    assert_eq!((row.details.tx_queue, row.details.rx_queue), (1, 10));
    assert_eq!(
        (row.details.timer, row.details.timer_left, row.details.retransmits),
        (Timer::Retransmit, 20, 2)
    );
    assert!(!row.mini);
    assert_eq!(row.known_uid(), Some(1000));
}

#[test]
fn a_time_wait_row_is_a_mini_socket_of_unknown_uid() {
    let row = row(MINI, Family::Ipv4);
    assert_eq!((row.state, row.inode, row.mini), (State::TimeWait, 0, true));
    assert_eq!((row.details.timer, row.details.timer_left), (Timer::TimeWait, 5998));
    assert_eq!(row.known_uid(), None);
}

#[test]
fn ipv6_rows_and_v4_mapped_ones() {
    let listen = row(LISTEN6, Family::Ipv6);
    assert_eq!(listen.addrs.local, end("::", 22));
    assert_eq!((listen.state, listen.details.rx_queue), (State::Listen, 3));
    let mapped = row(MAPPED, Family::Ipv6);
    assert_eq!(mapped.addrs.local, end("127.99.7.1", 80));
    assert_eq!(mapped.addrs.family, Family::Ipv6);
}

#[test]
fn unknown_states_timers_and_longer_rows_are_no_error() {
    let odd = FULL.replace(" 01 ", " 1F ").replace("01:00000014", "09:00000014") + " 7 8 9";
    let row = row(&odd, Family::Ipv4);
    assert_eq!((row.state, row.details.timer), (State::Unknown(31), Timer::None));
}

#[test]
fn other_lines_are_not_rows() {
    for line in [
        "",
        "sl local_address",
        "0: zz:1 0:0 01",
        &FULL[..60],
        &FULL.replace("0100007F:2537", "0100007F"),
    ] {
        assert_eq!(parse(line.as_bytes(), Family::Ipv4), None, "{line}");
    }
    assert_eq!(parse(FULL.as_bytes(), Family::Ipv6), None);
    let wide_port = FULL.replace(":2537", ":12537");
    assert_eq!(parse(wide_port.as_bytes(), Family::Ipv4), None);
}

fn end(addr: &str, port: u16) -> Endpoint {
    Endpoint { addr: addr.parse().unwrap(), port }
}

/// Writes a row as the kernel does.
fn print(row: &SocketRow) -> String {
    let word = |bytes: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(bytes));
    let end = |end: &Endpoint| {
        let digits = match (row.addrs.family, end.addr) {
            (Family::Ipv4, IpAddr::V4(v4)) => word(v4.octets()),
            (_, addr) => {
                let v6 = match addr {
                    IpAddr::V4(v4) => v4.to_ipv6_mapped(),
                    IpAddr::V6(v6) => v6,
                };
                let words = v6.octets();
                words.chunks(4).map(|w| word(w.try_into().unwrap())).collect()
            }
        };
        format!("{digits}:{:04X}", end.port)
    };
    let timer = match row.details.timer {
        Timer::None => 0,
        Timer::Retransmit => 1,
        Timer::Keepalive => 2,
        Timer::TimeWait => 3,
        Timer::Probe => 4,
    };
    let tail = if row.mini { "" } else { " 20 4 30 10 -1" };
    format!(
        "{:4}: {} {} {:02X} {:08X}:{:08X} {timer:02X}:{:08X} {:08X} {:5} {:8} {} 1 00000000{tail}",
        7,
        end(&row.addrs.local),
        end(&row.addrs.remote),
        row.state.code(),
        row.details.tx_queue,
        row.details.rx_queue,
        row.details.timer_left,
        row.details.retransmits,
        row.uid,
        0,
        row.inode,
    )
}

prop_compose! {
    fn endpoints()(v6: bool, a: u128, b: u128, local: u16, remote: u16) -> AddressPair {
        let family = if v6 { Family::Ipv6 } else { Family::Ipv4 };
        let addr = |bits: u128| match family {
            Family::Ipv4 => IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(bits >> 96).unwrap())),
            Family::Ipv6 => IpAddr::V6(Ipv6Addr::from_bits(bits)).to_canonical(),
        };
        let end = |bits, port| Endpoint { addr: addr(bits), port };
        AddressPair::new(family, end(a, local), end(b, remote))
    }
}

prop_compose! {
    fn rows()(
        addrs in endpoints(), code in 1_u8..=11, inode: u64, uid: u32, mini: bool,
        queues in (0..1_u32 << 31, 0..1_u32 << 31), timer in 0_u64..5, timer_left in 0..1_u64 << 31,
        retransmits: u32,
    ) -> SocketRow {
        let state = State::from_code(code);
        let mini = mini && matches!(state, State::SynRecv | State::FinWait2 | State::TimeWait);
        let inode = if mini { 0 } else { inode };
        SocketRow {
            addrs: addrs.of_state(state),
            state, inode, uid, mini,
            details: Details {
                tx_queue: queues.0,
                rx_queue: queues.1,
                timer: Timer::from_code(timer),
                timer_left,
                retransmits,
                ..Details::NONE
            },
            cookie: 0,
            ifindex: 0,
            binding: crate::model::binding::Binding::default(),
        }
    }
}

proptest! {
    #[test]
    fn rows_printed_as_by_the_kernel_are_parsed(row in rows()) {
        prop_assert_eq!(parse(print(&row).as_bytes(), row.addrs.family), Some(row));
    }

    #[test]
    fn no_bytes_panic(line: Vec<u8>, v6: bool) {
        let _ = parse(&line, if v6 { Family::Ipv6 } else { Family::Ipv4 });
    }

    #[test]
    fn no_damaged_row_panics(row in rows(), at: prop::sample::Index, byte: u8) {
        let mut line = print(&row).into_bytes();
        let at = at.index(line.len());
        line[at] = byte;
        let _ = parse(&line, row.addrs.family);
        let _ = parse(&line[..at], row.addrs.family);
    }
}
