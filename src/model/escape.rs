//! Names of other processes, made safe to print. Other programs chose these bytes: they may
//! contain escape sequences, newlines, or text that runs backwards.

use std::borrow::Cow;
use std::fmt::Write as _;

/// A name as every format shows it: control characters, bidi controls and bytes that are not UTF-8
/// become escapes of their bytes such as `\x1b`, a backslash becomes `\\`.
pub fn escape(name: &[u8]) -> String {
    escaped(name).into_owned()
}

/// The same, which nearly every name is as it stands.
pub(crate) fn escaped(name: &[u8]) -> Cow<'_, str> {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && *byte != b'\\';
    match std::str::from_utf8(name) {
        Ok(plain) if name.iter().all(is_plain) => Cow::Borrowed(plain),
        _ => Cow::Owned(with_escapes(name)),
    }
}

fn with_escapes(name: &[u8]) -> String {
    let mut safe = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => safe.push_str(r"\\"),
                plain if !is_hostile(plain) => safe.push(plain),
                hostile => push_bytes(&mut safe, hostile.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        push_bytes(&mut safe, chunk.invalid());
    }
    safe
}

/// A sentence that quotes what a user or another program wrote, safe to print: hostile characters
/// become escapes, all others stay, backslashes too.
pub(crate) fn printable(sentence: &str) -> String {
    let mut safe = String::with_capacity(sentence.len());
    for character in sentence.chars() {
        if is_hostile(character) {
            push_bytes(&mut safe, character.encode_utf8(&mut [0; 4]).as_bytes());
        } else {
            safe.push(character);
        }
    }
    safe
}

/// The bytes of an escaped name; `None` if [`escape`] cannot have made it.
pub fn unescape(escaped: &str) -> Option<Vec<u8>> {
    let mut name = Vec::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some((plain, escape)) = rest.split_once('\\') {
        name.extend(plain.as_bytes());
        rest = if let Some(rest) = escape.strip_prefix('\\') {
            name.push(b'\\');
            rest
        } else {
            let digits = escape.strip_prefix('x')?.get(..2)?;
            name.push(u8::from_str_radix(digits, 16).ok()?);
            &escape[3..]
        };
    }
    name.extend(rest.as_bytes());
    Some(name)
}

/// An escaped name without blanks, which would break a text column.
pub(crate) fn one_word(escaped: &str) -> String {
    escaped.replace(' ', r"\x20")
}

fn push_bytes(safe: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a string never fails.
        let _ = write!(safe, r"\x{byte:02x}");
    }
}

/// C0, DEL, C1 and what breaks a line or turns its direction (Unicode TR9, table 4).
fn is_hostile(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hostile_characters_are_escaped() {
        for (name, safe) in [
            (&b"client"[..], "client"),
            (b"\x1b]0;pwn\x07", r"\x1b]0;pwn\x07"),
            (b"a\nb\tc\x7f", r"a\x0ab\x09c\x7f"),
            (b"back\\slash", r"back\\slash"),
            (b"caf\xc3\xa9", "café"),
            (b"\xff\xfe", r"\xff\xfe"),
            ("\u{9b}31m".as_bytes(), r"\xc2\x9b31m"),
            ("x\u{202e}y".as_bytes(), r"x\xe2\x80\xaey"),
            (b"two words", "two words"),
        ] {
            assert_eq!(escape(name), safe);
        }
        assert_eq!(one_word(&escape(b"two words")), r"two\x20words");
    }

    proptest! {
        #[test]
        fn escaped_names_are_safe_and_unescape_to_the_same(name: Vec<u8>) {
            let safe = escape(&name);
            prop_assert!(!safe.chars().any(is_hostile));
            prop_assert!(!one_word(&safe).contains(' '));
            prop_assert_eq!(unescape(&safe), Some(name));
        }

        #[test]
        fn unescape_never_panics(text: String) {
            let _ = unescape(&text);
            let _ = unescape(&format!("\\x{text}"));
        }
    }
}
