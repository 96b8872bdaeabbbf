//! Descriptions of the processes that permission is denied to inspect.

use super::process_files::ProcessFiles;
use crate::model::process::Process;
use std::collections::HashMap;

/// The processes that permission is denied to inspect, as they were described last. There may be
/// thousands, and they hardly ever change: a description counts as long as the process has the same
/// name.
#[derive(Debug, Default)]
pub(super) struct DeniedProcesses {
    known: HashMap<(i32, u64), Process>,
}

impl DeniedProcesses {
    /// Adds to each of the processes that a search was denied all that a filter may need.
    pub(super) fn describe(&mut self, denied: &mut [Process], processes: &ProcessFiles) {
        let known = std::mem::take(&mut self.known);
        for process in denied.iter_mut() {
            match known.get(&process.identity()) {
                Some(before) if before.comm == process.comm => process.clone_from(before),
                _ => processes.complete(process),
            }
        }
        self.known = denied.iter().map(|process| (process.identity(), process.clone())).collect();
    }
}
