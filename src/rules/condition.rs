//! What `wait` waits for: `any SET`, `none SET`, `all SET`, `count SET OP N`, and whether it holds
//! of the sockets there are. Pure.

use crate::model::event::SocketStatus;
use crate::tcp::state::State;
use crate::tcp::state_set::StateSet;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// How to write a condition.
const FORMS: &str = "any SET, none SET, all SET or 'count SET >= N'";

/// A condition on the states of matching sockets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    set: StateSet,
    quantity: Quantity,
    /// As it was written.
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quantity {
    Any,
    None,
    All,
    Count(Comparison, u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    AtLeast,
    More,
    Exactly,
    Fewer,
    AtMost,
}

/// How many sockets are in each state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StateCounts {
    states: BTreeMap<State, Tally>,
}

/// How many sockets there are for certain, and how many there may be beside them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Seen, and matching.
    pub certain: u64,
    /// Perhaps gone, or perhaps not matching.
    pub possible: u64,
}

impl StateCounts {
    /// Counts a matching socket: one that the last look missed may be gone, until its end has been
    /// concluded.
    pub fn count_standing(&mut self, now: &SocketStatus) {
        if now.missed {
            self.count_possible(now.state);
        } else {
            self.count(now.state);
        }
    }

    /// Counts a socket that is there and matches.
    pub fn count(&mut self, state: State) {
        self.states.entry(state).or_default().certain += 1;
    }

    /// Counts a socket that may be gone, or may not match.
    pub fn count_possible(&mut self, state: State) {
        self.states.entry(state).or_default().possible += 1;
    }

    /// How many sockets are in states that pass.
    pub fn tally(&self, passes: impl Fn(State) -> bool) -> Tally {
        let passing = self.states.iter().filter(|(state, _)| passes(**state));
        passing.fold(Tally::default(), |sum, (_, tally)| Tally {
            certain: sum.certain + tally.certain,
            possible: sum.possible + tally.possible,
        })
    }
}

/// `LISTEN 1, ESTABLISHED 2`.
impl fmt::Display for StateCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (state, tally)) in self.states.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{state} {}", tally.certain + tally.possible)?;
        }
        Ok(())
    }
}

impl Tally {
    /// Whether there are at least `n`; `None` where that depends on what is only possible.
    const fn at_least(self, n: u64) -> Option<bool> {
        if self.certain >= n {
            Some(true)
        } else if self.certain + self.possible < n {
            Some(false)
        } else {
            None
        }
    }

    fn compares(self, comparison: Comparison, n: u64) -> Option<bool> {
        let more = self.at_least(n.saturating_add(1));
        match comparison {
            Comparison::AtLeast => self.at_least(n),
            Comparison::More => more,
            Comparison::Fewer => not(self.at_least(n)),
            Comparison::AtMost => not(more),
            Comparison::Exactly => both(self.at_least(n), not(more)),
        }
    }
}

impl Condition {
    /// Whether it holds; `None` where that depends on sockets that are only possible.
    pub fn holds(&self, census: &StateCounts) -> Option<bool> {
        let inside = census.tally(|state| self.set.contains(state));
        match self.quantity {
            Quantity::Any => inside.at_least(1),
            Quantity::None => not(inside.at_least(1)),
            Quantity::All => {
                let outside = census.tally(|state| !self.set.contains(state));
                both(inside.at_least(1), not(outside.at_least(1)))
            }
            Quantity::Count(comparison, n) => inside.compares(comparison, n),
        }
    }

    /// Whether more sockets could make it untrue: then an absence decides, and has to be sure.
    pub const fn needs_absence(&self) -> bool {
        match self.quantity {
            Quantity::Any => false,
            Quantity::None | Quantity::All => true,
            Quantity::Count(comparison, _) => {
                !matches!(comparison, Comparison::AtLeast | Comparison::More)
            }
        }
    }

    /// The states it asks for.
    pub const fn states(&self) -> &StateSet {
        &self.set
    }
}

const fn not(known: Option<bool>) -> Option<bool> {
    match known {
        Some(known) => Some(!known),
        None => None,
    }
}

/// Whether both hold: one that does not decides, whatever is not known of the other.
const fn both(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        let plain = |quantity| Ok((rest, quantity));
        let (set, quantity) = match word.to_ascii_lowercase().as_str() {
            "any" => plain(Quantity::Any),
            "none" => plain(Quantity::None),
            "all" => plain(Quantity::All),
            "count" => count(rest),
            "" => Err(format!("nothing to wait for; write {FORMS}")),
            _ if text.parse::<StateSet>().is_ok() => {
                Err(format!("'{text}' alone is no condition; write 'any {text}'"))
            }
            _ => Err(format!("'{word}' begins no condition; write {FORMS}")),
        }?;
        if set.is_empty() {
            return Err(format!("'{word}' names no states; write {word} ESTABLISHED"));
        }
        let set = set.parse().map_err(|unknown| format!("{unknown}"))?;
        Ok(Self { set, quantity, text: text.to_owned() })
    }
}

/// `SET OP N`.
fn count(text: &str) -> Result<(&str, Quantity), String> {
    let is_operator = |c: char| "<>=".contains(c);
    let form = "write count SET OP N, such as 'count ESTABLISHED >= 5'";
    let Some(at) = text.find(is_operator) else {
        return Err(format!("'count {text}' compares nothing; {form}"));
    };
    let (set, rest) = text.split_at(at);
    let number = rest.trim_start_matches(is_operator);
    let operator = &rest[..rest.len() - number.len()];
    let comparison = match operator {
        ">=" => Comparison::AtLeast,
        ">" => Comparison::More,
        "=" | "==" => Comparison::Exactly,
        "<" => Comparison::Fewer,
        "<=" => Comparison::AtMost,
        _ => return Err(format!("'{operator}' compares nothing; OP is one of >= > = < <=")),
    };
    let number = number.trim();
    let n = number.parse().map_err(|_| format!("'{number}' is no number; {form}"))?;
    if set.trim().is_empty() {
        return Err(format!("the states to count are missing; {form}"));
    }
    if set.trim_end().ends_with('!') {
        return Err("there is no '!='; OP is one of >= > = < <=".to_owned());
    }
    Ok((set.trim(), Quantity::Count(comparison, n)))
}

#[cfg(test)]
mod tests;
