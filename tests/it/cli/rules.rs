//! `--rules`: alerts in the stream, programs that are given them, and a file that is edited while
//! it is in force.

use super::stage::Stage;
use super::{fixture, text};
use crate::old_support::record::Alert;
use crate::old_support::wait::until;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use tempfile::TempDir;

/// A folder with a file of rules in it.
fn rules(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rules.toml");
    fs::write(&path, text).expect("it can be written");
    (folder, path)
}

/// `watch` on the fixture, where nothing closes: alerts alone are printed.
fn watch(rules: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tcplapse"));
    command.args(["watch", "-s", "CLOSED", "-i", "10ms", "--max-cpu", "100", "--rules"]);
    command.arg(rules).args(args).arg("--procfs").arg(fixture());
    command
}

fn output(rules: &Path, args: &[&str]) -> Output {
    watch(rules, args).output().expect("it runs")
}

/// So many alerts, which are all records.
fn alerts(count: &str, rules: &Path, args: &[&str]) -> Vec<Alert> {
    let output = output(rules, &[&["-j", "--for", "20s", "-m", count], args].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    Alert::among(text(&output.stdout))
}

const HALF_CLOSED: &str =
    "[[rule]]\nname = 'half closed'\nstate = 'CLOSE_WAIT'\nlonger_than = '20ms'\n";

#[test]
fn an_offence_is_told_once_about_its_worst_socket() {
    let (_folder, path) = rules(HALF_CLOSED);
    let alerts = alerts("1", &path, &["--local", "127.88.0.0/16"]);
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    let alert = &alerts[0];
    assert_eq!((alert.told().as_str(), alert.v), ("half closed on 2", 1));
    assert_eq!((alert.sockets.len(), alert.family.as_str()), (2, "ipv4"));
    assert_eq!((alert.local_port, alert.remote_port), (59039, 39982));
    assert!(alert.time.0 > 0);
}

#[test]
fn a_rule_judges_among_the_sockets_that_are_followed() {
    let (_folder, path) = rules(
        "[[rule]]\nname = 'by name'\nprocess = 'server'\nexact = true\nat_least = 1\n\
         [[rule]]\nname = 'by user'\nuser = 33\nat_least = 1\n\
         [[rule]]\nname = 'by pid'\npid = [812]\nat_least = 4\n\
         [[rule]]\nname = 'by the whole line'\nprocess = 'worker'\nfull = true\nat_least = 1\n\
         [[rule]]\nname = 'none such'\nprocess = 'nosuch'\nat_least = 1\n",
    );
    let told = |count, args: &[&str]| {
        let alerts = alerts(count, &path, args);
        alerts.iter().map(Alert::told).collect::<Vec<_>>()
    };
    assert_eq!(
        told("4", &[]),
        ["by name on 5", "by user on 2", "by pid on 4", "by the whole line on 2"]
    );
    assert_eq!(told("1", &["client"]), ["by pid on 4"]);
    assert_eq!(told("1", &["--port", "8080", "server"])[0], "by name on 3");
}

#[test]
fn in_text_an_alert_is_a_line_and_in_csv_a_sentence_beside() {
    let (_folder, path) = rules(HALF_CLOSED);
    let short = ["--local", "127.88.0.0/16", "-m", "1", "--time", "elapsed"];
    let printed = output(&path, &short);
    let lines: Vec<&str> = text(&printed.stdout).lines().collect();
    let words: Vec<&str> = lines[1].split_whitespace().collect();
    assert_eq!(words[5..].join(" "), "ALERT half closed: 2 sockets", "{lines:?}");
    assert_eq!(words[2], "127.88.0.1:59039");
    let csv = Going::start(&path, &["--local", "127.88.0.0/16", "--format", "csv"]);
    csv.until_told("Z alert half closed: 2 sockets\n");
    assert_eq!(csv.said("out"), "");
}

#[test]
fn what_happens_and_what_is_over_is_told_in_its_place() {
    let (_folder, path) = rules(
        "[[rule]]\nname = 'cut off'\ntransition = 'ESTABLISHED -> CLOSED'\n\
         [[rule]]\nname = 'open'\nstate = 'ESTABLISHED'\nat_least = 2\n",
    );
    let mut stage = Stage::new();
    let path = path.to_str().unwrap();
    stage.start(7, &["--rules", path]);
    let two = ["4000 80 01/7", "4001 80 01/9"];
    stage.poll(&two);
    stage.poll(&["4001 80 01/9"]);
    stage.poll(&["4001 80 01/9"]);
    let told: Vec<String> = (0..5).map(|_| stage.line()).collect();
    let told: Vec<String> = told
        .iter()
        .map(|line| match Alert::among(line).first() {
            Some(alert) => alert.told(),
            None => "event".to_owned(),
        })
        .collect();
    assert_eq!(told[..3], ["event", "event", "open on 2"]);
    assert_eq!(told[3..], ["event", "cut off on 1"]);
    assert_eq!(Alert::among(&stage.line())[0].told(), "open over 1");
    stage.poll(&["4001 80 01/9", "4002 80 01/11"]);
    let _event = stage.line();
}

#[test]
fn a_replay_is_judged_as_the_run_was() {
    let (folder, path) = rules(HALF_CLOSED);
    let recording = folder.path().join("recording").display().to_string();
    let place = ["--local", "127.88.0.0/16"];
    let live = output(&path, &[&place[..], &["-j", "-m", "1", "--record", &recording]].concat());
    let mut replay = Command::new(env!("CARGO_BIN_EXE_tcplapse"));
    replay.args(["replay", &recording, "-j", "-s", "CLOSED", "--rules"]).arg(&path).args(place);
    let replayed = replay.output().expect("it runs");
    assert_eq!(text(&replayed.stdout), text(&live.stdout));
    assert_eq!(Alert::among(text(&live.stdout)).len(), 1);
}

#[test]
fn a_file_that_cannot_be_understood_is_refused_with_its_line() {
    let (_folder, path) = rules("[[rule]]\nname = 'a'\nlonger_then = '1s'\n");
    let output = output(&path, &[]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), ""));
    let told = text(&output.stderr);
    let place = format!("tcplapse: {}, line 3, column 1: unknown key", path.display());
    assert!(told.starts_with(&place) && told.contains("did you mean 'longer_than'?"), "{told}");
}

