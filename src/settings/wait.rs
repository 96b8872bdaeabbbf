//! What `wait` is asked for, checked.

use super::Settings;
use crate::cli::WaitOptions;
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::rules::condition::Condition;
use crate::tcp::state::State;
use crate::tcp::state_set::StateSet;
use crate::values::{duration, usage};
use std::time::Duration;

/// What `wait` waits for.
#[derive(Debug)]
pub struct Wait {
    /// Which sockets, and how to look.
    pub settings: Settings,
    /// What has to hold of them.
    pub condition: Condition,
    /// When to give up.
    pub timeout: Option<Duration>,
}

impl Wait {
    /// Checks the options of `wait`.
    ///
    /// # Errors
    /// `Error::Usage`, as for [`Settings::new`].
    pub fn new(wait: WaitOptions) -> Result<Self> {
        if let Some(duration) = &wait.options.look.duration {
            return usage(&format!(
                "wait goes on until its condition holds; to give up, write --timeout '{duration}'"
            ));
        }
        let settings = Settings::new(wait.options)?.without_rules("wait")?;
        let timeout = wait.timeout.as_deref().map(duration).transpose()?;
        let condition = condition(wait.until.as_deref(), &settings.filter)?;
        Ok(Self { settings, condition, timeout })
    }
}

/// The condition as written; by default a connection, or whatever socket the filter by state asks
/// for where it asks for no connection.
fn condition(until: Option<&str>, filter: &Filter) -> Result<Condition> {
    let wants_some = |set: &StateSet| {
        State::NAMED.into_iter().any(|state| set.contains(state) && filter.wants_state(state))
    };
    let parse = |text: &str| {
        text.parse::<Condition>().map_err(|wrong| Error::Usage(format!("--until: {wrong}")))
    };
    let Some(text) = until else {
        let connected = parse("any connected")?;
        let asked = if filter.listening { "any LISTEN" } else { "any all" };
        return if wants_some(connected.states()) { Ok(connected) } else { parse(asked) };
    };
    let condition = parse(text)?;
    if wants_some(condition.states()) {
        return Ok(condition);
    }
    usage(&format!("--until '{text}' is about states that --state or --listening leaves out"))
}
