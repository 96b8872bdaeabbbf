//! Random histories: little may be reported of them, but nothing that contradicts itself.

mod ledger;
mod readings;
mod shown;

use ledger::Ledger;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use readings::{Script, Time, moves};
use tcplapse::testing::model::event::TrackerEvent;
use tcplapse::testing::model::reading::{LostReason, Reading};
use tcplapse::testing::tracker::{Collected, Tracker};

/// A socket that so many polls in a row do not show has ended, and nothing waits for its end.
const POLLS_TO_END: usize = 6;

/// Gives a tracker a history, and checks every record against those before.
fn play(moves: Vec<readings::Move>, time: Time) -> (Tracker, Ledger, Script) {
    play_in(usize::MAX, moves, time)
}

/// As [`play`], where at most `room` sockets are followed.
fn play_in(room: usize, moves: Vec<readings::Move>, time: Time) -> (Tracker, Ledger, Script) {
    let (mut tracker, mut ledger) = (Tracker::of_at_most(room), Ledger::new(time));
    let mut script = Script::new(moves);
    while let Some(reading) = script.next(&tracker.lookup_requests()) {
        take(&mut tracker, &mut ledger, &reading);
    }
    (tracker, ledger, script)
}

fn take(tracker: &mut Tracker, ledger: &mut Ledger, reading: &Reading) {
    let mut collected = Collected::default();
    tracker.update(reading, &mut collected);
    for event in collected.events {
        if let TrackerEvent::Transition(transition) = event {
            ledger.enter(&transition);
        }
    }
    ledger.agree(tracker.statuses());
    let gap = matches!(reading, Reading::Lost(lost) if lost.reason == LostReason::Gap);
    ledger.may_lack_ends |= gap || tracker.ambiguous() > 0;
}

/// The same histories in every run. `PROPTEST_RNG_SEED` and `PROPTEST_CASES` ask for others and for
/// more.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    let rng_seed = match default.rng_seed {
        RngSeed::Random => RngSeed::Fixed(1),
        RngSeed::Fixed(seed) => RngSeed::Fixed(seed),
    };
    ProptestConfig { failure_persistence: None, rng_seed, ..default }
}

/// A quarter of the histories: every view is written in every format.
fn config_of_views() -> ProptestConfig {
    let config = config();
    ProptestConfig { cases: config.cases.div_ceil(4), ..config }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn transitions_of_a_socket_form_a_chain(moves in moves(Time::Forwards)) {
        play(moves, Time::Forwards);
    }

    #[test]
    fn clocks_that_jump_break_no_chain(moves in moves(Time::Anyhow)) {
        play(moves, Time::Anyhow);
    }

    #[test]
    fn a_limit_on_sockets_breaks_no_chain(room in 0..4_usize, moves in moves(Time::Forwards)) {
        let (tracker, ..) = play_in(room, moves, Time::Forwards);
        prop_assert!(tracker.socket_count() <= room, "{} of {room}", tracker.socket_count());
    }

    #[test]
    fn sockets_that_polls_no_longer_show_end(moves in moves(Time::Forwards)) {
        let (mut tracker, mut ledger, mut script) = play(moves, Time::Forwards);
        for _ in 0..POLLS_TO_END {
            take(&mut tracker, &mut ledger, &script.empty_poll());
        }
        prop_assert_eq!(tracker.socket_count(), 0);
        prop_assert_eq!(tracker.statuses().count(), 0);
        prop_assert!(ledger.may_lack_ends || ledger.unended().is_empty(), "{:?}", ledger.unended());
    }
}

proptest! {
    #![proptest_config(config_of_views())]

    #[test]
    fn every_history_can_be_shown_by_every_view(moves in moves(Time::Anyhow), of_a_process: bool) {
        shown::show(moves, of_a_process);
    }
}
