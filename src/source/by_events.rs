//! Opens the source that follows the kernel's events.

use super::Source;
use super::netns::Namespaces;
use super::trace::{Trace, TraceSettings};
use crate::error::Result;
use crate::model::process_tree::ProcessTree;
use crate::model::wanted::WantedRows;
use crate::settings::Settings;
use crate::settings::netns::NetnsChoice;

/// Follows the caller's own network namespace.
///
/// # Errors
/// What the kernel lacks or denies.
pub(super) fn open(settings: &Settings) -> Result<Box<dyn Source>> {
    Ok(Box::new(Trace::open(trace_settings(settings))?))
}

/// Follows several network namespaces.
///
/// # Errors
/// See [`open`].
pub(super) fn open_several(
    settings: &Settings,
    choices: &[NetnsChoice],
) -> Result<Box<dyn Source>> {
    let means = (WantedRows::default(), settings.poll);
    let of = Namespaces::open(&settings.procfs, choices, means, true)?;
    Ok(Box::new(Trace::open_several(trace_settings(settings), of)?))
}

fn trace_settings(settings: &Settings) -> TraceSettings {
    let root = settings.filter.process.tree.as_ref().map(ProcessTree::root);
    let Settings { poll, ring, .. } = *settings;
    let WantedRows { family, other_listeners, .. } = settings.wanted_rows();
    TraceSettings { family: family.filter(|_| !other_listeners), poll, ring, root }
}
