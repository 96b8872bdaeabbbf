use super::*;
use crate::model::binding::Binding;
use crate::model::event::{Ages, AlertSocket, Listeners, OwnerClues, Roles, SocketId, Verdict};
use crate::model::process::OwnerSource;
use crate::model::reading::{Interface, LostReason};
use crate::model::time::Stamp;
use crate::model::workload::MainWorkload;
use crate::render::cell::TimeFormat;
use crate::view::samples::{owner, socket};
use insta::assert_snapshot;
use jiff::tz::TimeZone;
use std::time::Duration;

fn event(
    kind: EventKind,
    from: Option<State>,
    via: &[State],
    maybe: &[State],
    to: State,
) -> EventRecord {
    EventRecord {
        event: kind,
        time: Stamp { wall: 1_793_534_401_104_000, boot: 1_000_000 },
        after: None,
        socket: socket(1, "127.0.0.1:40122", "127.0.0.1:9527"),
        binding: Binding::default(),
        from,
        via: via.to_vec(),
        maybe: maybe.to_vec(),
        to,
        ages: Ages {
            since: None,
            held: from.map(|_| Duration::from_secs(4)),
            held_at_least: false,
            held_from: None,
            lived: Duration::from_millis(69_100),
            lived_at_least: false,
            idle: None,
        },
        owner: owner(812, "client", OwnerSource::Proven),
        clues: OwnerClues { uid: None, inode: 0, last_inode: 0, listeners: Listeners::default() },
        roles: Roles::default(),
        verdict: None,
        reset_by: None,
        source: Interface::Proc,
        lived: None,
        held_from: None,
        idle: None,
        workload: MainWorkload::default(),
        netns_name: None,
        tcp_info: None,
    }
}

/// A life from LISTEN to CLOSED, an IPv6 socket with a hostile name, and a gap.
fn records() -> Vec<Record> {
    use State::{
        Closed, Closing, Established, FinWait1, FinWait2, Listen, SynRecv, SynSent, TimeWait,
    };
    let mut listen = event(EventKind::Present, None, &[], &[], Listen);
    listen.owner = owner(700, "server", OwnerSource::Proven);
    listen.socket = socket(1, "127.0.0.1:9527", "0.0.0.0:0");
    let opened = event(EventKind::Opened, None, &[], &[SynSent, SynRecv], Established);
    let mut closing =
        event(EventKind::Changed, Some(Established), &[FinWait1], &[FinWait2, Closing], TimeWait);
    closing.owner.source = OwnerSource::Remembered;
    let mut over = event(EventKind::Closed, Some(TimeWait), &[], &[], Closed);
    over.owner.source = OwnerSource::Remembered;
    over.verdict = Some(Verdict::LocalClose);
    over.ages.held = Some(Duration::from_millis(62_100));
    let mut gone = event(EventKind::Closed, Some(Established), &[], &[FinWait1], Closed);
    gone.owner = owner(813, "e\x1b[2Jvil one", OwnerSource::Proven);
    gone.socket = socket(1, "[2001:db8:1234:5678:9abc:def0:1234:5678]:40122", "127.0.0.1:9527");
    gone.verdict = Some(Verdict::Unknown);
    (gone.ages.held_at_least, gone.ages.lived_at_least) = (true, true);
    let lost = Lost { time: gone.time, reason: LostReason::Gap, count: None };
    let mut records: Vec<Record> =
        [listen, opened, closing, over].map(Box::new).map(Record::Event).to_vec();
    records.extend([Record::Lost(lost), Record::Event(Box::new(gone))]);
    records
}

fn rendered(width: Option<usize>, colours: bool) -> String {
    let clock = TimeFormatter { format: TimeFormat::Clock, zone: TimeZone::UTC, start: None };
    let mut events = EventsText::new(clock, Palette { on: colours }, true, width);
    let mut bytes = events.header();
    let records = records();
    // As a stream: what is known at once is aligned at once.
    bytes.extend(events.rows(&records[..5], &Names::default()));
    bytes.extend(events.rows(&records[5..], &Names::default()));
    String::from_utf8(bytes).unwrap()
}

