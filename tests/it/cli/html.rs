//! `--format html`: a report, also as a browser shows it.

use crate::support::program::{Outcome, run};
use crate::support::require::{Feature, skip};
use std::process::{Command, Stdio};

fn report() -> Outcome {
    let recording = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/example.rec");
    run(&["replay", recording, "--format", "html", "--utc"])
}

#[test]
fn a_report_is_one_page_that_needs_no_network() {
    let outcome = report();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let page = &outcome.stdout;
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"), "{outcome:?}");
    assert!(
        page.contains("Content-Security-Policy\" content=\"default-src 'none'; "),
        "{outcome:?}"
    );
    assert!(!page.contains("http://") && !page.contains("https://"), "{outcome:?}");
    assert_eq!(page.matches("<div class=\"lane\"").count(), 5);
    assert!(page.contains("seen: 5 sockets (4 still there)"), "{outcome:?}");
    for wrong in [&["--view", "table"][..], &["-m", "1"], &["-r"]] {
        let refused = run(&[&["--format", "html"], wrong].concat());
        assert_eq!(refused.code, Some(2), "{refused:?}");
    }
}

#[test]
fn a_browser_runs_the_script_of_a_report_and_filters() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("report.html");
    std::fs::write(&file, report().stdout).expect("it is ours");
    let url = format!("file://{}#close_wait", file.display());
    let browser = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"])
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .args(["--dump-dom", &url])
        .stdin(Stdio::null())
        .output();
    let Ok(browser) = browser else { return skip(Feature::Browser, "no chromium") };
    let dom = String::from_utf8_lossy(&browser.stdout);
    if dom.is_empty() {
        return skip(Feature::Browser, "chromium does not run here");
    }
    // The policy has let the script run, which has shown the tools and hidden the other lanes.
    assert!(dom.contains("2 of 5 sockets"), "{dom}");
    assert_eq!(
        dom.matches("<div class=\"lane\" hidden").count() + dom.matches("hidden=\"\"").count(),
        3
    );
}
