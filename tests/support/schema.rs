//! Records as JSON, held against the schema that the program prints.

use jsonschema::Validator;
use serde_json::{Value, json};
use std::sync::LazyLock;
use tcplapse::view::schema::schema;

/// The schema, without keys that it does not name: labels of tests begin with `label_`, or are `host`.
static RECORDS: LazyLock<Validator> = LazyLock::new(|| {
    let mut strict = schema();
    for definition in strict["$defs"].as_object_mut().expect("definitions").values_mut() {
        if definition.get("properties").is_some() {
            definition["patternProperties"] = json!({ "^(label_|host$)": { "type": "string" } });
            definition["additionalProperties"] = json!(false);
        }
    }
    let options = jsonschema::options().should_validate_formats(true);
    options.build(&strict).expect("a valid schema")
});

/// What is wrong with a line that is a record as JSON; nothing with any other line.
pub(crate) fn fault_of(line: &str) -> Option<String> {
    if !line.starts_with("{\"v\":") || !line.ends_with('\n') {
        return None;
    }
    let record: Value = match serde_json::from_str(line) {
        Ok(record) => record,
        Err(error) => return Some(format!("{error}: {line}")),
    };
    (!RECORDS.is_valid(&record)).then(|| format!("{}{line}", faults(&record)))
}

/// Why a record is not valid, by each kind of record.
fn faults(record: &Value) -> String {
    let errors = RECORDS.iter_errors(record).map(|error| format!("{error:?}"));
    errors.chain([String::new()]).collect::<Vec<_>>().join("\n")
}
