//! JSON Lines: one object per record.

use super::Renderer;
use super::cell::Names;
use crate::reading::{Lost, LostReason};
use crate::view::{Record, SCHEMA, event::rfc3339};
use serde::Serialize;

/// Writes every record as one line of JSON.
#[derive(Debug, Default)]
pub struct Json;

#[derive(Serialize)]
struct LostRecord {
    v: u8,
    event: &'static str,
    time: String,
    reason: &'static str,
    count: Option<u64>,
}

impl Renderer for Json {
    fn begin(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn rows(&mut self, records: &[Record], _: &Names) -> Vec<u8> {
        let mut bytes = Vec::new();
        for record in records {
            let written = match record {
                Record::Event(event) => serde_json::to_writer(&mut bytes, event),
                Record::Socket(socket) => serde_json::to_writer(&mut bytes, socket),
                Record::Lost(lost) => serde_json::to_writer(&mut bytes, &lost_record(lost)),
            };
            written.expect("strings, numbers and lists serialize into memory");
            bytes.push(b'\n');
        }
        bytes
    }

    fn aside(&self, _: &Record) -> Option<String> {
        None
    }
}

fn lost_record(lost: &Lost) -> LostRecord {
    let reason = match lost.reason {
        LostReason::Gap => "gap",
        LostReason::Table => "table",
    };
    LostRecord { v: SCHEMA, event: "lost", time: rfc3339(lost.time), reason, count: lost.count }
}
