//! Records to bytes, in every format.

use crate::fixture::records;
use criterion::{BenchmarkId, Criterion, Throughput};
use jiff::tz::TimeZone;
use tcplapse::testing::render::Renderer;
use tcplapse::testing::render::cell::{Names, TimeFormat, TimeFormatter};
use tcplapse::testing::render::csv::Csv;
use tcplapse::testing::render::events::EventsText;
use tcplapse::testing::render::json::Json;
use tcplapse::testing::render::socket_table::TableOptions;
use tcplapse::testing::render::socket_table::list::SocketList;
use tcplapse::testing::render::style::Palette;
use tcplapse::testing::view::Record;
use tcplapse::testing::view::labels::Labels;

const RECORDS: usize = 1000;
const TERMINAL: u16 = 120;

pub(crate) fn benches(criterion: &mut Criterion) {
    let (events, sockets) = records(RECORDS);
    let palette = Palette { on: false };
    let clock = TimeFormatter { format: TimeFormat::Clock, zone: TimeZone::UTC, start: None };
    let text = EventsText::new(clock, palette, false, None);
    bench(criterion, "render/events", "text", Box::new(text), &events);
    bench(criterion, "render/events", "json", Box::new(Json::default()), &events);
    bench(
        criterion,
        "render/events",
        "csv",
        Box::new(Csv::new(false, &Labels::default())),
        &events,
    );
    for (name, width) in [("streamed", None), ("drawn", Some(TERMINAL))] {
        let options = TableOptions {
            palette,
            header: false,
            extended: false,
            timers: false,
            tcp_info: false,
        };
        let list = SocketList::new(options, false, width);
        bench(criterion, "render/list", name, Box::new(list), &sockets);
    }
}

fn bench(
    criterion: &mut Criterion,
    group: &str,
    format: &str,
    mut renderer: Box<dyn Renderer>,
    records: &[Record],
) {
    let mut group = criterion.benchmark_group(group);
    group.throughput(Throughput::Elements(records.len() as u64));
    let names = Names::default();
    group.bench_function(BenchmarkId::from_parameter(format), |bencher| {
        bencher.iter(|| (renderer.rows(records, &names), renderer.rest()));
    });
    group.finish();
}
