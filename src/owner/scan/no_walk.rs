//! In place of `walk` where the program is built without the cargo feature `bpf`: all searches are by
//! procfs.

use super::process_files::ProcessFiles;
use super::search::Search;
use crate::error::BpfError;
use crate::owner::OwnersBy;
use crate::owner::table::SearchResult;

/// Finds no descriptors.
#[derive(Debug, Default)]
pub(super) struct Walker {}

#[allow(clippy::unused_self, clippy::needless_pass_by_ref_mut)] // as in `walk`
impl Walker {
    /// Leaves the search to procfs.
    ///
    /// # Errors
    /// The iterator is asked for.
    pub(super) fn new(by: OwnersBy, _: &ProcessFiles) -> Result<Self, BpfError> {
        match by {
            OwnersBy::Bpf => Err(BpfError::LeftOut),
            OwnersBy::Proc | OwnersBy::Auto => Ok(Self {}),
        }
    }

    pub(super) const fn finds_hidden(&self) -> bool {
        false
    }

    pub(super) fn take_refusal(&mut self) -> Option<String> {
        None
    }

    pub(super) fn search(&mut self, _: &mut Search<'_>) -> Option<SearchResult> {
        None
    }
}
