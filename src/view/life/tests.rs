use super::*;
use crate::model::event::{Ages, OwnerClues, SocketRef};
use crate::model::process::{Exe, Process};
use crate::model::reading::{Lost, LostReason};
use crate::model::socket::{Endpoint, Family};
use crate::model::socket_row::Details;
use crate::tcp::state::State::{
    CloseWait, Closed, Closing, Established, FinWait1, FinWait2, LastAck, Listen, SynRecv, SynSent,
    TimeWait,
};

/// One socket of a story, told transition by transition.
pub(crate) struct Story {
    transition: Transition,
    owner: Attribution,
    wanted: Vec<State>,
    news: Vec<MonitorEvent>,
    /// It came to match after all of that.
    untold: bool,
}

fn end(text: &str) -> Endpoint {
    let end: std::net::SocketAddr = text.parse().unwrap();
    Endpoint { addr: end.ip(), port: end.port() }
}

pub(crate) fn stamp(seconds: f64) -> Stamp {
    let micros = Duration::from_secs_f64(seconds).as_micros();
    let boot = u64::try_from(micros).unwrap();
    Stamp { wall: 1_793_534_400_000_000 + i64::try_from(boot).unwrap(), boot }
}

impl Story {
    pub(crate) fn new(number: u64, owner: (i32, &str), local: &str, remote: &str) -> Self {
        let (local, remote) = (end(local), end(remote));
        let transition = Transition {
            socket: SocketRef {
                id: SocketId { run: 1, number },
                netns: None,
                addrs: AddressPair { family: Family::Ipv4, local, remote },
            },
            kind: EventKind::Opened,
            time: stamp(0.0),
            after: None,
            from: None,
            via: Vec::new(),
            maybe: Vec::new(),
            to: Closed,
            ages: Ages {
                since: None,
                held: None,
                held_at_least: false,
                lived: Duration::ZERO,
                lived_at_least: false,
            },
            clues: OwnerClues { inode: 7, last_inode: 7, listener: 0, uid: None },
            roles: Roles::default(),
            verdict: None,
            caller: None,
        };
        let main = Process {
            pid: owner.0,
            start: 1,
            comm: owner.1.into(),
            exe: Exe::None,
            cmdline: Vec::new(),
            uid: None,
        };
        let source = OwnerSource::Proven;
        let owner = Attribution { main: Some(main.into()), holders: Vec::new(), source };
        Self { transition, owner, wanted: Vec::new(), news: Vec::new(), untold: false }
    }

    pub(crate) fn roles(mut self, opener: Option<Side>, closer: Option<Side>) -> Self {
        self.transition.roles = Roles { opener, closer, both_fins: false };
        self
    }

    pub(crate) fn remembered(mut self) -> Self {
        self.owner.source = OwnerSource::Remembered;
        self.transition.clues.inode = 0;
        self
    }

    /// Only lives that pass one of these states are asked for.
    fn wanted(mut self, states: &[State]) -> Self {
        self.wanted = states.to_vec();
        self
    }

    /// At this second the socket is found in a state, having passed others unseen.
    pub(crate) fn at(mut self, second: f64, via: &[State], maybe: &[State], to: State) -> Self {
        let before = &self.transition;
        let kind = match before.from {
            _ if to == Closed => EventKind::Closed,
            None if second < 0.05 => EventKind::Present,
            None => EventKind::Opened,
            Some(_) => EventKind::Changed,
        };
        let transition = Transition {
            kind,
            time: stamp(second),
            via: via.to_vec(),
            maybe: maybe.to_vec(),
            to,
            ..before.clone()
        };
        let passes = self.wanted.is_empty() || self.wanted.contains(&to);
        let told = SocketEvent { transition, owner: self.owner.clone(), passes };
        self.news.push(MonitorEvent::Socket(Box::new(told)));
        (self.transition.from, self.transition.ages.since) = (Some(to), Some(stamp(second)));
        self
    }

    pub(crate) fn ends_with(mut self, verdict: Verdict) -> Self {
        self.transition.verdict = Some(verdict);
        self
    }

    /// The record of the life, over or as it is at this second.
    fn record(&self, second: f64) -> Option<LifeRecord> {
        let mut lives = Lives::default();
        if !self.untold {
            read(&mut lives, &self.news, HashSet::new);
        }
        let Some(MonitorEvent::Socket(last)) = self.news.last() else { panic!("nothing was told") };
        if last.transition.kind == EventKind::Closed {
            return lives.ended(last);
        }
        let Transition { socket, to, time, clues, .. } = last.transition;
        let now = SocketStatus {
            missed: false,
            socket,
            state: to,
            since: time,
            held_at_least: false,
            row: 0,
            withheld: false,
            clues,
            details: Details::NONE,
        };
        lives.so_far(&now, &self.owner, stamp(second), true)
    }

