//! The settings of `wait`.

use super::{Result, Settings, refuse_uncounted, time};
use crate::cli::WaitOptions;
use crate::error::UsageError;
use crate::filter::Filter;
use crate::rules::condition::Condition;
use crate::tcp::state::State;
use std::time::Duration;

/// What to wait for, and how long.
#[derive(Debug)]
pub struct WaitSettings {
    /// The settings that commands share.
    pub(crate) settings: Settings,
    /// What has to hold of the sockets that match the filters.
    pub(crate) condition: Condition,
    /// The condition as it was written.
    pub(crate) expression: String,
    /// When to give up; `None` for never.
    pub(crate) timeout: Option<Duration>,
}

impl WaitSettings {
    /// Checks the options of `wait`.
    pub fn new(options: WaitOptions) -> Result<Self> {
        let settings = Settings::new(options.shared)?.of_question();
        let timeout = options.timeout.as_deref().map(|text| time("--timeout", text)).transpose()?;
        let expression = match &options.until {
            Some(text) => text.trim(),
            None => default_expression(&settings.filter)?,
        };
        let condition: Condition = expression.parse()?;
        condition.states.iter().try_for_each(|states| refuse_uncounted("--until", states))?;
        settings.filter.states.iter().try_for_each(|states| refuse_uncounted("--state", states))?;
        if !can_count(&condition, &settings.filter) {
            let excluded = options.until.map(UsageError::UntilExcluded);
            return Err(excluded.unwrap_or(UsageError::NothingListed));
        }
        let asks_for_listeners = condition.concerns(State::Listen);
        let settings = Settings { asks_for_listeners, ..settings };
        Ok(Self { settings, condition, expression: expression.to_owned(), timeout })
    }
}

/// A connection, or whatever socket the filter by state shows where it shows no connection.
fn default_expression(filter: &Filter) -> Result<&'static str> {
    let connected = "any connected";
    Ok(match filter.listening {
        _ if can_count(&connected.parse()?, filter) => connected,
        true => "any LISTEN",
        false => "any all",
    })
}

/// Whether the filter shows any state that a condition counts.
fn can_count(condition: &Condition, filter: &Filter) -> bool {
    let can_count = |state: &State| condition.has_state(*state) && filter.shows_state(*state);
    State::NAMED.iter().any(can_count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use crate::error::ConditionError;
    use clap::Parser;

    fn settings(args: &[&str]) -> Result<WaitSettings> {
        let cli = Cli::parse_from(["tcplapse", "wait"].iter().chain(args));
        let Some(Command::Wait(options)) = cli.command else { panic!("{args:?}") };
        WaitSettings::new(options)
    }

    #[test]
    fn the_default_is_a_state_that_the_filter_shows() {
        let expression = |args: &[&str]| settings(args).unwrap().expression;
        assert_eq!(expression(&[]), "any connected");
        assert_eq!(expression(&["-l"]), "any LISTEN");
        assert_eq!(expression(&["-s", "LISTEN"]), "any all");
        assert_eq!(expression(&["--until", " none all "]), "none all");
    }

    #[test]
    fn wrong_options_are_refused() {
        let error = |args: &[&str]| settings(args).unwrap_err();
        let wrong = error(&["--until", "LISTEN"]);
        assert!(matches!(wrong, UsageError::Until(ConditionError::NoQuantity(_))), "{wrong:?}");
        let excluded = error(&["--until", "any LISTEN", "-s", "TIME_WAIT"]);
        assert!(matches!(excluded, UsageError::UntilExcluded(_)), "{excluded:?}");
        for until in ["any CLOSED", "none close", "all CLOSED", "count ^connected,^LISTEN >= 1"] {
            let closed = error(&["--until", until]);
            assert!(matches!(closed, UsageError::CountsClosed("--until")), "{until}: {closed:?}");
        }
        let bound = error(&["--until", "any bound,LISTEN"]);
        assert!(matches!(bound, UsageError::Bound("--until")), "{bound:?}");
        let closed = error(&["-s", "CLOSED"]);
        assert!(matches!(closed, UsageError::CountsClosed("--state")), "{closed:?}");
    }
}
