//! `--view timeline` as text: a block for each connection, with both ends if both are seen.

use super::made_recording::replayed;

/// What a poll shows: local port, remote port, state and inode of each row.
type Rows = &'static [(u16, u16, &'static str, u64)];

enum Step {
    Poll(Rows),
    /// Nothing was read for too long.
    Gap,
}

/// Replays these steps, 100 ms apart, as a timeline; returns the ports that each block is about, in
/// the order in which the blocks are printed.
fn blocks(steps: &[Step]) -> Vec<String> {
    let (mut lines, mut shown) = (Vec::new(), 0);
    for (number, step) in (0_i64..).zip(steps) {
        let line = match step {
            Step::Gap => "lost gap".to_owned(),
            Step::Poll(rows) => {
                let gone = (shown > 0).then(|| format!("-{shown}"));
                shown = rows.len();
                gone.into_iter()
                    .chain(rows.iter().map(|shown| row(shown, number)))
                    .collect::<Vec<_>>()
                    .join(",")
            }
        };
        lines.push((number * 100_000, 50_000_000 + number.unsigned_abs() * 100_000, line));
    }
    let lines: Vec<_> =
        lines.iter().map(|(wall, boot, line)| (*wall, *boot, line.as_str())).collect();
    let printed = replayed(&lines, "--view timeline");
    let heads = printed.lines().filter(|line| line.starts_with("?  127.0.0.1:"));
    heads.map(|line| line.replace("127.0.0.1:", "").replace('?', "").trim().to_owned()).collect()
}

fn row((local, remote, state, inode): &(u16, u16, &str, u64), step: i64) -> String {
    // As the kernel shows it: without an inode, for a minute, counted in 1/100 s.
    let mini = match inode {
        0 => format!(r#","mini":true,"timer":"time-wait","left":{}"#, 6000 - 10 * step),
        _ => String::new(),
    };
    format!(
        r#"{{"local":"127.0.0.1:{local}","remote":"127.0.0.1:{remote}","state":"{state}","inode":{inode}{mini}}}"#
    )
}

const CLIENT: (u16, u16, &str, u64) = (4000, 80, "ESTABLISHED", 7);
const SERVER: (u16, u16, &str, u64) = (80, 4000, "ESTABLISHED", 8);
const LINGERING_SERVER: (u16, u16, &str, u64) = (80, 4000, "TIME_WAIT", 0);
const NEXT_CLIENT: (u16, u16, &str, u64) = (4000, 80, "ESTABLISHED", 9);
const OTHER: (u16, u16, &str, u64) = (5000, 81, "ESTABLISHED", 11);

#[test]
fn both_ends_of_a_connection_are_one_block() {
    let steps = [
        Step::Poll(&[]),
        Step::Poll(&[CLIENT, SERVER]),
        Step::Poll(&[LINGERING_SERVER]),
        Step::Poll(&[LINGERING_SERVER]),
        Step::Poll(&[OTHER]),
        Step::Poll(&[]),
        Step::Poll(&[]),
    ];
    // The client, whose end is seen first, waits for the server.
    assert_eq!(blocks(&steps), ["80 -- 4000", "5000 -- 81"]);
}

#[test]
fn no_timeline_waits_for_a_socket_lost_in_a_gap() {
    let steps = [
        Step::Poll(&[]),
        Step::Poll(&[CLIENT, SERVER]),
        Step::Poll(&[LINGERING_SERVER]),
        Step::Poll(&[LINGERING_SERVER]),
        Step::Gap,
        // Without an inode it may be another socket: the track of the first is lost.
        Step::Poll(&[LINGERING_SERVER]),
        Step::Poll(&[]),
        Step::Poll(&[]),
        // Of the next connection with these ports only the client is seen.
        Step::Poll(&[NEXT_CLIENT]),
        Step::Poll(&[]),
        Step::Poll(&[]),
        Step::Poll(&[OTHER]),
        Step::Poll(&[]),
        Step::Poll(&[]),
    ];
    let expected = ["4000 -- 80", "80 -- 4000", "4000 -- 80", "5000 -- 81"];
    assert_eq!(blocks(&steps), expected);
}

#[test]
fn open_timelines_are_sorted_by_their_start_and_ports() {
    const LATER: (u16, u16, &str, u64) = (3000, 81, "ESTABLISHED", 12);
    let steps = [Step::Poll(&[OTHER, CLIENT]), Step::Poll(&[OTHER, CLIENT, LATER])];
    assert_eq!(blocks(&steps), ["4000 -- 80", "5000 -- 81", "3000 -- 81"]);
}

#[test]
fn a_replay_names_the_owner_of_the_other_end() {
    let owners = r#"owners "processes":[{"pid":812,"start":1,"comm":"client"},{"pid":700,"start":1,"comm":"server"}],"holders":[[7,[{"pid":812,"start":1,"fd":3}]],[8,[{"pid":700,"start":1,"fd":3}]]]"#;
    let polls = [
        (0, 50_000_000, owners),
        (
            0,
            50_000_000,
            r#"{"local":"127.0.0.1:4000","remote":"127.0.0.1:80","state":"ESTABLISHED","inode":7},{"local":"127.0.0.1:80","remote":"127.0.0.1:4000","state":"ESTABLISHED","inode":8}"#,
        ),
        (2_000_000, 52_000_000, r#"{"state":"FIN_WAIT2"},{"state":"CLOSE_WAIT"}"#),
        (4_000_000, 54_000_000, "2"),
    ];
    let text = replayed(&polls, "--view timeline --pid 812");
    assert!(text.starts_with("812/client~  127.0.0.1:4000 -- 127.0.0.1:80  700/server"), "{text}");
    assert!(text.contains("700/server has not closed for 2.0s"), "{text}");
}
