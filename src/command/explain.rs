//! `explain`: what a state or a change means; without an argument, the diagram of what is legal.

use crate::cli::{DrawingName, Explain};
use crate::error::{Error, Result};
use crate::output::tty;
use crate::render::diagram::{self, Drawing};
use crate::render::explain;
use crate::tcp::state::State;
use crate::view::diagram::Diagram;
use std::io::{self, Write};

/// Prints the explanation.
///
/// # Errors
/// A state that there is not, or output that cannot be written.
pub fn run(asked: &Explain) -> Result<()> {
    let (palette, width) = (tty::palette(asked.color), tty::width_or_80());
    let states: Vec<State> = asked.states.iter().map(|name| state(name)).collect::<Result<_>>()?;
    let drawing = drawing(asked.format);
    let text = match states[..] {
        [] => diagram::drawn(&Diagram::default(), drawing, palette, width),
        _ if drawing != Drawing::Text => {
            let sentence = "--format draws the diagram: leave the states out of explain";
            return Err(Error::Usage(sentence.to_owned()));
        }
        [state] => explain::state(state, palette, width),
        [from, to, ..] => explain::change(from, to, palette, width),
    };
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(Error::output)
}

const fn drawing(name: DrawingName) -> Drawing {
    match name {
        DrawingName::Text => Drawing::Text,
        DrawingName::Svg => Drawing::Svg,
        DrawingName::Dot => Drawing::Dot,
        DrawingName::Mermaid => Drawing::Mermaid,
    }
}

/// The state that was named, in any common spelling.
fn state(name: &str) -> Result<State> {
    match State::from_name(name) {
        Some(State::Unknown(_)) => {
            Err(Error::Usage(format!("'{name}' is a code that Linux does not name")))
        }
        Some(state) => Ok(state),
        None => Err(Error::Usage(format!("'{name}' is no TCP state; {}", meant(name)))),
    }
}

/// Names close to what was typed, or else all names.
fn meant(name: &str) -> String {
    let typed = name.to_ascii_uppercase().replace('-', "_");
    let names: Vec<String> = State::NAMED.iter().map(State::to_string).collect();
    let slip = |state: &&String| {
        let distance = strsim::damerau_levenshtein(state, &typed);
        distance <= 3 && distance < typed.len()
    };
    let part = |state: &&String| typed.len() > 2 && state.contains(&typed);
    let near: Vec<&str> =
        names.iter().filter(|state| part(state) || slip(state)).map(String::as_str).collect();
    if near.is_empty() {
        format!("states are {}", names.join(", "))
    } else {
        format!("did you mean {}?", near.join(" or "))
    }
}
