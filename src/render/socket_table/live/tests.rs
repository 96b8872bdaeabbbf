use super::*;
use crate::render::cell::TimeFormat;
use crate::render::style::Palette;
use crate::view::samples::listed;
use insta::assert_snapshot;
use jiff::tz::TimeZone;
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

fn table(extra: bool, colours: bool) -> LiveTable {
    let clock = TimeFormatter { format: TimeFormat::Clock, zone: TimeZone::UTC, start: None };
    let palette = Palette { on: colours };
    let options =
        TableOptions { palette, header: true, extended: extra, timers: extra, tcp_info: false };
    LiveTable::new(options, clock, None)
}

fn frame(columns: usize, rows: usize) -> String {
    let size = Size { columns, rows };
    let lines = table(false, false).frame(&records(), &Names::default(), size);
    assert!(lines.len() <= rows && lines.iter().all(|line| line.width() <= columns), "{lines:#?}");
    lines.join("\n")
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
fn a_frame_of_80_columns_cuts_the_widest_cells() {
    assert_snapshot!(frame(80, 24), @r"
    12:00:01.104  4 sockets + 1 closed  2 ESTABLISHED  1 CLOSE_WAIT  1 FIN_WAIT2
       HELD  STATE        OWNER                  LOCAL                 REMOTE
    >=2h05m  CLOSE_WAIT   812/a\x20name          [2001:db8:1111:2…:80  192.0.2.7:443
      62.1s  ESTABLISHED  812/client             10.0.0.1:50000        192.0.2.7:443
       3.0s  ESTABLISHED  812/a-very-long-name…  10.0.0.1:50001        192.0.2.7:443
       0.4s  FIN_WAIT2    812/client             10.0.0.1:50002        192.0.2.7:443
       0.2s  CLOSED       812/client             10.0.0.1:50003        192.0.2.7:443
    ");
}

#[test]
fn a_frame_of_120_columns_has_room_for_all() {
    assert_snapshot!(frame(120, 24), @r"
    12:00:01.104  4 sockets + 1 closed  2 ESTABLISHED  1 CLOSE_WAIT  1 FIN_WAIT2
       HELD  STATE        OWNER                        LOCAL                                        REMOTE
    >=2h05m  CLOSE_WAIT   812/a\x20name                [2001:db8:1111:2222:3333:4444:5555:6666]:80  192.0.2.7:443
      62.1s  ESTABLISHED  812/client                   10.0.0.1:50000                               192.0.2.7:443
       3.0s  ESTABLISHED  812/a-very-long-name-indeed  10.0.0.1:50001                               192.0.2.7:443
       0.4s  FIN_WAIT2    812/client                   10.0.0.1:50002                               192.0.2.7:443
       0.2s  CLOSED       812/client                   10.0.0.1:50003                               192.0.2.7:443
    ");
}

#[test]
fn columns_without_room_in_a_frame_are_named() {
    let size = Size { columns: 80, rows: 24 };
    let lines = table(true, false).frame(&records(), &Names::default(), size);
    assert!(lines.iter().all(|line| line.width() <= 80), "{lines:#?}");
    assert!(lines[1].contains("REMOTE") && lines[1].contains("TIMER"), "{lines:#?}");
    let last = lines.last().map(String::as_str);
    assert_eq!(last, Some("this terminal has no room for UNIT, FD, INODE, USER"), "{lines:#?}");
    let wide =
        table(true, false).frame(&records(), &Names::default(), Size { columns: 160, ..size });
    assert!(wide[1].ends_with("UNIT") && wide.len() == 7, "{wide:#?}");
}

#[test]
fn a_terminal_that_keeps_the_table_gets_whole_addresses() {
    let mut table = table(false, false);
    table.width = Some(80);
    let text = String::from_utf8(table.rows(&records(), &Names::default())).unwrap();
    assert!(text.lines().all(|line| line.width() <= 80), "{text}");
    assert!(text.contains("[2001:db8:1111:2222:3333:4444:5555:6666]:80"), "{text}");
}

#[test]
fn hidden_rows_are_counted_in_the_last_line() {
    assert_snapshot!(frame(120, 5), @r"
    12:00:01.104  4 sockets + 1 closed  2 ESTABLISHED  1 CLOSE_WAIT  1 FIN_WAIT2
       HELD  STATE        OWNER          LOCAL                                        REMOTE
    >=2h05m  CLOSE_WAIT   812/a\x20name  [2001:db8:1111:2222:3333:4444:5555:6666]:80  192.0.2.7:443
      62.1s  ESTABLISHED  812/client     10.0.0.1:50000                               192.0.2.7:443
    and 3 more (tcplapse list shows all)
    ");
}

#[test]
fn no_frame_is_larger_than_its_screen() {
    for columns in 0..130 {
        for rows in 0..9 {
            frame(columns, rows);
        }
    }
}

#[test]
fn a_fresh_change_stands_out_for_a_moment() {
    let size = Size { columns: 120, rows: 24 };
    let lines = table(false, true).frame(&records(), &Names::default(), size);
    let inverted = |state: &str| {
        lines.iter().any(|line| line.contains(&format!("\x1b[7m{state}")))
            || lines.iter().any(|line| line.contains(state) && line.contains("\x1b[7m"))
    };
    assert!(inverted("FIN_WAIT2") && !inverted("CLOSE_WAIT"), "{lines:#?}");
    let plain: Vec<_> =
        lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect();
    assert_eq!(plain.join("\n"), frame(120, 24));
}

#[test]
fn an_empty_frame_says_so() {
    let size = Size { columns: 80, rows: 24 };
    let lines = table(false, false).frame(&[], &Names::default(), size);
    assert_eq!(lines[0], "no matching socket yet");
}

#[test]
fn states_without_room_are_not_left_out_silently() {
    let line = |columns| frame(columns, 24).lines().next().unwrap_or_default().to_owned();
    assert!(line(70).ends_with("1 CLOSE_WAIT …"), "{}", line(70));
    assert!(line(120).ends_with("1 FIN_WAIT2"), "{}", line(120));
}
