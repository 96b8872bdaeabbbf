//! The JSON Schema of all records, made of the types that are serialised: what these say of a key is
//! its description.

use super::{RECORD_KINDS, SCHEMA_VERSION};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// The schema (2020-12) of one record: any of those under `$defs` that are named in `anyOf`. It allows
/// keys that it does not name, since later versions add some.
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut definitions: Map<String, Value> = RECORD_KINDS
        .iter()
        .map(|kind| (kind.name.to_owned(), kind.schema(&mut generator)))
        .collect();
    let any_of = definitions.keys().map(|name| json!({ "$ref": format!("#/$defs/{name}") }));
    let any_of: Vec<Value> = any_of.collect();
    definitions.extend(generator.take_definitions(true));
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A record of tcplapse",
        "description": "One line that tcplapse prints with --format json. Labels (--label) are further \
                        keys; later versions may add others.",
        "anyOf": any_of,
        "$defs": definitions,
    });
    join_lines(&mut schema);
    schema
}

/// Makes one line of each description: it has those of a comment in the code.
fn join_lines(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(join_lines),
        Value::Object(keys) => {
            for (key, value) in keys {
                match value {
                    Value::String(text) if key == "description" => *text = text.replace('\n', " "),
                    _ => join_lines(value),
                }
            }
        }
        _ => {}
    }
}

/// A kind of record.
pub(super) struct RecordKind {
    name: &'static str,
    event: Option<&'static str>,
    meaning: &'static str,
    keys: fn(&mut SchemaGenerator) -> Schema,
}

impl RecordKind {
    /// The kind with the keys of `R`.
    pub(super) const fn of<R: JsonSchema>(
        name: &'static str,
        event: Option<&'static str>,
        meaning: &'static str,
    ) -> Self {
        Self { name, event, meaning, keys: R::json_schema }
    }

    /// Its schema: its keys behind the version of their schema, and `event` where no key of its own is
    /// called so.
    fn schema(&self, generator: &mut SchemaGenerator) -> Value {
        let schema = (self.keys)(generator);
        let part = |key: &str| schema.get(key).cloned().unwrap_or_default();
        let version =
            json!({ "description": "The version of this schema.", "const": SCHEMA_VERSION });
        let mut first = vec![("v", version)];
        first.extend(self.event.map(|name| ("event", json!({ "const": name }))));
        let mut required: Vec<Value> = first.iter().map(|(key, _)| json!(key)).collect();
        let mut properties: Map<String, Value> =
            first.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        if let (Value::Object(own), Value::Array(own_required)) =
            (part("properties"), part("required"))
        {
            properties.extend(own);
            required.extend(own_required);
        }
        json!({
            "description": self.meaning,
            "type": "object",
            "properties": properties,
            "required": required,
        })
    }
}
