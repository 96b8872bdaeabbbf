//! JSON Lines: one object per record.

use super::Renderer;
use super::cell::Names;
use crate::view::Record;
use crate::view::labels::Labels;
use serde::Serialize;

/// Lines are rarely longer: to grow the memory step by step takes longer than to write the record.
const ROOM: usize = 1024;

/// Writes each record as one line.
#[derive(Debug, Default)]
pub struct Json {
    /// The labels as the end of an object, behind a comma; empty where there are none.
    labels: Vec<u8>,
}

impl Json {
    /// Labels follow the keys of each record.
    pub fn new(labels: &Labels) -> Self {
        let mut end = Vec::new();
        for (key, value) in labels.iter() {
            end.push(b',');
            push(&mut end, key);
            end.push(b':');
            push(&mut end, value);
        }
        Self { labels: end }
    }

    /// One record as a line with its newline.
    pub(crate) fn line(&self, record: &Record) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.push_line(&mut bytes, record);
        bytes
    }

    fn push_line(&self, bytes: &mut Vec<u8>, record: &Record) {
        push(bytes, record);
        if !self.labels.is_empty() {
            // Every record is an object with keys: it ends with a brace, before which a comma may stand.
            bytes.pop();
            bytes.extend(&self.labels);
            bytes.push(b'}');
        }
        bytes.push(b'\n');
    }
}

impl Renderer for Json {
    fn rows(&mut self, records: &[Record], _: &Names) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(records.len() * ROOM);
        for record in records {
            self.push_line(&mut bytes, record);
        }
        bytes
    }

    fn message(&self, _: &Record) -> Option<String> {
        None
    }
}

fn push(bytes: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    serde_json::to_writer(bytes, value).expect("strings, numbers and lists serialize into memory");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::reading::{Lost, LostReason};
    use crate::model::time::Stamp;

    #[test]
    fn labels_follow_the_keys() {
        let labels = [("host", "web\"1"), ("site", "")];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let lost = Lost { time: Stamp::default(), reason: LostReason::Output, count: Some(9) };
        let line = Json::new(&Labels(labels.into())).line(&Record::Lost(lost));
        assert_eq!(
            String::from_utf8(line).unwrap(),
            "{\"v\":1,\"event\":\"lost\",\"time\":\"1970-01-01T00:00:00.000000Z\",\
             \"reason\":\"output\",\"count\":9,\"host\":\"web\\\"1\",\"site\":\"\"}\n"
        );
    }
}
