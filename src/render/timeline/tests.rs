use super::*;
use crate::model::event::Verdict;
use crate::model::reading::{Lost, LostReason};
use crate::render::cell::TimeFormat;
use crate::tcp::state::State::{
    CloseWait, Closed, Established, FinWait1, FinWait2, LastAck, Listen, SynRecv, SynSent, TimeWait,
};
use crate::view::life::tests::{ScriptedSocket, client, server, stamp};
use crate::view::pairing::paired;
use crate::view::samples;
use insta::assert_snapshot;
use jiff::tz::TimeZone;

fn shown(lives: Vec<LifeRecord>, width: Option<usize>, colours: bool) -> String {
    let clock = TimeFormatter { format: TimeFormat::Clock, zone: TimeZone::UTC, start: None };
    let mut timeline = TimelineText { clock, palette: Palette { on: colours }, width };
    let records: Vec<_> = lives.into_iter().map(|life| Record::Life(Box::new(life))).collect();
    let text = String::from_utf8(timeline.rows(&records, &Names::default())).unwrap();
    let plain = anstream::adapter::strip_str(&text).to_string();
    let fits = |line: &str| width.is_none_or(|width| line.width() <= width);
    assert!(plain.lines().all(fits), "{plain}");
    text
}

fn closed(socket: ScriptedSocket, second: f64, verdict: Verdict, maybe: &[State]) -> LifeRecord {
    socket.ends_with(verdict).at(second, &[], maybe, Closed).life(0.0)
}

fn one() -> Vec<LifeRecord> {
    vec![closed(client(), 70.2, Verdict::LocalClose, &[])]
}

fn both() -> Vec<LifeRecord> {
    let server = closed(server().remembered(), 8.2, Verdict::Unknown, &[LastAck]);
    paired(vec![closed(client(), 70.2, Verdict::LocalClose, &[]), server])
}

/// A server that does not close, with its client in FIN_WAIT2.
fn leaking() -> ScriptedSocket {
    ScriptedSocket::new(1, (700, "web server"), "10.0.0.1:443", "192.0.2.7:50000")
        .roles(Some(Side::Remote), Some(Side::Remote))
        .at(0.0, &[], &[], Established)
        .at(60.0, &[], &[], CloseWait)
}

