//! Sentences about the life of a socket: how it ended, which side opened and closed it, and what is
//! remarkable about it. What the facts only suggest is said with "likely".

use super::cell::{duration, main_owner};
use crate::model::event::{Side, Verdict};
use crate::model::process::{Attribution, OwnerSource};
use crate::tcp::state::State;
use crate::view::life::{Evidence, LifeRecord};
use std::time::Duration;

/// A shorter time in a state is not worth a sentence.
const LONG: Duration = Duration::from_secs(1);

/// How a socket ended that was in the state `last` before it closed. `both_fins`: the FINs of both
/// sides are proven. `None` where there is nothing to say.
pub(super) fn ending(
    (verdict, reset_by): (Option<Verdict>, Option<Side>),
    last: Option<State>,
    both_fins: bool,
) -> Option<&'static str> {
    Some(match (verdict, last) {
        (Some(Verdict::LocalClose), _) => "this side closed first",
        (Some(Verdict::RemoteClose), _) => "the peer closed first",
        (Some(Verdict::SimultaneousClose), _) => "both sides closed at once",
        (Some(Verdict::Reset), _) => match reset_by {
            Some(Side::Local) => "reset by this side",
            Some(Side::Remote) => "reset by the peer",
            _ => "reset",
        },
        (Some(Verdict::Refused), _) => "refused by the peer",
        (Some(Verdict::TimedOut), _) => "timed out: the peer did not answer",
        (Some(Verdict::NoAnswer), _) => "abandoned by this side before the peer answered",
        (Some(Verdict::Unreachable), _) => "the peer is unreachable",
        (Some(Verdict::NoPort), _) => "no free local port",
        (Some(Verdict::NetnsGone), _) => "its network namespace is gone",
        (_, Some(State::Established)) if both_fins => "peer likely closed first",
        (_, Some(State::Established)) => "likely reset or peer closed",
        (_, Some(State::CloseWait)) => "likely closed here too, or reset",
        (_, Some(State::SynSent)) => "likely refused, timed out or abandoned",
        (_, Some(State::SynRecv)) => "likely reset, or handshake not completed",
        (_, Some(State::FinWait1 | State::FinWait2)) => "likely timed out or reset",
        _ => return None,
    })
}

/// The names of both sides of a connection.
#[derive(Debug, Clone)]
pub(super) struct SideNames {
    /// The side of this socket.
    pub(super) this: String,
    /// Its peer.
    pub(super) other: String,
}

impl SideNames {
    /// For a socket whose peer is not known.
    pub(super) fn unnamed() -> Self {
        Self { this: "this side".to_owned(), other: "the peer".to_owned() }
    }

    /// The names as the peer would use them.
    pub(super) fn swapped(&self) -> Self {
        Self { this: self.other.clone(), other: self.this.clone() }
    }

    const fn of(&self, end: Side) -> Option<&String> {
        match end {
            Side::Local => Some(&self.this),
            Side::Remote => Some(&self.other),
            Side::Both => None,
        }
    }
}

/// Which side opened and which closed first (`roles`), how the socket ended, and how long it lived.
pub(super) fn summary(
    life: &LifeRecord,
    roles: (Option<Side>, Option<Side>),
    sides: &SideNames,
) -> String {
    let by = |end| sides.of(end).map_or_else(|| "both sides at once".to_owned(), Clone::clone);
    let mut parts = match roles {
        (Some(opener), Some(closer)) if opener == closer && opener != Side::Both => {
            vec![format!("opened and closed first by {}", by(opener))]
        }
        (opener, closer) => {
            let closed = |end| {
                let first = if end == Side::Both { "" } else { " first" };
                format!("closed{first} by {}", by(end))
            };
            let opened = opener.map(|end| format!("opened by {}", by(end)));
            opened.into_iter().chain(closer.map(closed)).collect()
        }
    };
    let before = life
        .steps
        .iter()
        .rev()
        .find(|step| step.evidence == Evidence::Observed && step.state != State::Closed);
    let last = before.map(|step| step.state);
    let says_who_closed = matches!(
        life.verdict,
        Some(Verdict::LocalClose | Verdict::RemoteClose | Verdict::SimultaneousClose)
    );
    if life.ended.is_some() && !says_who_closed {
        let how = match last {
            // A FIN is ruled out, and a reset would have closed the peer's socket as well, unless
            // something between them has sent it.
            Some(State::FinWait2) if life.verdict == Some(Verdict::Unknown) => {
                life.peer_has_not_closed().then_some("likely timed out")
            }
            _ => None,
        };
        let how = how.or_else(|| ending((life.verdict, life.reset_by), last, life.roles.both_fins));
        parts.extend(how.map(|how| with_names(how, sides)));
    }
    parts.push(match (life.ended, life.opened) {
        (None, _) => so_far(life),
        (_, None) => format!("watched for {}", duration(life.followed_for())),
        _ => format!("lived {}", duration(life.followed_for())),
    });
    parts.join(", ")
}

