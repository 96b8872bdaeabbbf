//! The keys of records and rules with their meaning: those of records from the schema, which has them
//! from the comments of the structs that are serialised, those of rules from these comments. What the
//! code says of a key is what the manual says.

use super::read;
use serde_json::Value;
use std::sync::LazyLock;
use tcplapse::testing::view::schema::schema;

static SCHEMA: LazyLock<Value> = LazyLock::new(schema);

/// A key of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) meaning: String,
}

/// The keys of a record, or of the rules file, in their order.
pub(super) fn of(record: &str) -> Vec<Key> {
    match record {
        "rule" => at("src/rules/parse.rs", "pub(crate) struct RuleTable {"),
        // An event has them only where they are asked for.
        "tcp-info" => of_schema("event", false),
        record => of_schema(record, true),
    }
}

/// The keys that a record of the schema always has, or those that it sometimes has.
fn of_schema(record: &str, always: bool) -> Vec<Key> {
    let Some(schema) = SCHEMA["$defs"].get(record) else { panic!("no record {record}") };
    let required = schema["required"].as_array().expect("required keys");
    let keys = schema["properties"].as_object().expect("keys").iter();
    let keys = keys.filter(|(name, _)| required.iter().any(|key| key == *name) == always);
    let key = |(name, of): (&String, &Value)| {
        let text = |key: &str| of[key].as_str();
        let meaning = match (name.as_str(), text("const")) {
            ("v", _) => "1: the version of this schema.".to_owned(),
            ("event", Some(named)) => format!("`{named}`."),
            _ => text("description").unwrap_or_else(|| panic!("{name} has no comment")).to_owned(),
        };
        Key { name: name.clone(), meaning }
    };
    keys.map(key).collect()
}

/// The keys of a struct, which stand after the line `start`.
fn at(file: &str, start: &str) -> Vec<Key> {
    let source = read(file);
    let body = source.split_once(start).unwrap_or_else(|| panic!("{file} has no {start}")).1;
    let (mut comment, mut renamed) = (Vec::new(), None);
    let mut keys = Vec::new();
    for line in body.lines().take_while(|line| *line != "}").map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            comment.push(text.trim());
        } else if line.starts_with("#[") {
            let name = line.split_once("rename = \"").and_then(|(_, rest)| rest.split('"').next());
            renamed = renamed.or(name);
        } else if let Some((name, _)) = line.split_once(": ") {
            assert!(!comment.is_empty(), "{name} has no comment");
            let meaning = std::mem::take(&mut comment).join(" ");
            keys.push(Key { name: renamed.take().unwrap_or(name).to_owned(), meaning });
        }
    }
    assert!(!keys.is_empty(), "{start} has no keys");
    keys
}
