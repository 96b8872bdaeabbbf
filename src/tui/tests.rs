use super::*;
use crate::render::cell::TimeFormat;
use crate::tcp::state::State::{self, CloseWait, Closed, Established, FinWait1, FinWait2, Listen};
use crate::view::life::tests::{ScriptedSocket, stamp};
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

fn look(clock: TimeFormatter) -> Look {
    Look {
        color: true,
        unicode: true,
        header: true,
        extended: false,
        timers: false,
        tcp_info: false,
        clock,
    }
}

fn top() -> Top {
    let clock = TimeFormatter { format: TimeFormat::Clock, zone: TimeZone::UTC, start: None };
    Top::new(look(clock), String::new())
}

/// A listener, a connection that is not closed by the server, and one that was.
fn sockets() -> Vec<ScriptedSocket> {
    let server =
        |number, remote| ScriptedSocket::new(number, (700, "ser ver"), "127.0.0.1:80", remote);
    vec![
        server(1, "0.0.0.0:0").at(0.0, &[], &[], Listen),
        server(2, "127.0.0.1:4001").at(1.0, &[], &[], Established).at(5.0, &[], &[], CloseWait),
        ScriptedSocket::new(3, (812, "client"), "127.0.0.1:4001", "127.0.0.1:80")
            .at(1.0, &[], &[], Established)
            .at(5.0, &[FinWait1], &[], FinWait2),
        server(4, "127.0.0.1:4002").at(2.0, &[], &[], Established).at(70.0, &[], &[], Closed),
    ]
}

fn events() -> Vec<SocketEvent> {
    let mut events: Vec<_> = sockets().iter().flat_map(ScriptedSocket::events).collect();
    events.sort_by_key(|(at, _)| *at);
    events.into_iter().map(|(_, event)| event).collect()
}

/// The screen after all that has happened.
fn live() -> Top {
    let mut top = top();
    for event in events() {
        let at = event.transition.time;
        top.apply(at, &[MonitorEvent::Socket(Box::new(event))]);
        top.end_reading(at);
    }
    top
}

fn recorded() -> Top {
    let mut top = top();
    top.set_recording(events(), false, None, LifeHistories::default());
    top
}

/// The lines of the screen, without the blanks at their ends.
fn screen(top: &mut Top, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("it is in memory");
    terminal.draw(|frame| top.draw(frame)).expect("it is in memory");
    let buffer = terminal.backend().buffer().clone();
    let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..height).map(|y| line(y).trim_end().to_owned()).collect()
}

fn press(top: &mut Top, keys: &str) {
    for key in keys.chars() {
        top.press(Key::Char(key));
    }
}

/// The states of the sockets that are shown.
fn states(top: &mut Top) -> Vec<State> {
    top.arrange();
    top.lines.sockets().iter().filter_map(|id| top.row(*id)).map(|row| row.status.state).collect()
}

#[test]
fn a_single_socket_is_no_plural() {
    let (mut top, first) = (top(), events().remove(0));
    let at = first.transition.time;
    top.apply(at, &[MonitorEvent::Socket(Box::new(first))]);
    top.end_reading(at);
    let lines = screen(&mut top, 80, 24);
    assert!(lines[0].ends_with("  1 socket"), "{lines:#?}");
}

#[test]
fn the_screen_has_counts_sockets_and_the_selected_one() {
    let mut top = live();
    top.press(Key::Down);
    let lines = screen(&mut top, 80, 24);
    let expected = [
        "tcplapse  12:01:10.000  3 sockets",
        "LISTEN            1 ██████████████████  CLOSE_WAIT        1 ██████████████████",
        "FIN_WAIT2         1 ██████████████████",
        "    HELD  STATE        OWNER           LOCAL           REMOTE          QUEUES",
    ];
    assert_eq!(lines[..4], expected[..4], "{lines:#?}");
    assert!(lines[4].contains("LISTEN       700/ser\\x20ver  127.0.0.1:80"), "{lines:#?}");
    assert!(lines[5].contains("CLOSE_WAIT   700/ser\\x20ver"), "{lines:#?}");
    assert!(lines[7].contains("0s  CLOSED "), "{lines:#?}");
    let all = lines.join("\n");
    assert!(all.contains("700/ser\\x20ver  127.0.0.1:80 -- 127.0.0.1:4001"), "{all}");
    assert!(all.contains("CLOSE_WAIT: "), "the advice of explain: {all}");
    assert!(lines[23].starts_with("? help"), "{lines:#?}");
}

