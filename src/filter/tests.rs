use super::addr::parse_ports;
use super::*;
use crate::error::ValueError;
use crate::model::binding::DeviceName;
use proptest::prelude::*;

/// What a socket is bound to, where that is not known.
const UNKNOWN: Binding = Binding { device: Device::Unknown, ipv6_only: None };

fn follows(filter: &Filter, addrs: &AddressPair) -> bool {
    filter.may_follow(addrs, &UNKNOWN) == Match::Yes
}

fn addrs(family: Family, local: &str, remote: &str) -> AddressPair {
    let end = |text: &str| {
        let addr: std::net::SocketAddr = text.parse().unwrap();
        Endpoint { addr: addr.ip().to_canonical(), port: addr.port() }
    };
    AddressPair::new(family, end(local), end(remote))
}

fn remote_matches(filter: &str, family: Family, remote: &str) -> bool {
    let filter = Filter { remote: vec![filter.parse().unwrap()], ..Filter::default() };
    follows(&filter, &addrs(family, "10.0.0.1:1", remote))
}

#[test]
fn addresses_networks_and_ports() {
    use Family::{Ipv4, Ipv6};
    for (filter, family, remote, wanted) in [
        ("10.0.0.0/8", Ipv4, "10.9.8.7:1", true),
        ("10.0.0.0/8", Ipv4, "11.0.0.0:1", false),
        ("10.0.0.0/8", Ipv6, "[::ffff:10.1.1.1]:1", true),
        ("0.0.0.0/0", Ipv4, "8.8.8.8:1", true),
        ("0.0.0.0/0", Ipv6, "[2001:db8::1]:1", false),
        ("192.0.2.7:443", Ipv4, "192.0.2.7:443", true),
        ("192.0.2.7:443", Ipv4, "192.0.2.7:444", false),
        (":443", Ipv6, "[2001:db8::1]:443", true),
        (":8000-8999", Ipv4, "192.0.2.7:8080", true),
        (":8000-8999", Ipv4, "192.0.2.7:9000", false),
        ("[::1]:80", Ipv6, "[::1]:80", true),
        ("[2001:db8::/32]:443", Ipv6, "[2001:db8:1::5]:443", true),
        ("2001:db8::/32", Ipv6, "[2001:db9::5]:443", false),
        ("::/0", Ipv6, "[::ffff:10.1.1.1]:1", true),
        ("::/0", Ipv4, "10.1.1.1:1", false),
        ("::ffff:10.0.0.0/104", Ipv6, "[::ffff:10.1.1.1]:1", true),
        ("*:443", Ipv4, "10.1.1.1:443", true),
    ] {
        assert_eq!(remote_matches(filter, family, remote), wanted, "{filter} {remote}");
    }
}

#[test]
fn wrong_addresses_are_refused() {
    for text in ["", "localhost", "10.0.0.0/x", ":", ":http", ":9-", "[::1", "[::1]80", "1.2.3"] {
        assert_eq!(text.parse::<AddrFilter>(), Err(ValueError::Address(text.to_owned())));
    }
    let cause = |text: &str| text.parse::<AddrFilter>().unwrap_err();
    assert_eq!(cause(":70000"), ValueError::PortTooHigh("70000".to_owned()));
    assert_eq!(cause("10.0.0.1:9-1"), ValueError::ReversedPorts("9-1".to_owned()));
    for (text, longest) in [("10.0.0.0/33", 32), ("[2001:db8::/200]:80", 128)] {
        let found = cause(text);
        assert!(
            matches!(&found, ValueError::PrefixTooLong { longest: bits, .. } if *bits == longest),
            "{found:?}"
        );
    }
}

