//! What the kernel says, understood: rows, tables, sock_diag messages, trace records.

use crate::fixture::{ESTABLISHED, FIXTURE, SOCKETS, Tables};
use criterion::{BenchmarkId, Criterion, Throughput};
use std::fs;
use std::hint::black_box;
use tcplapse::testing::model::socket::Family;
use tcplapse::testing::source::netlink::wire::{Message, NetlinkMessages};
use tcplapse::testing::source::proc::row;
use tcplapse::testing::source::trace::record::{self, RawEvent};

/// As many as the kernel puts into one datagram of 32 KiB.
const DATAGRAM: usize = 292;

pub(crate) fn benches(criterion: &mut Criterion) {
    rows(criterion);
    table(criterion);
    dump(criterion);
    trace(criterion);
}

/// All rows of the fixture, of every state.
fn rows(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("source/rows");
    for (table, family) in [("tcp", Family::Ipv4), ("tcp6", Family::Ipv6)] {
        let text = fs::read(format!("{FIXTURE}/net/{table}")).expect("the fixture is there");
        let rows: Vec<&[u8]> = text.split(|byte| *byte == b'\n').skip(1).collect();
        group.throughput(Throughput::Elements(rows.len() as u64));
        group.bench_function(table, |bencher| {
            bencher.iter(|| rows.iter().filter_map(|row| row::parse(row, family)).count());
        });
    }
    group.finish();
}

/// A whole poll, the files opened, read and closed again.
fn table(criterion: &mut Criterion) {
    let tables = Tables::steady();
    let mut source = tables.source();
    let mut group = criterion.benchmark_group("source/table");
    group.throughput(Throughput::Elements(SOCKETS as u64));
    group.bench_function(BenchmarkId::from_parameter(SOCKETS), |bencher| {
        bencher.iter(|| source.snapshot().expect("a table"));
    });
    group.finish();
}

fn dump(criterion: &mut Criterion) {
    let datagram: Vec<u8> = (0..DATAGRAM).flat_map(socket_message).collect();
    let mut group = criterion.benchmark_group("source/netlink");
    group.throughput(Throughput::Elements(DATAGRAM as u64));
    group.bench_function("dump", |bencher| {
        bencher.iter(|| {
            for (_, message) in NetlinkMessages::new(black_box(&datagram)) {
                let Message::Socket(body) = message else { panic!("{message:?}") };
                black_box(body.row());
            }
        });
    });
    group.finish();
}

/// An established connection as a dump shows it: `nlmsghdr`, `inet_diag_msg`, two attributes.
fn socket_message(number: usize) -> Vec<u8> {
    let number = u16::try_from(number).expect("few");
    let word = |value: u32| value.to_ne_bytes();
    let half = |value: u16| value.to_ne_bytes();
    let mut message = Vec::new();
    message.extend(word(112));
    message.extend([half(20), half(2)].concat()); // SOCK_DIAG_BY_FAMILY, NLM_F_MULTI
    message.extend([word(1), word(0)].concat()); // sequence, port
    message.extend([2, ESTABLISHED, 0, 0]); // AF_INET, no timer
    message.extend([80_u16.to_be_bytes(), (10_000 + number).to_be_bytes()].concat());
    for addr in [[127, 0, 0, 1], [127, 0, 0, 2]] {
        message.extend(addr);
        message.extend([0; 12]);
    }
    message.extend([word(0), word(u32::from(number) + 1), word(0)].concat()); // device, cookie
    message.extend([word(0), word(0), word(0)].concat()); // timer, queues
    message.extend([word(1000), word(u32::from(number) + 5000)].concat()); // user, inode
    message.extend([half(5), half(8), half(0), half(0)].concat()); // INET_DIAG_SHUTDOWN
    message.extend([half(5), half(22), half(0), half(0)].concat()); // INET_DIAG_SOCKOPT
    message.extend([half(8), half(15), half(0), half(0)].concat()); // INET_DIAG_MARK
    message
}

/// A record of a state change, as the BPF program writes it.
fn trace(criterion: &mut Criterion) {
    let mut record = [0; record::SIZE];
    record[56..62].copy_from_slice(&[0x1f, 0x90, 0x1f, 0x90, 0x9c, 0x40]);
    record[63..66].copy_from_slice(&[2, ESTABLISHED, 4]); // AF_INET, FIN_WAIT1
    record[104..108].copy_from_slice(b"curl");
    let mut group = criterion.benchmark_group("source/trace");
    group.throughput(Throughput::Elements(1));
    group.bench_function("record", |bencher| {
        bencher.iter(|| RawEvent::parse(black_box(&record)));
    });
    group.finish();
}
