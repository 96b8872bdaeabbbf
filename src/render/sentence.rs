//! What a colleague would say: where the facts prove it, or with "likely" where they only suggest
//! it.

use super::cell::duration;
use crate::model::escape::one_word;
use crate::model::event::{Side, Verdict};
use crate::model::process::OwnerSource;
use crate::tcp::state::State;
use crate::view::event::Owner;
use crate::view::life::{Evidence, LifeRecord};
use std::time::Duration;

/// A shorter stay is worth no sentence.
const LONG: Duration = Duration::from_secs(1);

/// How a life ended that was last in this state; `both_fins`: those of both sides are proven.
pub(super) fn ending(
    verdict: Option<Verdict>,
    last: Option<State>,
    both_fins: bool,
) -> Option<&'static str> {
    Some(match (verdict, last) {
        (Some(Verdict::LocalClose), _) => "this side closed first",
        (Some(Verdict::RemoteClose), _) => "the other side closed first",
        (Some(Verdict::SimultaneousClose), _) => "both sides closed at once",
        (Some(Verdict::Reset), _) => "reset",
        (Some(Verdict::Refused), _) => "refused by the other side",
        (Some(Verdict::TimedOut), _) => "the other side did not answer",
        (_, Some(State::Established)) if both_fins => {
            "both sides closed, likely the other side first"
        }
        (_, Some(State::Established)) => "likely reset, or closed by the other side first",
        (_, Some(State::CloseWait)) => "likely closed by this side too, or reset",
        (_, Some(State::SynSent)) => "likely refused, timed out or given up",
        (_, Some(State::SynRecv)) => "likely reset, or its handshake never ended",
        (_, Some(State::FinWait1 | State::FinWait2)) => "likely timed out or reset",
        _ => return None,
    })
}

/// How the two sides of a connection are called.
#[derive(Debug, Clone)]
pub(super) struct Sides {
    /// The side whose socket it is.
    pub(super) this: String,
    /// The side it talks to.
    pub(super) other: String,
}

impl Sides {
    /// Nothing is known of the other side.
    pub(super) fn nameless() -> Self {
        Self { this: "this side".to_owned(), other: "the other side".to_owned() }
    }

    /// The same, seen from the other side.
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

/// Who opened and who closed, how it ended, and how long it lasted.
pub(super) fn summary(
    life: &LifeRecord,
    roles: (Option<Side>, Option<Side>),
    sides: &Sides,
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
    let told = matches!(
        life.verdict,
        Some(Verdict::LocalClose | Verdict::RemoteClose | Verdict::SimultaneousClose)
    );
    if life.ended.is_some() && !told {
        parts.extend(ending(life.verdict, last, life.both_fins).map(|how| in_words_of(how, sides)));
    }
    let verb = match (life.ended, life.opened) {
        (None, _) => "open for",
        (_, None) => "watched for",
        _ => "lived",
    };
    let so_far = if life.ended.is_none() { " so far" } else { "" };
    parts.push(format!("{verb} {}{so_far}", duration(life.lived())));
    parts.join(", ")
}

fn in_words_of(how: &str, sides: &Sides) -> String {
    how.replace("the other side", &sides.other).replace("this side", &sides.this)
}

/// What to know about a life beyond its steps.
pub(super) fn remark(life: &LifeRecord, sides: &Sides) -> Option<String> {
    if life.ended.is_none() { standing(life, sides) } else { looking_back(life, sides) }
}

/// A socket that waits: for whom, and for how long.
fn standing(life: &LifeRecord, sides: &Sides) -> Option<String> {
    let Sides { this, other } = sides;
    let step = life.steps.last()?;
    let held = step.held.unwrap_or_default();
    let at_least = if life.opened.is_none() && life.steps.len() == 1 { "at least " } else { "" };
    let time = format!("{at_least}{}", duration(held));
    let accepted = life.descriptor;
    let holder = holder(life);
    Some(match step.state {
        State::CloseWait if accepted => format!(
            "{} has held this socket in CLOSE_WAIT for {time}: {other} has closed, a descriptor \
             is still open here",
            holder.unwrap_or_else(|| "somebody here".to_owned())
        ),
        State::CloseWait => format!(
            "{other} has closed, and {} has not accepted the connection for {time}",
            holder.unwrap_or_else(|| "nobody here".to_owned())
        ),
        State::Established if !accepted => {
            let who = holder.map_or_else(String::new, |holder| format!(" by {holder}"));
            format!("waits to be accepted{who} for {time}")
        }
        State::FinWait2 => format!("{this} has closed, {other} has not for {time}"),
        _ if held < LONG => return None,
        State::FinWait1 => format!(
            "{other} has not acknowledged the FIN of {this} for {time}: likely it is gone, or \
             does not read"
        ),
        State::LastAck | State::Closing => {
            format!("{other} has not acknowledged the FIN of {this} for {time}: likely it is gone")
        }
        State::SynSent => format!(
            "nobody has answered the SYN for {time}: likely it is filtered, or nobody is there"
        ),
        State::SynRecv => format!(
            "the handshake has not ended for {time}: likely {other} is gone, or the queue for \
             accept() is full"
        ),
        _ => return None,
    })
}

/// Which side kept a connection open that was half closed.
fn looking_back(life: &LifeRecord, sides: &Sides) -> Option<String> {
    let Sides { this, other } = sides;
    let held = |state| {
        let seen = life.steps.iter().filter(|step| step.state == state);
        seen.filter_map(|step| step.held).find(|held| *held >= LONG).map(duration)
    };
    held(State::CloseWait)
        .map(|time| format!("{this} kept it open for {time} after {other} had closed"))
        .or_else(|| {
            let time = held(State::FinWait2)?;
            Some(format!("{other} kept it open for {time} after {this} had closed"))
        })
}

/// Who holds the socket now, as far as that is proven.
fn holder(life: &LifeRecord) -> Option<String> {
    let name = process(&life.owner)?;
    let proven = life.owner.owner_source != OwnerSource::Remembered;
    Some(if proven { name } else { format!("likely {name}") })
}

/// The main owner as one word.
pub(super) fn process(owner: &Owner) -> Option<String> {
    Some(format!("{}/{}", owner.pid?, one_word(owner.process.as_ref()?)))
}