#[test]
fn a_listener_that_accepts_ipv4_is_one_of_ipv4_too() {
    let any = addrs(Family::Ipv6, "[::]:80", "[::]:0");
    let listener = |ipv6_only| Binding { device: Device::None, ipv6_only };
    let (dual, only, unknown) = (listener(Some(false)), listener(Some(true)), listener(None));
    let local = |text: &str| Filter { local: vec![text.parse().unwrap()], ..Filter::default() };
    let ipv4 = Filter { family: Some(Family::Ipv4), ..Filter::default() };
    for filter in [&ipv4, &local("0.0.0.0/0"), &local("0.0.0.0:80")] {
        assert_eq!(filter.may_follow(&any, &dual), Match::Yes, "{filter:?}");
        assert_eq!(filter.may_follow(&any, &only), Match::No, "{filter:?}");
        assert_eq!(filter.may_follow(&any, &unknown), Match::Unreadable, "{filter:?}");
    }
    let ipv6 = Filter { family: Some(Family::Ipv6), ..Filter::default() };
    for (filter, wanted) in
        [(&ipv6, Match::Yes), (&local("[::]:80"), Match::Yes), (&local("10.0.0.1"), Match::No)]
    {
        for binding in [&dual, &only, &unknown] {
            assert_eq!(filter.may_follow(&any, binding), wanted, "{filter:?}");
        }
    }
    let mapped = addrs(Family::Ipv6, "[::ffff:10.0.0.1]:80", "[::]:0");
    assert_eq!(ipv4.may_follow(&mapped, &unknown), Match::Yes);
    // Of connections the family is that of the socket.
    let accepted = addrs(Family::Ipv6, "[::ffff:10.0.0.1]:80", "[::ffff:10.0.0.2]:4000");
    assert_eq!(ipv4.may_follow(&accepted, &unknown), Match::No);
}

#[test]
fn an_interface_is_part_of_an_address() {
    let pair = addrs(Family::Ipv6, "[fe80::1]:80", "[fe80::2]:9");
    let on = |name: &str| {
        let device = Device::Named(DeviceName::new(name.as_bytes()).unwrap());
        Binding { device, ipv6_only: None }
    };
    for text in [
        "fe80::1%eth0",
        "[fe80::1%eth0]:80",
        "[fe80::1]%eth0:80",
        "fe80::/10%eth0",
        "fe80::%eth0/10",
        "*%eth0:80",
        "%eth0",
    ] {
        let filter = Filter { local: vec![text.parse().expect(text)], ..Filter::default() };
        assert_eq!(filter.may_follow(&pair, &on("eth0")), Match::Yes, "{text}");
        assert_eq!(filter.may_follow(&pair, &on("eth1")), Match::No, "{text}");
        let none = Binding { device: Device::None, ipv6_only: None };
        assert_eq!(filter.may_follow(&pair, &none), Match::No, "{text}");
        assert_eq!(filter.may_follow(&pair, &UNKNOWN), Match::Unreadable, "{text}");
        let other = addrs(Family::Ipv6, "[fe81::1]:81", "[fe80::2]:9");
        assert_eq!(filter.may_follow(&other, &on("eth1")), Match::No, "{text}");
    }
    for text in ["fe80::1%", "fe80::1%a b", "fe80::1%eth0/", "fe80::1%eth0/200", "%", "[fe80::1]x"]
    {
        assert!(text.parse::<AddrFilter>().is_err(), "{text}");
    }
}

#[test]
fn ports_match_either_endpoint_and_families_differ() {
    let filter = Filter { ports: vec![80..=80], family: Some(Family::Ipv4), ..Filter::default() };
    assert!(follows(&filter, &addrs(Family::Ipv4, "10.0.0.1:80", "10.0.0.2:9")));
    assert!(follows(&filter, &addrs(Family::Ipv4, "10.0.0.1:9", "10.0.0.2:80")));
    assert!(!follows(&filter, &addrs(Family::Ipv4, "10.0.0.1:9", "10.0.0.2:9")));
    assert!(!follows(&filter, &addrs(Family::Ipv6, "[::1]:80", "[::1]:9")));
}

#[test]
fn a_change_is_shown_by_the_state_before_or_after() {
    let closing = Candidate {
        addrs: &addrs(Family::Ipv4, "10.0.0.1:1", "10.0.0.2:2"),
        binding: &UNKNOWN,
        netns: (None, None),
        from: Some(State::Established),
        state: State::FinWait1,
    };
    let shows = |set: &str| {
        let filter = Filter { states: Some(set.parse().unwrap()), ..Filter::default() };
        assert!(follows(&filter, closing.addrs), "states do not decide what is followed");
        filter.shows(closing)
    };
    assert!(shows("ESTABLISHED") && shows("FIN_WAIT1") && !shows("LISTEN"));
    assert!(!shows("ESTABLISHED,!FIN_WAIT1"));
    let listening = Filter { listening: true, ..Filter::default() };
    assert!(!listening.shows(closing) && listening.shows_state(State::Listen));
}

