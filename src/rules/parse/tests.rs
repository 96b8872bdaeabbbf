use super::*;
use crate::tcp::state::State;
use crate::tcp::state_set::UnknownState;
use proptest::prelude::*;
use std::time::Duration;

fn one(text: &str) -> Rule {
    let mut rules = parse(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(rules.len(), 1);
    rules.remove(0)
}

fn error(text: &str) -> RuleError {
    parse(text).expect_err(text)
}

#[test]
fn a_rule_has_filters_and_a_condition() {
    let rule = one("# what the night shift wants to know\n\
         [[rule]]\n\
         name = 'half closed'\n\
         process = ['server', '(?i)worker']\n\
         pid = [7, '8']\n\
         user = 0\n\
         state = 'CLOSE_WAIT,FIN_WAIT2'\n\
         local = '127.0.0.0/8'\n\
         remote = ':443'\n\
         port = [80, '8000-8999']\n\
         family = 'ipv4'\n\
         longer_than = '60s'\n\
         at_least = 5\n\
         growing_for = '10m'\n\
         exec = ['logger', '-t', 'tcplapse']\n");
    assert_eq!(rule.name, "half closed");
    assert_eq!(rule.filter.process.patterns.len(), 2);
    assert_eq!((rule.filter.process.pids, rule.filter.process.users), (vec![7, 8], vec![0]));
    assert_eq!(rule.filter.ports, [80..=80, 8000..=8999]);
    assert!(rule.filter.states.is_some_and(|set| set.contains(State::FinWait2)));
    assert_eq!(rule.filter.family, Some(Family::Ipv4));
    assert_eq!((rule.filter.local.len(), rule.filter.remote.len()), (1, 1));
    let Condition { age, quantity, growing, .. } = rule.condition;
    assert_eq!(age, Some(Age::MoreThan(Duration::from_secs(60))));
    assert_eq!(quantity, Quantity::Count(Comparison::AtLeast, 5));
    assert_eq!(growing, Some(Window::Last(Duration::from_secs(600))));
    assert_eq!(rule.exec, ["logger", "-t", "tcplapse"]);
}

#[test]
fn exact_and_full_mean_what_the_flags_mean() {
    let rule = one("[[rule]]\nname='a'\nprocess='client'\nexact=true\nfull=true\nat_least=1");
    assert!(rule.filter.process.full && !rule.filter.process.patterns[0].is_match(b"a client"));
}

#[test]
fn a_transition_has_two_sets_or_new_and_a_set() {
    let transition = |text: &str| {
        let rule = one(&format!("[[rule]]\nname='a'\ntransition='{text}'"));
        rule.condition.event.unwrap().transition.unwrap()
    };
    let closed = transition("ESTABLISHED -> CLOSED");
    assert!(closed.from.unwrap().contains(State::Established) && closed.to.contains(State::Closed));
    assert_eq!(transition("new->SYN_SENT").from, None);
    assert!(parse("[[rule]]\nname='a'\nstate='CLOSED'\nverdict='reset'").is_ok());
    let event = one("[[rule]]\nname='a'\nverdict='timed-out'").condition.event.unwrap();
    assert_eq!(event, EventPattern { transition: None, verdict: Some(Verdict::TimedOut) });
}

#[test]
fn values_may_be_numbers_or_text() {
    let rule = one("[[rule]]\nname='a'\npid='7'\nuser=[0]\nport='80'\nat_least='3'\nexec='true'");
    assert_eq!((rule.filter.process.pids, rule.filter.process.users), (vec![7], vec![0]));
    assert_eq!(rule.condition.quantity, Quantity::Count(Comparison::AtLeast, 3));
    assert_eq!(rule.exec, ["true"]);
}

#[test]
fn a_wrong_value_is_located_with_rule_and_key() {
    let text = |text: &str| text.to_owned();
    let state = UnknownState(text("OPEN"));
    for (lines, place, key, cause) in [
        ("longer_than = 'soon'", (3, 15), "longer_than", ValueError::Duration(text("soon")).into()),
        ("at_least = 0", (3, 12), "at_least", RuleCause::Count(text("0"))),
        ("growing_for = '0s'", (3, 15), "growing_for", RuleCause::NoWindow),
        ("transition = 'CLOSED'", (3, 14), "transition", RuleCause::Transition(text("CLOSED"))),
        ("at_least=1\nport = [80, 'http']", (4, 8), "port", ValueError::Ports(text("http")).into()),
        ("at_least=1\nstate = 'OPEN'", (4, 9), "state", ValueError::State(state).into()),
        ("at_least=1\nstate = 'closed'", (4, 9), "state", RuleCause::CountsClosed),
        ("at_least=1\nstate = 'bound'", (4, 9), "state", RuleCause::Bound),
        ("transition = 'BOUND -> all'", (3, 14), "transition", RuleCause::Bound),
        ("at_least=1\npid = -1", (4, 7), "pid", ValueError::Pid(text("-1")).into()),
        ("at_least=1\npid = 7.5", (4, 7), "pid", RuleCause::NotTexts),
        ("at_least=1\nexec = [['x']]", (4, 8), "exec", RuleCause::NotTexts),
        ("longer_than = ['1s']", (3, 15), "longer_than", RuleCause::NotText),
        ("at_least=1\nlocal = 'x'", (4, 9), "local", ValueError::Address(text("x")).into()),
    ] {
        let error = error(&format!("[[rule]]\nname = 'a'\n{lines}"));
        assert_eq!(((error.line, error.column), error.key), (place, Some(key)), "{error}");
        assert_eq!((error.rule.as_deref(), &error.cause), (Some("a"), &cause), "{lines}");
    }
    let pattern = error("[[rule]]\nname = 'é'\nat_least = 1\nprocess = '('");
    assert!(matches!(pattern.cause, RuleCause::Value(ValueError::Pattern { .. })), "{pattern}");
    assert_eq!(
        error("[[rule]]\nname = 'é'\nlonger_than = 'soon'").to_string(),
        "line 3, column 15, rule 'é', longer_than: 'soon' is not a valid duration; write 250ms, \
         1.5s, 10m, '1h 30m' or 7d, with the units us, ms, s, m, h and d"
    );
}

#[test]
fn unknown_keys_and_values_are_named_with_those_that_exist() {
    let unknown = error("[[rule]]\nname = 'a'\nlonger_then = '1s'");
    assert_eq!((unknown.line, unknown.column), (3, 1));
    assert!(unknown.to_string().ends_with("did you mean 'longer_than'?"), "{unknown}");
    let unlike = error("[[rule]]\nname = 'a'\nqwertzuiop = 1");
    assert!(unlike.to_string().contains("'qwertzuiop'; the keys are name, process"), "{unlike}");
    let rules = error("[[rules]]\nname = 'a'");
    assert_eq!((rules.line, rules.column), (1, 3));
    assert!(rules.to_string().ends_with("did you mean 'rule'?"), "{rules}");
    for (line, value) in [("verdict = 'broken'", "broken"), ("family = 'ipx'", "ipx")] {
        let error = error(&format!("[[rule]]\nname = 'a'\n{line}"));
        let RuleCause::UnknownValue { value: found, known } = &error.cause else {
            panic!("{error}")
        };
        assert_eq!((found.as_str(), error.line), (value, 3));
        assert!(known.iter().any(|name| name == "reset" || name == "ipv4"), "{error}");
    }
}

#[test]
fn a_file_that_is_not_a_list_of_rules_is_refused() {
    for (text, line, cause) in [
        ("[rule]\nname = 'a'", 1, RuleCause::NotAnArray),
        ("[[rule]]\nat_least = 1", 1, RuleCause::NoName),
        ("[[rule]]\nname = ''\nat_least = 1", 2, RuleCause::BadName),
        ("[[rule]]\nname = 'a'", 1, RuleCause::NoCondition),
        (
            "[[rule]]\nname='a'\nat_least=1\n[[rule]]\nname='a'\nat_least=2",
            4,
            RuleCause::DuplicateName,
        ),
    ] {
        let error = error(text);
        assert_eq!((error.line, error.cause), (line, cause), "{text}");
    }
    for (text, line, message) in [
        ("[[rule]]\nname = 'a", 2, "invalid"),
        ("[[rule]]\nname = 'a'\nlistening = 'yes'", 3, "expected a boolean in `rule.listening`"),
    ] {
        let error = error(text);
        let RuleCause::Toml(said) = &error.cause else { panic!("{error:?}") };
        assert!(error.line == line && said.contains(message), "{text}: {error}");
    }
}

#[test]
fn an_edit_elsewhere_leaves_a_rule_the_same() {
    let before = one("[[rule]]\nname='a'\nat_least=1\n").table;
    assert_eq!(one("# new\n\n[[rule]]\nat_least=1\nname='a'").table, before);
    assert_ne!(one("[[rule]]\nname='a'\nat_least=2").table, before);
}

proptest! {
    #[test]
    fn parsing_does_not_panic(text in "(\\[\\[rule\\]\\]\n)?([a-z_]{1,12} ?= ?['\"\\[0-9a-z>é -]{0,12}\n){0,4}") {
        let _ = parse(&text);
    }
}
