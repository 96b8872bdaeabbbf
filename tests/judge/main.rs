//! The judge: random sockets of every kind, all that the program reports of them, and the kernel's
//! trace beside it. Every claim of every record is held against the trace.
//!
//! Not part of a plain `cargo test`: run it with `cargo test --test judge`. `TCPLAPSE_TEST_SEED`
//! repeats a plan.
//!
//! What counts is what the program really polled: the passes of its recording. A machine that is
//! too slow for the plan makes the run inconclusive, and another plan is tried; a false claim fails
//! however slow the machine is.

mod claims;
mod forgeries;
mod holders;
mod known;
mod link;
mod matching;
mod namespaces;
mod plan;
mod readings;
mod rows;
mod run;
mod soak;
#[allow(dead_code)] // shared with the other targets
#[path = "../support/mod.rs"]
mod support;
mod truth;
mod workload;

use plan::Kind;
use run::judge_plan;

/// Its name lets it start first: it waits for a minute while the others work.
#[test]
fn expiry_of_time_wait() {
    judge_plan(Kind::Expiry);
}

#[test]
fn loopback_v4() {
    judge_plan(Kind::LoopbackV4);
}

#[test]
fn loopback_v6() {
    judge_plan(Kind::LoopbackV6);
}

#[test]
fn v4_mapped() {
    judge_plan(Kind::V4Mapped);
}

#[test]
fn link_with_faults() {
    judge_plan(Kind::Link);
}

#[test]
fn reused_addresses() {
    judge_plan(Kind::Reuse);
}

#[test]
fn passed_descriptors() {
    judge_plan(Kind::PassedDescriptors);
}

#[test]
fn namespaces_with_the_same_addresses() {
    namespaces::judge();
}

#[test]
fn prefork_listeners() {
    judge_plan(Kind::Prefork);
}
