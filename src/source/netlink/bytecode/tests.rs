use super::*;
use crate::filter::Filter;
use crate::filter::Match;
use crate::model::binding::Binding;
use crate::model::socket::{AddressPair, Endpoint, Family};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use std::net::IpAddr;
use std::ops::RangeInclusive;

/// `inet_diag_bc_audit()` (`valid_cc()`, `valid_hostcond()`, `valid_port_comparison()`): whether the
/// kernel accepts a program.
fn is_valid(code: &[u8]) -> bool {
    let operation = |at: usize| {
        let bytes = code.get(at..at + 4)?;
        Some((
            bytes[0],
            usize::from(bytes[1]),
            usize::from(u16::from_ne_bytes([bytes[2], bytes[3]])),
        ))
    };
    // Whether an operation begins this many bytes before the end.
    let leads_to_operation = |left: usize| {
        let mut at = 0;
        while code.len() - at >= left {
            if code.len() - at == left {
                return true;
            }
            match operation(at) {
                Some((_, yes, _)) if yes >= 4 && yes.is_multiple_of(4) => at += yes,
                _ => return false,
            }
            if at > code.len() {
                return false;
            }
        }
        false
    };
    let (mut at, mut left) = (0, code.len());
    while left > 0 {
        let Some((kind, yes, no)) = operation(at) else { return false };
        let least = match kind {
            7 | 8 => {
                let Some(host) = code.get(at + 4..at + 12) else { return false };
                let addr = match host[0] {
                    IPV4 => 4,
                    IPV6 => 16,
                    _ => return false,
                };
                if left < 12 + addr || usize::from(host[1]) > 8 * addr {
                    return false;
                }
                12 + addr
            }
            2..=5 => 8,
            1 => 4,
            _ => return false,
        };
        if kind != 1 && (yes < least || yes > left + 4 || !yes.is_multiple_of(4)) {
            return false;
        }
        if no < least || no > left + 4 || !no.is_multiple_of(4) {
            return false;
        }
        if no < left && !leads_to_operation(left - no) {
            return false;
        }
        if yes < 4 || yes > left {
            return false;
        }
        (at, left) = (at + yes, left - yes);
    }
    left == 0
}

/// `inet_diag_bc_run()`: whether a program accepts a socket.
fn accepts(code: &[u8], addrs: &AddressPair) -> bool {
    let at_16 = |at: usize| u16::from_ne_bytes([code[at], code[at + 1]]);
    let mut at = 0;
    while at < code.len() {
        let (kind, yes, no) = (code[at], usize::from(code[at + 1]), usize::from(at_16(at + 2)));
        let holds = match kind {
            1 => false,
            2 => addrs.local.port >= at_16(at + 6),
            3 => addrs.local.port <= at_16(at + 6),
            4 => addrs.remote.port >= at_16(at + 6),
            5 => addrs.remote.port <= at_16(at + 6),
            7 => is_in(&code[at + 4..], addrs.local.addr, addrs.family),
            8 => is_in(&code[at + 4..], addrs.remote.addr, addrs.family),
            _ => panic!("code {kind}"),
        };
        at += if holds { yes } else { no };
    }
    at == code.len()
}

fn is_in(host: &[u8], addr: IpAddr, family: Family) -> bool {
    let ([cond_family, prefix], mut bytes) = ([host[0], host[1]], octets(addr, family));
    assert_eq!(&host[4..8], &(-1_i32).to_ne_bytes());
    let own = if family == Family::Ipv4 { IPV4 } else { IPV6 };
    if cond_family != own {
        let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
        if own != IPV6 || bytes[..12] != mapped {
            return false;
        }
        bytes.drain(..12);
    }
    let bits = |bytes: &[u8]| -> Vec<bool> {
        let bits = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1));
        bits.take(prefix.into()).collect()
    };
    bits(&bytes) == bits(&host[8..])
}

/// As the kernel has an address.
fn octets(addr: IpAddr, family: Family) -> Vec<u8> {
    match (addr, family) {
        (IpAddr::V4(v4), Family::Ipv4) => v4.octets().to_vec(),
        (IpAddr::V4(v4), Family::Ipv6) => v4.to_ipv6_mapped().octets().to_vec(),
        (IpAddr::V6(v6), _) => v6.octets().to_vec(),
    }
}

const ENDS: [&str; 16] = [
    "10.0.0.1",
    "10.0.0.0/8",
    "0.0.0.0/0",
    "10.0.0.1:80",
    ":80",
    ":79-81",
    "*:*",
    "[::]:0-65535",
    "[::1]",
    "[::/0]:81",
    "[::ffff:0:0/96]",
    "[::ffff:10.0.0.0/104]:79-80",
    "[::/80]",
    "[2001:db8::/33]",
    "[2001:db8:8000::/33]",
    "192.168.0.0/17",
];