#[test]
fn in_a_pipe_an_event_is_a_line() {
    assert_snapshot!(rendered(None, false), @r"
    TIME          OWNER        LOCAL            REMOTE             HELD  STATE
    12:00:01.104  700/server   127.0.0.1:9527   *                     -  LISTEN (present)
    12:00:01.104  812/client   127.0.0.1:40122  127.0.0.1:9527        -  new -> ESTABLISHED (2 states?)
    12:00:01.104  812/client~  127.0.0.1:40122  127.0.0.1:9527     4.0s  ESTABLISHED -> [FIN_WAIT1] -> TIME_WAIT (2 states?)
    12:00:01.104  812/client~  127.0.0.1:40122  127.0.0.1:9527    62.1s  TIME_WAIT -> CLOSED  this side closed first, lived 69.1s
    12:00:01.104  -            -                -                     -  LOST  gap: too long since the last poll to know what happened; sockets without an inode may be reported as new
    12:00:01.104  813/e\x1b[2Jvil\x20one   [2001:db8:1234:5678:9abc:def0:1234:5678]:40122  127.0.0.1:9527   >=4.0s  ESTABLISHED -> CLOSED  likely reset or peer closed, watched 69.1s
    ");
}

#[test]
fn an_alert_is_a_line_about_the_worst_socket() {
    let closed = event(EventKind::Changed, Some(State::Established), &[], &[], State::CloseWait);
    let alert = |active, lives: &[u64]| {
        Record::Alert(Box::new(Alert {
            time: closed.time,
            rule: "half closed".to_owned(),
            active,
            sockets: lives.iter().map(|number| SocketId { run: 1, number: *number }).collect(),
            worst: AlertSocket {
                socket: closed.socket,
                owner: closed.owner.clone(),
                held: Some(Duration::from_secs(61)),
                held_at_least: true,
            },
        }))
    };
    let records = [alert(true, &[1, 2]), alert(false, &[2]), alert(false, &[])];
    let clock = TimeFormatter { format: TimeFormat::Clock, zone: TimeZone::UTC, start: None };
    let mut events = EventsText::new(clock, Palette { on: false }, false, None);
    let text = String::from_utf8(events.rows(&records, &Names::default())).unwrap();
    assert_snapshot!(text, @"
    12:00:01.104  812/client   127.0.0.1:40122  127.0.0.1:9527   >=61.0s  ALERT  half closed: 2 sockets
    12:00:01.104  812/client   127.0.0.1:40122  127.0.0.1:9527   >=61.0s  ALERT  half closed cleared: 1 socket left
    12:00:01.104  812/client   127.0.0.1:40122  127.0.0.1:9527   >=61.0s  ALERT  half closed cleared
    ");
}

#[test]
fn at_80_columns_the_state_goes_to_the_next_line() {
    let text = rendered(Some(80), false);
    let longest = text.lines().map(UnicodeWidthStr::width).max();
    assert!(longest <= Some(80), "{longest:?}");
    assert_snapshot!(text, @r"
    TIME          OWNER        LOCAL            REMOTE             HELD  STATE
    12:00:01.104  700/server   127.0.0.1:9527   *                     -
                  LISTEN (present)
    12:00:01.104  812/client   127.0.0.1:40122  127.0.0.1:9527        -
                  new -> ESTABLISHED (2 states?)
    12:00:01.104  812/client~  127.0.0.1:40122  127.0.0.1:9527     4.0s
                  ESTABLISHED -> [FIN_WAIT1] -> TIME_WAIT (2 states?)
    12:00:01.104  812/client~  127.0.0.1:40122  127.0.0.1:9527    62.1s
                  TIME_WAIT -> CLOSED  this side closed first, lived 69.1s
    12:00:01.104  -            -                -                     -  LOST
                  gap: too long since the last poll to know what happened; sockets
                  without an inode may be reported as new
    TIME          OWNER                    LOCAL            REMOTE             HELD
                  STATE
    12:00:01.104  813/e\x1b[2Jvil\x20one
        [2001:db8:1234:5678:9abc:def0:1234:5678]:40122  127.0.0.1:9527  >=4.0s
        ESTABLISHED -> CLOSED  likely reset or peer closed, watched 69.1s
    ");
}

#[test]
fn long_addresses_are_continued_where_they_take_fewer_lines() {
    let mut closed =
        event(EventKind::Closed, Some(State::CloseWait), &[State::LastAck], &[], State::Closed);
    closed.socket = socket(1, "[2001:db8:1:2:3:4:5:6]:4443", "[2001:db8:1:2:3:4:5:6]:55756");
    closed.verdict = Some(Verdict::RemoteClose);
    let clock = TimeFormatter { format: TimeFormat::Clock, zone: TimeZone::UTC, start: None };
    let mut events = EventsText::new(clock, Palette { on: false }, false, Some(80));
    let rows = events.rows(&[Record::Event(Box::new(closed))], &Names::default());
    assert_snapshot!(String::from_utf8(rows).unwrap(), @"
    12:00:01.104  812/client   [2001:db8:1:2:3:4:5:6]:4443
        [2001:db8:1:2:3:4:5:6]:55756  4.0s  CLOSE_WAIT -> [LAST_ACK] -> CLOSED
        the peer closed first, lived 69.1s
    ");
}

#[test]
fn at_120_columns_most_events_fit_on_a_line() {
    assert_snapshot!(rendered(Some(120), false), @r"
    TIME          OWNER        LOCAL            REMOTE             HELD  STATE
    12:00:01.104  700/server   127.0.0.1:9527   *                     -  LISTEN (present)
    12:00:01.104  812/client   127.0.0.1:40122  127.0.0.1:9527        -  new -> ESTABLISHED (2 states?)
    12:00:01.104  812/client~  127.0.0.1:40122  127.0.0.1:9527     4.0s  ESTABLISHED -> [FIN_WAIT1] -> TIME_WAIT (2 states?)
    12:00:01.104  812/client~  127.0.0.1:40122  127.0.0.1:9527    62.1s  TIME_WAIT -> CLOSED
                  this side closed first, lived 69.1s
    12:00:01.104  -            -                -                     -  LOST
                  gap: too long since the last poll to know what happened; sockets without an inode may be reported as new
    TIME          OWNER                    LOCAL            REMOTE             HELD  STATE
    12:00:01.104  813/e\x1b[2Jvil\x20one   [2001:db8:1234:5678:9abc:def0:1234:5678]:40122  127.0.0.1:9527   >=4.0s
                  ESTABLISHED -> CLOSED  likely reset or peer closed, watched 69.1s
    ");
}

#[test]
fn colours_change_nothing_but_colours() {
    let coloured = rendered(Some(120), true);
    assert!(coloured.contains("\x1b["));
    let plain = anstream::adapter::strip_str(&coloured).to_string();
    assert_eq!(plain, rendered(Some(120), false));
}

#[test]
fn the_verdict_decides_the_last_sentence() {
    let closed = |from, verdict, both_fins| {
        let mut gone = event(EventKind::Closed, Some(from), &[], &[], State::Closed);
        (gone.verdict, gone.roles.both_fins) = (Some(verdict), both_fins);
        note(&gone).unwrap()
    };
    let (established, syn_sent) = (State::Established, State::SynSent);
    assert_eq!(closed(established, Verdict::Reset, false), "reset, lived 69.1s");
    assert_eq!(closed(syn_sent, Verdict::Refused, false), "refused by the peer, lived 69.1s");
    assert_eq!(
        closed(syn_sent, Verdict::TimedOut, false),
        "timed out: the peer did not answer, lived 69.1s"
    );
    assert_eq!(
        closed(established, Verdict::Unknown, true),
        "peer likely closed first, lived 69.1s"
    );
}