/// A watch that goes on, with what it says in files.
struct Going {
    child: Child,
    folder: TempDir,
}

impl Going {
    fn start(rules: &Path, args: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name| File::create(folder.path().join(name)).expect("it can be made");
        let mut command = watch(rules, args);
        let child = command.stdout(file("out")).stderr(file("err")).spawn().expect("it starts");
        Self { child, folder }
    }

    fn said(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).expect("it is there")
    }

    /// Waits for an alert, or for its end.
    fn until_alert(&self, told: &str) {
        let tells = || Alert::among(&self.said("out")).iter().any(|alert| alert.told() == told);
        until(told, || tells().then_some(()));
    }

    fn until_told(&self, sentence: &str) {
        until(sentence, || self.said("err").contains(sentence).then_some(()));
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As an editor does: a new file, renamed over the old one.
fn edit(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).expect("it can be written");
    fs::rename(&new, path).expect("it is in the same folder");
}

#[test]
fn an_edited_file_is_read_again_and_a_broken_one_is_not() {
    let listens = "[[rule]]\nname = 'listens'\nstate = 'LISTEN'\nat_least = 1\n";
    let (_folder, path) = rules(&format!("{HALF_CLOSED}{listens}"));
    let watch = Going::start(&path, &["-j", "--local", "127.88.0.0/16"]);
    watch.until_alert("half closed on 2");
    watch.until_alert("listens on 10");

    edit(&path, "[[rule]]\nname = 'x\n");
    watch.until_told("rules.toml, line 2, column ");
    watch.until_told("; the rules read before stay in force\n");
    assert!(!watch.said("out").contains("\"active\":false"));

    edit(
        &path,
        &format!("{listens}[[rule]]\nname = 'lingers'\nstate = 'TIME_WAIT'\nat_least = 1\n"),
    );
    watch.until_alert("lingers on 1");
    watch.until_alert("half closed over 0");
    let alerts = Alert::among(&watch.said("out"));
    let of_listens = alerts.iter().filter(|alert| alert.rule == "listens");
    assert_eq!(of_listens.count(), 1, "what was not edited goes on");
    watch.until_told("rules.toml: read again, 2 rules\n");

    // Written in place, as `cat >` does.
    fs::write(&path, HALF_CLOSED.replace("half closed", "again")).expect("it can be written");
    watch.until_alert("again on 2");
    assert_eq!(watch.said("err").matches("stay in force").count(), 1);
}

