use super::*;
use crate::model::socket::{Endpoint, Family};
use crate::model::socket_row::Timer;
use crate::model::time::Stamp;
use State::{CloseWait, Closed, Established, FinWait1, LastAck, Listen, SynRecv, SynSent};
use std::collections::HashMap;
use std::net::Ipv4Addr;

const HERE: u64 = 7;
const THERE: u64 = 8;
const MS: u64 = 1_000_000;
const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;
const HOME: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const FAR: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 9);

/// Threads 1 and 2 are of the watched namespace, 8 of another; these rows are found.
#[derive(Default)]
struct Kernel {
    time: u64,
    rows: Vec<SocketRow>,
    asked: usize,
}

impl Look for Kernel {
    fn task(&mut self, tid: i32) -> Option<Task> {
        let netns = HashMap::from([(1, HERE), (2, HERE), (8, THERE)]).get(&tid).copied()?;
        Some(Task { comm: Some(format!("p{tid}").into()), netns: Some(netns), kernel: tid == 2 })
    }

    fn sockets(
        &mut self,
        questions: &[LookupRequest],
    ) -> (u64, Vec<(LookupRequest, LookupResult)>) {
        self.asked += questions.len();
        let answer = |question: &LookupRequest| {
            let row = self.rows.iter().find(|row| row.addrs == question.addrs);
            (*question, row.map_or(LookupResult::Gone, |row| LookupResult::There(*row)))
        };
        (self.time, questions.iter().map(answer).collect())
    }
}

struct Stage {
    joiner: Joiner,
    kernel: Kernel,
}

impl Stage {
    fn new() -> Self {
        Self { joiner: Joiner::new(HERE), kernel: Kernel::default() }
    }

    fn event(&mut self, ms: u64, (tid, context): (i32, Context), what: What) {
        let event = Event { time: ms * MS, pid: tid, tid, context, what };
        self.joiner.take(&event, &mut self.kernel);
    }

    fn step(
        &mut self,
        ms: u64,
        who: (i32, Context),
        socket: u64,
        addrs: AddressPair,
        from: State,
        to: State,
    ) {
        let passive = from == Closed && to == SynRecv;
        self.event(ms, who, What::Step { socket, addrs, from, to, passive });
    }

    /// Polls from one millisecond to the next.
    fn poll(&mut self, ms: u64, rows: &[SocketRow], afresh: bool) {
        let stamp = |ms| Stamp { wall: 0, boot: ms * 1000 };
        let (start, end) = (stamp(ms), stamp(ms + 1));
        let rows = rows.to_vec();
        let poll = Snapshot { start, end, netns: Some(HERE), rows, bad_rows: 0 };
        self.joiner.poll(&poll, afresh);
    }

    /// What is told up to now: local ports and states.
    fn told(&mut self, ms: u64) -> Vec<(u16, State)> {
        self.kernel.time = ms * MS;
        let told = self.joiner.tell(ms * MS, &mut self.kernel);
        told.iter().map(|told| (told.addrs.local.port, told.step.to)).collect()
    }
}

const fn addrs(local: (Ipv4Addr, u16), remote: (Ipv4Addr, u16)) -> AddressPair {
    const fn end(end: (Ipv4Addr, u16)) -> Endpoint {
        Endpoint { addr: std::net::IpAddr::V4(end.0), port: end.1 }
    }
    AddressPair { family: Family::Ipv4, local: end(local), remote: end(remote) }
}

fn row(addrs: AddressPair, state: State) -> SocketRow {
    SocketRow {
        addrs,
        state,
        inode: 1,
        uid: 0,
        mini: state == State::TimeWait,
        tx_queue: 0,
        rx_queue: 0,
        timer: Timer::None,
        timer_left: if state == State::TimeWait { 5990 } else { 0 },
        retransmits: 0,
        cookie: 0,
        ifindex: 0,
        backlog_limit: None,
    }
}

const OWN: (i32, Context) = (1, Context::Task);
const OTHER: (i32, Context) = (8, Context::Task);
const NET: (i32, Context) = (8, Context::Interrupt);
const CLIENT: AddressPair = addrs((LOOPBACK, 4000), (LOOPBACK, 80));
const SERVER: AddressPair = addrs((LOOPBACK, 80), (LOOPBACK, 4000));
const PORTLESS: AddressPair = addrs((LOOPBACK, 0), (LOOPBACK, 80));
const LISTENER: AddressPair = addrs((LOOPBACK, 80), (Ipv4Addr::UNSPECIFIED, 0));
const CHILD: AddressPair = addrs((HOME, 80), (FAR, 4000));
const WILD: AddressPair = addrs((Ipv4Addr::UNSPECIFIED, 80), (Ipv4Addr::UNSPECIFIED, 0));

