//! The expressions of `wait --until`: `any SET`, `none SET`, `all SET`, `count SET OP N`.

use super::{Comparison, Condition, Quantity};
use crate::error::ConditionError;
use crate::tcp::state_set::StateSet;
use std::str::FromStr;

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, ConditionError> {
        let text = text.trim();
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        let (set, quantity) = match word.to_ascii_lowercase().as_str() {
            "any" => (rest, Quantity::Count(Comparison::AtLeast, 1)),
            "none" => (rest, Quantity::Count(Comparison::Fewer, 1)),
            "all" => (rest, Quantity::All),
            "count" => count(rest)?,
            "" => return Err(ConditionError::Empty),
            _ if text.parse::<StateSet>().is_ok() => {
                return Err(ConditionError::NoQuantity(text.to_owned()));
            }
            _ => return Err(ConditionError::UnknownQuantity(word.to_owned())),
        };
        if set.is_empty() {
            return Err(ConditionError::NoStates(word.to_owned()));
        }
        Ok(Self::on_states(set.parse()?, quantity))
    }
}

/// `SET OP N`
fn count(text: &str) -> Result<(&str, Quantity), ConditionError> {
    let is_operator = |c: char| "<>=".contains(c);
    let Some(at) = text.find(is_operator) else {
        return Err(ConditionError::NoComparison);
    };
    let (set, rest) = text.split_at(at);
    let number = rest.trim_start_matches(is_operator);
    let comparison = match &rest[..rest.len() - number.len()] {
        ">=" => Comparison::AtLeast,
        ">" => Comparison::More,
        "=" | "==" => Comparison::Exactly,
        "<" => Comparison::Fewer,
        "<=" => Comparison::AtMost,
        other => return Err(ConditionError::UnknownOperator(other.to_owned())),
    };
    let number = number.trim();
    let n = number.parse().map_err(|_| ConditionError::NotANumber(number.to_owned()))?;
    let set = set.trim();
    if set.is_empty() {
        return Err(ConditionError::NothingToCount);
    }
    if set.ends_with('!') {
        return Err(ConditionError::NotEqual);
    }
    match (comparison, n) {
        (Comparison::Fewer, 0) => return Err(ConditionError::NeverHolds(set.to_owned())),
        (Comparison::AtLeast, 0) => return Err(ConditionError::AlwaysHolds(set.to_owned())),
        _ => {}
    }
    Ok((set, Quantity::Count(comparison, n)))
}
