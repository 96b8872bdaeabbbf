//! The same two ends, used again and again.

use crate::old_support::netns::isolated;
use crate::old_support::program::Watch;
use crate::old_support::record::{Event, Line};
use crate::old_support::sockets::{listener, pair, reset};
use crate::old_support::wait::until_instant;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 7000);
const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 7001);
/// As many lives as have to be told, and as many as may be lived until then.
const ENOUGH: usize = 20;
const MOST: u32 = 3000;
/// Shorter than the interval, and not a part of it: the polls meet every phase of a life.
const LIFE: Duration = Duration::from_millis(13);

#[test]
fn every_use_of_the_same_ends_is_a_life_of_its_own() {
    isolated(|| lives_on_the_same_ends("proc"));
}

#[test]
fn every_use_of_the_same_ends_is_a_life_of_its_own_by_netlink() {
    isolated(|| lives_on_the_same_ends("netlink"));
}

fn lives_on_the_same_ends(source: &str) {
    let often = ["--port", "7000", "-i", "20ms", "--max-cpu", "100"];
    let watch = Watch::start(&[&often[..], &["--source", source]].concat());
    let server = listener(SERVER, 8).expect("the port is free");
    watch.until("the listener", |told| told.to == "LISTEN");
    let begin = Instant::now();
    let mut life = 0;
    while lives_told(&watch) < ENOUGH {
        life += 1;
        assert!(life < MOST, "few of {MOST} lives were told");
        let (client, accepted) = pair(&server, CLIENT);
        until_instant(begin + LIFE * life);
        reset(client);
        drop(accepted);
    }
    drop(server);
    watch.until("the listener's end", |told| told.from.as_deref() == Some("LISTEN"));
    let lines = watch.stop();
    let told: Vec<&Event> = lines.iter().map(event).filter(|t| t.remote_port != 0).collect();
    for local_port in [SERVER.port(), CLIENT.port()] {
        let of_one_end = told.iter().filter(|told| told.local_port == local_port).copied();
        lives_follow_each_other(of_one_end.collect());
    }
}

/// How many lives of the client's end have been told of.
fn lives_told(watch: &Watch) -> usize {
    let said = watch.said();
    let told = said.iter().map(event);
    told.filter(|told| told.event == "opened" && told.local_port == CLIENT.port()).count()
}

fn event(line: &Line) -> &Event {
    match line {
        Line::Event(event) => event,
        Line::Lost(lost) => panic!("nothing can have been lost: {lost:?}"),
    }
}

fn lives_follow_each_other(told: Vec<&Event>) {
    let mut lives: Vec<Vec<&Event>> = Vec::new();
    for event in told {
        match lives.last_mut() {
            Some(life) if life[0].id == event.id => life.push(event),
            _ => lives.push(vec![event]),
        }
    }
    assert!(lives.len() >= ENOUGH / 2, "the other end was seen as often, about: {}", lives.len());
    let mut inodes = HashMap::new();
    for life in &lives {
        let (first, last) = (life[0], life[life.len() - 1]);
        assert_eq!((first.event.as_str(), last.event.as_str()), ("opened", "closed"), "{life:#?}");
        assert!(life.iter().all(|e| e.after.is_some_and(|after| after < e.time)), "{life:#?}");
        for inode in life.iter().filter_map(|event| event.inode) {
            let other = inodes.insert(inode, &first.id).unwrap_or(&first.id);
            assert_eq!(other, &first.id, "one inode in two lives");
        }
    }
    let mut ids: Vec<&str> = lives.iter().map(|life| life[0].id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), lives.len(), "records of two lives are mixed");
    assert!(inodes.len() > lives.len() / 2, "most were seen with an inode");
}
