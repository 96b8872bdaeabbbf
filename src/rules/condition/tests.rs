use super::*;
use proptest::prelude::*;

/// Whether a condition holds of some sockets, with others that are only possible.
fn holds(condition: &str, certain: &[State], possible: &[State]) -> Option<bool> {
    let mut census = StateCounts::default();
    for state in certain {
        census.count(*state);
    }
    for state in possible {
        census.count_possible(*state);
    }
    condition.parse::<Condition>().expect(condition).holds(&census)
}

fn error(text: &str) -> String {
    text.parse::<Condition>().expect_err(text)
}

const LISTEN: State = State::Listen;
const OPEN: State = State::Established;

#[test]
fn conditions_hold_of_the_sockets_there_are() {
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
fn what_is_only_possible_decides_nothing_that_it_could_change() {
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
fn an_absence_decides_where_more_sockets_could_change_the_answer() {
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
fn a_wrong_condition_is_told_with_what_to_write() {
    for (text, told) in [
        ("", "nothing to wait for; write any SET"),
        ("LISTEN", "'LISTEN' alone is no condition; write 'any LISTEN'"),
        ("some LISTEN", "'some' begins no condition; write any SET"),
        ("any", "'any' names no states; write any ESTABLISHED"),
        ("none BLAH", "'BLAH' is no TCP state; states are LISTEN"),
        ("count LISTEN", "'count LISTEN' compares nothing; write count SET OP N"),
        ("count >= 2", "the states to count are missing"),
        ("count LISTEN >= two", "'two' is no number"),
        ("count LISTEN >= -1", "'-1' is no number"),
        ("count LISTEN >=", "'' is no number"),
        ("count LISTEN => 2", "'=>' compares nothing; OP is one of"),
        ("count LISTEN != 2", "there is no '!='"),
    ] {
        assert!(error(text).contains(told), "{text}: {}", error(text));
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(any|none|all|count)?[ a-zA-Z0-9<>=!,é]{0,20}") {
        let _ = text.parse::<Condition>();
    }

    /// What is told for certain stays true whichever of the possible sockets are there.
    #[test]
    fn an_answer_holds_whatever_is_true_of_the_possible_ones(
        certain in 0_u64..5,
        there in 0_u64..4,
        absent in 0_u64..4,
        quantity in prop::sample::select(vec![
            "any LISTEN", "none LISTEN", "all LISTEN", "count LISTEN >= 3", "count LISTEN > 3",
            "count LISTEN = 3", "count LISTEN < 3", "count LISTEN <= 3",
        ]),
    ) {
        let listeners = |n: u64| vec![LISTEN; usize::try_from(n).unwrap()];
        let told = holds(quantity, &listeners(certain), &listeners(there + absent));
        let truth = holds(quantity, &listeners(certain + there), &[]);
        prop_assert!(told.is_none() || told == truth);
    }
}