#[test]
fn a_small_terminal_has_the_table_and_the_smallest_breaks_nothing() {
    let mut top = live();
    let lines = screen(&mut top, 40, 10);
    let row = lines.iter().find(|line| line.starts_with("CLOSE_WAIT")).expect("a row");
    assert!(row.contains(":80 ") && row.ends_with(":4001"), "ports are not cut: {lines:#?}");
    assert!(lines[9].starts_with("? help  no room for HELD"), "{lines:#?}");
    for (width, height) in [(1, 1), (1, 50), (200, 1), (2, 2), (12, 3), (80, 7), (200, 50)] {
        for keys in ["", "g", "?", "\u{1b}"] {
            press(&mut top, keys);
            screen(&mut top, width, height);
        }
        for key in [Key::Escape, Key::End, Key::PageUp, Key::PageDown, Key::Home] {
            top.press(key);
            screen(&mut top, width, height);
        }
    }
}

#[test]
fn the_filter_follows_what_is_typed() {
    let mut top = live();
    press(&mut top, "/state:CLOSE_WA");
    assert_eq!(states(&mut top), [Closed], "CLOSE was the last that meant something");
    press(&mut top, "IT");
    assert_eq!(states(&mut top), [CloseWait]);
    top.press(Key::Enter);
    let title = &screen(&mut top, 80, 24)[0];
    assert!(title.ends_with("filter: state:CLOSE_WAIT (1 shown)"), "{title}");
    top.press(Key::Escape);
    assert_eq!(states(&mut top).len(), 4);
    for (typed, shown) in [
        ("remote:127.0.0.1:80", vec![FinWait2]),
        ("client", vec![FinWait2]),
        ("pid:700 port:4001", vec![CloseWait]),
        ("server2", vec![]),
    ] {
        press(&mut top, "/");
        press(&mut top, typed);
        top.press(Key::Enter);
        assert_eq!(states(&mut top), shown, "{typed}");
        top.press(Key::Escape);
    }
    press(&mut top, "/state:OPEN");
    top.press(Key::Enter);
    let bottom = screen(&mut top, 80, 24).pop().expect("a line");
    assert!(bottom.contains("OPEN"), "what is wrong is said: {bottom}");
}

#[test]
fn rows_are_sorted_and_grouped() {
    let mut top = live();
    assert_eq!(states(&mut top), [Listen, CloseWait, FinWait2, Closed], "longest in state first");
    press(&mut top, "S");
    assert_eq!(states(&mut top), [Closed, FinWait2, CloseWait, Listen]);
    press(&mut top, "Sss");
    assert_eq!(states(&mut top)[0], FinWait2, "by owner: client");
    press(&mut top, "t");
    assert_eq!(states(&mut top).len(), 3, "without the closed one");
    press(&mut top, "g");
    let lines = screen(&mut top, 80, 24);
    assert!(lines[4].starts_with("ser\\x20ver                     2"), "{lines:#?}");
    assert!(lines[4].ends_with("1 LISTEN  1 CLOSE_WAIT"), "{lines:#?}");
    assert_eq!(top.press(Key::Char('y')), Action::None, "a group is no socket");
    let Action::Write(records) = top.press(Key::Char('w')) else { panic!("no records") };
    assert_eq!(records.len(), 3, "those of all groups");
    top.press(Key::Down);
    top.press(Key::Enter);
    assert_eq!(states(&mut top), [FinWait2], "the sockets of the group");
}

#[test]
fn a_click_on_a_heading_sorts_and_one_on_a_row_selects() {
    let mut top = live();
    let lines = screen(&mut top, 80, 24);
    let heading = |name: &str| Key::Click {
        column: u16::try_from(lines[3].find(name).expect("a heading")).expect("80 columns"),
        line: 3,
    };
    top.press(heading("OWNER"));
    assert_eq!(states(&mut top)[0], FinWait2, "client");
    top.press(heading("OWNER"));
    assert_eq!(states(&mut top).last(), Some(&FinWait2), "the other way round");
    top.press(heading("STATE"));
    assert_eq!(states(&mut top), [Closed, Listen, CloseWait, FinWait2], "as RFC 9293 has them");
    screen(&mut top, 80, 24);
    top.press(Key::Click { column: 70, line: 6 });
    assert_eq!(top.lines.selected_on_screen(), 2);
    // Where headings of groups, or a help, stand instead there is nothing to sort.
    press(&mut top, "g");
    screen(&mut top, 80, 24);
    top.press(heading("HELD"));
    assert_eq!(top.choice.sort(), order::Sort::State);
}