fn filter() -> impl Strategy<Value = Filter> {
    let ends = || vec(select(ENDS.to_vec()).prop_map(|text| text.parse().expect(text)), 0..4);
    let ports = vec((78..83_u16, 0..3_u16).prop_map(|(low, more)| low..=low + more), 0..3);
    (ends(), ends(), ports).prop_map(|(local, remote, ports): (_, _, Vec<RangeInclusive<u16>>)| {
        Filter { local, remote, ports, ..Filter::default() }
    })
}

fn row() -> impl Strategy<Value = AddressPair> {
    let v4 = select(vec!["10.0.0.1", "10.255.0.1", "192.168.127.9", "192.168.128.9", "0.0.0.0"]);
    let v6 = select(vec!["::", "::1", "2001:db8::1", "2001:db8:8000::1", "2001:db9::"]);
    let v4 = || v4.clone().prop_map(|text| text.parse::<IpAddr>().expect(text));
    let v6 = || v6.clone().prop_map(|text| text.parse::<IpAddr>().expect(text));
    let port = || select(vec![0, 77, 78, 79, 80, 81, 82, 83, 65535]);
    let end = |addr: BoxedStrategy<IpAddr>| {
        (addr, port()).prop_map(|(addr, port)| Endpoint { addr, port })
    };
    let pair = |family: Family, addr: BoxedStrategy<IpAddr>| {
        (end(addr.clone()), end(addr))
            .prop_map(move |(local, remote)| AddressPair::new(family, local, remote))
    };
    prop_oneof![
        pair(Family::Ipv4, v4().boxed()),
        pair(Family::Ipv6, v6().boxed()),
        // v4-mapped
        pair(Family::Ipv6, v4().boxed()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_kernel_chooses_what_the_filter_does(filter in filter(), rows in vec(row(), 1..20)) {
        let condition = filter.address_condition();
        let code = program(&condition);
        prop_assert!(is_valid(&code), "{condition:?}: {code:?}");
        let with_peers = AddressCondition::OneOf(vec![condition.clone(), condition.of_peer()]);
        let with_peers = program(&with_peers);
        prop_assert!(is_valid(&with_peers));
        let unknown = Binding::default();
        let follows = |addrs: &AddressPair| filter.may_follow(addrs, &unknown) == Match::Yes;
        for addrs in &rows {
            prop_assert_eq!(accepts(&code, addrs), follows(addrs), "{} {:?}", addrs, condition);
            let (local, remote) = (addrs.remote, addrs.local);
            let peer = AddressPair { local, remote, ..*addrs };
            let either = follows(addrs) || follows(&peer);
            prop_assert_eq!(accepts(&with_peers, addrs), either, "{} {:?}", addrs, condition);
        }
    }

    #[test]
    fn any_condition_is_a_valid_program(condition in any_condition(), rows in vec(row(), 1..20)) {
        let code = program(&condition);
        prop_assert!(is_valid(&code), "{condition:?}: {code:?}");
        for addrs in &rows {
            prop_assert_eq!(accepts(&code, addrs), condition.matches(addrs), "{} {:?}", addrs, condition);
        }
    }
}

fn any_condition() -> impl Strategy<Value = AddressCondition> {
    let net = option::of(select(vec!["10.0.0.0/9", "::/0", "0.0.0.0/0", "2001:db8::/32"]));
    let net = net.prop_map(|net| net.map(|text| text.parse().expect(text)));
    let ports = option::of((78..83_u16, 0..3_u16).prop_map(|(low, more)| low..=low + more));
    let end =
        (net, ports).prop_map(|(net, ports)| EndpointPattern { net, ports, device: None }).boxed();
    let leaf = prop_oneof![
        Just(AddressCondition::Any),
        end.clone().prop_map(AddressCondition::Local),
        end.prop_map(AddressCondition::Remote),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let some = || vec(inner.clone(), 1..4);
        prop_oneof![
            some().prop_map(AddressCondition::All),
            some().prop_map(AddressCondition::OneOf)
        ]
    })
}

#[test]
fn a_program_that_would_be_too_long_accepts_all() {
    let end = |port| {
        AddressCondition::Local(EndpointPattern {
            ports: Some(port..=port),
            ..EndpointPattern::default()
        })
    };
    assert!(!program(&AddressCondition::OneOf((0..100).map(end).collect())).is_empty());
    assert!(program(&AddressCondition::OneOf((0..1000).map(end).collect())).is_empty());
}
