//! Drawings in ASCII, for a locale whose characters may be no others.

/// The text with ASCII in place of the characters that drawings are made of: each takes one column,
/// as before. All others stay, such as those of names.
pub(crate) fn ascii(text: &str) -> String {
    text.chars().map(plain).collect()
}

/// Strokes stay apart: heavy for the active side, dotted for the passive one, thin for the others.
const fn plain(character: char) -> char {
    match character {
        // Bars are made of blocks.
        '━' | '┃' | '\u{2580}'..='\u{259f}' => '#',
        '┄' => '.',
        '┆' => ':',
        '─' => '-',
        '│' => '|',
        '═' | '╤' => '=',
        '▲' => '^',
        '▼' => 'v',
        '►' => '>',
        '◄' => '<',
        '…' => '~',
        // What is left of box drawing are corners and crossings.
        '\u{2500}'..='\u{257f}' => '+',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::diagram::{DiagramFormat, drawn};
    use crate::render::style::Palette;
    use crate::view::diagram::Diagram;

    #[test]
    fn a_drawing_is_ascii_and_as_wide() {
        let diagram = drawn(&Diagram::default(), DiagramFormat::Text, Palette { on: false }, 80);
        let plain = ascii(&diagram);
        assert!(plain.is_ascii() && !diagram.is_ascii(), "{plain}");
        assert_eq!(plain.chars().count(), diagram.chars().count());
        assert_eq!(ascii("█▌ café 127.0…:80"), "## café 127.0~:80");
    }
}
