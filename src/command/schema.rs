//! `schema`: the JSON Schema of all records.

use crate::error::{Error, Result};
use crate::view::schema::schema;
use std::io::{self, Write};

/// Prints the schema.
///
/// # Errors
/// Output that cannot be written.
pub(crate) fn run() -> Result<()> {
    let text = format!("{:#}\n", schema());
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(Error::output)
}
