//! A record as the fields of one log line.
//!
//! The names are the record's own, those of inner members after a dot: `duration.from`. A list is one field with its JSON.
//! So a field that a type gains is in its log line by itself; what a line leaves out its declaration says.

use super::Record;
use serde_json::{Map, Value};

impl Record {
    /// The fields of the record's log line: `id`, `type`, `subject` and those of its data, in alphabetical order.
    pub fn log_fields(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        for (name, text) in [("id", &self.id), ("type", &self.event_type), ("subject", &self.subject)] {
            fields.insert(name.to_owned(), text.as_str().into());
        }
        let left_out = self.data.not_logged();
        // Data is made of structs with names, so it is an object.
        if let Ok(Value::Object(data)) = serde_json::to_value(&self.data) {
            flatten(&mut fields, "", data, left_out);
        }
        // It is `subject`.
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
