//! A tracepoint's `format` file and a record laid out by it: a byte for the tracepoint and one for
//! the type of the record, the text up to a NUL, the record.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tcplapse::source::trace::format::Format;
use tcplapse::source::trace::record::{Layout, TRACEPOINTS, parse};

fuzz_target!(|bytes: &[u8]| {
    let [tracepoint, kind, rest @ ..] = bytes else { return };
    let mut parts = rest.splitn(2, |byte| *byte == 0);
    let text = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let record = parts.next().unwrap_or_default();
    let (tracepoint, _) = TRACEPOINTS[usize::from(*tracepoint) % TRACEPOINTS.len()];
    let format = Format::parse(&text);
    let layout = format.and_then(|format| Layout::new(tracepoint, &format).ok());
    parse(u32::from(*kind), record, layout.as_ref());
});
