//! Records as JSON, held against the schema that the program prints.

use jsonschema::Validator;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};
use tcplapse::testing::view::schema::schema;

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
    if is_checked(line) {
        return None;
    }
    let record: Value = match serde_json::from_str(line) {
        Ok(record) => record,
        Err(error) => return Some(format!("{error}: {line}")),
    };
    (!RECORDS.is_valid(&record)).then(|| format!("{}{line}", faults(&record)))
}

/// Whether a line that differs in digits alone was held against the schema before: a test may read tens
/// of thousands of records, and a check takes as long as all else that is done with one.
fn is_checked(line: &str) -> bool {
    static CHECKED: Mutex<Option<HashSet<Vec<u8>>>> = Mutex::new(None);
    let digits_alike = |byte: u8| if byte.is_ascii_digit() { b'0' } else { byte };
    let mut kind: Vec<u8> = line.bytes().map(digits_alike).collect();
    kind.dedup_by(|one, before| *one == b'0' && *before == b'0');
    let mut checked = CHECKED.lock().unwrap_or_else(PoisonError::into_inner);
    !checked.get_or_insert_default().insert(kind)
}

/// Why a record is not valid, by each kind of record.
fn faults(record: &Value) -> String {
    let errors = RECORDS.iter_errors(record).map(|error| format!("{error:?}"));
    errors.chain([String::new()]).collect::<Vec<_>>().join("\n")
}