#[test]
fn a_connection_on_loopback_is_told_with_both_ends_and_the_port_that_came_later() {
    let mut stage = Stage::new();
    stage.poll(1, &[row(LISTENER, Listen)], true);
    stage.step(10, OWN, 1, PORTLESS, Closed, SynSent);
    stage.step(11, OWN, 1, CLIENT, SynSent, Established);
    stage.step(12, NET, 2, SERVER, Closed, SynRecv);
    stage.step(13, NET, 2, SERVER, SynRecv, Established);
    assert_eq!(
        stage.told(20),
        [(4000, SynSent), (4000, Established), (80, SynRecv), (80, Established)]
    );
    assert_eq!(stage.kernel.asked, 0, "the other end tells");
}

#[test]
fn the_caller_is_told_of_its_own_steps_alone() {
    let mut stage = Stage::new();
    stage.step(10, OWN, 1, PORTLESS, Closed, SynSent);
    stage.step(11, OWN, 1, CLIENT, SynSent, Established);
    stage.step(12, (8, Context::Interrupt), 1, CLIENT, Established, CloseWait);
    stage.step(13, (2, Context::Task), 1, CLIENT, CloseWait, LastAck);
    let told = stage.joiner.tell(20 * MS, &mut stage.kernel);
    let callers: Vec<_> = told.iter().map(|told| told.step.caller.clone()).collect();
    let own = Caller { pid: 1, comm: Some(b"p1".to_vec()) };
    assert_eq!(callers, [Some(own), None, None, None], "a kernel thread is no owner");
}

#[test]
fn another_namespace_is_left_out_although_its_sockets_look_the_same() {
    let mut stage = Stage::new();
    stage.poll(1, &[row(LISTENER, Listen)], true);
    for (who, socket) in [(OWN, 1), (OTHER, 3)] {
        stage.step(10, who, socket, PORTLESS, Closed, SynSent);
        stage.step(11, who, socket, CLIENT, SynSent, Established);
    }
    stage.step(12, NET, 2, SERVER, Closed, SynRecv);
    stage.step(12, NET, 4, SERVER, Closed, SynRecv);
    assert_eq!(stage.told(20), [(4000, SynSent), (4000, Established)], "whose are the others?");
    stage.step(30, NET, 2, SERVER, SynRecv, CloseWait);
    stage.step(30, NET, 4, SERVER, SynRecv, CloseWait);
    stage.step(31, OWN, 2, SERVER, CloseWait, LastAck);
    stage.step(31, OTHER, 4, SERVER, CloseWait, LastAck);
    assert_eq!(stage.told(40), [(80, SynRecv), (80, CloseWait), (80, LastAck)]);
    assert_eq!(stage.joiner.undecided(), 0);
}

#[test]
fn the_end_that_is_left_of_two_alike_proves_nothing_of_the_other_s_peer() {
    let mut stage = Stage::new();
    stage.poll(1, &[row(LISTENER, Listen)], true);
    for (who, socket) in [(OWN, 1), (OTHER, 3)] {
        stage.step(10, who, socket, CLIENT, Closed, SynSent);
        stage.step(11, who, socket, CLIENT, SynSent, Established);
    }
    stage.step(12, NET, 4, SERVER, Closed, SynRecv);
    stage.step(13, OTHER, 3, CLIENT, Established, Closed);
    stage.step(14, NET, 4, SERVER, SynRecv, CloseWait);
    stage.told(20);
    stage.step(31, OTHER, 4, SERVER, CloseWait, LastAck);
    assert_eq!(stage.told(40), []);
}

#[test]
fn what_nobody_here_listens_for_is_not_ours_and_needs_no_question() {
    let mut stage = Stage::new();
    stage.poll(1, &[row(addrs((HOME, 22), (Ipv4Addr::UNSPECIFIED, 0)), Listen)], true);
    stage.step(10, NET, 2, CHILD, Closed, SynRecv);
    assert_eq!((stage.told(20), stage.kernel.asked), (vec![], 0));
}

#[test]
fn a_child_from_afar_is_looked_up() {
    let mut stage = Stage::new();
    stage.poll(1, &[row(WILD, Listen)], true);
    stage.kernel.rows = vec![row(CHILD, Established)];
    stage.step(10, NET, 2, CHILD, Closed, SynRecv);
    stage.step(10, NET, 2, CHILD, SynRecv, Established);
    assert_eq!(stage.told(20), [(80, SynRecv), (80, Established)]);
}

