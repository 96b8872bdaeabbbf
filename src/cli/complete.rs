//! What completion scripts offer for values that are more than a list of names.

use crate::tcp::state::State;
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::error::Result;
use clap::{Arg, Command};
use std::ffi::OsStr;

/// Accepts any text, which the settings check, and offers the words of a function.
#[derive(Debug, Clone, Copy)]
pub(super) struct StateWords(pub(super) fn() -> Vec<String>);

impl TypedValueParser for StateWords {
    type Value = String;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<String> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0().into_iter().map(PossibleValue::new)))
    }
}

fn named(ending: &'static str) -> impl Iterator<Item = String> {
    State::NAMED.iter().map(move |state| format!("{state}{ending}"))
}

/// States for a limit of `check`: a socket in CLOSED is in no table.
fn limited(ending: &'static str) -> Vec<String> {
    named(ending).filter(|text| !text.starts_with("CLOSED")).collect()
}

/// The names of the states.
pub(super) fn states() -> Vec<String> {
    named("").collect()
}

/// States with a usual age.
pub(super) fn ages() -> Vec<String> {
    limited(":60s")
}

/// States with a usual number of sockets.
pub(super) fn counts() -> Vec<String> {
    limited(":1000")
}

/// The words with which a condition begins.
pub(super) fn quantities() -> Vec<String> {
    ["any", "none", "all", "count"].map(str::to_owned).to_vec()
}
