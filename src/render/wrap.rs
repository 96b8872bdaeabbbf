//! Text in lines of a given width.

use super::style::Palette;
use crate::tcp::state::State;
use unicode_width::UnicodeWidthStr;

/// Breaks a text into lines at blanks; a word that is wider than a line has one for itself.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        if line.is_empty() {
            line.push_str(word);
        } else if line.width() + 1 + word.width() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// Colours the names of states in a text.
pub(crate) fn highlight(text: &str, palette: Palette) -> String {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_name) {
        let (before, from) = rest.split_at(start);
        let (word, after) = from.split_at(from.find(|c| !is_name(c)).unwrap_or(from.len()));
        out.push_str(before);
        match State::NAMED.into_iter().find(|state| state.to_string() == word) {
            Some(state) => out.push_str(&palette.state(state)),
            None => out.push_str(word),
        }
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("a bc def ghi", 6), ["a bc", "def", "ghi"]);
        assert_eq!(wrap("a  bc def", 8), ["a  bc", "def"], "a wide gap is meant");
        assert_eq!(wrap("extraordinary word", 6), ["extraordinary", "word"]);
        assert_eq!(wrap("", 6), [""]);
    }

    #[test]
    fn only_whole_names_of_states_are_coloured() {
        let palette = Palette { on: true };
        let shown = highlight("(LISTEN), LISTENS, TIME_WAIT.", palette);
        let names = [palette.state(State::Listen), palette.state(State::TimeWait)];
        assert_eq!(shown, format!("({}), LISTENS, {}.", names[0], names[1]));
        assert_eq!(highlight("in LISTEN", Palette { on: false }), "in LISTEN");
    }
}
