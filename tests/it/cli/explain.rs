//! `explain`, as its users type it; and what it tells them to type next.

use super::text;
use clap::Parser;
use std::process::{Command, Output};
use tcplapse::cli::{Cli, command_first};
use tcplapse::tcp::docs;
use tcplapse::tcp::state::State;

fn explain(args: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_tcplapse"));
    program.arg("explain").args(args).output().expect("it runs")
}

#[track_caller]
fn explained(args: &[&str]) -> String {
    let output = explain(args);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""), "{args:?}");
    text(&output.stdout).to_owned()
}

#[test]
fn a_state_is_explained_in_any_spelling() {
    let told = explained(&["CLOSE_WAIT"]);
    assert!(told.starts_with("CLOSE_WAIT: the other side has closed, this program has not\n"));
    for spelling in ["close-wait", "CloseWait", "tcp_close_wait"] {
        assert_eq!(explained(&[spelling]), told, "{spelling}");
    }
    assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");
}

#[test]
fn a_change_is_explained_and_an_impossible_one_is_no_error() {
    let told = explained(&["estab", "TIME-WAIT"]);
    assert!(told.starts_with("ESTABLISHED to TIME_WAIT: 2 ways\n"), "{told}");
    let never = explained(&["TIME_WAIT", "ESTABLISHED"]);
    assert!(never.starts_with("TIME_WAIT to ESTABLISHED: no legal way\n"), "{never}");
    for pair in [["CLOSED", "LISTEN"], ["LISTEN", "CLOSED"], ["CLOSED", "CLOSED"]] {
        assert!(explained(&pair).contains("way"), "{pair:?}");
    }
}

#[test]
fn without_an_argument_the_diagram_is_drawn_in_every_format() {
    assert!(explained(&[]).starts_with("══╤"));
    assert!(explained(&["--format", "svg"]).starts_with("<svg "));
    assert!(explained(&["--format", "dot"]).starts_with("digraph "));
    assert!(explained(&["--format", "mermaid"]).starts_with("stateDiagram-v2\n"));
}

#[test]
fn what_is_no_state_is_refused_with_one_that_is_near() {
    for (args, told) in [
        (vec!["ESTABLISHT"], "'ESTABLISHT' is no TCP state; did you mean ESTABLISHED?"),
        (vec!["LISTEN", "fin"], "'fin' is no TCP state; did you mean FIN_WAIT1 or FIN_WAIT2?"),
        (vec!["x"], "'x' is no TCP state; states are CLOSED, LISTEN,"),
        (vec!["UNKNOWN(0x1F)"], "is a code that Linux does not name"),
        (vec!["LISTEN", "--format", "svg"], "leave the states out"),
    ] {
        let output = explain(&args);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), ""), "{args:?}");
        let said = text(&output.stderr);
        assert!(said.starts_with("tcplapse: ") && said.contains(told), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    assert_eq!(explain(&["LISTEN", "CLOSED", "LISTEN"]).status.code(), Some(2));
}

#[test]
fn every_command_that_it_recommends_exists() {
    let mut commands = 0;
    for state in State::NAMED {
        for (command, _) in docs::of(state).expect("its lore").next {
            if !command.starts_with("tcplapse ") {
                continue;
            }
            let args = command.split(' ').map(Into::into).collect();
            let parsed = Cli::try_parse_from(command_first(args));
            assert!(parsed.is_ok(), "{command}: {}", parsed.unwrap_err());
            commands += 1;
        }
    }
    assert!(commands >= 2 * State::NAMED.len(), "{commands}");
}

#[test]
fn every_sysctl_that_it_names_exists() {
    let root = std::path::Path::new("/proc/sys/net/ipv4/tcp_fin_timeout");
    if !root.exists() {
        eprintln!("skipped: /proc/sys/net is not readable here");
        return;
    }
    for state in State::NAMED {
        let told = explained(&[&state.to_string()]);
        let words = told.split(|c: char| !(c.is_ascii_alphanumeric() || "._".contains(c)));
        for name in words.filter(|word| word.starts_with("net.")) {
            let path = format!("/proc/sys/{}", name.trim_end_matches('.').replace('.', "/"));
            assert!(std::path::Path::new(&path).exists(), "{state} names {name}");
        }
    }
}
