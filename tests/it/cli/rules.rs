//! `--rules`: alerts among the records, commands that are given them, and a file that is edited
//! while it is in use.

use super::on_fixture;
use crate::support::fake_procfs::FakeProcfs;
use crate::support::program::{Outcome, Program, run};
use crate::support::record::Alert;
use crate::support::wait::until;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A folder with a file of rules in it.
fn rules(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rules.toml");
    fs::write(&path, text).expect("it can be written");
    (folder, path)
}

/// `watch` on the fixture, where nothing closes: only alerts are printed.
fn watch(rules: &Path, args: &[&str]) -> Command {
    let common = ["watch", "-s", "CLOSED", "-i", "10ms", "--max-cpu", "100", "--rules"];
    let rules = rules.to_str().expect("UTF-8");
    on_fixture(&[&common[..], &[rules], args].concat())
}

fn outcome(rules: &Path, args: &[&str]) -> Outcome {
    Program::spawn(watch(rules, args)).finish()
}

/// The first alerts; everything that is printed is one.
fn alerts(count: &str, rules: &Path, args: &[&str]) -> Vec<Alert> {
    let outcome = outcome(rules, &[&["-j", "-m", count], args].concat());
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    Alert::among(&outcome.stdout)
}

const HALF_CLOSED: &str =
    "[[rule]]\nname = 'half closed'\nstate = 'CLOSE_WAIT'\nlonger_than = '20ms'\n";

#[test]
fn an_alert_is_printed_once_with_its_worst_socket() {
    let (_folder, path) = rules(HALF_CLOSED);
    let alerts = alerts("1", &path, &["--local", "127.88.0.0/16"]);
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    let alert = &alerts[0];
    assert_eq!((alert.summary().as_str(), alert.v), ("half closed on 2", 1));
    assert_eq!((alert.sockets.len(), alert.family.as_str()), (2, "ipv4"));
    assert_eq!((alert.local_port, alert.remote_port), (59039, 39982));
    assert!(alert.time.0 > 0);
}

#[test]
fn a_rule_applies_to_the_sockets_that_are_watched() {
    let (_folder, path) = rules(
        "[[rule]]\nname = 'by name'\nprocess = 'server'\nexact = true\nat_least = 1\n\
         [[rule]]\nname = 'by user'\nuser = 33\nat_least = 1\n\
         [[rule]]\nname = 'by pid'\npid = [812]\nat_least = 4\n\
         [[rule]]\nname = 'by the whole line'\nprocess = 'worker'\nfull = true\nat_least = 1\n\
         [[rule]]\nname = 'none such'\nprocess = 'nosuch'\nat_least = 1\n",
    );
    let summaries = |count, args: &[&str]| {
        let alerts = alerts(count, &path, args);
        alerts.iter().map(Alert::summary).collect::<Vec<_>>()
    };
    assert_eq!(
        summaries("4", &[]),
        ["by name on 6", "by user on 3", "by pid on 4", "by the whole line on 3"]
    );
    assert_eq!(summaries("1", &["client"]), ["by pid on 4"]);
    assert_eq!(summaries("1", &["--port", "8080", "server"])[0], "by name on 4");
}

#[test]
fn alerts_are_lines_in_text_and_messages_beside_csv() {
    let (_folder, path) = rules(HALF_CLOSED);
    let short = ["--local", "127.88.0.0/16", "-m", "1", "--time", "elapsed"];
    let printed = outcome(&path, &short).stdout;
    let lines: Vec<&str> = printed.lines().collect();
    let words: Vec<&str> = lines[1].split_whitespace().collect();
    assert_eq!(words[5..].join(" "), "ALERT half closed: 2 sockets", "{lines:?}");
    assert_eq!(words[2], "127.88.0.1:59039");
    let args = ["--local", "127.88.0.0/16", "--format", "csv", "-H"];
    let mut csv = Program::spawn(watch(&path, &args));
    csv.message_with("Z alert half closed: 2 sockets\n");
    assert_eq!(csv.stop().stdout, "");
}