#[test]
fn a_life_in_a_pipe_is_plain_lines() {
    assert_snapshot!(shown(one(), None, false), @"
    812/client~  127.0.0.1:40122 -> 127.0.0.1:9527
      opened and closed first by this side, lived 69.2s
      12:00:01.000  SYN_SENT      0.1s  #                                 connect(): sent SYN
           perhaps  (SYN_RECV?)                                           received SYN, sent SYN+ACK (simultaneous open)
      12:00:01.100  ESTABLISHED   4.0s  ##                                handshake complete
            unseen  [FIN_WAIT1]                                           close() or shutdown(): sent FIN
      12:00:05.100  FIN_WAIT2     3.0s  ##                                received ACK of our FIN
      12:00:08.100  TIME_WAIT    62.1s  ################################  received FIN, sent ACK
      12:01:10.200  CLOSED                                                60 s timer expired (or RST, or 4-tuple reused)
      the peer kept it open for 3.0s after this side had closed
    ");
}

#[test]
fn a_life_on_80_columns() {
    assert_snapshot!(shown(one(), Some(80), false), @"
    812/client~  127.0.0.1:40122 -> 127.0.0.1:9527
      opened and closed first by this side, lived 69.2s
      12:00:01.000  SYN_SENT      0.1s  ▏       connect(): sent SYN
           perhaps  (SYN_RECV?)                 received SYN, sent SYN+ACK
                                                (simultaneous open)
      12:00:01.100  ESTABLISHED   4.0s  ▍       handshake complete
            unseen  [FIN_WAIT1]                 close() or shutdown(): sent FIN
      12:00:05.100  FIN_WAIT2     3.0s  ▎       received ACK of our FIN
      12:00:08.100  TIME_WAIT    62.1s  ██████  received FIN, sent ACK
      12:01:10.200  CLOSED                      60 s timer expired (or RST, or
                                                4-tuple reused)
      the peer kept it open for 3.0s after this side had closed
    ");
}

#[test]
fn a_life_on_120_columns() {
    assert_snapshot!(shown(one(), Some(120), false), @"
    812/client~  127.0.0.1:40122 -> 127.0.0.1:9527
      opened and closed first by this side, lived 69.2s
      12:00:01.000  SYN_SENT      0.1s  ▏                                 connect(): sent SYN
           perhaps  (SYN_RECV?)                                           received SYN, sent SYN+ACK (simultaneous open)
      12:00:01.100  ESTABLISHED   4.0s  ██                                handshake complete
            unseen  [FIN_WAIT1]                                           close() or shutdown(): sent FIN
      12:00:05.100  FIN_WAIT2     3.0s  █▌                                received ACK of our FIN
      12:00:08.100  TIME_WAIT    62.1s  ████████████████████████████████  received FIN, sent ACK
      12:01:10.200  CLOSED                                                60 s timer expired (or RST, or 4-tuple reused)
      the peer kept it open for 3.0s after this side had closed
    ");
}

#[test]
fn a_process_is_not_said_to_have_done_what_another_one_may_have_done() {
    let text = |client: ScriptedSocket| {
        let client = closed(client, 70.2, Verdict::LocalClose, &[]);
        let server = closed(server().remembered(), 8.2, Verdict::Unknown, &[]);
        shown(paired(vec![client, server]), None, false)
    };
    assert!(text(client()).contains("opened and closed first by 812/client,"));
    for passed in [client().owned_by(813, "other"), client().called_by(813)] {
        let text = text(passed.at(8.3, &[], &[], TimeWait));
        assert!(text.contains("opened and closed first by 127.0.0.1:40122,"), "{text}");
    }
}

#[test]
fn both_ends_in_a_pipe_are_one_block() {
    assert_snapshot!(shown(both(), None, false), @"
    812/client~  127.0.0.1:40122 -> 127.0.0.1:9527  700/server~
      opened and closed first by 812/client, lived 69.2s
      12:00:01.000  SYN_SENT          0.1s  #                                 connect(): sent SYN
           perhaps  (SYN_RECV?)                                               received SYN, sent SYN+ACK (simultaneous open)
      12:00:01.100  ESTABLISHED       4.0s  ##                                handshake complete
           perhaps  |   (SYN_RECV?)                                           received SYN, sent SYN+ACK
      12:00:01.100  |   ESTABLISHED   4.0s  ##                                handshake complete
            unseen  [FIN_WAIT1]                                               close() or shutdown(): sent FIN
      12:00:05.100  FIN_WAIT2         3.0s  ##                                received ACK of our FIN
      12:00:05.100  |   CLOSE_WAIT    3.1s  ##                                received FIN, sent ACK
      12:00:08.100  TIME_WAIT        62.1s  ################################  received FIN, sent ACK
           perhaps  |   (LAST_ACK?)                                           close() or shutdown(): sent FIN
      12:00:08.200  |   CLOSED
      12:01:10.200  CLOSED                                                    60 s timer expired (or RST, or 4-tuple reused)
      700/server kept it open for 3.1s after 812/client had closed
    ");
}

#[test]
fn both_ends_on_80_columns() {
    assert_snapshot!(shown(both(), Some(80), false), @"
    812/client~  127.0.0.1:40122 -> 127.0.0.1:9527  700/server~
      opened and closed first by 812/client, lived 69.2s
      12:00:01.000  SYN_SENT          0.1s  ▏       connect(): sent SYN
           perhaps  (SYN_RECV?)                     received SYN, sent SYN+ACK
                                                    (simultaneous open)
      12:00:01.100  ESTABLISHED       4.0s  ▍       handshake complete
           perhaps  │   (SYN_RECV?)                 received SYN, sent SYN+ACK
      12:00:01.100  │   ESTABLISHED   4.0s  ▍       handshake complete
            unseen  [FIN_WAIT1]                     close() or shutdown(): sent FIN
      12:00:05.100  FIN_WAIT2         3.0s  ▎       received ACK of our FIN
      12:00:05.100  │   CLOSE_WAIT    3.1s  ▎       received FIN, sent ACK
      12:00:08.100  TIME_WAIT        62.1s  ██████  received FIN, sent ACK
           perhaps  │   (LAST_ACK?)                 close() or shutdown(): sent FIN
      12:00:08.200  │   CLOSED
      12:01:10.200  CLOSED                          60 s timer expired (or RST, or
                                                    4-tuple reused)
      700/server kept it open for 3.1s after 812/client had closed
    ");
}

#[test]
fn both_ends_on_120_columns() {
    assert_snapshot!(shown(both(), Some(120), false), @"
    812/client~  127.0.0.1:40122 -> 127.0.0.1:9527  700/server~
      opened and closed first by 812/client, lived 69.2s
      12:00:01.000  SYN_SENT          0.1s  ▏                                 connect(): sent SYN
           perhaps  (SYN_RECV?)                                               received SYN, sent SYN+ACK (simultaneous open)
      12:00:01.100  ESTABLISHED       4.0s  ██                                handshake complete
           perhaps  │   (SYN_RECV?)                                           received SYN, sent SYN+ACK
      12:00:01.100  │   ESTABLISHED   4.0s  ██                                handshake complete
            unseen  [FIN_WAIT1]                                               close() or shutdown(): sent FIN
      12:00:05.100  FIN_WAIT2         3.0s  █▌                                received ACK of our FIN
      12:00:05.100  │   CLOSE_WAIT    3.1s  █▋                                received FIN, sent ACK
      12:00:08.100  TIME_WAIT        62.1s  ████████████████████████████████  received FIN, sent ACK
           perhaps  │   (LAST_ACK?)                                           close() or shutdown(): sent FIN
      12:00:08.200  │   CLOSED
      12:01:10.200  CLOSED                                                    60 s timer expired (or RST, or 4-tuple reused)
      700/server kept it open for 3.1s after 812/client had closed
    ");
}

#[test]
fn the_process_that_does_not_close_is_named() {
    assert_snapshot!(shown(vec![leaking().life(2460.0)], Some(80), false), @r"
    700/web\x20server  10.0.0.1:443 <- 192.0.2.7:50000
      opened and closed first by the peer, open for at least 41m00s
      12:00:00.000  ESTABLISHED  >=60.0s  ▍                  there at the first poll
      12:01:00.000  CLOSE_WAIT   40m00s+  █████████████████  received FIN, sent ACK
      700/web\x20server has held this socket in CLOSE_WAIT for 40m00s: the peer has
      closed, but a descriptor is still open here
    ");
}

#[test]
fn an_unproven_end_is_called_likely() {
    let refused = ScriptedSocket::new(1, (7, "client"), "10.0.0.1:5000", "10.0.0.2:81")
        .roles(Some(Side::Local), None)
        .at(1.0, &[], &[], SynSent);
    let maybe = [SynRecv, Established];
    let life = closed(refused, 1.1, Verdict::Unknown, &maybe);
    assert_snapshot!(shown(vec![life], None, false), @"
    7/client  10.0.0.1:5000 -> 10.0.0.2:81
      opened by this side, likely refused, timed out or abandoned, lived 0.1s
      12:00:01.000  SYN_SENT        0.1s  ################################  connect(): sent SYN
           perhaps  (SYN_RECV?)                                             received SYN, sent SYN+ACK (simultaneous open)
           perhaps  (ESTABLISHED?)
      12:00:01.100  CLOSED
    ");
}

#[test]
fn a_proven_end_has_its_cause() {
    let cause = |state, verdict, reset_by| {
        let socket = ScriptedSocket::new(1, (7, "client"), "10.0.0.1:5000", "10.0.0.2:81");
        let mut life = closed(socket.at(1.0, &[], &[], state), 1.1, verdict, &[]);
        life.reset_by = reset_by;
        let text = shown(vec![life], None, false);
        let (_, cause) = text.split_once("  CLOSED").expect("its end");
        cause.trim().to_owned()
    };
    assert_eq!(cause(SynSent, Verdict::Refused, Some(Side::Remote)), "received RST");
    assert_eq!(cause(SynSent, Verdict::NoAnswer, None), "close()");
    assert_eq!(cause(SynSent, Verdict::TimedOut, None), "no answer");
    assert_eq!(cause(Established, Verdict::Reset, Some(Side::Local)), "sent RST");
    let unproven = cause(Established, Verdict::Reset, None);
    assert_eq!(unproven, "RST received or sent, or no answer");
}

#[test]
fn a_listener_has_no_remote_address() {
    let listener = ScriptedSocket::new(1, (700, "server"), "0.0.0.0:80", "0.0.0.0:0");
    let life = listener.at(0.0, &[], &[], Listen).life(600.0);
    assert_snapshot!(shown(vec![life], None, false), @"
    700/server  0.0.0.0:80
      listening for at least 10m00s
      12:00:00.000  LISTEN  >=10m00s  ################################  there at the first poll
    ");
}

#[test]
fn long_addresses_are_two_lines_of_a_title() {
    let mut life = leaking().life(372.0);
    let end =
        |last| samples::endpoint(&format!("[2001:db8:1234:5678:9abc:def0:1234:{last}]:50000"));
    (life.socket.addrs.local, life.socket.addrs.remote) = (end(1111), end(2222));
    let title = |width| {
        let text = shown(vec![life.clone()], Some(width), false);
        text.lines().take_while(|line| !line.contains("closed first")).count()
    };
    assert_eq!((title(80), title(130)), (2, 1));
    let text = shown(vec![life.clone()], Some(80), false);
    let second = "    <- [2001:db8:1234:5678:9abc:def0:1234:2222]:50000";
    assert_eq!(text.lines().nth(1), Some(second), "{text}");
}

#[test]
fn colours_change_no_text() {
    for width in [None, Some(80), Some(120)] {
        let coloured = shown(both(), width, true);
        assert!(coloured.contains("\x1b["));
        let plain = anstream::adapter::strip_str(&coloured).to_string();
        assert_eq!(plain, shown(both(), width, false));
    }
}

#[test]
fn narrow_lines_break_between_words_only() {
    for width in 66..130 {
        shown(both(), Some(width), false);
        shown(vec![leaking().life(90.0)], Some(width), false);
    }
}

#[test]
fn a_loss_is_a_block_of_its_own() {
    let clock = TimeFormatter { format: TimeFormat::Clock, zone: TimeZone::UTC, start: None };
    let mut timeline = TimelineText { clock, palette: Palette { on: false }, width: None };
    let lost = Lost { time: stamp(3.0), reason: LostReason::Gap, count: None };
    let text = timeline.rows(&[Record::Lost(lost)], &Names::default());
    assert!(String::from_utf8(text).unwrap().starts_with("LOST  12:00:03.000  gap: too long"));
}

/// The peer is on this machine, is not shown, and has not closed: so no FIN of it can have come.
#[test]
fn a_peer_that_leaks_is_named_although_it_is_not_shown() {
    let client = ScriptedSocket::new(2, (812, "client"), "192.0.2.7:50000", "10.0.0.1:443")
        .roles(Some(Side::Local), Some(Side::Local))
        .at(0.0, &[], &[], Established)
        .at(60.0, &[FinWait1], &[], FinWait2)
        .remembered();
    let mut life = closed(client, 121.0, Verdict::Unknown, &[TimeWait]);
    life.peer_owner = Some(leaking().life(121.0).owner);
    let text = shown(vec![life], None, false);
    let first = "812/client~  192.0.2.7:50000 -> 10.0.0.1:443  700/web\\x20server\n";
    assert!(text.starts_with(first), "{text}");
    assert!(text.contains("likely timed out,") && !text.contains("(TIME_WAIT?)"), "{text}");
    let leak = "700/web\\x20server kept it open for 61.0s after this side had closed";
    assert!(text.contains(leak), "{text}");
}
