//! `schema`, and records held against it.

use super::run;
use crate::support::program::run as run_alone;
use crate::support::schema::fault_of;
use serde_json::{Value, json};
use std::fs;
use tcplapse::testing::view::schema::schema;

#[test]
fn the_schema_is_printed_and_valid() {
    let outcome = run_alone(&["schema"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    let printed: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert_eq!(printed, schema());
    jsonschema::meta::validate(&printed).expect("a schema of draft 2020-12");
    jsonschema::validator_for(&printed).expect("all references lead somewhere");
}

#[test]
fn every_key_is_described() {
    let schema = schema();
    let definitions = schema["$defs"].as_object().expect("definitions");
    let with_keys = definitions
        .iter()
        .filter_map(|(name, definition)| Some((name, definition.get("properties")?.as_object()?)));
    for (name, properties) in with_keys {
        for (key, value) in properties {
            let is_described = value.get("description").is_some() || value.get("const").is_some();
            assert!(is_described, "{name}.{key}");
        }
    }
}

/// Each kind of record as the program prints it.
fn records() -> Vec<(&'static str, String)> {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("rules.toml");
    fs::write(&rules, "[[rule]]\nname = 'some'\nat_least = 1\n").expect("it can be written");
    let alert = format!("-j -s CLOSED --rules {} -m 1", rules.display());
    let first = |line: &str| {
        let outcome = run(line);
        let line = outcome.stdout.split_inclusive('\n').next().map(str::to_owned);
        line.unwrap_or_else(|| panic!("{outcome:?}"))
    };
    let last = |line: &str| {
        let outcome = run(line);
        let line = outcome.stdout.split_inclusive('\n').next_back().map(str::to_owned);
        line.unwrap_or_else(|| panic!("{outcome:?}"))
    };
    vec![
        ("event", first("-j -m 1 client")),
        ("socket", first("list -j client")),
        ("life", first("-j --view timeline client --for 1ms")),
        ("group", first("check -j --by state --max all:0")),
        ("diagram", first("-j --view diagram --for 1ms")),
        ("summary", first("-j --view summary --for 1ms")),
        ("finding", last("-j --view summary --for 1ms")),
        ("alert", first(&alert)),
        (
            "lost",
            "{\"v\":1,\"event\":\"lost\",\"time\":\"2026-11-01T12:00:01.104000Z\",\"reason\":\
             \"output\",\"count\":null}\n"
                .to_owned(),
        ),
    ]
}

#[test]
fn records_of_every_kind_are_valid() {
    let schema = schema();
    for (kind, record) in records() {
        assert_eq!(fault_of(&record), None, "{kind}");
        // Of exactly this kind: the schemas of the others do not fit.
        let record: Value = serde_json::from_str(&record).expect("JSON");
        let mut only = schema.clone();
        only["anyOf"] = json!([{ "$ref": format!("#/$defs/{kind}") }]);
        assert!(jsonschema::is_valid(&only, &record), "{kind}");
        let others = schema["anyOf"].as_array().expect("kinds").iter();
        only["anyOf"] =
            others.filter(|other| !other["$ref"].to_string().contains(kind)).cloned().collect();
        assert!(!jsonschema::is_valid(&only, &record), "{kind} is another kind, too");
    }
}

#[test]
fn a_record_that_breaks_the_schema_is_noticed() {
    for (kind, line) in records() {
        let record: Value = serde_json::from_str(&line).expect("JSON");
        let keys: Vec<&String> = record.as_object().expect("an object").keys().collect();
        for key in keys {
            let mut without = record.clone();
            without.as_object_mut().expect("an object").remove(key);
            let line = format!("{without}\n");
            assert!(fault_of(&line).is_some() || key == "v", "{kind} without {key}");
            let mut wrong = record.clone();
            wrong[key] = json!({ "of": ["another type"] });
            let line = format!("{wrong}\n");
            assert!(fault_of(&line).is_some() || key == "v", "{kind} with another {key}");
        }
        let mut more = record.clone();
        more["unknown"] = json!(1);
        assert!(fault_of(&format!("{more}\n")).is_some(), "{kind} with an unknown key");
        more.as_object_mut().expect("an object").remove("unknown");
        more["label_site"] = json!("a label");
        assert_eq!(fault_of(&format!("{more}\n")), None, "{kind} with a label");
    }
}