/// How long a socket has been what it is: a TIME_WAIT is no longer open. Of one that existed at the
/// first poll it is a lower bound, which the kernel may know better than we have observed.
fn so_far(life: &LifeRecord) -> String {
    let last = life.steps.last();
    let held = last.and_then(|step| step.held).unwrap_or_default();
    let followed = life.followed_for().max(held);
    let (what, time) = match last.map(|step| step.state) {
        Some(State::TimeWait) => ("in TIME_WAIT", held),
        Some(State::Listen) => ("listening", followed),
        Some(State::SynSent | State::SynRecv) => ("opening", followed),
        _ => ("open", followed),
    };
    match life.opened {
        Some(_) => format!("{what} for {} so far", duration(time)),
        None => format!("{what} for at least {}", duration(time)),
    }
}

fn with_names(how: &str, sides: &SideNames) -> String {
    let peer = if how.contains("the peer") { "the peer" } else { "peer" };
    // Names are single words, so none contains "this side".
    how.replace(peer, &sides.other).replace("this side", &sides.this)
}

/// What is remarkable about a life; `None` if nothing is.
pub(super) fn remark(life: &LifeRecord, sides: &SideNames) -> Option<String> {
    if life.ended.is_none() { remark_on_open(life, sides) } else { remark_on_closed(life, sides) }
}

/// Whether a process has taken a connection out of its listener's queue.
enum Acceptance {
    Accepted,
    Waiting,
    Unknown,
}

/// Whether the other end was accepted, where it is on this machine; elsewhere nothing speaks against it.
fn peer_acceptance(life: &LifeRecord) -> Acceptance {
    let source = life.peer_owner.as_ref().map(|owner| owner.source);
    match life.peer.as_deref() {
        Some(other) if other.is_held || other.ended.is_some() => Acceptance::Accepted,
        Some(_) => Acceptance::Waiting,
        None if source == Some(OwnerSource::Listener) => Acceptance::Unknown,
        None => Acceptance::Accepted,
    }
}

/// Which side an open socket waits for, and for how long.
fn remark_on_open(life: &LifeRecord, sides: &SideNames) -> Option<String> {
    let SideNames { this, other } = sides;
    let step = life.steps.last()?;
    let held = step.held.unwrap_or_default();
    let at_least = if life.opened.is_none() && life.steps.len() == 1 { "at least " } else { "" };
    let time = format!("{at_least}{}", duration(held));
    let accepted = life.is_held;
    let holder = holder(life);
    Some(match step.state {
        State::CloseWait if accepted => format!(
            "{} has held this socket in CLOSE_WAIT for {time}: {other} has closed, but a \
             descriptor is still open here",
            holder.unwrap_or_else(|| "a process here".to_owned())
        ),
        State::CloseWait => format!(
            "{other} has closed, and {} has not accepted the connection for {time}",
            holder.unwrap_or_else(|| "no process here".to_owned())
        ),
        State::Established if !accepted => {
            let who = holder.map_or_else(String::new, |holder| format!(" by {holder}"));
            format!("has waited to be accepted{who} for {time}")
        }
        State::FinWait2 => {
            let has_not = match peer_acceptance(life) {
                Acceptance::Accepted => "closed",
                Acceptance::Unknown => "accepted the connection, or not closed,",
                Acceptance::Waiting => "accepted the connection",
            };
            format!("{this} has closed; {other} has not {has_not} for {time}")
        }
        _ if held < LONG => return None,
        State::FinWait1 => format!(
            "{other} has not acknowledged the FIN of {this} for {time}: it is likely gone, or \
             does not read"
        ),
        State::LastAck | State::Closing => {
            format!("{other} has not acknowledged the FIN of {this} for {time}: it is likely gone")
        }
        State::SynSent => format!(
            "the SYN has had no answer for {time}: it is likely filtered, or the host is down"
        ),
        State::SynRecv => format!(
            "the handshake has not been completed for {time}: {other} is likely gone, or the queue \
             for accept() is full"
        ),
        _ => return None,
    })
}

/// Which side kept a connection open after the other one had closed.
fn remark_on_closed(life: &LifeRecord, sides: &SideNames) -> Option<String> {
    let SideNames { this, other } = sides;
    let held = |state| {
        let seen = life.steps.iter().filter(|step| step.state == state);
        seen.filter_map(|step| step.held).find(|held| *held >= LONG).map(duration)
    };
    held(State::CloseWait)
        .map(|time| format!("{this} kept it open for {time} after {other} had closed"))
        .or_else(|| {
            let time = held(State::FinWait2)?;
            let closed = format!("for {time} after {this} had closed");
            Some(if life.peer_has_not_closed() {
                format!("{other} kept it open {closed}, and has not closed it")
            } else {
                format!("{other} kept it open {closed}")
            })
        })
}

/// The process that holds the socket now, with "likely" where that is not proven.
fn holder(life: &LifeRecord) -> Option<String> {
    let name = process(&life.owner)?;
    let proven = life.owner.source != OwnerSource::Remembered;
    Some(if proven { name } else { format!("likely {name}") })
}

/// The main owner, as `812/client`.
pub(super) fn process(owner: &Attribution) -> Option<String> {
    main_owner(owner).map(|(pid, process)| format!("{pid}/{process}"))
}
