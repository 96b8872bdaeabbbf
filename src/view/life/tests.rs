use super::*;
use crate::model::event::Verdict;
use crate::model::event::{Ages, HeldFrom, Listeners, OwnerClues, Side};
use crate::model::process::Caller;
use crate::model::reading::{Lost, LostReason};
use crate::model::socket_row::Details;
use crate::tcp::state::State::{
    CloseWait, Closed, Closing, Established, FinWait1, FinWait2, LastAck, Listen, SynRecv, SynSent,
    TimeWait,
};
use crate::view::samples;

/// A socket and its events, one after the other.
pub(crate) struct ScriptedSocket {
    transition: Transition,
    owner: Attribution,
    wanted: Vec<State>,
    events: Vec<MonitorEvent>,
    /// It matched the filters only after all of that.
    without_events: bool,
}

pub(crate) fn stamp(seconds: f64) -> Stamp {
    let micros = Duration::from_secs_f64(seconds).as_micros();
    let boot = u64::try_from(micros).unwrap();
    Stamp { wall: 1_793_534_400_000_000 + i64::try_from(boot).unwrap(), boot }
}

impl ScriptedSocket {
    pub(crate) fn new(number: u64, owner: (i32, &str), local: &str, remote: &str) -> Self {
        let transition = Transition {
            socket: samples::socket(number, local, remote),
            kind: EventKind::Opened,
            time: stamp(0.0),
            after: None,
            from: None,
            via: Vec::new(),
            maybe: Vec::new(),
            to: Closed,
            ages: Ages::default(),
            clues: OwnerClues {
                inode: 7,
                last_inode: 7,
                listeners: Listeners::default(),
                uid: None,
            },
            roles: Roles::default(),
            verdict: None,
            reset_by: None,
            caller: None,
            netns_name: None,
        };
        let owner = samples::owner(owner.0, owner.1, OwnerSource::Proven);
        Self { transition, owner, wanted: Vec::new(), events: Vec::new(), without_events: false }
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

    /// The filter by state asks for these states alone.
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
        let ages =
            Ages { held: before.ages.since.map(|since| stamp(second).since(since)), ..before.ages };
        let transition = Transition {
            kind,
            time: stamp(second),
            ages,
            via: via.to_vec(),
            maybe: maybe.to_vec(),
            to,
            ..before.clone()
        };
        let passes = self.wanted.is_empty() || self.wanted.contains(&to);
        let event = SocketEvent { transition, owner: self.owner.clone(), passes, tcp_info: None };
        self.events.push(MonitorEvent::Socket(Box::new(event)));
        (self.transition.from, self.transition.ages.since) = (Some(to), Some(stamp(second)));
        self
    }

    /// Its owner becomes known.
    pub(crate) fn owned_by(mut self, pid: i32, name: &str) -> Self {
        self.owner = samples::owner(pid, name, OwnerSource::Proven);
        self
    }

    /// This process changes its state from now on.
    pub(crate) fn called_by(mut self, pid: i32) -> Self {
        self.transition.caller = Some(Caller { pid, comm: None, is_descendant: false });
        self
    }

    /// The events of the socket with the instants of their readings.
    pub(crate) fn events(&self) -> impl Iterator<Item = (Stamp, SocketEvent)> {
        self.events.iter().filter_map(|event| match event {
            MonitorEvent::Socket(event) => Some((event.transition.time, (**event).clone())),
            MonitorEvent::Lost(_) => None,
        })
    }

    pub(crate) fn ends_with(mut self, verdict: Verdict) -> Self {
        self.transition.verdict = Some(verdict);
        self
    }

    /// The record of the life, over or as it is at this second.
    fn record(&self, second: f64) -> Option<LifeRecord> {
        let mut histories = LifeHistories::default();
        if !self.without_events {
            read(&mut histories, &self.events, HashSet::new);
        }
        let Some(MonitorEvent::Socket(last)) = self.events.last() else { panic!("no event") };
        if last.transition.kind == EventKind::Closed {
            return histories.ended(last);
        }
        let Transition { socket, to, time, ref clues, .. } = last.transition;
        let now = SocketStatus {
            missed_by_last_poll: false,
            socket,
            state: to,
            since: time,
            held_from: HeldFrom::Observed,
            held_at_least: false,
            row: 0,
            withheld: false,
            clues: clues.clone(),
            details: Details::NONE,
            netns_name: None,
        };
        histories.so_far(&now, &self.owner, stamp(second), true)
    }