#[test]
fn alerts_and_their_ends_stand_between_the_events() {
    let (_folder, path) = rules(
        "[[rule]]\nname = 'cut off'\ntransition = 'ESTABLISHED -> CLOSED'\n\
         [[rule]]\nname = 'open'\nstate = 'ESTABLISHED'\nat_least = 2\n",
    );
    FakeProcfs::session(|mut procfs| {
        procfs.watch(7, &["--rules", path.to_str().expect("UTF-8")]);
        procfs.poll(&["4000 80 01/7", "4001 80 01/9"]);
        procfs.poll(&["4001 80 01/9"]);
        procfs.poll(&["4001 80 01/9"]);
        procfs.poll(&["4001 80 01/9", "4002 80 01/11"]);
        let records = procfs.finish().stdout;
        let summary = |line| match Alert::among(line).first() {
            Some(alert) => alert.summary(),
            None => "event".to_owned(),
        };
        let summaries: Vec<String> = records.split_inclusive('\n').map(summary).collect();
        let expected =
            ["event", "event", "open on 2", "event", "cut off on 1", "open over 1", "event"];
        assert_eq!(summaries, expected);
    });
}

#[test]
fn a_replay_gives_the_alerts_of_the_recorded_run() {
    let (folder, path) = rules(HALF_CLOSED);
    let recording = folder.path().join("recording").display().to_string();
    let place = ["--local", "127.88.0.0/16"];
    let live = outcome(&path, &[&place[..], &["-j", "-m", "1", "--record", &recording]].concat());
    let rules = path.to_str().expect("UTF-8");
    let replay = ["replay", &recording, "-j", "-s", "CLOSED", "--rules", rules];
    let replayed = run(&[&replay, &place[..]].concat());
    assert_eq!(replayed.stdout, live.stdout);
    assert_eq!(Alert::among(&live.stdout).len(), 1);
}

#[test]
fn a_broken_rules_file_is_refused_with_its_line() {
    let (_folder, path) = rules("[[rule]]\nname = 'a'\nlonger_then = '1s'\n");
    let outcome = outcome(&path, &[]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""));
    let message = outcome.stderr;
    let place = format!("tcplapse: {}, line 3, column 1, rule 'a': unknown key", path.display());
    let named = message.starts_with(&place) && message.contains("did you mean 'longer_than'?");
    assert!(named, "{message}");
}

/// Takes records until there is this alert, or this end of one; returns all on the way.
fn until_alert(watch: &mut Program, summary: &str) -> Vec<String> {
    let mut passed = Vec::new();
    loop {
        let line = watch.line();
        passed.extend(Alert::among(&line).iter().map(Alert::summary));
        if passed.last().is_some_and(|last| last == summary) {
            return passed;
        }
    }
}

/// Replaces a file as an editor does: by a new one that is renamed.
fn edit(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).expect("it can be written");
    fs::rename(&new, path).expect("it is in the same folder");
}

/// Writes to a file in place: at once, so that it is never seen half written.
fn overwrite(path: &Path, text: &str) {
    let mut file = File::options().write(true).open(path).expect("it is ours");
    let length = file.metadata().expect("it is there").len();
    let length = usize::try_from(length).expect("it is short");
    let text = text.to_owned() + &"\n".repeat(length.saturating_sub(text.len()));
    file.write_all(text.as_bytes()).expect("it can be written");
}

