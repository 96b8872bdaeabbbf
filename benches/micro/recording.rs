//! Readings to lines and back: a first pass, in full, and one that differs little from it.

use crate::fixture::{SOCKETS, Tables};
use criterion::{BatchSize, Criterion, Throughput};
use std::time::Duration;
use tcplapse::testing::model::reading::{Interface, Reading};
use tcplapse::testing::model::time::Stamp;
use tcplapse::testing::recording::{Decoder, Encoder, Header};

pub(crate) fn benches(criterion: &mut Criterion) {
    let first = Tables::steady().reading();
    let second = Tables::one_percent_changed().reading();
    let mut encoder = Encoder::default();
    let head = encoder.header(&header());
    let lines = [first.clone(), second.clone()].map(|reading| encode(&mut encoder, reading));
    let mut group = criterion.benchmark_group("recording");
    group.throughput(Throughput::Elements(SOCKETS as u64));
    for (name, before, reading) in
        [("in full", &[][..], &first), ("one percent changed", &[first.clone()][..], &second)]
    {
        group.bench_function(format!("encode {name}"), |bencher| {
            let encoder_after = || (encoder_of(before), reading.clone());
            let pass = |(mut encoder, reading)| (encode(&mut encoder, reading), encoder);
            bencher.iter_batched(encoder_after, pass, BatchSize::PerIteration);
        });
    }
    for (name, before, line) in
        [("in full", &[][..], &lines[0]), ("one percent changed", &lines[..1], &lines[1])]
    {
        group.bench_function(format!("decode {name}"), |bencher| {
            let decoder_after = || decoder_of(&head, before);
            let pass = |mut decoder: Decoder| (decoder.decode(line), decoder);
            bencher.iter_batched(decoder_after, pass, BatchSize::PerIteration);
        });
    }
    group.finish();
}

fn header() -> Header {
    Header {
        start: Stamp::default(),
        boot_id: String::new(),
        part: 0,
        since: None,
        source: Interface::Proc,
        interval: Duration::from_millis(100),
        host: String::new(),
        kernel: String::new(),
    }
}

fn encode(encoder: &mut Encoder, mut reading: Reading) -> Vec<u8> {
    encoder.encode(&mut reading).lines(None)
}

/// One that has written these readings.
fn encoder_of(readings: &[Reading]) -> Encoder {
    let mut encoder = Encoder::default();
    for reading in readings {
        encode(&mut encoder, reading.clone());
    }
    encoder
}

/// One that has read these lines.
fn decoder_of(head: &[u8], lines: &[Vec<u8>]) -> Decoder {
    let mut decoder = Decoder::default();
    for line in std::iter::once(head).chain(lines.iter().map(Vec::as_slice)) {
        decoder.decode(line).expect("a line of a recording");
    }
    decoder
}
