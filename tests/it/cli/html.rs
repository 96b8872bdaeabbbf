//! `--format html`: a report, also as a browser shows it.

use crate::support::browser::Browser;
use crate::support::fake_procfs::FakeProcfs;
use crate::support::program::{Outcome, run};
use serde_json::{Value, json};

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

/// A report in the browser, and the folder that it is in.
fn opened(report: &str) -> Option<(Browser, tempfile::TempDir)> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("report.html");
    std::fs::write(&file, report).expect("it is ours");
    Some((Browser::open(&file)?, folder))
}

const SHOWN: &str = "document.getElementById('shown').textContent";
const VISIBLE: &str = "[...document.querySelectorAll('.lane')].filter(lane => lane.getClientRects().length > 0).length";
const ZOOM: &str = "document.querySelector('.lane svg').getAttribute('viewBox')";

#[test]
fn a_browser_filters_zooms_and_takes_light_and_dark() {
    let Some((mut browser, _folder)) = opened(&report().stdout) else { return };
    browser.wait_for(SHOWN, &json!("5 of 5 sockets"));
    assert_eq!(browser.value(VISIBLE), 5);
    browser.click("#filter");
    browser.type_text("close_wait");
    browser.wait_for(SHOWN, &json!("2 of 5 sockets"));
    assert_eq!(browser.value(VISIBLE), 2);
    for (button, zoom) in [
        ("in", "250 0 500 10"),
        ("in", "375 0 250 10"),
        ("left", "312.5 0 250 10"),
        ("right", "375 0 250 10"),
        ("out", "250 0 500 10"),
        ("whole", "0 0 1000 10"),
    ] {
        browser.click(&format!("button[value={button}]"));
        browser.wait_for(ZOOM, &json!(zoom));
    }
    for (scheme, paper, ink) in [
        ("light", "rgb(255, 255, 255)", "rgb(31, 35, 40)"),
        ("dark", "rgb(13, 17, 23)", "rgb(230, 237, 243)"),
    ] {
        browser.prefer(scheme);
        browser.wait_for("getComputedStyle(document.body).backgroundColor", &json!(paper));
        browser.wait_for("getComputedStyle(document.body).color", &json!(ink));
    }
    assert_eq!(browser.complaints, [] as [Value; 0]);
}

#[test]
fn hostile_names_stay_text_in_a_browser() {
    let row = |port: u16, inode: u64| {
        format!(
            "   0: 0100007F:{port:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000 \
             0 0 {inode} 1 0 100 0 0 10 0\n"
        )
    };
    let names = [
        "</script><script>hacked=1</script>",
        "\"><img src=x onerror=hacked=1>",
        "' onmouseover='hacked=1",
        "<svg onload=hacked=1>&lt;",
    ];
    let inodes = 1..=u64::try_from(names.len()).expect("few");
    let rows: String = (80..).zip(inodes.clone()).map(|(port, inode)| row(port, inode)).collect();
    let mut procfs = FakeProcfs::with_table(format!("  sl  local_address\n{rows}"));
    for (pid, (name, inode)) in (100..).zip(names.iter().zip(inodes)) {
        procfs.process(pid, name, 50, &[inode]);
    }
    procfs.run(&["watch", "--format", "html", "--for", "1ms"]);
    let outcome = procfs.finish();
    let Some((mut browser, _folder)) = opened(&outcome.stdout) else { return };
    browser.wait_for(SHOWN, &json!("4 of 4 sockets"));
    browser.click(".lane .name");
    browser.click("#filter");
    browser.type_text("</script><script>hacked=1</script>");
    browser.wait_for(SHOWN, &json!("1 of 4 sockets"));
    assert_eq!(browser.value("typeof window.hacked"), "undefined");
    assert_eq!(browser.value("document.images.length"), 0);
    assert_eq!(browser.value("document.scripts.length"), 1);
    assert_eq!(browser.value("document.querySelectorAll('[onload],[onmouseover]').length"), 0);
    assert_eq!(browser.complaints, [] as [Value; 0]);
}
