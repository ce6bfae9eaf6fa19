//! Reads JSON in the variants that senders write.

use serde::de::{DeserializeOwned, Error as _, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// Parses `bytes` as a JSON object.
pub(crate) fn object(bytes: &[u8]) -> Result<Map<String, Value>, String> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => Err(format!("expected a JSON object, found {}", kind(&other))),
        Err(_) if bytes.is_empty() => Err("the message is empty".to_owned()),
        Err(error) => Err(format!("not JSON: {error}")),
    }
}

/// Deserializes the members of an object as those of a `T`.
pub(crate) fn typed<T: DeserializeOwned>(object: Map<String, Value>) -> Result<T, serde_json::Error> {
    serde_json::from_value(Value::Object(object))
}

pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// A whole number, which some senders write as a JSON number and others as a
/// string of digits (protobuf's int64).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Integer(pub(super) u64);

impl Integer {
    /// Parses decimal digits without a sign or spaces.
    pub(super) fn from_digits(text: &str) -> Option<Self> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().ok())?.map(Self)
    }
}

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;

        impl Visitor<'_> for Digits {
            type Value = Integer;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a whole number below 2^64, or its decimal digits")
            }

            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Integer, E> {
                Ok(Integer(value))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Integer, E> {
                Integer::from_digits(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_any(Digits)
    }
}

/// A form-encoded key: `+` is a space, `%XX` a byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FormEncoded(pub(super) String);

impl<'de> Deserialize<'de> for FormEncoded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let expected = &"a URL-encoded key";
        let whole =
            text.split('%').skip(1).all(|rest| rest.len() >= 2 && rest.bytes().take(2).all(|b| b.is_ascii_hexdigit()));
        if !whole {
            return Err(D::Error::invalid_value(Unexpected::Str(&text), expected));
        }
        let spaced = text.replace('+', " ");
        match percent_encoding::percent_decode_str(&spaced).decode_utf8() {
            Ok(key) => Ok(Self(key.into_owned())),
            Err(_) => Err(D::Error::invalid_value(Unexpected::Str(&text), &"a URL-encoded key in UTF-8")),
        }
    }
}
