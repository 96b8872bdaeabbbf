//! Any history whatever: what is told of it may be little, but it is never nonsense.

mod ledger;
mod readings;
mod shown;

use ledger::Ledger;
use proptest::prelude::*;
use readings::{Script, Time, moves};
use tcplapse::model::event::TrackerEvent;
use tcplapse::model::reading::{LostReason, Reading};
use tcplapse::tracker::Tracker;

/// So many passes in a row without it end any life, and whatever waited for that end.
const PASSES_TO_END: usize = 6;

/// Plays a history and holds every record against those before.
fn play(moves: Vec<readings::Move>, time: Time) -> (Tracker, Ledger, Script) {
    play_in(usize::MAX, moves, time)
}

/// The same where no more sockets than `room` are followed.
fn play_in(room: usize, moves: Vec<readings::Move>, time: Time) -> (Tracker, Ledger, Script) {
    let (mut tracker, mut ledger) = (Tracker::of_at_most(room), Ledger::new(time));
    let mut script = Script::new(moves);
    while let Some(reading) = script.next(&tracker.questions()) {
        take(&mut tracker, &mut ledger, &reading);
    }
    (tracker, ledger, script)
}

fn take(tracker: &mut Tracker, ledger: &mut Ledger, reading: &Reading) {
    let mut told = tracker.update(reading);
    while tracker.has_more() {
        told.append(&mut tracker.tell_more());
    }
    for conclusion in told {
        if let TrackerEvent::Transition(told) = conclusion {
            ledger.enter(&told);
        }
    }
    ledger.agree(tracker.standings());
    let doubts = matches!(reading, Reading::Lost(lost) if lost.reason == LostReason::Gap);
    ledger.doubtful |= doubts || tracker.undecided() > 0;
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_life_is_a_chain_of_steps(moves in moves(Time::Forwards)) {
        play(moves, Time::Forwards);
    }

    #[test]
    fn clocks_that_jump_break_no_chain(moves in moves(Time::Anyhow)) {
        play(moves, Time::Anyhow);
    }

    #[test]
    fn a_full_house_breaks_no_chain(room in 0..4_usize, moves in moves(Time::Forwards)) {
        let (tracker, ..) = play_in(room, moves, Time::Forwards);
        prop_assert!(tracker.open() <= room, "{} of {room}", tracker.open());
    }

    #[test]
    fn what_passes_no_longer_show_comes_to_an_end(moves in moves(Time::Forwards)) {
        let (mut tracker, mut ledger, mut script) = play(moves, Time::Forwards);
        for _ in 0..PASSES_TO_END {
            take(&mut tracker, &mut ledger, &script.empty_pass());
        }
        prop_assert_eq!(tracker.open(), 0);
        prop_assert_eq!(tracker.standings().count(), 0);
        prop_assert!(ledger.doubtful || ledger.unended().is_empty(), "{:?}", ledger.unended());
    }

    #[test]
    fn whatever_happened_it_can_be_shown(moves in moves(Time::Anyhow), of_a_process: bool) {
        shown::show(moves, of_a_process);
    }
}
