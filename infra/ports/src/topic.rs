//! Topics: the events and records that a subscriber receives.

use framepost_events::record::Record;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// One kind of event that a subscriber receives. It may have several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// An object with one of these keys is complete.
    ObjectFinalized(Keys),
    /// An object with one of these keys was removed.
    ObjectRemoved(Keys),
    /// A record of this choice was published.
    Record(Records),
}

/// A choice of object keys. An empty list allows everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// Beginnings of a key, one of which it must have.
    pub prefixes: Vec<String>,
    /// Ends of a key, one of which it must have.
    pub suffixes: Vec<String>,
}

/// A choice of records, by their types and by values of their fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Records {
    /// CloudEvents types, at least one.
    pub types: Vec<String>,
    /// By field of the record's data, the values that are allowed. A record that lacks one of the fields does not match.
    #[serde(default)]
    pub filters: BTreeMap<String, Vec<FilterValue>>,
}

/// A value of a record's field that can be filtered by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged, expecting = "a text, true or false")]
pub enum FilterValue {
    /// Compared with a field that is a boolean.
    Flag(bool),
    /// Compared with a field that is a text, letter case included.
    Text(String),
}

impl Topic {
    /// Returns whether it includes the completion of the object with this key.
    pub fn is_about_object(&self, key: &str) -> bool {
        match self {
            Self::ObjectFinalized(keys) => keys.hold(key),
            Self::ObjectRemoved(_) | Self::Record(_) => false,
        }
    }

    /// Returns whether it includes the removal of the object with this key.
    pub fn is_about_removed(&self, key: &str) -> bool {
        match self {
            Self::ObjectRemoved(keys) => keys.hold(key),
            Self::ObjectFinalized(_) | Self::Record(_) => false,
        }
    }

    /// Returns whether it includes the record.
    pub fn is_about_record(&self, record: &Record) -> bool {
        match self {
            Self::ObjectFinalized(_) | Self::ObjectRemoved(_) => false,
            Self::Record(records) => records.hold(record),
        }
    }
}

impl Keys {
    /// Returns whether the key has one of the prefixes and one of the suffixes. They must not overlap: `ab` is too short for the
    /// prefix `ab` and the suffix `b`.
    pub fn hold(&self, key: &str) -> bool {
        let ends_well =
            |rest: &str| self.suffixes.is_empty() || self.suffixes.iter().any(|suffix| rest.ends_with(suffix.as_str()));
        let mut rests = self.prefixes.iter().filter_map(|prefix| key.strip_prefix(prefix.as_str()));
        if self.prefixes.is_empty() { ends_well(key) } else { rests.any(ends_well) }
    }
}

impl Records {
    /// Chooses all records of these types.
    pub fn of_types(types: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { types: types.into_iter().map(Into::into).collect(), filters: BTreeMap::new() }
    }

    /// Returns whether the record has one of the types, and one of the allowed values in each field of the filters.
    pub fn hold(&self, record: &Record) -> bool {
        if !self.types.contains(&record.event_type) {
            return false;
        }
        if self.filters.is_empty() {
            return true;
        }
        let data = serde_json::to_value(&record.data).unwrap_or_default();
        self.filters.iter().all(|(field, values)| values.iter().any(|value| value.is(&data[field])))
    }
}

impl FilterValue {
    fn is(&self, value: &Value) -> bool {
        match self {
            Self::Text(text) => value.as_str() == Some(text),
            Self::Flag(flag) => value.as_bool() == Some(*flag),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_by_their_beginnings_and_ends() {
        let keys = |prefixes: &[&str], suffixes: &[&str]| {
            let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
            Keys { prefixes: owned(prefixes), suffixes: owned(suffixes) }
        };
        for (keys, key, expected) in [
            (keys(&[], &[]), "", true),
            (keys(&["a/", "b/"], &[]), "b/x", true),
            (keys(&["a/", "b/"], &[]), "c/x", false),
            (keys(&[], &[".mp4", ".mkv"]), "x.mkv", true),
            (keys(&[], &[".mp4"]), "x.mp4_end", false),
            (keys(&["a/"], &[".mp4"]), "a/x.mp4", true),
            (keys(&["a/"], &[".mp4"]), "b/x.mp4", false),
            (keys(&["ab"], &["b"]), "ab", false),
            (keys(&["ab", "a"], &["b"]), "ab", true),
        ] {
            assert_eq!(keys.hold(key), expected, "{key} of {keys:?}");
        }
    }

    #[test]
    fn records_are_told_by_type_and_by_what_they_say() {
        let text = include_str!("../../../events/samples/records/chunk-probed.json");
        let record: Record = serde_json::from_str(text).unwrap();
        let site = record.data.site().unwrap().to_string();
        let text = |text: &str| FilterValue::Text(text.to_owned());
        let filtered = |field: &str, values: Vec<FilterValue>| Records {
            filters: [(field.to_owned(), values)].into(),
            ..Records::of_types([&record.event_type])
        };
        for (records, expected) in [
            (Records::of_types([&record.event_type]), true),
            (Records::of_types(["io.framepost.other.v1"]), false),
            (filtered("site", vec![text("other"), text(&site)]), true),
            (filtered("site", vec![text("other")]), false),
            (filtered("nothing", vec![text("")]), false),
            (filtered("startsWithRandomAccess", vec![FilterValue::Flag(false)]), false),
        ] {
            assert_eq!(records.hold(&record), expected, "{records:?}");
            let json = serde_json::to_string(&Topic::Record(records.clone())).unwrap();
            assert_eq!(serde_json::from_str::<Topic>(&json).unwrap(), Topic::Record(records));
        }
    }
}
