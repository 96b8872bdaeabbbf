//! JSON Lines: one object per record.

use super::Renderer;
use super::cell::Names;
use crate::view::Record;

/// Writes each record as one line.
#[derive(Debug, Default)]
pub struct Json;

impl Renderer for Json {
    fn rows(&mut self, records: &[Record], _: &Names) -> Vec<u8> {
        let mut bytes = Vec::new();
        for record in records {
            push_line(&mut bytes, record);
        }
        bytes
    }

    fn message(&self, _: &Record) -> Option<String> {
        None
    }
}

/// One record as a line with its newline.
pub(crate) fn line(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::new();
    push_line(&mut bytes, record);
    bytes
}

fn push_line(bytes: &mut Vec<u8>, record: &Record) {
    serde_json::to_writer(&mut *bytes, record)
        .expect("strings, numbers and lists serialize into memory");
    bytes.push(b'\n');
}
