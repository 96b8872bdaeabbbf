//! In place of `walk` where the program is built without the cargo feature `bpf`: all searches are by
//! procfs.

use super::Scan;
use crate::error::BpfError;
use crate::model::process::Inodes;
use crate::owner::table::SearchResult;
use crate::owner::{OwnersBy, SearchScope};

impl Scan {
    /// Finds descriptors by procfs.
    ///
    /// # Errors
    /// The iterator is asked for.
    pub(crate) fn by(self, by: OwnersBy) -> Result<Self, BpfError> {
        match by {
            OwnersBy::Bpf => Err(BpfError::LeftOut),
            OwnersBy::Proc | OwnersBy::Auto => Ok(self),
        }
    }

    #[allow(clippy::unused_self, clippy::needless_pass_by_ref_mut)] // as in `walk`
    pub(super) fn take_refusal(&mut self) -> Option<String> {
        None
    }

    #[allow(clippy::unused_self, clippy::needless_pass_by_ref_mut)] // as in `walk`
    pub(super) fn search_by_walk(
        &mut self,
        _: SearchScope<'_>,
        _: &Inodes,
    ) -> Option<SearchResult> {
        None
    }
}
