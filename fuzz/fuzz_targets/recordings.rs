//! A recording, and what the tracker makes of its readings.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tcplapse::testing::model::reading::Reading;
use tcplapse::testing::recording::{Decoder, Encoder};
use tcplapse::testing::tracker::{Collected, Tracker};

fuzz_target!(|file: &[u8]| {
    let (mut decoder, mut encoder, mut tracker) =
        (Decoder::default(), Encoder::default(), Tracker::default());
    for line in file.split(|byte| *byte == b'\n') {
        let Ok(Some(mut reading)) = decoder.decode(line) else { continue };
        if matches!(reading, Reading::Begin(_)) {
            (encoder, tracker) = (Encoder::default(), Tracker::default());
            continue;
        }
        tracker.update(&reading, &mut Collected::default());
        tracker.lookup_requests();
        assert!(tracker.statuses().count() <= tracker.socket_count());
        encoder.encode(&mut reading).lines(None);
    }
});
