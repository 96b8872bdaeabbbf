//! `explain`: what a state or a transition means; without an argument, the diagram of what is legal.

use crate::cli::{ColorName, DrawingName, Explain};
use crate::error::{Error, Result, UsageError};
use crate::output::tty;
use crate::render::ascii::ascii;
use crate::render::diagram::{self, DiagramFormat};
use crate::render::explain;
use crate::tcp::state::State;
use crate::view::diagram::Diagram;
use std::io::{self, Write};

/// Prints the explanation.
///
/// # Errors
/// An unknown state, or output that cannot be written.
pub(crate) fn run(options: &Explain) -> Result<()> {
    if options.color == ColorName::Always && options.format != DrawingName::Text {
        return Err(UsageError::NoEffect { flag: "--color", needs: "text" }.into());
    }
    let (palette, width) = (tty::palette(options.color), tty::width_or_80());
    let states: Vec<State> =
        options.states.iter().map(|name| state(name)).collect::<Result<_>>()?;
    let drawing = drawing(options.format);
    let text = match states[..] {
        [] => diagram::drawn(&Diagram::default(), drawing, palette, width),
        _ if drawing != DiagramFormat::Text => return Err(UsageError::ExplainFormat.into()),
        [state] => explain::state(state, palette, width),
        [from, to, ..] => explain::paths(from, to, palette, width),
    };
    let plain = drawing == DiagramFormat::Text && !tty::draws_unicode();
    let text = if plain { ascii(&text) } else { text };
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(Error::output)
}

const fn drawing(name: DrawingName) -> DiagramFormat {
    match name {
        DrawingName::Text => DiagramFormat::Text,
        DrawingName::Svg => DiagramFormat::Svg,
        DrawingName::Dot => DiagramFormat::Dot,
        DrawingName::Mermaid => DiagramFormat::Mermaid,
    }
}

/// The state of a name in any common spelling.
fn state(name: &str) -> Result<State> {
    match State::from_name(name) {
        Some(State::Unknown(_)) => Err(UsageError::ExplainCode(name.to_owned()).into()),
        Some(state) => Ok(state),
        None => Err(unknown_state(name).into()),
    }
}

/// The error for a name of no state, with the states that have similar names.
fn unknown_state(name: &str) -> UsageError {
    let names = |states: &[State]| states.iter().map(State::to_string).collect();
    let (near, all) = (names(&State::similar_to(name)), names(&State::NAMED));
    UsageError::ExplainState { name: name.to_owned(), near, all }
}
