//! A monitor that is stopped for longer than it may be without a look.

use crate::old_support::actor::Actor;
use crate::old_support::netns::isolated;
use crate::old_support::program::Watch;
use crate::old_support::record::Line;
use crate::old_support::wait::{until, until_instant};
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};

/// Longer than a late look may be.
const PAUSE: Duration = Duration::from_millis(2500);

#[test]
fn a_stopped_monitor_tells_of_the_gap_and_of_nothing_that_it_cannot_know() {
    isolated(|| stopped_and_continued("proc"));
}

#[test]
fn a_stopped_monitor_tells_of_the_gap_by_netlink_too() {
    isolated(|| stopped_and_continued("netlink"));
}

fn stopped_and_continued(source: &str) {
    let (mut server, mut client) = (Actor::start("server"), Actor::start("client"));
    server.tell("listen l 127.0.0.1:7000 8");
    let watch = Watch::start(&["-x", "client", "-i", "20ms", "--source", source]);
    let mut connect = |client: &mut Actor, name: &str| {
        let local = client.tell(&format!("connect {name} 127.0.0.1:0 127.0.0.1:7000"));
        until("the connection", || Some(server.tell("accept l")).filter(|name| !name.is_empty()));
        let (_, port) = local.rsplit_once(':').expect("an address");
        port.parse::<u16>().expect("a port")
    };
    let shown = |port: u16| {
        watch.until("a connection", |told| told.to == "ESTABLISHED" && told.local_port == port)
    };
    let (stays, goes) = (connect(&mut client, "stays"), connect(&mut client, "goes"));
    shown(stays);
    let known = shown(goes);

    watch.signal(Signal::SIGSTOP);
    let stopped = Instant::now();
    let unseen = connect(&mut client, "unseen");
    client.tell("reset unseen");
    client.tell("reset goes");
    let came = connect(&mut client, "came");
    until_instant(stopped + PAUSE);
    watch.signal(Signal::SIGCONT);

    let gone = watch.until("an end", |told| told.event == "closed" && told.local_port == goes);
    assert_eq!((gone.id, gone.from.as_deref()), (known.id, Some("ESTABLISHED")));
    assert_eq!(shown(came).event, "opened");
    let after = connect(&mut client, "after");
    shown(after);
    let lines = watch.stop();
    let lost = lines.iter().filter(|line| matches!(line, Line::Lost(lost) if lost.reason == "gap"));
    // A pass that was stopped halfway has a gap between its own rows, and so has the next one.
    assert!((1..=2).contains(&lost.count()), "{lines:?}");
    let of = |port: u16| {
        let told = |line: &&Line| matches!(line, Line::Event(told) if told.local_port == port);
        lines.iter().filter(told).count()
    };
    assert_eq!((of(stays), of(goes), of(unseen)), (1, 2, 0), "{lines:?}");
}
