//! JSON Lines: one object per record.

use super::Renderer;
use super::cell::Names;
use crate::model::reading::{Lost, LostReason};
use crate::model::time::Stamp;
use crate::view::{Record, SCHEMA};
use serde::Serialize;

/// Writes every record as one line of JSON.
#[derive(Debug, Default)]
pub struct Json;

#[derive(Serialize)]
struct LostRecord {
    v: u8,
    event: &'static str,
    time: Stamp,
    reason: LostReason,
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
                Record::Life(life) => serde_json::to_writer(&mut bytes, life),
                Record::Diagram(diagram) => serde_json::to_writer(&mut bytes, diagram),
                Record::Alert(alert) => serde_json::to_writer(&mut bytes, alert),
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
    let Lost { time, reason, count } = *lost;
    LostRecord { v: SCHEMA, event: "lost", time, reason, count }
}
