//! What lies between two states.

use criterion::Criterion;
use std::hint::black_box;
use tcplapse::testing::tcp::path::{Proof, between};
use tcplapse::testing::tcp::state::State;

pub(crate) fn benches(criterion: &mut Criterion) {
    let states: Vec<State> = (1..=11).map(State::from_code).collect();
    criterion.bench_function("tcp/paths of all pairs", |bencher| {
        bencher.iter(|| {
            for from in &states {
                for to in &states {
                    black_box(between(*from, *to, Proof::default()));
                }
            }
        });
    });
}
