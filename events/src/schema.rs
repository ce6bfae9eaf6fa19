//! JSON Schemas (draft 2020-12) of Framepost's CloudEvents, one for each type, made from the Rust types.
//!
//! They are kept in `events/schemas`; a test fails when one is stale, and
//! `cargo run -p framepost-events --example schemas -- --write` writes them anew.

use crate::finalized::{FINALIZED_EVENT_TYPE, ObjectFinalized};
use crate::record::{self, Record};
use crate::removed::{self, ObjectRemoved};
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

/// The schema of every CloudEvent that Framepost writes, by its type.
pub fn schemas() -> Vec<(&'static str, Schema)> {
    let records =
        record::DECLARED.iter().map(|declared| (declared.event_type, (declared.event_schema)(declared.event_type)));
    let events = [
        (FINALIZED_EVENT_TYPE, of::<ObjectFinalized>(FINALIZED_EVENT_TYPE)),
        (removed::EVENT_TYPE, of::<ObjectRemoved>(removed::EVENT_TYPE)),
    ];
    records.chain(events).collect()
}

/// The envelope, with its type and its data pinned to one.
pub(crate) fn of<T: JsonSchema>(event_type: &str) -> Schema {
    let mut generator = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(never_null)).into_generator();
    let data = generator.subschema_for::<T>();
    let mut schema = generator.into_root_schema_for::<Record>();
    let description = schema.pointer(&format!("/$defs/{}/description", T::schema_name())).cloned();
    schema.insert("title".to_owned(), json!(event_type));
    schema.insert("description".to_owned(), description.unwrap_or_default());
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert("type".to_owned(), json!({ "const": event_type }));
        properties.insert("data".to_owned(), data.to_value());
    }
    schema
}

/// The schema of one type alone.
pub(crate) fn of_data<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(never_null));
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// What is absent is left out and never written as null, so no schema has to allow for it.
fn never_null(schema: &mut Schema) {
    let null = json!("null");
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|one| *one != null);
        if let [only] = &types[..] {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|one| one.get("type") != Some(&null));
        if let [Value::Object(only)] = &choices[..] {
            let only = only.clone();
            schema.remove("anyOf");
            for (name, value) in only {
                schema.insert(name, value);
            }
        }
    }
}
