//! The JSON Schema of all records, made of the types that are serialised: what these say of a key is
//! its description.

use super::diagram::DiagramKeys;
use super::event::EventRecord;
use super::group::GroupRecord;
use super::life::LifeRecord;
use super::port_usage::PortRecord;
use super::socket::SocketRecord;
use super::summary::findings::FindingRecord;
use super::summary::record::SummaryRecord;
use super::{LostKeys, SCHEMA_VERSION};
use crate::model::event::Alert;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// The schema (2020-12) of one record: any of those under `$defs` that are named in `anyOf`. It allows
/// keys that it does not name, since later versions add some.
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let of = &mut generator;
    let records = [
        ("event", record::<EventRecord>(of, None, "Something happened to a socket.")),
        ("socket", record::<SocketRecord>(of, None, "A socket at one instant.")),
        ("life", record::<LifeRecord>(of, Some("life"), "The life of a socket.")),
        ("group", record::<GroupRecord>(of, None, "Sockets counted as a group.")),
        ("summary", record::<SummaryRecord>(of, Some("summary"), "A row of the summary.")),
        ("finding", record::<FindingRecord>(of, Some("finding"), "Something noteworthy.")),
        ("ports", record::<PortRecord>(of, Some("ports"), "Local ports in use towards an end.")),
        (
            "diagram",
            record::<DiagramKeys>(of, Some("diagram"), "How often each transition was made."),
        ),
        ("alert", record::<Alert>(of, Some("alert"), "A violation of a rule begins or ends.")),
        ("lost", record::<LostKeys<'_>>(of, Some("lost"), "Readings or records are missing.")),
    ];
    let any_of = records.iter().map(|(name, _)| json!({ "$ref": format!("#/$defs/{name}") }));
    let any_of: Vec<Value> = any_of.collect();
    let mut definitions: Map<String, Value> =
        records.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
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

/// The schema of a record: its keys behind the version of their schema, and `event` where no key of
/// its own is called so.
fn record<R: JsonSchema>(
    generator: &mut SchemaGenerator,
    event: Option<&str>,
    description: &str,
) -> Value {
    let schema = R::json_schema(generator);
    let part = |key: &str| schema.get(key).cloned().unwrap_or_default();
    let version = json!({ "description": "The version of this schema.", "const": SCHEMA_VERSION });
    let mut first = vec![("v", version)];
    first.extend(event.map(|name| ("event", json!({ "const": name }))));
    let mut required: Vec<Value> = first.iter().map(|(key, _)| json!(key)).collect();
    let mut properties: Map<String, Value> =
        first.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    if let (Value::Object(own), Value::Array(own_required)) = (part("properties"), part("required"))
    {
        properties.extend(own);
        required.extend(own_required);
    }
    json!({
        "description": description,
        "type": "object",
        "properties": properties,
        "required": required,
    })
}