#[test]
fn a_child_that_the_kernel_does_not_know_here_is_of_another_namespace_if_it_goes_on() {
    let mut stage = Stage::new();
    stage.poll(1, &[row(WILD, Listen)], true);
    stage.step(10, NET, 2, CHILD, Closed, SynRecv);
    assert_eq!(stage.told(20), [], "asked at 20 ms");
    // It may have ended before it was asked for, but it has not.
    assert_eq!(stage.told(30), []);
    stage.kernel.rows = vec![row(CHILD, Established)];
    stage.step(40, NET, 2, CHILD, SynRecv, Established);
    assert_eq!((stage.told(50), stage.joiner.undecided()), (vec![], 0));
}

#[test]
fn a_child_cut_off_at_once_is_told_by_the_close_of_its_owner() {
    let mut stage = Stage::new();
    stage.poll(1, &[row(WILD, Listen)], true);
    stage.step(10, NET, 2, CHILD, Closed, SynRecv);
    stage.step(11, NET, 2, CHILD, SynRecv, Established);
    stage.event(12, NET, What::ResetReceived { socket: 2 });
    stage.step(12, NET, 2, CHILD, Established, Closed);
    assert_eq!(stage.told(20), []);
    stage.event(300, (1, Context::Masked), What::Destroyed { socket: 2 });
    assert_eq!(stage.told(310), [(80, SynRecv), (80, Established), (80, Closed)]);
}

#[test]
fn what_stays_undecided_is_counted() {
    let mut stage = Stage::new();
    stage.poll(1, &[row(WILD, Listen)], true);
    stage.step(10, NET, 2, CHILD, Closed, SynRecv);
    stage.step(12, NET, 2, CHILD, SynRecv, Closed);
    stage.told(20);
    stage.event(21, NET, What::Destroyed { socket: 2 });
    assert_eq!((stage.told(500), stage.joiner.undecided()), (vec![], 0));
    assert_eq!((stage.told(2000), stage.joiner.undecided()), (vec![], 2));
}

#[test]
fn what_was_there_before_is_known_by_its_row() {
    let mut stage = Stage::new();
    stage.poll(1, &[row(CHILD, Established)], true);
    stage.step(10, NET, 2, CHILD, Established, CloseWait);
    let other = addrs((HOME, 80), (FAR, 4001));
    stage.step(10, NET, 3, other, Established, Closed);
    assert_eq!(stage.told(20), [(80, CloseWait)]);
}

#[test]
fn a_recycled_address_is_another_socket() {
    let mut stage = Stage::new();
    stage.step(10, OWN, 1, PORTLESS, Closed, SynSent);
    stage.event(11, OWN, What::ResetReceived { socket: 1 });
    stage.step(11, OWN, 1, CLIENT, SynSent, Closed);
    stage.step(12, OTHER, 1, PORTLESS, Closed, SynSent);
    stage.step(12, OTHER, 1, CLIENT, SynSent, Established);
    let told = stage.joiner.tell(20 * MS, &mut stage.kernel);
    let steps: Vec<_> = told.iter().map(|told| (told.step.to, told.cut)).collect();
    assert_eq!(steps, [(SynSent, None), (Closed, Some(AbortReason::Refused))]);
}

#[test]
fn a_connect_without_an_answer_gets_its_port_from_the_one_row_it_can_be() {
    let mut stage = Stage::new();
    stage.poll(1, &[], true);
    let away = |port| addrs((HOME, port), (FAR, 80));
    stage.step(10, OWN, 1, away(0), Closed, SynSent);
    assert_eq!(stage.told(20), []);
    stage.poll(30, &[row(away(5000), SynSent)], false);
    assert_eq!(stage.told(40), [(5000, SynSent)]);
    stage.step(50, OWN, 2, away(0), Closed, SynSent);
    stage.step(50, OWN, 3, away(0), Closed, SynSent);
    stage.told(60);
    let rows = [5000, 5001, 5002].map(|port| row(away(port), SynSent));
    stage.poll(70, &rows, false);
    assert_eq!(stage.told(80), [], "which is which?");
    stage.step(90, NET, 3, away(5001), SynSent, Established);
    assert_eq!(stage.told(100), [(5001, SynSent), (5001, Established)]);
}

#[test]
fn after_a_loss_rows_name_what_was_born_unseen() {
    let mut stage = Stage::new();
    stage.poll(1, &[], true);
    stage.joiner.lost(true);
    stage.poll(10, &[row(CHILD, Established)], true);
    stage.step(20, NET, 2, CHILD, Established, FinWait1);
    assert_eq!(stage.told(30), [(80, FinWait1)]);
}
