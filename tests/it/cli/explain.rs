//! `explain`: its output, and that the commands and settings that it recommends exist.

use crate::support::program::{Outcome, Program, command, run};
use crate::support::require::{Feature, skip};
use clap::Parser;
use tcplapse::testing::cli::{Cli, subcommand_first};
use tcplapse::testing::tcp::docs;
use tcplapse::testing::tcp::state::State;

fn explain(args: &[&str]) -> Outcome {
    run(&[&["explain"], args].concat())
}

#[track_caller]
fn explained(args: &[&str]) -> String {
    let outcome = explain(args);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{args:?}");
    outcome.stdout
}

#[test]
fn a_state_is_explained_in_any_spelling() {
    let text = explained(&["CLOSE_WAIT"]);
    assert!(text.starts_with("CLOSE_WAIT: the peer has closed, this program has not\n"));
    for spelling in ["close-wait", "CloseWait", "tcp_close_wait"] {
        assert_eq!(explained(&[spelling]), text, "{spelling}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn transitions_are_explained_and_may_be_impossible() {
    let text = explained(&["estab", "TIME-WAIT"]);
    assert!(text.starts_with("ESTABLISHED to TIME_WAIT: 2 paths\n"), "{text}");
    let never = explained(&["TIME_WAIT", "ESTABLISHED"]);
    assert!(never.starts_with("TIME_WAIT to ESTABLISHED: no legal path\n"), "{never}");
    for pair in [["CLOSED", "LISTEN"], ["LISTEN", "CLOSED"], ["CLOSED", "CLOSED"]] {
        assert!(explained(&pair).contains("path"), "{pair:?}");
    }
}

#[test]
fn the_diagram_is_drawn_in_every_format() {
    assert!(explained(&[]).starts_with("══╤"));
    assert!(explained(&["--format", "svg"]).starts_with("<svg "));
    assert!(explained(&["--format", "dot"]).starts_with("digraph "));
    assert!(explained(&["--format", "mermaid"]).starts_with("stateDiagram-v2\n"));
}

#[test]
fn drawings_are_ascii_in_a_locale_without_other_characters() {
    let drawn = |locale: &str| {
        let mut command = command(&["explain"]);
        command.envs([("LC_ALL", locale), ("LC_CTYPE", ""), ("LANG", "")]);
        Program::spawn(command).finish().stdout
    };
    assert!(drawn("C").is_ascii() && drawn("de_DE.ISO-8859-1").is_ascii());
    assert!(!drawn("en_US.utf8").is_ascii() && !drawn("").is_ascii());
}

#[test]
fn unknown_states_are_refused_with_a_suggestion() {
    for (args, expected) in [
        (vec!["ESTABLISHT"], "'ESTABLISHT' is not a TCP state; did you mean ESTABLISHED?"),
        (vec!["LISTEN", "fin"], "'fin' is not a TCP state; did you mean FIN_WAIT1 or FIN_WAIT2?"),
        (vec!["x"], "'x' is not a TCP state; write one of CLOSED, LISTEN,"),
        (vec!["UNKNOWN(0x1F)"], "is a state code that Linux has no name for"),
        (vec!["LISTEN", "--format", "svg"], "leave out the states"),
    ] {
        let outcome = explain(&args);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{args:?}");
        let message = outcome.stderr;
        assert!(message.starts_with("tcplapse: ") && message.contains(expected), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
    assert_eq!(explain(&["LISTEN", "CLOSED", "LISTEN"]).code, Some(2));
}

#[test]
fn recommended_commands_can_be_parsed() {
    let mut commands = 0;
    for state in State::NAMED {
        for (command, _) in docs::of(state).expect("every state is explained").next {
            if !command.starts_with("tcplapse ") {
                continue;
            }
            let args = command.split(' ').map(Into::into).collect();
            let parsed = Cli::try_parse_from(subcommand_first(args));
            assert!(parsed.is_ok(), "{command}: {}", parsed.unwrap_err());
            commands += 1;
        }
    }
    assert!(commands >= 2 * State::NAMED.len(), "{commands}");
}

#[test]
fn named_sysctls_exist() {
    let root = std::path::Path::new("/proc/sys/net/ipv4/tcp_fin_timeout");
    if !root.exists() {
        return skip(Feature::Sysctl, "/proc/sys/net/ipv4 is not there");
    }
    for state in State::NAMED {
        let text = explained(&[&state.to_string()]);
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "._".contains(c)));
        for name in words.filter(|word| word.starts_with("net.")) {
            let path = format!("/proc/sys/{}", name.trim_end_matches('.').replace('.', "/"));
            assert!(std::path::Path::new(&path).exists(), "{state} names {name}");
        }
    }
}
