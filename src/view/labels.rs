//! Labels: constant keys that are added to every record, which distinguish the records of several
//! machines.

use super::schema::schema;
use serde_json::Value;

/// Keys with their values, in the order in which they are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels(pub(crate) Vec<(String, String)>);

impl Labels {
    /// Each key with its value.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

/// Whether a record, or a row of CSV, may have this key itself.
pub(crate) fn is_key_of_record(key: &str) -> bool {
    let schema = schema();
    let has_key = |definition: &Value| definition["properties"].get(key).is_some();
    schema["$defs"].as_object().is_some_and(|all| all.values().any(has_key))
}
