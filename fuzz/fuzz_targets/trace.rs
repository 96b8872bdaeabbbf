//! Records of the BPF program, of any content and in any order, turned into state changes: the bytes
//! are split into records.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tcplapse::testing::source::trace::changes::Changes;
use tcplapse::testing::source::trace::record::{RawEvent, SIZE};

fuzz_target!(|bytes: &[u8]| {
    let mut changes = Changes::default();
    for record in bytes.as_chunks::<SIZE>().0 {
        if let Some(event) = RawEvent::parse(record) {
            changes.take(&event, 0);
            changes.complete_at(event.time);
        }
    }
    changes.complete_at(u64::MAX);
});
