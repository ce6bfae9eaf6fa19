//! Checks of a manifest that involve several keys.

use super::{Delivery, Keys, Manifest, Records, Trigger};
use framepost_events::{record, schema};
use serde_json::Value;

/// The key, and what is wrong with it.
type Fault = (String, String);

/// Variables that the platform sets.
const SET_BY_THE_PLACE: [&str; 8] = [
    "FRAMEPOST_EVENTS",
    "FRAMEPOST_RECORDS",
    "FRAMEPOST_DEAD_LETTERS",
    "FRAMEPOST_LEDGER",
    "PORT",
    "K_SERVICE",
    "K_REVISION",
    "K_CONFIGURATION",
];
const NAME_LIMIT: usize = 40;
/// Pub/Sub's limit for the alternatives of one filter.
const CHOICES_LIMIT: usize = 20;

pub(super) fn manifest(manifest: &Manifest) -> Result<(), Fault> {
    if !is_name(&manifest.name) {
        let rule = format!("1 to {NAME_LIMIT} of a-z, 0-9 and -, begins with a letter and does not end with -");
        return Err(("name".to_owned(), format!("{:?} is not a name: a name has {rule}", manifest.name)));
    }
    if manifest.description.trim().is_empty() || manifest.description.len() > 256 {
        return Err(("description".to_owned(), "between 1 and 256 bytes of text".to_owned()));
    }
    triggers(&manifest.triggers)?;
    if manifest.has_inbox() && manifest.http().is_some() {
        let what = "no program both answers requests (http) and takes messages: make two functions of it";
        return Err(("triggers".to_owned(), what.to_owned()));
    }
    delivery(manifest)?;
    for name in manifest.environment.keys() {
        variable(name).map_err(|what| (format!("environment.{name}"), what))?;
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    name.len() <= NAME_LIMIT
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.bytes().all(is_plain)
}

fn delivery(manifest: &Manifest) -> Result<(), Fault> {
    let fault = |what: &str| Err(("delivery".to_owned(), what.to_owned()));
    match (manifest.delivery, manifest.has_inbox()) {
        (None, true) => fault("missing: every trigger but http needs delivery.batch_size and delivery.max_deliveries"),
        (Some(Delivery { .. }), false) => {
            fault("a function that is triggered by http alone has no inbox: leave it out")
        }
        _ => Ok(()),
    }
}

fn variable(name: &str) -> Result<(), String> {
    let is_plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    if !name.starts_with(|first: char| first.is_ascii_uppercase()) || !name.bytes().all(is_plain) {
        return Err("a variable's name has A-Z, 0-9 and _ and begins with a letter".to_owned());
    }
    if SET_BY_THE_PLACE.contains(&name) || name.starts_with("AWS_") {
        return Err("is set by the place in which the function runs".to_owned());
    }
    Ok(())
}

fn triggers(triggers: &[Trigger]) -> Result<(), Fault> {
    if triggers.is_empty() {
        return Err(("triggers".to_owned(), "a function needs at least one trigger".to_owned()));
    }
    for (index, trigger) in triggers.iter().enumerate() {
        let at = |key: &str| format!("triggers[{index}]{key}");
        let before = &triggers[..index];
        if before.contains(trigger) {
            return Err((at(""), "is there twice".to_owned()));
        }
        match trigger {
            Trigger::ObjectFinalized(keys) | Trigger::ObjectRemoved(keys) => {
                checked_keys(keys).map_err(|(key, what)| (at(&format!(".{key}")), what))?;
            }
            Trigger::Record(records) => {
                checked_records(records).map_err(|(key, what)| (at(&format!(".{key}")), what))?;
            }
            Trigger::Http(http) => {
                if before.iter().any(|trigger| matches!(trigger, Trigger::Http(_))) {
                    return Err((at(""), "a function has at most one http trigger".to_owned()));
                }
                let segments = http.path.strip_prefix('/').map(|path| path.split('/').collect::<Vec<_>>());
                let is_good = http.path == "/"
                    || segments.is_some_and(|segments| segments.iter().all(|segment| is_segment(segment)));
                if !is_good {
                    let rule = "begins with / and has no other characters than a-z A-Z 0-9 - _ . between slashes";
                    return Err((at(".path"), format!("{:?} is not a path: it {rule}", http.path)));
                }
            }
            Trigger::Schedule(schedule) => {
                let is_taken = |other: &Trigger| matches!(other, Trigger::Schedule(s) if s.name == schedule.name);
                if before.iter().any(is_taken) {
                    return Err((at(".name"), format!("{:?} is another schedule's name", schedule.name)));
                }
                if !is_name(&schedule.name) {
                    return Err((at(".name"), "has a-z, 0-9 and - and begins with a letter".to_owned()));
                }
            }
        }
    }
    Ok(())
}

fn is_segment(segment: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(is_plain)
}

fn checked_keys(keys: &Keys) -> Result<(), Fault> {
    for (name, choices) in [("prefixes", &keys.prefixes), ("suffixes", &keys.suffixes)] {
        // They become parts of EventBridge patterns (`*`, `\`) and of Pub/Sub filters (`"`, `\`).
        let is_literal =
            |key: &String| !key.is_empty() && !key.contains(['"', '\\', '*']) && !key.contains(char::is_control);
        if let Some(bad) = choices.iter().find(|key| !is_literal(key)) {
            let rule = "is not empty and holds no quotes, backslashes, asterisks or control characters";
            return Err((name.to_owned(), format!("{bad:?}: a part of a key {rule}")));
        }
    }
    Ok(())
}

fn checked_records(records: &Records) -> Result<(), Fault> {
    if records.types.is_empty() {
        return Err(("types".to_owned(), "one at least".to_owned()));
    }
    if let Some(unknown) = records.types.iter().find(|one| !record::TYPES.contains(&one.as_str())) {
        let allowed = record::TYPES.join(", ");
        return Err(("types".to_owned(), format!("{unknown:?} is no type of record: there are {allowed}")));
    }
    for (field, values) in &records.filters {
        let key = format!("filters.{field}");
        for event_type in &records.types {
            let fields = filterable(event_type);
            if !fields.contains(field) {
                let allowed = fields.join(", ");
                return Err((key, format!("{event_type} has no such text or flag: filter by {allowed}")));
            }
        }
        if values.is_empty() || values.len() > CHOICES_LIMIT {
            return Err((key, format!("between 1 and {CHOICES_LIMIT} values")));
        }
    }
    Ok(())
}

/// Returns the fields of a record's data with text or Boolean values, according to its schema.
fn filterable(event_type: &str) -> Vec<String> {
    let schemas = schema::schemas();
    let Some((_, schema)) = schemas.iter().find(|(name, _)| *name == event_type) else { return Vec::new() };
    let schema = schema.as_value();
    let data = resolved(schema, &schema["properties"]["data"]);
    let properties = data["properties"].as_object();
    let plain = |field: &Value| is_plain(schema, field);
    properties.into_iter().flatten().filter(|(_, field)| plain(field)).map(|(name, _)| name.clone()).collect()
}

fn is_plain(schema: &Value, field: &Value) -> bool {
    let field = resolved(schema, field);
    let is_choice = |choices: &Value| {
        choices.as_array().is_some_and(|choices| choices.iter().all(|choice| is_plain(schema, choice)))
    };
    matches!(field["type"].as_str(), Some("string" | "boolean")) || is_choice(&field["oneOf"])
}

/// Resolves a reference such as `#/$defs/ChunkProbed`.
fn resolved<'a>(schema: &'a Value, value: &'a Value) -> &'a Value {
    let pointer = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| schema.pointer(pointer)).unwrap_or(value)
}
