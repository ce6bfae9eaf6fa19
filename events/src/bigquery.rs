//! The BigQuery table with all records, one CloudEvent per row, derived from the same
//! types as the JSON Schemas.
//!
//! A Pub/Sub subscription writes each member of a message to the column with its name. The envelope's columns
//! are required. `data` is a RECORD with the fields of all types, each of which may be missing; the column
//! `type` determines which exist. A field therefore has one meaning in all types, and a build fails if two
//! types use one name for different things.
//!
//! The table is in `events/schemas/bigquery/records.json`, beside the JSON Schemas
//! and written together with them.

use crate::json_schema::of_data;
use crate::record::{DECLARED, Record};
use serde_json::{Map, Value, json};

/// A column, or a field of a RECORD.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Column {
    /// The name of the JSON member.
    pub name: String,
    /// The type in BigQuery.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The mode: `REQUIRED`, `NULLABLE` or `REPEATED`.
    pub mode: &'static str,
    /// Text for people who read the table.
    pub description: String,
    /// The fields of a RECORD, otherwise empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Column>,
}

/// Returns the columns of the table.
///
/// # Panics
///
/// Panics if the types of records do not fit into one table. They are fixed at compile time, and
/// a test calls this function.
pub fn columns() -> Vec<Column> {
    let mut data: Vec<Column> = Vec::new();
    for declared in DECLARED {
        let schema = &(declared.data_schema)();
        for column in fields(schema, schema) {
            match data.iter_mut().find(|known| known.name == column.name) {
                Some(known) => merge(known, column),
                None => data.push(column),
            }
        }
    }
    let envelope = of_data::<Record>();
    let names = envelope["required"].as_array().expect("the envelope is an object").iter();
    let mut columns = fields(&envelope, &envelope);
    // In the order of the type's fields, not in alphabetical order.
    let order: Vec<&str> = names.filter_map(Value::as_str).collect();
    columns.sort_by_key(|column| order.iter().position(|name| *name == column.name));
    for column in &mut columns {
        if column.name == "data" {
            "What is said; which fields are there depends on the type.".clone_into(&mut column.description);
            column.fields = std::mem::take(&mut data);
        } else {
            column.mode = "REQUIRED";
        }
    }
    columns
}

/// Returns the fields of one type's data.
///
/// # Panics
///
/// Panics like [`columns`], and for an unknown type.
pub fn columns_of(event_type: &str) -> Vec<Column> {
    let declared = DECLARED.iter().find(|declared| declared.event_type == event_type);
    let schema = (declared.unwrap_or_else(|| panic!("{event_type} is no record's type")).data_schema)();
    fields(&schema, &schema)
}

/// Merges fields of two types with the same name. They must be the same.
fn merge(known: &mut Column, other: Column) {
    let Column { name, kind, mode, fields, .. } = other;
    assert_eq!((known.kind, known.mode), (kind, mode), "{name} is not the same in all records");
    for field in fields {
        match known.fields.iter_mut().find(|known| known.name == field.name) {
            Some(known) => merge(known, field),
            None => known.fields.push(field),
        }
    }
}

/// Returns the columns for an object's members.
fn fields(root: &Value, object: &Value) -> Vec<Column> {
    let members = object["properties"].as_object();
    members.into_iter().flatten().map(|(name, schema)| column(root, name, schema)).collect()
}

fn column(root: &Value, name: &str, schema: &Value) -> Column {
    let resolved = resolve(root, schema);
    let described = |schema: &Value| schema["description"].as_str().map(str::to_owned);
    let description = described(schema).or_else(|| described(&resolved)).unwrap_or_default();
    if resolved["type"] == "array" {
        return Column {
            name: name.to_owned(),
            mode: "REPEATED",
            description,
            ..column(root, name, &resolved["items"])
        };
    }
    let kind = kind(name, &resolved);
    let fields = if kind == "RECORD" { fields(root, &resolved) } else { vec![] };
    Column { name: name.to_owned(), kind, mode: "NULLABLE", description, fields }
}

fn resolve(root: &Value, schema: &Value) -> Value {
    match schema["$ref"].as_str().and_then(|name| root.pointer(name.trim_start_matches('#'))) {
        Some(definition) => resolve(root, definition),
        None => schema.clone(),
    }
}

fn kind(name: &str, schema: &Value) -> &'static str {
    let everything = Value::Object(Map::new());
    match schema["type"].as_str() {
        Some("string") if schema["format"] == "date-time" => "TIMESTAMP",
        Some("string") => "STRING",
        Some("integer") => "INTEGER",
        Some("number") => "FLOAT",
        Some("boolean") => "BOOLEAN",
        Some("object") => "RECORD",
        // An enum of strings.
        None if schema["oneOf"].as_array().is_some_and(|words| words.iter().all(|word| word["type"] == "string")) => {
            "STRING"
        }
        // The envelope's data has no schema of its own.
        None if name == "data" && (*schema == json!(true) || *schema == everything || schema["type"].is_null()) => {
            "RECORD"
        }
        other => panic!("{name}: no column holds {other:?}: {schema}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, kind: &'static str) -> Column {
        Column { name: name.to_owned(), kind, mode: "NULLABLE", description: String::new(), fields: vec![] }
    }

    #[test]
    fn the_table_holds_every_field_of_every_type() {
        let columns = columns();
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"]);
        let data = &columns[7];
        assert_eq!((data.kind, data.mode), ("RECORD", "NULLABLE"));
        let find = |name: &str| data.fields.iter().find(|field| field.name == name).map(|field| field.kind);
        for (name, kind) in [
            ("duration", "RECORD"),
            ("sizeBytes", "INTEGER"),
            ("frameRate", "FLOAT"),
            ("end", "TIMESTAMP"),
            ("cause", "STRING"),
            ("reason", "STRING"),
        ] {
            assert_eq!(find(name), Some(kind), "{name}");
        }
    }

    #[test]
    #[should_panic(expected = "from is not the same in all records")]
    fn one_name_for_two_things_is_a_mistake() {
        merge(&mut column("from", "TIMESTAMP"), column("from", "STRING"));
    }
}
