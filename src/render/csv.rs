//! CSV: a row per record, with a column for each key of its JSON form, in the same order. A diagram
//! has a row per edge; losses, alerts and findings have no row.

use super::cell::Names;
use super::summary::sentence;
use super::{Renderer, message};
use crate::view::Record;
use crate::view::labels::Labels;
use serde::Serialize;
use serde_json::{Map, Value};

/// Writes records as rows; the first row names the columns.
#[derive(Debug)]
pub struct Csv {
    header_due: bool,
    labels: Labels,
}

impl Csv {
    /// `header`: write the row that names the columns. Labels are the last columns.
    pub fn new(header: bool, labels: &Labels) -> Self {
        Self { header_due: header, labels: labels.clone() }
    }

    fn write(&mut self, writer: &mut csv::Writer<Vec<u8>>, record: &impl Serialize) {
        let Ok(Value::Object(mut keys)) = serde_json::to_value(record) else {
            unreachable!("records are structs of strings, numbers and lists")
        };
        for (key, value) in self.labels.iter() {
            keys.insert(key.to_owned(), value.into());
        }
        if std::mem::take(&mut self.header_due) {
            write_row(writer, keys.keys().cloned());
        }
        write_row(writer, keys.values().map(cell));
    }
}

impl Renderer for Csv {
    fn rows(&mut self, records: &[Record], _: &Names) -> Vec<u8> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for record in records {
            match record {
                Record::Diagram(diagram) => {
                    diagram.records().for_each(|edge| self.write(&mut writer, &edge));
                }
                Record::Lost(_) | Record::Alert(_) | Record::Finding(_) => {}
                record => self.write(&mut writer, record),
            }
        }
        writer.into_inner().expect("memory takes every row")
    }

    fn message(&self, record: &Record) -> Option<String> {
        match record {
            Record::Finding(found) => Some(sentence(found)),
            other => message(other),
        }
    }
}

fn write_row(writer: &mut csv::Writer<Vec<u8>>, cells: impl Iterator<Item = String>) {
    writer.write_record(cells).expect("every row of one schema has as many columns");
}

/// A value as text: null is empty, a list is joined by `;`, a holder is `pid/fd/process`.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => no_formula(text),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(";"),
        Value::Object(holder) => joined(holder),
        other => other.to_string(),
    }
}

/// A text that a spreadsheet does not take for a formula: a process may have any name.
fn no_formula(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    if is_formula { format!("'{text}") } else { text.to_owned() }
}

/// The values of an object, joined by `/`. In a name, what separates holders and their values is
/// escaped.
fn joined(holder: &Map<String, Value>) -> String {
    let part = |value| cell(value).replace(';', r"\x3b").replace('/', r"\x2f");
    holder.values().map(part).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::reading::{Lost, LostReason};
    use crate::model::time::Stamp;
    use serde_json::json;

    #[test]
    fn a_loss_is_a_message_and_not_a_row() {
        let (time, reason) = (Stamp::default(), LostReason::Output);
        let lost = [Record::Lost(Lost { time, reason, count: Some(9) })];
        let message =
            Csv::new(false, &Labels::default()).message(&lost[0]).expect("it has no columns");
        assert_eq!(message, "9 records dropped: output reader too slow");
    }

    #[test]
    fn a_name_cannot_forge_another_holder() {
        let owners =
            json!([{"pid": 7, "fd": 3, "process": "a;1/2/b"}, {"pid": 8, "fd": 4, "process": "c"}]);
        assert_eq!(cell(&owners), r"7/3/a\x3b1\x2f2\x2fb;8/4/c");
        assert_eq!(cell(&json!(["FIN_WAIT1", "CLOSING"])), "FIN_WAIT1;CLOSING");
        assert_eq!(cell(&json!(null)), "");
    }

    #[test]
    fn a_name_is_no_formula() {
        for name in ["=1+1", "+1", "-1", "@sum", "＝1", "-bash"] {
            assert_eq!(cell(&json!(name)), format!("'{name}"));
        }
        assert_eq!((cell(&json!("a=b")), cell(&json!(-1))), ("a=b".to_owned(), "-1".to_owned()));
    }
}
