use super::*;

/// A record as the program writes it on a little-endian machine.
fn record(kind: u8, family: u8) -> [u8; SIZE] {
    let mut record = [0; SIZE];
    for (at, value) in [(0, 10_u64), (8, 0xffff_8000_0000_1000), (16, 7), (24, 4026)] {
        record[at..at + 8].copy_from_slice(&value.to_ne_bytes());
    }
    for (at, value) in [(32, 4_026_531_840_u32), (36, 1000), (40, 12), (44, 3), (48, 111), (52, 9)]
    {
        record[at..at + 4].copy_from_slice(&value.to_ne_bytes());
    }
    record[56..58].copy_from_slice(&8080_u16.to_ne_bytes());
    record[58..60].copy_from_slice(&8081_u16.to_be_bytes());
    record[60..62].copy_from_slice(&443_u16.to_be_bytes());
    record[62..67].copy_from_slice(&[kind, family, 1, 4, 7]);
    record[72..76].copy_from_slice(&[127, 0, 0, 1]);
    record[88..92].copy_from_slice(&[127, 0, 0, 2]);
    record[104..109].copy_from_slice(b"nginx");
    record
}

#[test]
fn a_record_is_read_as_it_is_written() {
    let event = RawEvent::parse(&record(0, AF_INET)).unwrap();
    assert_eq!(
        event,
        RawEvent {
            time: 10,
            socket: 0xffff_8000_0000_1000,
            cookie: 7,
            inode: 4026,
            netns: 4_026_531_840,
            uid: 1000,
            pid: 12,
            ifindex: 3,
            error: 111,
            segments: 9,
            port: 8080,
            last_port: 8081,
            remote_port: 443,
            family: Family::Ipv4,
            local: [127, 0, 0, 1].into(),
            remote: [127, 0, 0, 2].into(),
            what: What::Step { from: State::Established, to: State::FinWait1 },
            comm: SmallVec::from_slice(b"nginx"),
            is_kernel_thread: true,
            is_descendant: true,
            is_in_call: true,
        }
    );
}

#[test]
fn mapped_addresses_of_an_ipv6_socket_are_ipv4() {
    let mut record = record(0, AF_INET6);
    record[72..88].copy_from_slice(&Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped().octets());
    record[88..104].copy_from_slice(&Ipv6Addr::LOCALHOST.octets());
    let event = RawEvent::parse(&record).unwrap();
    assert_eq!(event.family, Family::Ipv6);
    assert_eq!(event.local, IpAddr::from([10, 0, 0, 1]));
    assert_eq!(event.remote, IpAddr::V6(Ipv6Addr::LOCALHOST));
}

#[test]
fn resets_are_told_from_state_changes() {
    let what = |kind| RawEvent::parse(&record(kind, AF_INET)).map(|event| event.what);
    assert_eq!(what(1), Some(What::ResetSent(State::Established)));
    assert_eq!(what(2), Some(What::ResetReceived));
    assert_eq!(what(3), None);
    assert_eq!(RawEvent::parse(&record(0, 1)), None, "of another family");
}
