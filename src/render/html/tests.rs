use super::*;
use crate::model::process::OwnerSource;
use crate::model::socket::Side;
use crate::render::cell::TimeFormat;
use crate::view::life::tests::{client, server, stamp};
use crate::view::samples;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

const HOSTILE: &str = "</script><img src=x onerror=\"a('b')\">&amp;";

fn page(records: &[Record], left_out: u64) -> String {
    let clock = TimeFormatter { format: TimeFormat::Clock, zone: TimeZone::UTC, start: None };
    let (span, coverage) = (Some((stamp(0.0), stamp(10.0))), format!("seen: 2 {HOSTILE}"));
    let report = Record::Report(Box::new(Report { span, coverage, left_out }));
    let mut all = vec![report];
    all.extend_from_slice(records);
    let bytes = HtmlReport::new(clock).rows(&all, &Names::default());
    String::from_utf8(bytes).expect("it is text")
}

fn lives() -> Vec<Record> {
    let mut hostile = client().life(10.0);
    hostile.owner = samples::owner(812, HOSTILE, OwnerSource::Proven);
    hostile.roles.closer = Some(Side::Local);
    [hostile, server().life(10.0)].map(|life| Record::Life(Box::new(life))).to_vec()
}

#[test]
fn the_policy_allows_this_style_and_this_script() {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    assert_eq!(STYLE_HASH, hash(STYLE), "of page.css");
    assert_eq!(SCRIPT_HASH, hash(SCRIPT), "of page.js");
    let page = page(&lives(), 0);
    assert_eq!(page.matches("<script>").count(), 1);
    assert_eq!(page.matches("<style>").count(), 1);
    assert!(!page.contains("style="), "an attribute has no hash");
}

#[test]
fn names_are_inert() {
    let page = page(&lives(), 0);
    assert!(!page.contains("<img") && !page.contains("onerror=\""), "{page}");
    assert_eq!(page.matches("</script").count(), 1);
    let name = "812/&lt;/script&gt;&lt;img\\x20src=x\\x20onerror=&quot;a(&#39;b&#39;)&quot;&gt;";
    assert!(page.contains(name), "{page}");
}

#[test]
fn a_lane_says_all_without_the_drawing() {
    let page = page(&lives(), 7);
    let steps = "SYN_SENT (SYN_RECV?) ESTABLISHED [FIN_WAIT1] FIN_WAIT2 TIME_WAIT";
    assert!(page.contains(steps), "{page}");
    assert!(page.contains("<rect class=\"fin_wait1 certain\""), "{page}");
    assert!(page.contains("<rect class=\"syn_recv possible\""), "{page}");
    assert!(page.contains("7 more sockets have no lane; the summary counts them."), "{page}");
    assert!(page.contains("Up to 2 sockets at a time"), "{page}");
}

#[test]
fn a_run_without_readings_has_a_report_too() {
    let clock = TimeFormatter { format: TimeFormat::Clock, zone: TimeZone::UTC, start: None };
    let report = Report { span: None, coverage: String::new(), left_out: 0 };
    let bytes = HtmlReport::new(clock).rows(&[Record::Report(Box::new(report))], &Names::default());
    assert!(String::from_utf8_lossy(&bytes).ends_with("</body></html>\n"));
}
