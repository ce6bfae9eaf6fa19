//! JSON Schemas (draft 2020-12) of Rust types, in the form in which all schemas of this crate are published.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

/// Returns the schema of an envelope with a fixed `type` and the schema of `data`.
pub(crate) fn of<Envelope: JsonSchema, T: JsonSchema>(event_type: &str) -> Schema {
    let mut generator = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(never_null)).into_generator();
    let data = generator.subschema_for::<T>();
    let mut schema = generator.into_root_schema_for::<Envelope>();
    let description = schema.pointer(&format!("/$defs/{}/description", T::schema_name())).cloned();
    schema.insert("title".to_owned(), json!(event_type));
    schema.insert("description".to_owned(), description.unwrap_or_default());
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert("type".to_owned(), json!({ "const": event_type }));
        properties.insert("data".to_owned(), data.to_value());
    }
    schema
}

/// Returns the schema of one type's data.
pub(crate) fn of_data<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(never_null));
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// Absent members are omitted and never written as null, so the schema does not allow null.
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