    pub(crate) fn life(&self, second: f64) -> LifeRecord {
        self.record(second).expect("it passes")
    }
}

/// A client that closed first, and a server that took its time.
pub(crate) fn client() -> Story {
    Story::new(2, (812, "client"), "127.0.0.1:40122", "127.0.0.1:9527")
        .roles(Some(Side::Local), Some(Side::Local))
        .at(1.0, &[], &[], SynSent)
        .at(1.1, &[], &[SynRecv], Established)
        .at(5.1, &[FinWait1], &[], FinWait2)
        .remembered()
        .at(8.1, &[], &[], TimeWait)
}

pub(crate) fn server() -> Story {
    Story::new(3, (700, "server"), "127.0.0.1:9527", "127.0.0.1:40122")
        .roles(Some(Side::Remote), Some(Side::Remote))
        .at(1.1, &[], &[SynRecv], Established)
        .at(5.1, &[], &[], CloseWait)
}

fn told(life: &LifeRecord) -> Vec<String> {
    let step = |step: &Step| {
        let held = step.held.map_or("-".to_owned(), |held| held.as_secs_f64().to_string());
        format!("{} {:?} {held} {}", step.state, step.evidence, step.cause.unwrap_or("-"))
    };
    life.steps.iter().map(step).collect()
}

/// Takes in a whole reading.
fn read(
    lives: &mut Lives,
    events: &[MonitorEvent],
    followed: impl FnOnce() -> HashSet<SocketId>,
) -> usize {
    lives.take(events);
    lives.end_reading(followed)
}

#[test]
fn a_life_is_its_steps_with_what_caused_each() {
    let life = client().ends_with(Verdict::LocalClose).at(70.2, &[], &[], Closed).life(0.0);
    assert_eq!(
        told(&life),
        [
            "SYN_SENT Observed 0.1 connect(): sent SYN",
            "SYN_RECV Possible - received SYN, sent SYN+ACK (simultaneous open)",
            "ESTABLISHED Observed 4 -",
            "FIN_WAIT1 Certain - close() or shutdown(): sent FIN",
            "FIN_WAIT2 Observed 3 received ACK of our FIN",
            "TIME_WAIT Observed 62.1 received FIN, sent ACK",
            "CLOSED Observed - 60 s over (or RST, or the ends used again)",
        ]
    );
    assert_eq!((life.opened, life.ended), (Some(stamp(1.0)), Some(stamp(70.2))));
    assert_eq!(life.verdict, Some(Verdict::LocalClose));
    assert_eq!(life.lived(), Duration::from_millis(69_200));
}

#[test]
fn a_life_that_one_reading_changed_and_ended_is_told_once() {
    let story = client().at(70.2, &[], &[], Closed);
    let mut lives = Lives::default();
    read(&mut lives, &story.news, HashSet::new);
    let told = story.news.iter().filter_map(|news| match news {
        MonitorEvent::Socket(told) => lives.ended(told),
        MonitorEvent::Lost(_) => None,
    });
    let ended: Vec<_> = told.map(|life| life.ended).collect();
    assert_eq!(ended, [Some(stamp(70.2))]);
}

#[test]
fn what_was_there_already_has_no_birth_and_what_goes_on_no_end() {
    let life = Story::new(1, (7, "server"), "127.0.0.1:9527", "0.0.0.0:0")
        .at(0.0, &[], &[], Listen)
        .life(3.5);
    assert_eq!(told(&life), ["LISTEN Observed 3.5 -"]);
    assert_eq!((life.opened, life.ended, life.verdict), (None, None, None));
    assert_eq!(life.seen, stamp(3.5));
}

#[test]
fn unseen_states_stand_in_the_order_in_which_they_can_be_passed() {
    let maybe = [SynSent, SynRecv, Established, FinWait2, Closing];
    let life = Story::new(1, (7, "client"), "10.0.0.1:5000", "10.0.0.2:80")
        .at(1.0, &[FinWait1], &maybe, TimeWait)
        .life(2.0);
    let states: Vec<_> = life.steps.iter().map(|step| step.state).collect();
    assert_eq!(states, [SynSent, SynRecv, Established, FinWait1, FinWait2, Closing, TimeWait]);
    assert_eq!(life.steps[6].cause, None, "two edges may have led there");
    assert_eq!(life.steps[5].cause, Some("received FIN, sent ACK (simultaneous close)"));
    assert!(life.steps[..6].iter().all(|step| step.at.is_none() && step.held.is_none()));
}