#[test]
fn a_paused_screen_stays_and_counts_what_is_new() {
    let mut top = live();
    press(&mut top, " ");
    let socket = ScriptedSocket::new(9, (1, "new"), "127.0.0.1:5000", "127.0.0.1:80");
    for (at, event) in socket.at(80.0, &[], &[], Established).events() {
        top.apply(at, &[MonitorEvent::Socket(Box::new(event))]);
        top.end_reading(at);
    }
    let title = &screen(&mut top, 80, 24)[0];
    assert_eq!(title, "tcplapse  12:01:10.000  3 sockets  PAUSED, 1 event since");
    assert_eq!(states(&mut top).len(), 4);
    press(&mut top, " ");
    assert!(states(&mut top).contains(&Established));
}

#[test]
fn the_selected_socket_stays_selected() {
    let mut top = live();
    screen(&mut top, 80, 24);
    top.press(Key::Down);
    let selected = top.lines.selected_socket();
    assert!(selected.is_some());
    press(&mut top, "S");
    screen(&mut top, 80, 24);
    assert_eq!(top.selected_row().map(Row::id), selected);
}

#[test]
fn a_line_is_copied_and_sockets_are_written() {
    let mut top = live();
    screen(&mut top, 80, 24);
    let copied = top.press(Key::Char('y'));
    assert_eq!(copied, Action::Copy("700/ser\\x20ver 127.0.0.1:80 * LISTEN >=70.0s".to_owned()));
    let Action::Write(records) = top.press(Key::Char('w')) else { panic!("no records") };
    assert_eq!(records.len(), 3, "closed sockets are no records");
    assert_eq!(top.press(Key::Char('q')), Action::Quit);
}

#[test]
fn a_recording_is_stepped_through_back_and_forth() {
    let mut top = recorded();
    let everything = states(&mut top);
    assert_eq!(everything, [Listen, CloseWait, FinWait2, Closed]);
    top.press(Key::Left);
    assert_eq!(states(&mut top), [Listen, Established, CloseWait, FinWait2]);
    top.press(Key::Char('h'));
    assert_eq!(states(&mut top), [Listen, Established, Established, Established]);
    let title = &screen(&mut top, 80, 24)[0];
    assert_eq!(title, "tcplapse  12:00:02.000  4 sockets  event 4 of 7");
    let lines = screen(&mut top, 80, 24);
    assert!(lines[23].starts_with("2.0s ") && lines[23].contains("●"), "{lines:#?}");
    press(&mut top, "<");
    assert_eq!(states(&mut top), [Listen]);
    top.press(Key::Left);
    assert_eq!(states(&mut top), [Listen], "there is nothing before the first poll");
    press(&mut top, "]");
    assert_eq!(states(&mut top).len(), 4);
    press(&mut top, "]");
    assert_eq!(states(&mut top), everything);
    press(&mut top, "[");
    assert_eq!(states(&mut top), [Listen, Established, CloseWait, FinWait2]);
    press(&mut top, ">");
    assert_eq!(states(&mut top), everything);
}

#[test]
fn every_moment_of_a_recording_is_the_same_from_both_sides() {
    let (mut forward, mut shown) = (recorded(), Vec::new());
    press(&mut forward, "<");
    for _ in 0..5 {
        shown.push(screen(&mut forward, 100, 30));
        forward.press(Key::Right);
    }
    let mut back = recorded();
    for expected in shown.iter().rev().skip(1) {
        back.press(Key::Left);
        let lines = screen(&mut back, 100, 30);
        assert_eq!(lines[..12], expected[..12]);
    }
}

#[test]
fn what_happened_before_a_moment_cannot_be_stepped_to() {
    let mut top = top();
    top.set_recording(events(), false, Some(stamp(3.0).wall), LifeHistories::default());
    press(&mut top, "<");
    assert_eq!(states(&mut top), [Listen, Established, Established, Established]);
}

