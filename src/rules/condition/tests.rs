use super::*;
use crate::error::ConditionError;
use crate::rules::check::tests::{at, socket};
use proptest::prelude::*;

/// Whether a condition holds of sockets in these states, with others that the last poll missed.
fn holds(condition: &str, certain: &[State], possible: &[State]) -> Option<bool> {
    let certain = certain.iter().map(|state| socket(1, *state, 1));
    let possible = possible
        .iter()
        .map(|state| SocketStatus { missed_by_last_poll: true, ..socket(2, *state, 1) });
    let sockets: Vec<SocketStatus> = certain.chain(possible).collect();
    let condition: Condition = condition.parse().expect(condition);
    condition.holds(condition.count(at(1), &sockets))
}

const LISTEN: State = State::Listen;
const OPEN: State = State::Established;

#[test]
fn conditions_hold_of_the_sockets_that_match() {
    for (condition, sockets, expected) in [
        ("any LISTEN", &[][..], false),
        ("any LISTEN", &[OPEN, LISTEN], true),
        ("none LISTEN", &[], true),
        ("none connected", &[LISTEN], true),
        ("none connected", &[LISTEN, OPEN], false),
        ("all ESTABLISHED", &[], false),
        ("all ESTABLISHED", &[OPEN, OPEN], true),
        ("all ESTABLISHED", &[OPEN, LISTEN], false),
        ("all !LISTEN", &[OPEN], true),
        ("count ESTAB >= 2", &[OPEN], false),
        ("count ESTAB >= 2", &[OPEN, OPEN], true),
        ("count ESTAB>2", &[OPEN, OPEN], false),
        ("count ESTAB = 2", &[OPEN, OPEN], true),
        ("count ESTAB == 2", &[OPEN, OPEN, OPEN], false),
        ("count ESTAB,LISTEN < 3", &[OPEN, LISTEN], true),
        ("Count all<=1", &[OPEN, LISTEN], false),
    ] {
        assert_eq!(holds(condition, sockets, &[]), Some(expected), "{condition} of {sockets:?}");
    }
}

#[test]
fn possible_sockets_leave_open_what_they_could_change() {
    assert_eq!(holds("any LISTEN", &[LISTEN], &[LISTEN]), Some(true));
    assert_eq!(holds("any LISTEN", &[], &[LISTEN]), None);
    assert_eq!(holds("none LISTEN", &[], &[LISTEN]), None);
    assert_eq!(holds("none LISTEN", &[], &[OPEN]), Some(true), "another state");
    assert_eq!(holds("all ESTABLISHED", &[OPEN], &[LISTEN]), None);
    assert_eq!(holds("all ESTABLISHED", &[LISTEN], &[OPEN]), Some(false));
    assert_eq!(holds("count ESTAB = 1", &[OPEN], &[OPEN]), None);
    assert_eq!(holds("count ESTAB = 1", &[OPEN, OPEN], &[OPEN]), Some(false));
    assert_eq!(holds("count ESTAB <= 2", &[OPEN], &[OPEN]), Some(true));
}

#[test]
fn upper_bounds_need_the_absence_of_sockets() {
    for (text, expected) in [
        ("any LISTEN", false),
        ("count LISTEN >= 1", false),
        ("count LISTEN > 1", false),
        ("none LISTEN", true),
        ("all LISTEN", true),
        ("count LISTEN = 1", true),
        ("count LISTEN < 1", true),
        ("count LISTEN <= 1", true),
    ] {
        let condition: Condition = text.parse().unwrap();
        assert_eq!(condition.needs_absence(), expected, "{text}");
    }
}

#[test]
fn wrong_expressions_are_refused() {
    let text = |text: &str| text.to_owned();
    for (expression, error) in [
        (" ", ConditionError::Empty),
        ("LISTEN", ConditionError::NoQuantity(text("LISTEN"))),
        ("some LISTEN", ConditionError::UnknownQuantity(text("some"))),
        ("any", ConditionError::NoStates(text("any"))),
        ("count LISTEN", ConditionError::NoComparison),
        ("count >= 2", ConditionError::NothingToCount),
        ("count LISTEN >= two", ConditionError::NotANumber(text("two"))),
        ("count LISTEN >= -1", ConditionError::NotANumber(text("-1"))),
        ("count LISTEN >=", ConditionError::NotANumber(text(""))),
        ("count LISTEN => 2", ConditionError::UnknownOperator(text("=>"))),
        ("count LISTEN != 2", ConditionError::NotEqual),
        ("count LISTEN < 0", ConditionError::NeverHolds(text("LISTEN"))),
        ("count LISTEN >= 0", ConditionError::AlwaysHolds(text("LISTEN"))),
    ] {
        assert_eq!(expression.parse::<Condition>(), Err(error), "{expression}");
    }
    let unknown = "none BLAH".parse::<Condition>();
    assert!(matches!(unknown, Err(ConditionError::State(error)) if error.0 == "BLAH"));
}

#[test]
fn a_minimum_age_is_reached_for_certain_or_perhaps() {
    let any: Condition = "any CLOSE_WAIT".parse().unwrap();
    let covers = |age: Age, since: u64| {
        let stuck = Condition { age: Some(age), ..any.clone() };
        stuck.covers(&socket(1, State::CloseWait, since), at(5))
    };
    let three = Duration::from_secs(3);
    assert_eq!(covers(Age::AtLeast(three), 2), Some(true));
    assert_eq!(covers(Age::MoreThan(three), 2), Some(false));
    assert_eq!(covers(Age::MoreThan(three), 1), Some(true));
    // A socket of the first poll may have been in its state for longer than it was watched.
    assert_eq!(covers(Age::AtLeast(three), 0), Some(true));
    assert_eq!(covers(Age::AtLeast(Duration::from_secs(6)), 0), None);
    assert_eq!(any.covers(&socket(1, State::Listen, 0), at(5)), Some(false));
}

proptest! {
    #[test]
    fn parsing_does_not_panic(text in "(any|none|all|count)?[ a-zA-Z0-9<>=!,é]{0,20}") {
        let _ = text.parse::<Condition>();
    }

    /// A certain answer stays true whichever of the possible sockets are there.
    #[test]
    fn a_certain_answer_does_not_depend_on_possible_sockets(
        certain in 0_u64..5,
        there in 0_u64..4,
        absent in 0_u64..4,
        quantity in prop::sample::select(vec![
            "any LISTEN", "none LISTEN", "all LISTEN", "count LISTEN >= 3", "count LISTEN > 3",
            "count LISTEN = 3", "count LISTEN < 3", "count LISTEN <= 3",
        ]),
    ) {
        let listeners = |n: u64| vec![LISTEN; usize::try_from(n).unwrap()];
        let answer = holds(quantity, &listeners(certain), &listeners(there + absent));
        let truth = holds(quantity, &listeners(certain + there), &[]);
        prop_assert!(answer.is_none() || answer == truth);
    }
}
