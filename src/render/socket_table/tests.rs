use super::*;
use crate::model::event::SocketId;
use crate::model::process::OwnerSource;
use crate::model::socket_row::Timer;
use crate::model::time::Stamp;
use crate::tcp::state::State;
use crate::view::SCHEMA;
use crate::view::event::{Owner, Socket};
use insta::assert_snapshot;

fn record(local: &str, state: State, process: &str, timer: Timer) -> Record {
    let local: std::net::SocketAddr = local.parse().unwrap();
    Record::Socket(Box::new(SocketRecord {
        v: SCHEMA,
        time: Stamp::default(),
        socket: Socket {
            id: SocketId { run: 1, number: 1 },
            netns: None,
            family: if local.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 },
            local_addr: local.ip(),
            local_port: local.port(),
            remote_addr: "192.0.2.7".parse().unwrap(),
            remote_port: 443,
        },
        state,
        held: None,
        held_at_least: true,
        owner: Owner {
            pid: Some(812),
            process: Some(process.to_owned()),
            owners: Vec::new(),
            owner_source: OwnerSource::Proven,
        },
        uid: Some(1000),
        inode: Some(4711),
        recv_queue: 1,
        send_queue: 20_000,
        backlog_limit: None,
        timer,
        timer_left: (timer != Timer::None).then_some(0.2),
        retransmits: 3,
    }))
}

fn rendered(width: Option<u16>, extra: bool, colours: bool) -> String {
    let mut table = Sockets::new(Layout {
        palette: Palette { on: colours },
        header: true,
        extended: extra,
        timers: extra,
        held: false,
        width,
    });
    let records = [
        record("10.0.0.1:50000", State::Established, "client", Timer::Retransmit),
        record("[2001:db8::1]:80", State::CloseWait, "a name", Timer::None),
    ];
    let (first, rest) = records.split_at(1);
    assert!(table.rows(first, &Names::default()).is_empty());
    assert!(table.rows(rest, &Names::default()).is_empty());
    String::from_utf8(std::iter::from_fn(|| table.end()).flatten().collect()).unwrap()
}

#[test]
fn a_table_fits_the_terminal() {
    let text = rendered(Some(80), false, false);
    assert!(text.lines().all(|line| line.width() <= 80), "{text}");
    assert_snapshot!(text, @r"
PROTO RECV-Q SEND-Q LOCAL            REMOTE        STATE       OWNER
tcp        1  20000 10.0.0.1:50000   192.0.2.7:443 ESTABLISHED 812/client
tcp6       1  20000 [2001:db8::1]:80 192.0.2.7:443 CLOSE_WAIT  812/a\x20name
");
}

#[test]
fn in_a_pipe_columns_are_streamed() {
    assert_snapshot!(rendered(None, true, false), @r"
PROTO  RECV-Q  SEND-Q  LOCAL             REMOTE         STATE        OWNER          USER  INODE  TIMER
tcp         1   20000  10.0.0.1:50000    192.0.2.7:443  ESTABLISHED  812/client     1000  4711   retransmit(0.2s,3)
tcp6        1   20000  [2001:db8::1]:80  192.0.2.7:443  CLOSE_WAIT   812/a\x20name  1000  4711   -
");
}

#[test]
fn what_cannot_fit_is_not_broken_but_streamed() {
    assert_eq!(rendered(Some(60), true, false), rendered(None, true, false));
}

#[test]
fn states_are_coloured_on_a_terminal_alone() {
    let coloured = rendered(Some(120), false, true);
    assert!(coloured.contains("\x1b["));
    let plain = anstream::adapter::strip_str(&coloured).to_string();
    let trimmed = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    assert_eq!(trimmed(&plain), trimmed(&rendered(Some(120), false, false)));
}

#[test]
fn colours_asked_for_reach_a_pipe() {
    let coloured = rendered(None, true, true);
    assert!(coloured.contains("\x1b["));
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), rendered(None, true, false));
}

#[test]
fn an_empty_table_prints_nothing() {
    let mut table = Sockets::new(Layout {
        palette: Palette { on: false },
        header: true,
        extended: false,
        timers: false,
        held: true,
        width: Some(80),
    });
    assert!(table.rows(&[], &Names::default()).is_empty() && table.end().is_none());
}