#[test]
fn overlays_cover_the_table() {
    let mut top = live();
    screen(&mut top, 80, 24);
    top.press(Key::Down);
    for (key, words) in [('?', "filter as you type"), ('e', "CLOSE_WAIT"), ('d', "ESTABLISHED")] {
        press(&mut top, &key.to_string());
        let lines = screen(&mut top, 100, 30).join("\n");
        assert!(lines.contains(words), "{lines}");
        top.press(Key::PageDown);
        screen(&mut top, 100, 30);
        top.press(Key::Escape);
        assert_eq!(top.dialog.overlay(), None);
    }
}

#[test]
fn without_unicode_and_colours_there_are_none() {
    let mut top = recorded();
    (top.look.color, top.look.unicode) = (false, false);
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).expect("it is in memory");
    terminal.draw(|frame| top.draw(frame)).expect("it is in memory");
    for cell in &terminal.backend().buffer().content {
        assert!(cell.symbol().is_ascii(), "{cell:?}");
        assert_eq!(cell.fg, ratatui::style::Color::Reset, "{cell:?}");
    }
}

#[test]
fn flags_add_columns_and_narrow_terminals_drop_them() {
    let mut top = live();
    (top.look.extended, top.look.timers, top.look.tcp_info) = (true, true, true);
    let wide = screen(&mut top, 160, 24);
    let headings: Vec<&str> = wide[2].split_whitespace().collect();
    let all = "HELD STATE OWNER LOCAL REMOTE QUEUES USER INODE FD TIMER UNIT TCP-INFO";
    assert_eq!(headings.join(" "), all, "{wide:#?}");
    let narrow = screen(&mut top, 90, 24);
    let last = narrow.last().expect("a line");
    assert!(last.starts_with("? help  no room for UNIT, FD"), "{narrow:#?}");
    assert!(narrow[3].contains("REMOTE") && narrow[3].contains("TIMER"), "{narrow:#?}");
    top.press(Key::Down);
    let below = screen(&mut top, 90, 24).join("\n");
    assert!(below.contains("inode 7"), "what has no room is below: {below}");
    for width in 1..170 {
        screen(&mut top, width, 24);
    }
    (top.look.header, top.look.extended, top.look.tcp_info) = (false, false, false);
    assert!(!screen(&mut top, 80, 24).join("\n").contains("HELD"));
}

#[test]
fn names_stand_instead_of_numbers() {
    let mut top = live();
    screen(&mut top, 80, 24);
    let shown = top.on_screen();
    let Some(Record::Socket(server)) = shown.first() else { panic!("no socket") };
    let mut names = Names::default();
    names.addrs.insert(server.socket.addrs.local, "localhost:http".to_owned());
    top.set_names(names);
    let lines = screen(&mut top, 80, 24);
    assert!(lines[4].contains("localhost:http") && lines[4].contains("LISTEN"), "{lines:#?}");
}

/// Nothing of a name reaches the terminal but text: neither drawn nor in what is copied.
#[test]
fn hostile_names_are_drawn_and_copied_as_text() {
    const HOSTILE: &str =
        "a\u{1b}]52;c;ZXZpbA==\u{7}b\u{1b}\\c\u{9b}31m\u{9d}52;c;eA==\u{9c}\r\nd\u{202e}e";
    let mut top = top();
    let socket = ScriptedSocket::new(1, (7, HOSTILE), "127.0.0.1:80", "0.0.0.0:0");
    for (at, event) in socket.at(0.0, &[], &[], Listen).events() {
        top.apply(at, &[MonitorEvent::Socket(Box::new(event))]);
        top.end_reading(at);
    }
    let is_inert = |text: &str| !text.chars().any(|at| at.is_control() || at == '\u{202e}');
    for keys in ["", "g", "gggggggd", "e", "?"] {
        press(&mut top, keys);
        for line in screen(&mut top, 160, 30) {
            assert!(is_inert(&line), "{keys}: {line:?}");
        }
        if top.dialog.overlay().is_some() {
            top.press(Key::Escape);
        }
    }
    let Action::Copy(line) = top.press(Key::Char('y')) else { panic!("nothing is copied") };
    assert!(is_inert(&line) && line.contains("\\x1b]52;c;ZXZpbA=="), "{line:?}");
}
