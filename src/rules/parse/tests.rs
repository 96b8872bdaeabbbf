use super::*;
use crate::tcp::state::State;
use proptest::prelude::*;

fn one(text: &str) -> Rule {
    let mut rules = parse(text).unwrap_or_else(|wrong| panic!("{wrong}: {text}"));
    assert_eq!(rules.len(), 1);
    rules.remove(0)
}

fn wrong(text: &str) -> String {
    parse(text).expect_err(text).to_string()
}

#[test]
fn a_rule_has_filters_and_conditions() {
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
    let Conditions { longer_than, at_least, growing_for, .. } = rule.conditions;
    assert_eq!((longer_than, at_least), (Some(Duration::from_mins(1)), Some(5)));
    assert_eq!(growing_for, Some(Duration::from_mins(10)));
    assert_eq!(rule.exec, ["logger", "-t", "tcplapse"]);
}

#[test]
fn exact_and_full_mean_what_the_flags_mean() {
    let rule = one("[[rule]]\nname='a'\nprocess='client'\nexact=true\nfull=true\nat_least=1");
    assert!(rule.filter.process.full && !rule.filter.process.patterns[0].is_match(b"a client"));
}

#[test]
fn a_transition_is_two_sets_or_a_birth() {
    let step = |text: &str| one(&format!("[[rule]]\nname='a'\ntransition='{text}'")).conditions;
    let closed = step("ESTABLISHED -> CLOSED").transition.unwrap();
    assert!(closed.from.unwrap().contains(State::Established) && closed.to.contains(State::Closed));
    assert_eq!(step("new->SYN_SENT").transition.unwrap().from, None);
    let verdict = one("[[rule]]\nname='a'\nverdict='reset'").conditions.verdict;
    assert_eq!(verdict, Some(Verdict::Reset));
}

#[test]
fn verdicts_are_named_as_in_the_records() {
    for (name, verdict) in VERDICTS {
        assert_eq!(serde_json::to_value(verdict).unwrap(), name);
    }
}

#[test]
fn what_is_wrong_is_said_with_its_line_and_column() {
    for (text, told) in [
        (
            "[[rule]]\nname = 'a'\nlonger_then = '1s'",
            "line 3, column 1: unknown key 'longer_then'; did you mean 'longer_than'?",
        ),
        (
            "[[rule]]\nname = 'a'\nqwertzuiop = 1",
            "line 3, column 1: unknown key 'qwertzuiop'; the keys are name, process",
        ),
        ("[[rules]]\nname = 'a'", "line 1, column 3: unknown key 'rules'; did you mean 'rule'?"),
        ("[rule]\nname = 'a'", "rules are written as [[rule]]"),
        ("[[rule]]\nat_least = 1", "line 1, column 1: a rule needs a name"),
        ("[[rule]]\nname = ''\nat_least = 1", "line 2, column 8: a name is one line"),
        ("[[rule]]\nname = 'a'", "rule 'a' has no condition; write longer_than"),
        ("[[rule]]\nname = 'é' \nlonger_than = 'soon'", "line 3, column 15: 'soon' is no duration"),
        (
            "[[rule]]\nname = 'a'\nat_least = 0",
            "line 3, column 12: at_least takes a number from 1, not '0'",
        ),
        (
            "[[rule]]\nname = 'a'\nat_least = 1\nport = [80, 'http']",
            "line 4, column 13: port takes 443 or 8000-8999",
        ),
        (
            "[[rule]]\nname = 'a'\nat_least = 1\nstate = 'OPEN'",
            "line 4, column 9: state: 'OPEN' is no TCP state",
        ),
        ("[[rule]]\nname = 'a'\nat_least = 1\nprocess = '('", "'(' is no regular expression"),
        ("[[rule]]\nname = 'a'\nat_least = 1\nfamily = 'ipx'", "family is ipv4 or ipv6, not 'ipx'"),
        ("[[rule]]\nname = 'a'\nat_least = 1\nlistening = 'yes'", "listening is true or false"),
        ("[[rule]]\nname = 'a'\nat_least = 1\npid = 7.5", "pid takes text or a number here"),
        (
            "[[rule]]\nname = 'a'\nverdict = 'broken'",
            "'broken' is no verdict; they are local-close",
        ),
        ("[[rule]]\nname = 'a'\ntransition = 'CLOSED'", "transition takes two states such as"),
        ("[[rule]]\nname = 'a'\ngrowing_for = '0s'", "nothing grows in no time"),
        (
            "[[rule]]\nname='a'\nat_least=1\n[[rule]]\nname='a'\nat_least=2",
            "line 4, column 1: there are two rules 'a'",
        ),
        ("[[rule]]\nname = 'a", "line 2, column "),
    ] {
        assert!(wrong(text).contains(told), "{text:?}: {}", wrong(text));
    }
}

#[test]
fn a_rule_keeps_its_definition_as_long_as_nothing_in_it_changes() {
    let before = one("[[rule]]\nname='a'\nat_least=1\n").definition;
    assert_eq!(one("# new\n\n[[rule]]\nat_least=1\nname='a'").definition, before);
    assert_ne!(one("[[rule]]\nname='a'\nat_least=2").definition, before);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(\\[\\[rule\\]\\]\n)?([a-z_]{1,12} ?= ?['\"\\[0-9a-z>é -]{0,12}\n){0,4}") {
        let _ = parse(&text);
    }
}
