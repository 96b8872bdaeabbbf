use super::*;
use crate::model::socket_row::Timer;
use crate::render::style::Palette;
use crate::tcp::state::State;
use crate::view::samples::{self, listed};
use insta::assert_snapshot;
use std::time::Duration;
use unicode_width::UnicodeWidthStr;

fn record(local: &str, state: State, process: &str, timer: Timer) -> Record {
    let mut socket = listed(local, state, process);
    socket.details.timer = timer;
    if state == State::CloseWait {
        socket.held = Some(Duration::from_secs(312));
    } else {
        socket.details.times.idle = Some(4004);
    }
    Record::Socket(Box::new(socket))
}

fn rendered(width: Option<u16>, extra: bool, colours: bool) -> String {
    let palette = Palette { on: colours };
    let options =
        TableOptions { palette, header: true, extended: extra, timers: extra, tcp_info: false };
    let mut table = SocketList::new(options, true, width);
    let records = [
        record("10.0.0.1:50000", State::Established, "client", Timer::Retransmit),
        record("[2001:db8::1]:80", State::CloseWait, "a name", Timer::None),
    ];
    let (first, rest) = records.split_at(1);
    assert!(table.rows(first, &Names::default()).is_empty());
    assert!(table.rows(rest, &Names::default()).is_empty());
    String::from_utf8(std::iter::from_fn(|| table.rest()).flatten().collect()).unwrap()
}

#[test]
fn a_table_fits_the_terminal() {
    let text = rendered(Some(90), false, false);
    assert!(text.lines().all(|line| line.width() <= 90), "{text}");
    assert_snapshot!(text, @r"
PROTO RECV-Q SEND-Q LOCAL            REMOTE        STATE       OWNER         HELD
tcp        1  20000 10.0.0.1:50000   192.0.2.7:443 ESTABLISHED 812/client    -
tcp6       1  20000 [2001:db8::1]:80 192.0.2.7:443 CLOSE_WAIT  812/a\x20name >=5m12s
");
}

#[test]
fn in_a_pipe_columns_are_aligned() {
    assert_snapshot!(rendered(None, true, false), @r"
PROTO  RECV-Q  SEND-Q  LOCAL             REMOTE         STATE        OWNER          USER  INODE  FD  TIMER               UNIT     HELD  IDLE
tcp         1   20000  10.0.0.1:50000    192.0.2.7:443  ESTABLISHED  812/client     1000  4711   -   retransmit(0.2s,3)  ?           -  4.0s
tcp6        1   20000  [2001:db8::1]:80  192.0.2.7:443  CLOSE_WAIT   812/a\x20name  1000  4711   -   -                   ?     >=5m12s  -
");
}

#[test]
fn a_listener_shows_the_limit_of_its_backlog() {
    let mut socket = listed("10.0.0.1:80", State::Listen, "server");
    (socket.details.rx_queue, socket.details.backlog_limit) = (3, Some(2));
    let options = TableOptions {
        palette: Palette { on: false },
        header: false,
        extended: false,
        timers: false,
        tcp_info: false,
    };
    let mut table = SocketList::new(options, false, None);
    assert!(table.rows(&[Record::Socket(Box::new(socket))], &Names::default()).is_empty());
    let text = String::from_utf8(std::iter::from_fn(|| table.rest()).flatten().collect()).unwrap();
    assert_eq!(text.split_whitespace().nth(1), Some("3/2"), "{text}");
}

#[test]
fn a_row_that_cannot_fit_is_continued_between_two_cells() {
    let text = rendered(Some(60), true, false);
    assert!(text.lines().all(|line| line.width() <= 60), "{text}");
    assert_snapshot!(text, @r"
PROTO  RECV-Q  SEND-Q  LOCAL             REMOTE
    STATE        OWNER          USER  INODE  FD
    TIMER               UNIT     HELD  IDLE
tcp         1   20000  10.0.0.1:50000    192.0.2.7:443
    ESTABLISHED  812/client     1000  4711   -
    retransmit(0.2s,3)  ?           -  4.0s
tcp6        1   20000  [2001:db8::1]:80  192.0.2.7:443
    CLOSE_WAIT   812/a\x20name  1000  4711   -
    -                   ?     >=5m12s  -
");
}

#[test]
fn a_long_address_takes_two_lines_and_widens_no_other_row() {
    let options = TableOptions {
        palette: Palette { on: false },
        header: true,
        extended: false,
        timers: false,
        tcp_info: false,
    };
    let long = |end: u32| format!("[2001:db8:1234:5678:9abc:def0:1234:{end}]:50000");
    let socket = |local: &str, remote: &str, state| {
        let mut socket = listed(local, state, "kube-controller");
        socket.socket.addrs.remote = samples::endpoint(remote);
        socket
    };
    let short = |port| {
        let local = format!("10.0.0.1:{port}");
        Record::Socket(Box::new(socket(&local, "10.0.0.2:80", State::Established)))
    };
    let mut wide = socket(&long(1111), &long(2222), State::CloseWait);
    wide.held = Some(Duration::from_secs(312));
    let records = [short(1), short(2), Record::Socket(Box::new(wide))];
    let text = |width| {
        let mut table = SocketList::new(options, true, Some(width));
        assert!(table.rows(&records, &Names::default()).is_empty());
        String::from_utf8(std::iter::from_fn(|| table.rest()).flatten().collect()).unwrap()
    };
    assert_snapshot!(text(80), @r"
PROTO RECV-Q SEND-Q LOCAL      REMOTE      STATE       OWNER               HELD
tcp        1  20000 10.0.0.1:1 10.0.0.2:80 ESTABLISHED 812/kube-controller -
tcp        1  20000 10.0.0.1:2 10.0.0.2:80 ESTABLISHED 812/kube-controller -
tcp6       1  20000 [2001:db8:1234:5678:9abc:def0:1234:1111]:50000 CLOSE_WAIT
    [2001:db8:1234:5678:9abc:def0:1234:2222]:50000 812/kube-controller >=5m12s
");
    let lines = text(140).lines().map(UnicodeWidthStr::width).collect::<Vec<_>>();
    assert!(lines.len() == 5 && lines[3] > 110, "both addresses and then the rest: {lines:?}");
}

#[test]
fn a_drawn_table_has_coloured_states() {
    let coloured = rendered(Some(120), false, true);
    assert!(coloured.contains("\x1b["));
    let plain = anstream::adapter::strip_str(&coloured).to_string();
    let trimmed = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    assert_eq!(trimmed(&plain), trimmed(&rendered(Some(120), false, false)));
}

#[test]
fn colours_can_be_forced_in_a_pipe() {
    let coloured = rendered(None, true, true);
    assert!(coloured.contains("\x1b["));
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), rendered(None, true, false));
}

#[test]
fn an_empty_table_prints_nothing() {
    let palette = Palette { on: false };
    let options =
        TableOptions { palette, header: true, extended: false, timers: false, tcp_info: false };
    let mut table = SocketList::new(options, true, Some(80));
    assert!(table.rows(&[], &Names::default()).is_empty() && table.rest().is_none());
}