#[test]
fn an_edited_rules_file_is_read_again() {
    let listens = "[[rule]]\nname = 'listens'\nstate = 'LISTEN'\nat_least = 1\n";
    let lingers = "[[rule]]\nname = 'lingers'\nstate = 'TIME_WAIT'\nat_least = 1\n";
    let (_folder, path) = rules(&format!("{HALF_CLOSED}{listens}"));
    let mut watch = Program::spawn(watch(&path, &["-j", "--local", "127.88.0.0/16"]));
    until_alert(&mut watch, "half closed on 2");

    edit(&path, "[[rule]]\nname = 'x\n");
    let message = watch.message_with("rules.toml, line 2, column ");
    assert!(message.ends_with("; the previous rules stay in force\n"), "{message}");

    edit(&path, &format!("{listens}{lingers}"));
    watch.message_with("rules.toml reloaded, 2 rules\n");

    overwrite(&path, &HALF_CLOSED.replace("half closed", "again"));
    until_alert(&mut watch, "again on 2");
    let outcome = watch.stop();
    let alerts: Vec<String> = Alert::among(&outcome.stdout).iter().map(Alert::summary).collect();
    // The broken file has changed nothing, and a rule that was not edited goes on.
    let expected = [
        "listens on 10",
        "half closed on 2",
        "half closed over 0",
        "lingers on 1",
        "listens over 0",
        "lingers over 0",
        "again on 2",
    ];
    assert_eq!(alerts, expected);
    assert_eq!(outcome.stderr.matches("stay in force").count(), 1);
}

#[test]
fn a_command_is_given_every_alert_and_prints_to_stderr() {
    let (folder, path) = rules("");
    let log = folder.path().join("log");
    let script = format!("cat >> {}; echo noise; exit 3", log.display());
    let exec = format!("exec = ['sh', '-c', '{script}']\n");
    fs::write(&path, format!("{HALF_CLOSED}{exec}")).expect("it can be written");
    let mut watch = Program::spawn(watch(&path, &["-j", "--local", "127.88.0.0/16"]));
    watch.message_with("noise\n");
    watch.message_with("rule 'half closed': 'sh' failed: exit status: 3\n");
    let alerts = Alert::among(&watch.stop().stdout);
    let given = fs::read_to_string(log).expect("the command has run");
    assert_eq!(Alert::among(&given), alerts);
    assert_eq!(alerts.len(), 1);
}

#[test]
fn a_missing_command_is_reported_once() {
    let (_folder, path) = rules(&format!("{HALF_CLOSED}exec = ['/no/such/program']\n"));
    let mut watch = Program::spawn(watch(&path, &["-j"]));
    let message = "cannot run '/no/such/program': No such file";
    watch.message_with(message);
    let outcome = watch.stop();
    assert_eq!(outcome.stderr.matches(message).count(), 1, "{outcome:?}");
}

#[test]
fn a_hanging_command_delays_nothing_and_runs_alone() {
    let (folder, path) = rules("");
    let at = |name: &str| folder.path().join(name).display().to_string();
    mknodat(CWD, at("held"), FileType::Fifo, Mode::RWXU, 0).expect("a FIFO");
    // Both ends: the command hangs until this is dropped.
    let held = File::options().read(true).write(true).open(at("held")).expect("it is ours");
    let script = format!(
        "echo start >> {}; cat > {}; [ -e {} ] || read _ < {}",
        at("starts"),
        at("given"),
        at("released"),
        at("held")
    );
    let rule = |state: &str| {
        format!(
            "[[rule]]\nname = 'r'\nstate = '{state}'\nat_least = 1\nexec = ['sh', '-c', '{script}']\n"
        )
    };
    fs::write(&path, rule("CLOSE_WAIT")).expect("it can be written");
    let mut watch = Program::spawn(watch(&path, &["-j", "--local", "127.88.0.0/16"]));
    until_alert(&mut watch, "r on 2");
    let given = || fs::read_to_string(at("given")).unwrap_or_default();
    until("the first start", || given().contains("\"active\":true").then_some(()));
    // Each edit ends an alert and begins one.
    edit(&path, &rule("LISTEN"));
    until_alert(&mut watch, "r on 10");
    edit(&path, &rule("TIME_WAIT"));
    until_alert(&mut watch, "r on 1");
    let starts = || fs::read_to_string(at("starts")).unwrap_or_default().lines().count();
    assert_eq!(starts(), 1, "one at a time");
    File::create(at("released")).expect("the folder is ours");
    drop(held);
    until("the latest alert", || given().contains("\"count\":1,").then_some(()));
    assert_eq!(starts(), 2, "of the alerts that came meanwhile only the latest is given");
}
