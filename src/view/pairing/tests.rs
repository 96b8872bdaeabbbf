use super::*;
use crate::tcp::state::State::{CloseWait, Closed, Established};
use crate::view::life::tests::{Story, client, server, stamp};

fn ids(lives: &[LifeRecord]) -> Vec<(u64, Option<u64>)> {
    let number = |life: &LifeRecord| life.socket.id.number;
    lives.iter().map(|life| (number(life), life.other_end.as_deref().map(number))).collect()
}

fn over(story: Story, second: f64) -> LifeRecord {
    story.at(second, &[], &[], Closed).life(0.0)
}

/// Both ends of a connection, the client 2 and the server 3, of which the server is over first.
fn begun() -> (Conversations, LifeRecord, LifeRecord) {
    let (client, server) = (over(client(), 70.0), over(server(), 8.1));
    let mut conversations = Conversations::default();
    conversations.begin(client.addrs);
    conversations.begin(server.addrs);
    (conversations, client, server)
}

#[test]
fn the_first_end_waits_for_the_other_and_who_opened_leads() {
    let (mut conversations, client, server) = begun();
    assert_eq!(ids(&conversations.end(server.addrs, Some(server))), []);
    assert_eq!(ids(&conversations.end(client.addrs, Some(client))), [(2, Some(3))]);
    assert_eq!(ids(&conversations.rest()), []);
}

#[test]
fn an_end_whose_other_is_elsewhere_waits_for_nobody() {
    let (_, client, _) = begun();
    let mut conversations = Conversations::default();
    conversations.begin(client.addrs);
    assert_eq!(ids(&conversations.end(client.addrs, Some(client))), [(2, None)]);
}

#[test]
fn nobody_waits_for_ever() {
    let (mut conversations, _, server) = begun();
    conversations.end(server.addrs, Some(server));
    assert_eq!(ids(&conversations.overdue(stamp(78.0))), []);
    assert_eq!(ids(&conversations.overdue(stamp(78.2))), [(3, None)]);
    assert_eq!(ids(&conversations.rest()), []);
}

#[test]
fn a_life_does_not_wait_for_a_socket_whose_track_was_lost() {
    let (mut conversations, client, server) = begun();
    assert_eq!(ids(&conversations.end(server.addrs, Some(server))), []);
    let open = [client.addrs];
    assert_eq!(ids(&conversations.retain(open.into_iter())), [], "the client is still open");
    assert_eq!(ids(&conversations.retain(std::iter::empty())), [(3, None)]);
    assert_eq!(ids(&conversations.end(client.addrs, Some(client))), [(2, None)]);
}

#[test]
fn a_life_does_not_wait_for_what_took_the_place_of_a_lost_socket() {
    let (mut conversations, client, server) = begun();
    assert_eq!(ids(&conversations.end(server.addrs, Some(server.clone()))), []);
    // Another socket with the address pair of the client appears where the client was lost.
    conversations.begin(client.addrs);
    assert_eq!(ids(&conversations.retain([client.addrs].into_iter())), [(3, None)]);
    assert_eq!(ids(&conversations.end(client.addrs, Some(client))), [(2, None)]);
    assert_eq!(ids(&conversations.end(server.addrs, Some(server))), [(3, None)]);
}

#[test]
fn an_end_is_told_alone_where_the_other_is_not_asked_for() {
    let (mut conversations, client, server) = begun();
    conversations.end(server.addrs, Some(server));
    assert_eq!(ids(&conversations.end(client.addrs, None)), [(3, None)]);
}

#[test]
fn ends_used_again_later_are_another_conversation() {
    let (mut conversations, client, server) = begun();
    let late = Story::new(4, (700, "server"), "127.0.0.1:9527", "127.0.0.1:40122").at(
        90.0,
        &[],
        &[],
        Established,
    );
    conversations.begin(server.addrs);
    conversations.end(client.addrs, Some(client));
    let late = over(late, 95.0);
    assert_eq!(ids(&conversations.end(server.addrs, Some(late))), [(4, None)]);
    assert_eq!(ids(&conversations.rest()), [(2, None)]);
}

#[test]
fn a_socket_that_talks_to_itself_has_one_end() {
    let own = Story::new(1, (7, "self"), "127.0.0.1:80", "127.0.0.1:80");
    let life = own.at(1.0, &[], &[], Established).life(2.0);
    assert_eq!(ids(&paired(vec![life])), [(1, None)]);
}

#[test]
fn open_ends_are_paired_in_the_order_in_which_they_began() {
    let lone = Story::new(1, (7, "other"), "127.0.0.1:1", "10.0.0.9:2");
    let lives =
        vec![lone.at(0.5, &[], &[], CloseWait).life(9.0), client().life(9.0), server().life(9.0)];
    assert_eq!(ids(&paired(lives)), [(1, None), (2, Some(3))]);
}
