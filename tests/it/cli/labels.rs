//! `--label`: constant keys of every record.

use super::{on_fixture, run};
use crate::support::program::Program;
use crate::support::wait::until;
use clap::Parser;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use tcplapse::testing::cli::Cli;
use tcplapse::testing::error::UsageError;
use tcplapse::testing::settings::Settings;
use tcplapse::testing::view::schema::schema;

const LABELS: &str = "--label label_host=web1 --label label_b=";

/// The last two keys with their values.
fn last_two(record: &Value) -> Vec<(String, Value)> {
    let keys = record.as_object().expect("an object");
    keys.iter().skip(keys.len() - 2).map(|(key, value)| (key.clone(), value.clone())).collect()
}

#[test]
fn every_record_as_json_ends_with_the_labels() {
    for line in [
        "watch -j -m 2 client",
        "list -j client",
        "watch -j --view timeline --for 1ms client",
        "watch -j --view diagram --for 1ms",
        "watch -j --view table --for 1ms client",
        "check -j --max all:0 client",
        "check -j --max all:0 --by state",
    ] {
        let outcome = run(&format!("{line} {LABELS}"));
        let records: Vec<Value> =
            outcome.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        assert!(!records.is_empty(), "{outcome:?}");
        for record in records {
            let expected = [("label_host", "web1"), ("label_b", "")];
            assert_eq!(
                last_two(&record),
                expected.map(|(key, value)| (key.to_owned(), value.into())),
                "{line}"
            );
        }
    }
}

#[test]
fn every_row_of_csv_ends_with_the_labels() {
    for line in ["list", "watch --view diagram --for 1ms", "watch -m 3"] {
        let outcome = run(&format!("{line} --format csv --label a,b=1 --label label_f==1+1"));
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        let outcome = run(&format!("{line} --format csv --label site=a,b --label label_f==1+1"));
        let mut rows = csv::Reader::from_reader(outcome.stdout.as_bytes());
        let columns = rows.headers().expect("a row of names").clone();
        let place = columns.len() - 2;
        assert_eq!((&columns[place], &columns[place + 1]), ("site", "label_f"));
        let mut seen = 0;
        for row in rows.records() {
            let row = row.expect("as many columns");
            // A spreadsheet takes it for text.
            assert_eq!((&row[place], &row[place + 1]), ("a,b", "'=1+1"));
            seen += 1;
        }
        assert!(seen > 2, "{line}");
    }
}

#[test]
fn programs_of_rules_get_the_labels() {
    let folder = tempfile::tempdir().expect("a folder");
    let (rules, got) = (folder.path().join("rules.toml"), folder.path().join("alert"));
    let rule = format!(
        "[[rule]]\nname = 'some'\nat_least = 1\nexec = ['/bin/sh', '-c', 'cat > {}']\n",
        got.display()
    );
    fs::write(&rules, rule).expect("it can be written");
    let rules = rules.to_str().expect("UTF-8");
    let args = ["watch", "-s", "CLOSED", "--rules", rules, "--label", "label_host=web1"];
    let program = Program::spawn(on_fixture(&args));
    let alert =
        until("the alert", || fs::read_to_string(&got).ok().filter(|text| text.ends_with('\n')));
    assert!(alert.ends_with(",\"label_host\":\"web1\"}\n"), "{alert}");
    program.stop();
}

#[test]
fn no_key_of_a_record_can_be_a_label() {
    let schema = schema();
    let definitions = schema["$defs"].as_object().expect("definitions").values();
    let keys = definitions.filter_map(|definition| definition["properties"].as_object());
    // Most keys are those of several kinds of records.
    let keys: BTreeSet<&String> = keys.flat_map(serde_json::Map::keys).collect();
    assert!(keys.len() > 60, "{keys:?}");
    for key in keys {
        let cli = Cli::parse_from(["tcplapse", "-j", "--label", &format!("{key}=x")]);
        let refused = Settings::new(cli.options);
        assert!(matches!(&refused, Err(UsageError::LabelTaken(taken)) if taken == key), "{key}");
        assert!(!key.starts_with("label_"), "{key}");
    }
}
