//! The pure layers, one by one: `cargo bench --bench micro`, with the name of a layer or of a bench to
//! measure it alone.

mod fixture;
mod recording;
mod render;
mod source;
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