    /// What happened to it.
    #[cfg(feature = "export")]
    pub(crate) fn monitor_events(&self) -> &[MonitorEvent] {
        &self.events
    }

    pub(crate) fn life(&self, second: f64) -> LifeRecord {
        self.record(second).expect("it passes")
    }
}

/// A client that closed first, and a server that took its time.
pub(crate) fn client() -> ScriptedSocket {
    ScriptedSocket::new(2, (812, "client"), "127.0.0.1:40122", "127.0.0.1:9527")
        .roles(Some(Side::Local), Some(Side::Local))
        .at(1.0, &[], &[], SynSent)
        .at(1.1, &[], &[SynRecv], Established)
        .at(5.1, &[FinWait1], &[], FinWait2)
        .remembered()
        .at(8.1, &[], &[], TimeWait)
}

pub(crate) fn server() -> ScriptedSocket {
    ScriptedSocket::new(3, (700, "server"), "127.0.0.1:9527", "127.0.0.1:40122")
        .roles(Some(Side::Remote), Some(Side::Remote))
        .at(1.1, &[], &[SynRecv], Established)
        .at(5.1, &[], &[], CloseWait)
}

fn shown(life: &LifeRecord) -> Vec<String> {
    let step = |step: &LifeStep| {
        let held = step.held.map_or("-".to_owned(), |held| held.as_secs_f64().to_string());
        format!("{} {:?} {held} {}", step.state, step.evidence, step.cause.unwrap_or("-"))
    };
    life.steps.iter().map(step).collect()
}

/// Applies all events of a reading.
fn read(
    histories: &mut LifeHistories,
    events: &[MonitorEvent],
    followed: impl FnOnce() -> HashSet<SocketId>,
) -> usize {
    histories.apply(events);
    histories.end_reading(followed)
}

#[test]
fn a_life_has_steps_with_their_causes() {
    let life = client().ends_with(Verdict::LocalClose).at(70.2, &[], &[], Closed).life(0.0);
    assert_eq!(
        shown(&life),
        [
            "SYN_SENT Observed 0.1 connect(): sent SYN",
            "SYN_RECV Possible - received SYN, sent SYN+ACK (simultaneous open)",
            "ESTABLISHED Observed 4 -",
            "FIN_WAIT1 Certain - close() or shutdown(): sent FIN",
            "FIN_WAIT2 Observed 3 received ACK of our FIN",
            "TIME_WAIT Observed 62.1 received FIN, sent ACK",
            "CLOSED Observed - 60 s timer expired (or RST, or 4-tuple reused)",
        ]
    );
    assert_eq!((life.opened, life.ended), (Some(stamp(1.0)), Some(stamp(70.2))));
    assert_eq!(life.verdict, Some(Verdict::LocalClose));
    assert_eq!(life.followed_for(), Duration::from_millis(69_200));
}

#[test]
fn one_reading_that_changes_and_ends_a_life_gives_one_record() {
    let socket = client().at(70.2, &[], &[], Closed);
    let mut histories = LifeHistories::default();
    read(&mut histories, &socket.events, HashSet::new);
    let lives = socket.events.iter().filter_map(|event| match event {
        MonitorEvent::Socket(event) => histories.ended(event),
        MonitorEvent::Lost(_) => None,
    });
    let ended: Vec<_> = lives.map(|life| life.ended).collect();
    assert_eq!(ended, [Some(stamp(70.2))]);
}

#[test]
fn present_sockets_have_no_opened_and_open_ones_no_ended() {
    let life = ScriptedSocket::new(1, (7, "server"), "127.0.0.1:9527", "0.0.0.0:0")
        .at(0.0, &[], &[], Listen)
        .life(3.5);
    assert_eq!(shown(&life), ["LISTEN Observed 3.5 -"]);
    assert_eq!((life.opened, life.ended, life.verdict), (None, None, None));
    assert_eq!(life.followed_until, stamp(3.5));
}

#[test]
fn unobserved_states_are_in_legal_order() {
    let maybe = [SynSent, SynRecv, Established, FinWait2, Closing];
    let life = ScriptedSocket::new(1, (7, "client"), "10.0.0.1:5000", "10.0.0.2:80")
        .at(1.0, &[FinWait1], &maybe, TimeWait)
        .life(2.0);
    let states: Vec<_> = life.steps.iter().map(|step| step.state).collect();
    assert_eq!(states, [SynSent, SynRecv, Established, FinWait1, FinWait2, Closing, TimeWait]);
    assert_eq!(life.steps[6].cause, None, "two edges may have led there");
    assert_eq!(life.steps[5].cause, Some("received FIN, sent ACK (simultaneous close)"));
    assert!(life.steps[..6].iter().all(|step| step.at.is_none() && step.held.is_none()));
}

