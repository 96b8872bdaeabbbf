//! Clocks that jump: the time of day is set, the machine sleeps. From recordings, since no test may
//! set the clock of the machine that it runs on.

use super::made_recording::replayed;
use crate::support::record::{Event, Life, OutputLine};

const HOUR: i64 = 3_600_000_000;
const OPENED: &str =
    r#"{"local":"127.0.0.1:4000","remote":"127.0.0.1:80","state":"ESTABLISHED","inode":7}"#;
const CLOSING: &str = r#"{"state":"FIN_WAIT2"}"#;
const GONE: &str = "-1";
/// The time of day is set back by an hour, then far ahead.
const SET_BACK: [(i64, u64, &str); 6] = [
    (0, 50_000_000, ""),
    (100_000, 50_100_000, OPENED),
    (-HOUR, 50_200_000, ""),
    (-HOUR + 400_000, 50_600_000, CLOSING),
    (9 * HOUR, 51_600_000, GONE),
    (9 * HOUR + 100_000, 51_700_000, ""),
];

#[test]
fn durations_do_not_depend_on_the_time_of_day() {
    let printed = replayed(&SET_BACK, "-j");
    let events: Vec<Event> = printed
        .lines()
        .map(|line| match OutputLine::parse(line) {
            OutputLine::Event(event) => *event,
            OutputLine::Lost(lost) => panic!("nothing was lost: {lost:?}"),
        })
        .collect();
    let steps: Vec<_> = events.iter().map(|event| (event.to.as_str(), event.held)).collect();
    let expected = [("ESTABLISHED", None), ("FIN_WAIT2", Some(0.5)), ("CLOSED", Some(1.1))];
    assert_eq!(steps, expected);
    let lived: Vec<_> = events.iter().map(|event| event.lived).collect();
    assert_eq!(lived, [None, None, Some(1.6)]);
    assert!(events.iter().all(|event| event.id == events[0].id), "{events:?}");
    // Times are printed as the clock gave them.
    assert_eq!(events[0].time.0 - events[1].time.0, HOUR - 300_000);
    assert!(!replayed(&SET_BACK, "--time elapsed").contains("-3"), "no time is before the start");
}

#[test]
fn a_timeline_across_a_set_clock_has_its_true_length() {
    let printed = replayed(&SET_BACK, "-j --view timeline");
    let life = Life::parse(printed.trim_end());
    let held: Vec<_> = life.steps.iter().filter_map(|step| step.held).collect();
    assert_eq!((&held[..], life.lived), (&[0.5, 1.1][..], Some(1.6)), "{life:?}");
    let block = replayed(&SET_BACK, "--view timeline");
    assert!(block.contains("1.6s") && !block.contains("h "), "{block}");
}

#[test]
fn a_socket_with_the_same_inode_goes_on_after_a_suspend() {
    let night = u64::try_from(8 * HOUR).expect("positive");
    let slept = [
        (0, 50_000_000, ""),
        (100_000, 50_100_000, OPENED),
        (8 * HOUR, 50_100_000 + night, "lost gap"),
        (8 * HOUR, 50_100_000 + night, ""),
        (8 * HOUR + 100_000, 50_200_000 + night, CLOSING),
    ];
    let printed = replayed(&slept, "-j");
    let lines: Vec<OutputLine> = printed.lines().map(OutputLine::parse).collect();
    let [OutputLine::Event(opened), OutputLine::Lost(lost), OutputLine::Event(closing)] =
        &lines[..]
    else {
        panic!("{printed}")
    };
    assert_eq!(lost.reason, "gap");
    assert_eq!((&closing.id, closing.from.as_deref()), (&opened.id, Some("ESTABLISHED")));
    assert_eq!(closing.held, Some(28_800.1), "the suspend counts");
}
