//! A program that is built without the cargo features says so where one is asked for, and not
//! otherwise.

use crate::support::fake_procfs::fixture;
use crate::support::program::{Outcome, Program, command, run};

#[track_caller]
fn assert_refused(args: &[&str], sentence: &str) {
    let outcome = run(args);
    let said = (outcome.code, outcome.stdout.as_str(), outcome.stderr.as_str());
    assert_eq!(said, (Some(2), "", format!("tcplapse: {sentence}\n").as_str()), "{args:?}");
}

#[test]
fn what_is_left_out_is_refused_in_one_sentence() {
    let built = "this program is built without the cargo feature bpf";
    let source = format!("cannot trace kernel events: {built}; or use --source netlink");
    assert_refused(&["--source", "trace"], &source);
    assert_refused(&["check", "--max", "LISTEN:0", "--source", "trace"], &source);
    assert_refused(&["--source", "trace", "--netns", "all"], &source);
    let owners = format!("cannot find owners by BPF: {built}; or use --owners proc");
    assert_refused(&["list", "--owners", "bpf"], &owners);
    let ring = "--ring has no effect without --source trace; leave it out";
    assert_refused(&["--ring", "1MiB", "--source", "auto"], ring);
    for (command, feature) in [("top", "tui"), ("export", "export")] {
        let sentence = format!(
            "there is no {command} in this program; build it with the cargo feature {feature}"
        );
        assert_refused(&[command], &sentence);
        assert_refused(&[command, "--help"], &sentence);
        assert_refused(&["--source", "proc", command, "-i", "1s", "x"], &sentence);
    }
}

#[test]
fn auto_takes_the_next_best_and_names_no_feature_left_out() {
    let run_auto = |args: &[&str]| -> Outcome { run(&[args, &["--for", "1ms"]].concat()) };
    let source = run_auto(&["--source", "auto"]);
    assert_eq!(source.code, Some(0), "{source:?}");
    assert!(source.stderr.starts_with("tcplapse: using --source netlink\n"), "{source:?}");
    let owners = run_auto(&["--owners", "auto"]);
    assert!(!owners.stderr.contains("BPF"), "{owners:?}");
}

#[test]
fn help_and_completions_offer_nothing_that_is_left_out() {
    let offered = [run(&["--help"]).stdout, run(&["help", "watch"]).stdout];
    for text in &offered {
        for word in ["tcplapse top", "tcplapse export", "bpf:", "trace:"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
    }
    let script = run(&["completions", "bash"]).stdout;
    assert!(script.contains("proc netlink auto") && !script.contains("trace"), "{script}");
    let mut list = command(&["list"]);
    list.arg("--procfs").arg(fixture());
    assert_eq!(Program::spawn(list).finish().code, Some(0));
}
