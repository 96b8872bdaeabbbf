//! The picture in the README: a recording of two clients of a server that does not close the second
//! connection, replayed.

use super::{printed, root};
use crate::support::program::run;
use anstyle_svg::{Term, WIN10_CONSOLE};

/// The replay as plain text, and as a picture with the colours of a terminal.
pub(super) fn example() -> (String, String) {
    let recording = root().join("tests/fixtures/example.rec").display().to_string();
    let replay = |color| {
        let args = ["replay", &recording, "--utc", "--color", color, "client|server"];
        printed(run(&args))
    };
    (replay("never"), Term::new().palette(WIN10_CONSOLE).render_svg(&replay("always")) + "\n")
}
