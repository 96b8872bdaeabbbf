//! Whose socket it is, over a life: found, proven again, remembered, never guessed.

use super::stage::Stage;
use crate::old_support::record::Event;
use std::io::Write as _;

fn owner(event: &Event) -> String {
    let pid = event.pid.map_or("-".to_owned(), |pid| pid.to_string());
    let name = event.process.as_deref().unwrap_or("-");
    format!("{} {pid}/{name} {}", event.to, event.owner_source)
}

#[test]
fn a_filter_by_process_sticks_after_the_process_has_gone() {
    let mut stage = Stage::new();
    stage.process(812, "client", 100, &[7]);
    stage.process(700, "server", 50, &[8]);
    stage.start(3, &["client"]);
    stage.poll(&["4000 80 01/7", "80 4000 01/8"]);
    assert_eq!(owner(&stage.told()), "ESTABLISHED 812/client proven");
    stage.exit(812);
    stage.poll(&["4000 80 05/0", "80 4000 08/8"]);
    assert_eq!(owner(&stage.told()), "FIN_WAIT2 812/client remembered");
    stage.poll(&["4000 80 06/0"]);
    let last = stage.told();
    assert_eq!(owner(&last), "TIME_WAIT 812/client remembered");
    assert_eq!(last.owners.len(), 1);
    stage.end();
}

#[test]
fn a_descriptor_that_moved_is_followed_to_its_new_process() {
    let mut stage = Stage::new();
    stage.process(812, "client", 100, &[7]);
    stage.start(2, &[]);
    stage.poll(&["4000 80 01/7"]);
    assert_eq!(owner(&stage.told()), "ESTABLISHED 812/client proven");
    stage.process(812, "client", 100, &[]);
    stage.process(813, "child", 200, &[7]);
    stage.poll(&["4000 80 08/7"]);
    assert_eq!(owner(&stage.told()), "CLOSE_WAIT 813/child proven");
    stage.end();
}

#[test]
fn a_pid_that_was_given_to_another_process_is_not_the_owner() {
    let mut stage = Stage::new();
    stage.process(812, "client", 100, &[7]);
    stage.start(2, &["client"]);
    stage.poll(&["4000 80 01/7"]);
    assert_eq!(owner(&stage.told()), "ESTABLISHED 812/client proven");
    stage.process(812, "other", 999, &[7]);
    stage.poll(&["4000 80 08/7"]);
    assert_eq!(owner(&stage.told()), "CLOSE_WAIT 812/client remembered");
    stage.end();
}

#[test]
fn a_new_life_does_not_inherit_the_holders_of_its_inode() {
    let mut stage = Stage::new();
    stage.process(812, "client", 100, &[7]);
    stage.start(3, &[]);
    stage.poll(&["4000 80 01/7"]);
    assert_eq!(owner(&stage.told()), "ESTABLISHED 812/client proven");
    stage.exit(812);
    stage.poll(&[]);
    stage.poll(&[]);
    assert_eq!(owner(&stage.told()), "CLOSED 812/client remembered");
    stage.poll(&["5000 80 01/7"]);
    assert_eq!(owner(&stage.told()), "ESTABLISHED -/- unknown");
    stage.end();
}

#[test]
fn a_successor_that_had_to_wait_keeps_the_owner_found_meanwhile() {
    let mut stage = Stage::new();
    stage.process(812, "client", 100, &[7, 9]);
    stage.process(814, "client", 100, &[11]);
    stage.start(4, &["client"]);
    stage.poll(&["4000 80 01/7"]);
    assert_eq!(owner(&stage.told()), "ESTABLISHED 812/client proven");
    stage.poll(&["4000 80 01/9", "4001 80 01/11"]);
    assert_eq!(owner(&stage.told()), "ESTABLISHED 814/client proven");
    stage.exit(812);
    stage.poll(&["4000 80 01/9", "4001 80 01/11"]);
    assert_eq!(owner(&stage.told()), "CLOSED 812/client remembered");
    let successor = stage.told();
    assert_eq!(owner(&successor), "ESTABLISHED 812/client remembered");
    assert_eq!(successor.inode, Some(9));
    stage.end();
}

#[test]
fn the_main_owner_matches_and_started_first() {
    let mut stage = Stage::new();
    stage.process(30, "worker", 200, &[7]);
    stage.process(20, "worker", 300, &[7]);
    stage.process(10, "master", 100, &[7]);
    stage.start(1, &["-l", "worker"]);
    stage.poll(&["80 0 0A/7"]);
    let listener = stage.told();
    assert_eq!(owner(&listener), "LISTEN 30/worker proven");
    let pids: Vec<_> = listener.owners.iter().map(|owner| owner.pid).collect();
    assert_eq!(pids, [30, 20], "those that were looked at, the oldest first");
    stage.end();
}

#[test]
fn a_socket_handed_to_a_matching_process_later_is_found() {
    let mut stage = Stage::new();
    stage.process(812, "parent", 100, &[7]);
    stage.process(814, "handler", 100, &[9]);
    stage.start_polling("1100ms", 2, &["handler"]);
    stage.poll(&["4000 80 01/7", "4001 80 01/9"]);
    assert_eq!(owner(&stage.told()), "ESTABLISHED 814/handler proven");
    stage.process(813, "handler", 200, &[7]);
    stage.poll(&["4000 80 01/7", "4001 80 01/9"]);
    stage.poll(&["4000 80 06/0", "4001 80 01/9"]);
    assert_eq!(owner(&stage.told()), "TIME_WAIT 813/handler remembered");
    stage.end();
}

#[test]
fn what_is_left_out_for_want_of_an_owner_is_counted_once() {
    let mut stage = Stage::new();
    stage.process(812, "client", 100, &[7]);
    stage.start(1, &["client"]);
    stage.poll(&["4000 80 01/7", "4001 80 06/0", "4002 80 01/9"]);
    assert_eq!(owner(&stage.told()), "ESTABLISHED 812/client proven");
    assert_eq!(
        stage.end(),
        "tcplapse: 1 socket without a known owner not shown\n\
         tcplapse: coverage: lives seen 1 (still open 1), lives missed 0, readings lost 0\n"
    );
}

#[test]
fn what_was_accepted_during_a_look_is_not_its_listener_s() {
    let listed = |rows: &str| {
        let mut stage = Stage::new();
        stage.process(700, "server", 50, &[5]);
        stage.process(800, "other", 60, &[9]);
        stage.run(&["list", "--no-header", "server"]);
        let listener = "0: 0100000A:0050 00000000:0000 0A 0:0 00:0 0 0 0 5 1 0 20 4 30 10 -1";
        write!(stage.open("net/tcp"), "sl\n{listener}\n{rows}").expect("a pipe holds it");
        drop(stage.open("net/tcp6"));
        let (status, printed, _) = stage.outcome();
        assert_eq!(status, Some(0));
        let columns = |line: &str| line.split_whitespace().skip(4).collect::<Vec<_>>().join(" ");
        printed.lines().map(columns).collect::<Vec<_>>()
    };
    let child = |inode: u32| {
        format!("1: 0100000A:0050 0200000A:1000 01 0:0 00:0 0 0 0 {inode} 1 0 20 4 30 10 -1\n")
    };
    let waiting = listed(&child(0));
    assert_eq!(waiting, ["* LISTEN 700/server", "10.0.0.2:4096 ESTABLISHED 700/server^"]);
    assert_eq!(listed(&(child(0) + &child(9))), ["* LISTEN 700/server"], "the other accepted it");
}
