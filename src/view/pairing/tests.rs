use super::*;
use crate::model::socket::Family;
use crate::tcp::state::State::{CloseWait, Closed, Established};
use crate::view::life::tests::{ScriptedSocket, client, server, stamp};

fn ids(lives: &[LifeRecord]) -> Vec<(u64, Option<u64>)> {
    let number = |life: &LifeRecord| life.socket.id.number;
    lives.iter().map(|life| (number(life), life.peer.as_deref().map(number))).collect()
}

fn closed(socket: ScriptedSocket, second: f64) -> LifeRecord {
    socket.at(second, &[], &[], Closed).life(0.0)
}

/// Both ends of a connection, the client 2 and the server 3, of which the server is over first.
fn connection() -> (Pairing, LifeRecord, LifeRecord) {
    let (client, server) = (closed(client(), 70.0), closed(server(), 8.1));
    let mut pairing = Pairing::default();
    pairing.socket_opened(client.socket.addrs);
    pairing.socket_opened(server.socket.addrs);
    (pairing, client, server)
}

#[test]
fn the_end_that_closes_first_waits_for_the_other() {
    let (mut pairing, client, server) = connection();
    assert_eq!(ids(&pairing.socket_closed(server.socket.addrs, Some(server))), []);
    assert_eq!(ids(&pairing.socket_closed(client.socket.addrs, Some(client))), [(2, Some(3))]);
    assert_eq!(ids(&pairing.take_all()), []);
}

#[test]
fn a_remote_peer_is_not_waited_for() {
    let (_, client, _) = connection();
    let mut pairing = Pairing::default();
    pairing.socket_opened(client.socket.addrs);
    assert_eq!(ids(&pairing.socket_closed(client.socket.addrs, Some(client))), [(2, None)]);
}

#[test]
fn no_life_waits_longer_than_70_seconds() {
    let (mut pairing, _, server) = connection();
    pairing.socket_closed(server.socket.addrs, Some(server));
    assert_eq!(ids(&pairing.expired(stamp(78.0))), []);
    assert_eq!(ids(&pairing.expired(stamp(78.2))), [(3, None)]);
    assert_eq!(ids(&pairing.take_all()), []);
}

#[test]
fn a_life_does_not_wait_for_a_socket_whose_track_was_lost() {
    let (mut pairing, client, server) = connection();
    assert_eq!(ids(&pairing.socket_closed(server.socket.addrs, Some(server))), []);
    let open = [client.socket.addrs];
    assert_eq!(ids(&pairing.set_open(open.into_iter())), [], "the client is still open");
    assert_eq!(ids(&pairing.set_open(std::iter::empty())), [(3, None)]);
    assert_eq!(ids(&pairing.socket_closed(client.socket.addrs, Some(client))), [(2, None)]);
}

#[test]
fn a_life_does_not_wait_for_the_successor_of_a_lost_socket() {
    let (mut pairing, client, server) = connection();
    assert_eq!(ids(&pairing.socket_closed(server.socket.addrs, Some(server.clone()))), []);
    // Another socket with the address pair of the client appears where the client was lost.
    pairing.socket_opened(client.socket.addrs);
    assert_eq!(ids(&pairing.set_open([client.socket.addrs].into_iter())), [(3, None)]);
    assert_eq!(ids(&pairing.socket_closed(client.socket.addrs, Some(client))), [(2, None)]);
    assert_eq!(ids(&pairing.socket_closed(server.socket.addrs, Some(server))), [(3, None)]);
}

#[test]
fn an_end_is_alone_if_the_other_is_not_shown() {
    let (mut pairing, client, server) = connection();
    pairing.socket_closed(server.socket.addrs, Some(server));
    assert_eq!(ids(&pairing.socket_closed(client.socket.addrs, None)), [(3, None)]);
}

#[test]
fn a_reused_4_tuple_is_another_connection() {
    let (mut pairing, client, server) = connection();
    let late = ScriptedSocket::new(4, (700, "server"), "127.0.0.1:9527", "127.0.0.1:40122").at(
        90.0,
        &[],
        &[],
        Established,
    );
    pairing.socket_opened(server.socket.addrs);
    pairing.socket_closed(client.socket.addrs, Some(client));
    let late = closed(late, 95.0);
    assert_eq!(ids(&pairing.socket_closed(server.socket.addrs, Some(late))), [(4, None)]);
    assert_eq!(ids(&pairing.take_all()), [(2, None)]);
}

#[test]
fn a_socket_that_talks_to_itself_has_one_end() {
    let own = ScriptedSocket::new(1, (7, "self"), "127.0.0.1:80", "127.0.0.1:80");
    let life = own.at(1.0, &[], &[], Established).life(2.0);
    assert_eq!(ids(&paired(vec![life])), [(1, None)]);
}

#[test]
fn open_ends_are_paired_in_order_of_creation() {
    let lone = ScriptedSocket::new(1, (7, "other"), "127.0.0.1:1", "10.0.0.9:2");
    let lives =
        vec![lone.at(0.5, &[], &[], CloseWait).life(9.0), client().life(9.0), server().life(9.0)];
    assert_eq!(ids(&paired(lives)), [(1, None), (2, Some(3))]);
}

#[test]
fn an_end_that_was_turned_into_ipv4_is_not_waited_for() {
    let (client, server) = (closed(client(), 70.0), closed(server(), 8.1));
    let mut pairing = Pairing::default();
    pairing.socket_opened(AddressPair { family: Family::Ipv6, ..client.socket.addrs });
    pairing.socket_opened(server.socket.addrs);
    assert_eq!(ids(&pairing.socket_closed(client.socket.addrs, None)), []);
    assert_eq!(ids(&pairing.socket_closed(server.socket.addrs, Some(server))), [(3, None)]);
}