#[test]
fn a_life_passes_the_filter_by_state_if_one_of_its_transitions_does() {
    let wanted = |states: &[State]| {
        let life = Story::new(1, (7, "client"), "10.0.0.1:5000", "10.0.0.2:80").wanted(states);
        life.at(1.0, &[], &[], Established).at(2.0, &[], &[], CloseWait).record(3.0).is_some()
    };
    assert!(wanted(&[CloseWait]) && wanted(&[Established]));
    assert!(!wanted(&[LastAck]));
}

#[test]
fn a_life_without_end_in_states_without_a_name_stays_small() {
    let mut life = Story::new(1, (7, "client"), "10.0.0.1:5000", "10.0.0.2:80");
    life = life.at(1.0, &[], &[], Established);
    for second in 2..100 {
        let state = State::Unknown(if second % 2 == 0 { 30 } else { 31 });
        life = life.at(f64::from(second), &[], &[], state);
    }
    let life = life.life(200.0);
    assert_eq!(life.steps.len(), MOST_STEPS);
    assert_eq!(life.steps[0].state, Established);
    assert_eq!(life.left_out as usize, 99 - MOST_STEPS);
}

#[test]
fn lives_that_were_lost_sight_of_are_forgotten_with_the_next_reading() {
    let mut lives = Lives::default();
    let followed = || HashSet::from([SocketId { run: 1, number: 3 }]);
    assert_eq!(read(&mut lives, &[client().news, server().news].concat(), followed), 0);
    assert_eq!(read(&mut lives, &[], followed), 0, "nothing gives reason to ask");
    let lost = Lost { time: stamp(9.0), reason: LostReason::Gap, count: None };
    assert_eq!(read(&mut lives, &[MonitorEvent::Lost(lost)], followed), 0);
    assert_eq!(read(&mut lives, &[], followed), 1);
    assert_eq!(lives.open.len(), 1);
}

#[test]
fn a_life_that_matched_late_begins_with_the_state_that_it_was_in() {
    let mut late = server();
    late.news.remove(0);
    let life = late.life(6.1);
    assert_eq!(
        told(&life),
        ["ESTABLISHED Observed 4 -", "CLOSE_WAIT Observed 1 received FIN, sent ACK"]
    );
    assert_eq!((life.opened, life.steps[0].at, life.late), (None, Some(stamp(1.1)), true));
}

#[test]
fn a_life_that_stands_as_it_was_found_is_no_late_one() {
    let found = Story::new(4, (7, "client"), "127.0.0.1:40123", "127.0.0.1:9527");
    let found = found.at(0.0, &[], &[], Established);
    let stands = found.life(3.0);
    assert_eq!(told(&stands), ["ESTABLISHED Observed 3 -"]);
    let moves = found.at(5.0, &[], &[], CloseWait).life(6.0);
    assert_eq!(
        told(&moves),
        ["ESTABLISHED Observed 5 -", "CLOSE_WAIT Observed 1 received FIN, sent ACK"]
    );
    assert_eq!(moves.steps[0].at, Some(stamp(0.0)));
    assert!([stands, moves].iter().all(|life| !life.late && life.opened.is_none()));
}

#[test]
fn who_stood_as_found_can_be_lost_sight_of() {
    let found = Story::new(4, (7, "client"), "127.0.0.1:40123", "127.0.0.1:9527");
    let mut lives = Lives::default();
    read(&mut lives, &found.at(0.0, &[], &[], Established).news, HashSet::new);
    let lost = Lost { time: stamp(9.0), reason: LostReason::Gap, count: None };
    read(&mut lives, &[MonitorEvent::Lost(lost)], HashSet::new);
    assert_eq!(read(&mut lives, &[], HashSet::new), 1);
}

#[test]
fn the_listener_speaks_for_whom_nobody_was_found_to_have_accepted() {
    let mut child = server();
    for (news, source) in child.news.iter_mut().zip([OwnerSource::Listener, OwnerSource::Unknown]) {
        let MonitorEvent::Socket(told) = news else { continue };
        told.owner.source = source;
        if source == OwnerSource::Unknown {
            told.owner.main = None;
        }
    }
    (child.owner.main, child.owner.source) = (None, OwnerSource::Unknown);
    let life = child.life(6.0);
    assert_eq!(life.owner.process.as_deref(), Some("server"));
    assert_eq!(life.owner.owner_source, OwnerSource::Listener);
}

#[test]
fn a_life_to_which_nothing_happened_since_it_came_to_match_is_the_state_it_is_in() {
    let mut silent = server();
    silent.untold = true;
    let life = silent.life(6.1);
    assert_eq!(told(&life), ["CLOSE_WAIT Observed 1 -"]);
    assert!(life.late);
}
