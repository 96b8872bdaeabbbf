//! Variables of the environment that are defaults of flags.

use super::made_recording::HEADER;
use super::on_fixture;
use crate::support::program::{Outcome, Program, command};
use std::process::Command;

fn outcome(mut command: Command, variables: &[(&str, &str)]) -> Outcome {
    command.envs(variables.iter().copied());
    Program::spawn(command).finish()
}

/// Runs `watch` on the fixture for its first record.
fn watch(args: &[&str], variables: &[(&str, &str)]) -> Outcome {
    let first = ["watch", "-m", "1"];
    let outcome = outcome(on_fixture(&[&first[..], args].concat()), variables);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    outcome
}

#[test]
fn a_variable_is_the_default_of_its_flag() {
    let epoch = [("TCPLAPSE_TIME", "epoch")];
    let in_seconds = |args: &[&str], variables: &[(&str, &str)]| {
        let stdout = watch(&[&["-H"], args].concat(), variables).stdout;
        let time = stdout.split_whitespace().next().unwrap_or_default().to_owned();
        time.parse::<f64>().is_ok()
    };
    assert!(in_seconds(&[], &epoch));
    assert!(!in_seconds(&["--time", "clock"], &epoch), "the command line wins");
    assert!(!in_seconds(&[], &[("TCPLAPSE_TIME", "")]), "empty is not set");
    let coloured = watch(&[], &[("TCPLAPSE_COLOR", "always")]).stdout;
    assert!(coloured.contains("\x1b["), "{coloured}");
}

#[test]
fn a_variable_refuses_no_command_line() {
    let all = [
        ("TCPLAPSE_SOURCE", "netlink"),
        ("TCPLAPSE_INTERVAL", "20ms"),
        ("TCPLAPSE_MAX_CPU", "10"),
        ("TCPLAPSE_COLOR", "always"),
        ("TCPLAPSE_TIME", "epoch"),
    ];
    // JSON has no other times, and only proc reads another procfs.
    assert!(watch(&["-j"], &all).stdout.starts_with('{'));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("recording");
    let poll = |second: u32| {
        let time = format!("[179000000{second}000000,6{second}000000]");
        format!(r#"{{"pass":{{"start":{time},"end":{time},"netns":1,"rows":[]}}}}"#)
    };
    let lines = [HEADER.to_owned(), poll(1), poll(2), poll(3)].join("\n");
    std::fs::write(&file, lines + "\n").expect("it is ours");
    let file = file.to_str().expect("a plain path");
    for args in [
        &["list"][..],
        &["explain"],
        &["explain", "LISTEN"],
        &["replay", file],
        &["replay", "-j", file],
        &["replay", "--utc", file],
        &["replay", "--view", "table", file],
        &["replay", "--view", "summary", "--utc", "--since", "1790000001", file],
        &["replay", "--view", "diagram", "--format", "svg", file],
        &["replay", "--format", "html", file],
        &["explain", "--format", "svg"],
        &["run", "--ring", "1MiB", "--", "true"],
        &["check", "--from", file, "--max", "LISTEN:100000"],
        &["version"],
    ] {
        if args[0] == "run" && !cfg!(feature = "bpf") {
            continue;
        }
        let outcome = outcome(command(args), &all);
        assert_ne!(outcome.code, Some(2), "{args:?}: {outcome:?}");
    }
    let outcome = outcome(command(&["list"]), &[("TCPLAPSE_SOURCE", "trace")]);
    assert_ne!(outcome.code, Some(2), "{outcome:?}");
}

#[test]
fn a_wrong_value_is_blamed_on_its_variable() {
    for (variable, value, message) in [
        ("TCPLAPSE_SOURCE", "best", "'best' is not a valid value; write proc, "),
        ("TCPLAPSE_TIME", "now", "'now' is not a valid value; write "),
        ("TCPLAPSE_INTERVAL", "0s", "'0s' is too short; write 1ms or longer"),
        ("TCPLAPSE_MAX_CPU", "none", "'none' "),
    ] {
        let outcome = outcome(command(&["watch", "-m", "0"]), &[(variable, value)]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{outcome:?}");
        let expected = format!("tcplapse: {variable}: {message}");
        assert!(outcome.stderr.starts_with(&expected), "{outcome:?}");
    }
}
