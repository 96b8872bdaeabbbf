//! The pure rooms, one by one: `cargo bench --bench rooms`, with the name of a room or of a bench to
//! measure it alone.

mod recording;
mod render;
mod source;
mod stage;
mod tcp;
mod tracker;

use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    source::benches(&mut criterion);
    tracker::benches(&mut criterion);
    tcp::benches(&mut criterion);
    render::benches(&mut criterion);
    recording::benches(&mut criterion);
    criterion.final_summary();
}