#[test]
fn a_life_passes_the_filter_if_one_transition_does() {
    let wanted = |states: &[State]| {
        let life =
            ScriptedSocket::new(1, (7, "client"), "10.0.0.1:5000", "10.0.0.2:80").wanted(states);
        life.at(1.0, &[], &[], Established).at(2.0, &[], &[], CloseWait).record(3.0).is_some()
    };
    assert!(wanted(&[CloseWait]) && wanted(&[Established]));
    assert!(!wanted(&[LastAck]));
}

#[test]
fn the_number_of_steps_is_bounded() {
    let mut life = ScriptedSocket::new(1, (7, "client"), "10.0.0.1:5000", "10.0.0.2:80");
    life = life.at(1.0, &[], &[], Established);
    for second in 2..100 {
        let state = State::Unknown(if second % 2 == 0 { 30 } else { 31 });
        life = life.at(f64::from(second), &[], &[], state);
    }
    let life = life.life(200.0);
    assert_eq!(life.steps.len(), MAX_STEPS);
    assert_eq!(life.steps[0].state, Established);
    assert_eq!(life.left_out as usize, 99 - MAX_STEPS);
}

#[test]
fn sockets_without_track_are_dropped_with_the_next_reading() {
    let mut histories = LifeHistories::default();
    let followed = || HashSet::from([SocketId { run: 1, number: 3 }]);
    assert_eq!(read(&mut histories, &[client().events, server().events].concat(), followed), 0);
    assert_eq!(read(&mut histories, &[], followed), 0, "nothing was lost");
    let lost = Lost { time: stamp(9.0), reason: LostReason::Gap, count: None };
    assert_eq!(read(&mut histories, &[MonitorEvent::Lost(lost)], followed), 0);
    assert_eq!(read(&mut histories, &[], followed), 1);
    assert_eq!(histories.open.len(), 1);
}

#[test]
fn a_late_match_starts_with_the_state_before() {
    let mut late = server();
    late.events.remove(0);
    let life = late.life(6.1);
    assert_eq!(
        shown(&life),
        ["ESTABLISHED Observed 4 -", "CLOSE_WAIT Observed 1 received FIN, sent ACK"]
    );
    assert_eq!((life.opened, life.steps[0].at, life.matched_late), (None, Some(stamp(1.1)), true));
}

#[test]
fn an_unchanged_socket_has_not_matched_late() {
    let found = ScriptedSocket::new(4, (7, "client"), "127.0.0.1:40123", "127.0.0.1:9527");
    let found = found.at(0.0, &[], &[], Established);
    let stands = found.life(3.0);
    assert_eq!(shown(&stands), ["ESTABLISHED Observed 3 -"]);
    let moves = found.at(5.0, &[], &[], CloseWait).life(6.0);
    assert_eq!(
        shown(&moves),
        ["ESTABLISHED Observed 5 -", "CLOSE_WAIT Observed 1 received FIN, sent ACK"]
    );
    assert_eq!(moves.steps[0].at, Some(stamp(0.0)));
    assert!([stands, moves].iter().all(|life| !life.matched_late && life.opened.is_none()));
}

#[test]
fn track_of_an_unchanged_socket_can_be_lost() {
    let found = ScriptedSocket::new(4, (7, "client"), "127.0.0.1:40123", "127.0.0.1:9527");
    let mut histories = LifeHistories::default();
    read(&mut histories, &found.at(0.0, &[], &[], Established).events, HashSet::new);
    let lost = Lost { time: stamp(9.0), reason: LostReason::Gap, count: None };
    read(&mut histories, &[MonitorEvent::Lost(lost)], HashSet::new);
    assert_eq!(read(&mut histories, &[], HashSet::new), 1);
}

#[test]
fn a_socket_without_events_has_its_current_state() {
    let mut silent = server();
    silent.without_events = true;
    let life = silent.life(6.1);
    assert_eq!(shown(&life), ["CLOSE_WAIT Observed 1 -"]);
    assert!(life.matched_late);
}
