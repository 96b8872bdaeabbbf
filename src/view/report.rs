//! What a report says of the run as a whole.

use crate::model::time::Stamp;
use serde::Serialize;

/// The head of a report. It is no record for scripts: those have the records that the report shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// When the first and the last reading were complete; `None` without any.
    pub span: Option<(Stamp, Stamp)>,
    /// How much was seen, as the closing line says it.
    pub coverage: String,
    /// Sockets whose lives are not in the report, because there were too many.
    pub left_out: u64,
}
