//! A program that is stopped for longer than it may go without a poll.

#[cfg(feature = "bpf")]
use super::trace;
use crate::support::actor::Actor;
use crate::support::netns::isolated;
use crate::support::program::Program;
use crate::support::wait::until_instant;
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};

/// Two seconds without a poll are a gap.
const PAUSE: Duration = Duration::from_millis(2500);

#[test]
fn a_gap_is_reported_and_nothing_is_guessed() {
    isolated(|| stopped_and_continued("proc"));
}

#[test]
fn a_gap_is_reported_and_nothing_is_guessed_by_netlink() {
    isolated(|| stopped_and_continued("netlink"));
}

fn stopped_and_continued(source: &str) {
    let (mut server, mut client) = (Actor::start("server"), Actor::start("client"));
    server.order("listen l 127.0.0.1:7000 8");
    let mut connect = |client: &mut Actor, name: &str| {
        let port = client.connect(name, "127.0.0.1:7000");
        server.accept("l");
        port
    };
    let (stays, goes) = (connect(&mut client, "stays"), connect(&mut client, "goes"));
    let mut watch = Program::watch(&["-x", "client", "-i", "20ms", "--source", source]);
    let known = watch.until("a connection", |event| event.local_port == goes);
    assert_eq!(known.event, "present");

    watch.pause();
    let stopped = Instant::now();
    let unseen = connect(&mut client, "unseen");
    client.order("reset unseen");
    client.order("reset goes");
    let came = connect(&mut client, "came");
    until_instant(stopped + PAUSE);
    watch.signal(Signal::SIGCONT);

    let gone = watch.until("an end", |event| event.event == "closed");
    assert_eq!((gone.local_port, gone.id), (goes, known.id));
    assert_eq!(gone.from.as_deref(), Some("ESTABLISHED"));
    let after = connect(&mut client, "after");
    watch.until("a new connection", |event| event.to == "ESTABLISHED" && event.local_port == after);
    let recorded = watch.stop().recorded();
    // A poll that was stopped halfway has a gap between its own rows, and so has the next one.
    let gaps = recorded.lost.iter().filter(|lost| lost.reason == "gap").count();
    assert!((1..=2).contains(&gaps) && recorded.lost.len() == gaps, "{recorded:?}");
    let of = |port: u16| {
        let events = recorded.events.iter().filter(move |event| event.local_port == port);
        events.map(|event| event.event.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(of(stays), ["present"]);
    assert_eq!(of(goes), ["present", "closed"]);
    assert_eq!(of(unseen), [""; 0]);
    assert_eq!(of(came), ["opened"]);
}

/// Events show what connections did meanwhile. But a request, or what a close() leaves, has none: that there was
/// nothing of the kind is not known.
#[cfg(feature = "bpf")]
#[test]
fn a_pause_is_a_gap_between_the_polls_beside_kernel_events() {
    if !trace::is_permitted() {
        return;
    }
    isolated(|| {
        let (mut server, mut client) = (Actor::start("server"), Actor::start("client"));
        server.order("listen l 127.0.0.1:7000 8");
        let stays = client.connect("stays", "127.0.0.1:7000");
        server.accept("l");
        let mut watch = Program::watch(&["-x", "client", "-i", "20ms", "--source", "trace"]);
        let known = watch.until("a connection", |event| event.local_port == stays);
        watch.pause();
        let stopped = Instant::now();
        let comes = client.connect("comes", "127.0.0.1:7000");
        client.order("reset comes");
        until_instant(stopped + PAUSE);
        watch.signal(Signal::SIGCONT);
        watch.until("an end", |event| event.local_port == comes && event.event == "closed");
        client.order("reset stays");
        let end = watch.until("the other end", |event| event.local_port == stays);
        assert_eq!((end.id, end.event.as_str()), (known.id, "closed"));
        let recorded = watch.stop().recorded();
        let gaps = recorded.lost.iter().filter(|lost| lost.reason == "gap").count();
        assert!((1..=2).contains(&gaps), "{recorded:?}");
        let of = recorded.events.iter().filter(|event| event.local_port == comes);
        let of: Vec<&str> = of.map(|event| event.to.as_str()).collect();
        assert_eq!(of, ["SYN_SENT", "ESTABLISHED", "CLOSED"]);
    });
}

#[test]
fn a_run_that_ends_while_it_is_stopped_reports_the_gap() {
    ended_while_stopped("proc");
    ended_while_stopped("netlink");
}

#[cfg(feature = "bpf")]
#[test]
fn a_traced_run_that_ends_while_it_is_stopped_reports_the_gap() {
    if trace::is_permitted() {
        ended_while_stopped("trace");
    }
}

fn ended_while_stopped(source: &str) {
    isolated(|| {
        let watch = Program::watch(&["-i", "20ms", "--source", source]);
        watch.pause();
        let stopped = Instant::now();
        watch.signal(Signal::SIGTERM);
        until_instant(stopped + PAUSE);
        watch.signal(Signal::SIGCONT);
        let outcome = watch.finish();
        let lost = outcome.recorded().lost;
        assert_eq!(lost.len(), 1, "{outcome:?}");
        assert_eq!(lost[0].reason, "gap");
    });
}