#[test]
fn a_program_is_given_every_alert_and_its_words_are_no_records() {
    let (folder, path) = rules("");
    let log = folder.path().join("log");
    let script = format!("cat >> {}; echo noise; exit 3", log.display());
    let exec = format!("exec = ['sh', '-c', '{script}']\n");
    fs::write(&path, format!("{HALF_CLOSED}{exec}")).unwrap();
    let output = output(&path, &["-j", "--local", "127.88.0.0/16", "-m", "1"]);
    let alerts = Alert::among(text(&output.stdout));
    let given = fs::read_to_string(log).expect("the program has run");
    assert_eq!(Alert::among(&given), alerts);
    assert_eq!(alerts.len(), 1);
    let told = text(&output.stderr);
    assert!(told.contains("noise\n"), "{told}");
    assert!(told.contains("rule 'half closed': 'sh' failed: exit status: 3\n"), "{told}");
}

#[test]
fn a_program_that_is_not_there_is_told_once() {
    let (_folder, path) = rules(&format!("{HALF_CLOSED}exec = ['/no/such/program']\n"));
    let output = output(&path, &["-j", "-m", "1"]);
    assert_eq!(output.status.code(), Some(0));
    let told = text(&output.stderr);
    assert_eq!(told.matches("cannot run '/no/such/program': No such file").count(), 1, "{told}");
}

#[test]
fn a_program_that_hangs_holds_up_nothing_and_runs_alone() {
    let (folder, path) = rules("");
    let at = |name: &str| folder.path().join(name).display().to_string();
    // It waits for a file to come, and notes each start; at most for some seconds.
    let script = format!(
        "echo start >> {}; cat > {}; for i in $(seq 100); do [ -e {} ] && break; sleep 0.1; done",
        at("starts"),
        at("given"),
        at("go")
    );
    let rule = |states: &str| {
        format!(
            "[[rule]]\nname = 'r'\nstate = '{states}'\nat_least = 1\nexec = ['sh', '-c', '{script}']\n"
        )
    };
    fs::write(&path, rule("CLOSE_WAIT")).unwrap();
    let watch = Going::start(&path, &["-j", "--local", "127.88.0.0/16"]);
    watch.until_alert("r on 2");
    let given = || fs::read_to_string(at("given")).unwrap_or_default();
    until("the first start", || given().contains("\"active\":true").then_some(()));
    // Each edit ends an alert and begins one.
    edit(&path, &rule("LISTEN"));
    watch.until_alert("r on 10");
    edit(&path, &rule("TIME_WAIT"));
    watch.until_alert("r on 1");
    let starts = || fs::read_to_string(at("starts")).unwrap_or_default().lines().count();
    assert_eq!(starts(), 1, "one at a time");
    File::create(at("go")).unwrap();
    until("the latest alert", || given().contains("\"count\":1,").then_some(()));
    assert_eq!(starts(), 2, "of those that came meanwhile, the latest");
}
