//! Sets of states as users write them: `SYN_SENT,fin-wait-1`, ss's groups, `^TIME_WAIT` or
//! `!TIME_WAIT`, which shells expand within double quotes.

use super::state::State;
use std::str::FromStr;

/// The states to show and the states to leave out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateSet {
    include: Vec<State>,
    exclude: Vec<State>,
    /// Only excluded states were named, or `all` was: every other state is in the set.
    everything: bool,
}

/// ss's groups of states (ss(8), STATE-FILTER).
const GROUPS: [&str; 5] = ["connected", "synchronized", "bucket", "big", "all"];

/// A part of a set that names neither a state nor a group.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}", sentence = sentence(.0))]
pub struct UnknownState(pub String);

fn sentence(part: &str) -> String {
    if part.is_empty() {
        return "a state is missing; write a list such as LISTEN,CLOSE_WAIT".to_owned();
    }
    format!("'{part}' is not a TCP state; {}", meant(part))
}

/// `a, b or c`
pub(crate) fn alternatives(names: &[String]) -> String {
    match names {
        [most @ .., last] if !most.is_empty() => format!("{} or {last}", most.join(", ")),
        names => names.concat(),
    }
}

/// What can have been meant by a part of a set, or else everything that can be written.
fn meant(part: &str) -> String {
    let excludes = part.contains(['!', '^']);
    let word: String = part.chars().filter(|c| !matches!(c, '!' | '^' | ' ')).collect();
    let word = word.to_ascii_lowercase();
    let is_slip = |group: &&&str| word.len() > 3 && strsim::damerau_levenshtein(group, &word) <= 2;
    let groups = GROUPS.iter().filter(is_slip).map(|group| (*group).to_owned());
    let similar = State::similar_to(&word).into_iter().map(|state: State| state.to_string());
    let sign = if excludes { "^" } else { "" };
    let near: Vec<String> = groups.chain(similar).map(|name| format!("{sign}{name}")).collect();
    if near.is_empty() {
        "write LISTEN, SYN_SENT, SYN_RECV, ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, CLOSING, \
         LAST_ACK, TIME_WAIT, CLOSED, or a group (connected, synchronized, bucket, big, all); \
         ^STATE excludes one"
            .to_owned()
    } else {
        format!("did you mean {}?", alternatives(&near))
    }
}

impl StateSet {
    /// One state.
    pub fn of(state: State) -> Self {
        Self { include: vec![state], exclude: Vec::new(), everything: false }
    }

    /// Whether the set contains a state.
    pub fn contains(&self, state: State) -> bool {
        self.includes(state) && !self.exclude.contains(&state)
    }

    /// Whether a transition passes: its old or new state is in the set, and neither is excluded.
    pub fn passes(&self, from: Option<State>, to: State) -> bool {
        let both = || from.into_iter().chain([to]);
        both().any(|state| self.includes(state)) && !both().any(|s| self.exclude.contains(&s))
    }

    /// Whether the set names BOUND.
    pub(crate) fn names_bound(&self) -> bool {
        self.include.contains(&State::Bound)
    }

    /// Whether the set has CLOSED and no other state with a name: no table shows a socket in it.
    pub(crate) fn is_closed_alone(&self) -> bool {
        State::NAMED.into_iter().all(|state| self.contains(state) == (state == State::Closed))
    }

    fn includes(&self, state: State) -> bool {
        // A bound socket has no connection to ask about, so that only its name asks for it.
        self.everything && state != State::Bound || self.include.contains(&state)
    }

    /// The union with the set of another `--state`: repeated values are alternatives.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        // A list of exclusions alone includes everything only while nothing is named.
        let named =
            |set: &Self| !set.include.is_empty() || (set.everything && set.exclude.is_empty());
        self.everything = match (named(&self), named(&other)) {
            (true, false) => self.everything,
            (false, true) => other.everything,
            _ => self.everything || other.everything,
        };
        self.include.extend(other.include);
        self.exclude.extend(other.exclude);
        self
    }
}

impl FromStr for StateSet {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        let (mut include, mut exclude) = (Vec::new(), Vec::new());
        let (mut all, mut named) = (false, false);
        for part in text.split(',').map(str::trim) {
            let (target, word) = if let Some(rest) = part.strip_prefix(['!', '^']) {
                (&mut exclude, rest.trim())
            } else {
                named = true;
                all |= part.eq_ignore_ascii_case("all");
                (&mut include, part)
            };
            target.extend(members(word).ok_or_else(|| UnknownState(part.to_owned()))?);
        }
        Ok(Self { include, exclude, everything: all || !named })
    }
}

