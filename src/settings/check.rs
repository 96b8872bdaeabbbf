//! What `check` is asked for, checked.

use super::{Settings, looks_no_more};
use crate::cli::CheckOptions;
use crate::error::{Error, Result};
use crate::rules::check::{Limit, Limits};
use crate::tcp::state_set::StateSet;
use crate::values::{duration, usage};
use std::path::PathBuf;
use std::time::Duration;

/// What `check` judges by.
#[derive(Debug)]
pub struct Check {
    /// Which sockets, and how to look.
    pub settings: Settings,
    /// What offends.
    pub limits: Limits,
    /// The recording to judge; `None` for what there is now.
    pub from: Option<PathBuf>,
    /// For how long to watch; `None` for a whole recording.
    pub duration: Option<Duration>,
}

impl Check {
    /// Checks the options of `check`.
    ///
    /// # Errors
    /// `Error::Usage`, as for [`Settings::new`].
    pub fn new(check: CheckOptions) -> Result<Self> {
        let settings = Settings::new(check.options)?.without_rules("check")?;
        let limits = Limits {
            stuck: each(&check.stuck, stuck)?,
            most: each(&check.max, most)?,
            growing: each(&check.growing, growing)?,
        };
        if check.from.is_some() {
            looks_no_more(&check.live)?;
        }
        let duration = time_to_watch(&limits, settings.duration, check.from.is_some())?;
        Ok(Self { settings, limits, from: check.from, duration })
    }
}

fn each<T>(texts: &[String], limit: impl Fn(&str) -> Result<T>) -> Result<Vec<T>> {
    texts.iter().map(|text| limit(text)).collect()
}

/// `CLOSE_WAIT:60s`.
fn stuck(text: &str) -> Result<Limit<Duration>> {
    let Some((states, age)) = text.split_once(':') else {
        return usage(&format!("--stuck takes STATE:AGE such as CLOSE_WAIT:60s, not '{text}'"));
    };
    limit("--stuck", states, duration(age.trim())?)
}

/// `ESTABLISHED:1000`.
fn most(text: &str) -> Result<Limit<u64>> {
    let parts = text.split_once(':');
    match parts.and_then(|(states, count)| Some((states, count.trim().parse().ok()?))) {
        Some((states, count)) => limit("--max", states, count),
        None => usage(&format!("--max takes STATE:COUNT such as TIME_WAIT:1000, not '{text}'")),
    }
}

fn growing(text: &str) -> Result<Limit<()>> {
    limit("--growing", text, ())
}

fn limit<T>(flag: &str, text: &str, allowed: T) -> Result<Limit<T>> {
    let text = text.trim();
    let states: StateSet =
        text.parse().map_err(|unknown| Error::Usage(format!("{flag}: {unknown}")))?;
    Ok(Limit { states, allowed, text: text.to_owned() })
}

/// A whole recording; else as long as the longest age: what is found at the first look may have been there for long, but
/// only what was watched for that long is known to have been.
fn time_to_watch(
    limits: &Limits,
    asked: Option<Duration>,
    recorded: bool,
) -> Result<Option<Duration>> {
    if limits.is_empty() {
        return usage(
            "check needs to know what is wrong; write --stuck CLOSE_WAIT:60s, --max TIME_WAIT:1000 \
             or --growing CLOSE_WAIT --for 10m",
        );
    }
    match (asked, limits.longest_age()) {
        (None, _) if recorded => Ok(None),
        (None, None) if limits.growing.is_empty() => Ok(Some(Duration::ZERO)),
        (None, None) => usage("--growing needs a time to grow in; add --for 10m"),
        (Some(asked), Some(age)) if asked < age => usage(&format!(
            "In {asked:?} nothing can be seen to be stuck for {age:?}; leave --for out, or make it longer"
        )),
        (asked, age) => Ok(asked.or(age)),
    }
}