fn process(comm: &str, exe: Exe, cmdline: &str) -> Process {
    let (comm, cmdline) = (comm.into(), cmdline.replace(' ', "\0").into_bytes().into());
    Process { pid: 7, start: 1, comm, exe, cmdline, uid: Some(1000), workload: None }
}

fn named(pattern: &str) -> ProcessFilter {
    ProcessFilter { patterns: vec![Regex::new(pattern).unwrap()], ..ProcessFilter::default() }
}

#[test]
fn a_name_is_comm_executable_or_first_argument() {
    let long = Exe::Name(b"a-very-long-program-name".to_vec());
    let p = process("a-very-long-pro", long, "/usr/bin/other-name --serve");
    assert_eq!(named("program-name").matches(&p), Match::Yes);
    assert_eq!(named("^a-very-long-pro$").matches(&p), Match::Yes);
    assert_eq!(named("other").matches(&p), Match::Yes);
    assert_eq!(named("serve").matches(&p), Match::No, "an argument is no name");
    assert_eq!(named("usr").matches(&p), Match::No, "a directory is no name");
    let full = ProcessFilter { full: true, ..named("other-name --serve$") };
    assert_eq!(full.matches(&p), Match::Yes);
}

#[test]
fn an_unreadable_executable_leaves_a_match_undecided() {
    let p = process("worker", Exe::Denied, "worker");
    assert_eq!(named("work").matches(&p), Match::Yes);
    assert_eq!(named("client").matches(&p), Match::Unreadable);
    let pid = ProcessFilter { pids: vec![8], ..named("client") };
    assert_eq!(pid.matches(&p), Match::No);
}

#[test]
fn a_process_that_is_gone_may_have_had_any_name() {
    // The executable is my-health-check-probe.
    let gone = Process { comm: b"my-health-check".to_vec(), ..Process::unreadable(7) };
    assert_eq!(named("^my-health").matches(&gone), Match::Yes);
    assert_eq!(named("probe").matches(&gone), Match::Unreadable);
    let full = ProcessFilter { full: true, ..named("--verbose") };
    assert_eq!(full.matches(&gone), Match::Unreadable);
    let pid = ProcessFilter { pids: vec![8], ..named("probe") };
    assert_eq!(pid.matches(&gone), Match::No);
    let user = ProcessFilter { users: vec![1000], ..ProcessFilter::default() };
    for (uid, matches) in
        [(Some(1000), Match::Yes), (Some(0), Match::No), (None, Match::Unreadable)]
    {
        assert_eq!(user.matches_owner(&gone, uid), matches, "{uid:?}");
    }
    let known = process("worker", Exe::None, "worker");
    assert_eq!(user.matches_owner(&known, Some(0)), Match::Yes, "its own is known");
}

#[test]
fn what_was_read_of_a_process_says_who_it_was() {
    let alive = process("pool-1-thread-1", Exe::Name(b"java".to_vec()), "/usr/bin/java -jar x");
    let gone = |comm: &str| Process { comm: comm.into(), ..Process::unreadable(7) };
    for comm in ["java", "pool-1-thread-1", ""] {
        assert!(gone(comm).was_read_as(&alive), "{comm}");
    }
    assert!(!gone("nginx").was_read_as(&alive), "it may run another program now");
    assert!(!Process { pid: 8, ..gone("java") }.was_read_as(&alive));
    assert!(!Process { start: 2, ..gone("java") }.was_read_as(&alive));
    assert!(!alive.was_read_as(&alive));
}

#[test]
fn the_socket_uid_decides_only_without_other_process_filters() {
    let user = ProcessFilter { users: vec![1000], ..ProcessFilter::default() };
    assert!(user.matches_socket_uid(Some(1000)));
    assert!(!user.matches_socket_uid(Some(0)));
    assert!(!user.matches_socket_uid(None));
    assert!(!ProcessFilter { users: vec![1000], ..named("x") }.matches_socket_uid(Some(1000)));
    assert!(ProcessFilter::default().matches_socket_uid(None));
}

proptest! {
    #[test]
    fn parsers_do_not_panic(text: String) {
        let _ = text.parse::<AddrFilter>();
        let _ = text.parse::<StateSet>();
        let _ = parse_ports(&text);
    }
}
