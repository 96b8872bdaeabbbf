use super::*;
use crate::render::style::Palette;
use crate::tcp::state::State;
use crate::view::samples::listed;
use insta::assert_snapshot;
use std::time::Duration;
use unicode_width::UnicodeWidthStr;

fn record(local: &str, state: State, process: &str, held: f64) -> Record {
    let mut socket = listed(local, state, process);
    socket.held = Some(Duration::from_secs_f64(held));
    socket.held_at_least = held > 1000.0;
    Record::Socket(Box::new(socket))
}

fn records() -> Vec<Record> {
    vec![
        record("[2001:db8:1111:2222:3333:4444:5555:6666]:80", State::CloseWait, "a name", 7500.0),
        record("10.0.0.1:50000", State::Established, "client", 62.1),
        record("10.0.0.1:50001", State::Established, "a-very-long-name-indeed", 3.0),
        record("10.0.0.1:50002", State::FinWait2, "client", 0.4),
        record("10.0.0.1:50003", State::Closed, "client", 0.2),
    ]
}

fn table(extra: bool, colours: bool) -> HeldTable {
    let palette = Palette { on: colours };
    let options =
        TableOptions { palette, header: true, extended: extra, timers: extra, tcp_info: false };
    HeldTable::new(options, None)
}

#[test]
fn in_a_pipe_no_cell_is_cut() {
    let text = table(true, false).rows(&records()[..3], &Names::default());
    assert_snapshot!(String::from_utf8(text).unwrap(), @r"
   HELD  STATE        OWNER                        LOCAL                                        REMOTE         USER  INODE  FD  TIMER               UNIT
>=2h05m  CLOSE_WAIT   812/a\x20name                [2001:db8:1111:2222:3333:4444:5555:6666]:80  192.0.2.7:443  1000  4711   -   retransmit(0.2s,3)  ?
  62.1s  ESTABLISHED  812/client                   10.0.0.1:50000                               192.0.2.7:443  1000  4711   -   retransmit(0.2s,3)  ?
   3.0s  ESTABLISHED  812/a-very-long-name-indeed  10.0.0.1:50001                               192.0.2.7:443  1000  4711   -   retransmit(0.2s,3)  ?
");
}

#[test]
fn a_terminal_that_keeps_the_table_gets_whole_addresses() {
    let mut table = table(false, false);
    table.width = Some(80);
    let text = String::from_utf8(table.rows(&records(), &Names::default())).unwrap();
    assert!(text.lines().all(|line| line.width() <= 80), "{text}");
    assert!(text.contains("[2001:db8:1111:2222:3333:4444:5555:6666]:80"), "{text}");
}
