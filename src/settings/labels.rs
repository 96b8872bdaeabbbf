//! Labels of records.

use super::Result;
use crate::error::UsageError;
use crate::view::labels::{Labels, is_key_of_record};

/// `host=web1` and others. A later version may have a key that is called as a label, and then refuses
/// this label: no record has a key twice.
pub(super) fn labels(texts: &[String]) -> Result<Labels> {
    let mut labels = Labels::default();
    for text in texts {
        let Some((key, value)) = text.split_once('=') else {
            return Err(UsageError::Label(text.clone()));
        };
        if !is_key(key) {
            return Err(UsageError::LabelKey(key.to_owned()));
        }
        if is_key_of_record(key) {
            return Err(UsageError::LabelTaken(key.to_owned()));
        }
        if labels.iter().any(|(known, _)| known == key) {
            return Err(UsageError::LabelTwice(key.to_owned()));
        }
        labels.0.push((key.to_owned(), value.to_owned()));
    }
    Ok(labels)
}

/// Whether databases and shells can name it.
fn is_key(key: &str) -> bool {
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let is_further = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    key.starts_with(is_first) && key.chars().all(is_further)
}
