//! The fields of a record's log line.
//!
//! They have the names of the record; inner members are separated by a dot: `duration.from`. A list is one
//! field with its JSON. A field that is added to a type therefore appears in its log line automatically; the
//! type declares which fields are left out.

use super::Record;
use serde_json::{Map, Value};

impl Record {
    /// Returns the fields of the record's log line: `id`, `type`, `subject` and those of
    /// its data, in alphabetical order.
    pub fn log_fields(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        for (name, text) in [("id", &self.id), ("type", &self.event_type), ("subject", &self.subject)] {
            fields.insert(name.to_owned(), text.as_str().into());
        }
        let left_out = self.data.not_logged();
        // The data are structs with named fields, so this is an object.
        if let Ok(Value::Object(data)) = serde_json::to_value(&self.data) {
            flatten(&mut fields, "", data, left_out);
        }
        // Left out because it equals `subject`.
        fields.remove("object.key");
        let besides = self.data.logged_besides();
        fields.extend(besides.into_iter().map(|(name, value)| (name.to_owned(), value)));
        fields
    }
}

fn flatten(fields: &mut Map<String, Value>, prefix: &str, object: Map<String, Value>, left_out: &[&str]) {
    for (name, value) in object {
        let path = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value {
            _ if left_out.contains(&path.as_str()) => {}
            Value::Object(inner) => flatten(fields, &path, inner, left_out),
            value => {
                fields.insert(path, value);
            }
        }
    }
}