/// The states that a word stands for: one state, or one of ss's groups (ss(8), STATE-FILTER);
/// `None` for other words.
fn members(word: &str) -> Option<Vec<State>> {
    use State::{Closed, Listen, SynRecv, SynSent, TimeWait};
    let without =
        |out: &[State]| State::NAMED.into_iter().filter(|state| !out.contains(state)).collect();
    Some(match word.to_ascii_lowercase().as_str() {
        "all" => without(&[]),
        "connected" => without(&[Listen, Closed]),
        "synchronized" => without(&[Listen, Closed, SynSent]),
        "bucket" => vec![SynRecv, TimeWait],
        "big" => without(&[SynRecv, TimeWait]),
        _ => vec![State::from_name(word)?],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let set: StateSet = text.parse().expect("a valid set");
        let names: Vec<_> =
            State::NAMED.into_iter().filter(|s| set.contains(*s)).map(|s| s.to_string()).collect();
        names.join(" ")
    }

    #[test]
    fn groups_are_those_of_ss() {
        assert_eq!(shown("bucket"), "SYN_RECV TIME_WAIT");
        assert_eq!(
            shown("big"),
            "CLOSED LISTEN SYN_SENT ESTABLISHED CLOSE_WAIT LAST_ACK FIN_WAIT1 FIN_WAIT2 CLOSING"
        );
        assert_eq!(
            shown("synchronized,!ESTAB"),
            "SYN_RECV CLOSE_WAIT LAST_ACK FIN_WAIT1 FIN_WAIT2 CLOSING TIME_WAIT"
        );
        assert_eq!(shown("!connected"), "CLOSED LISTEN");
        assert_eq!(shown("^connected"), "CLOSED LISTEN");
        assert_eq!(shown(" fin_wait_1 , TIME-WAIT"), "FIN_WAIT1 TIME_WAIT");
    }

    #[test]
    fn a_transition_passes_by_either_of_its_states() {
        let set: StateSet = "ESTABLISHED,!TIME_WAIT".parse().unwrap();
        assert!(set.passes(Some(State::Established), State::Closed));
        assert!(set.passes(None, State::Established));
        assert!(!set.passes(Some(State::Established), State::TimeWait));
        assert!(!set.passes(Some(State::CloseWait), State::LastAck));
    }

    #[test]
    fn unknown_codes_belong_to_all_and_can_be_named() {
        assert!("all".parse::<StateSet>().unwrap().contains(State::Unknown(31)));
        assert!("unknown(0x1f)".parse::<StateSet>().unwrap().contains(State::Unknown(31)));
        assert!("!TIME_WAIT".parse::<StateSet>().unwrap().contains(State::Unknown(31)));
        assert!(!"connected".parse::<StateSet>().unwrap().contains(State::Unknown(31)));
    }

    #[test]
    fn bound_sockets_are_asked_for_by_name_alone() {
        for set in ["all", "connected", "^TIME_WAIT", "big"] {
            assert!(!set.parse::<StateSet>().unwrap().contains(State::Bound), "{set}");
        }
        assert!("bound,LISTEN".parse::<StateSet>().unwrap().contains(State::Bound));
    }

    #[test]
    fn repeated_sets_are_alternatives() {
        let of = |a: &str, b: &str| a.parse::<StateSet>().unwrap().or(b.parse().unwrap());
        let set = of("LISTEN", "TIME_WAIT");
        assert!(set.contains(State::Listen) && set.contains(State::TimeWait));
        assert!(!set.contains(State::Established));
        let set = of("connected", "!TIME_WAIT");
        assert!(set.contains(State::Established));
        assert!(!set.contains(State::TimeWait) && !set.contains(State::Listen));
    }

    #[test]
    fn a_wrong_part_is_named() {
        let error = "LISTEN,BLAH".parse::<StateSet>().unwrap_err();
        assert!(error.to_string().starts_with("'BLAH' is not a TCP state"));
        assert!("".parse::<StateSet>().is_err());
        assert!("LISTEN,".parse::<StateSet>().is_err());
    }

    #[test]
    fn what_can_have_been_meant_is_offered() {
        for (text, near) in [
            ("LISTEN,CLOS_WAIT", "'CLOS_WAIT' is not a TCP state; did you mean CLOSE_WAIT?"),
            ("LISTEN^", "'LISTEN^' is not a TCP state; did you mean ^LISTEN?"),
            ("!TIME-WIAT", "'!TIME-WIAT' is not a TCP state; did you mean ^TIME_WAIT?"),
            ("conected", "'conected' is not a TCP state; did you mean connected?"),
            ("wait1", "'wait1' is not a TCP state; did you mean FIN_WAIT1?"),
        ] {
            assert_eq!(text.parse::<StateSet>().unwrap_err().to_string(), near);
        }
    }
}
