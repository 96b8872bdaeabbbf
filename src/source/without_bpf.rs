//! In place of `by_events` where the program is built without the cargo feature `bpf`.

use super::Source;
use crate::error::{BpfError, Error, Result};
use crate::settings::Settings;
use crate::settings::netns::NetnsChoice;

/// Refuses.
///
/// # Errors
/// Always.
pub(super) fn open(_: &Settings) -> Result<Box<dyn Source>> {
    Err(Error::Trace(BpfError::LeftOut))
}

/// See [`open`].
///
/// # Errors
/// Always.
pub(super) fn open_several(settings: &Settings, _: &[NetnsChoice]) -> Result<Box<dyn Source>> {
    open(settings)
}
