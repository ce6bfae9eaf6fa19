//! The two names that an operator chooses: the site (a key's prefix) and the camera (its postfix).

use crate::Error;

const RULE: &str = "use 1 to 64 of A-Z a-z 0-9 . _ -, starting with a letter or digit, and not a date";

fn check(what: &'static str, value: &str) -> Result<(), Error> {
    let bytes = value.as_bytes();
    let shape = (1..=64).contains(&bytes.len())
        && bytes[0].is_ascii_alphanumeric()
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(b));
    // A site or camera named `2026-11-20` could be confused with the date in the key.
    if shape && !looks_like_date(value) {
        return Ok(());
    }
    Err(Error::Name { what, value: value.to_owned(), rule: RULE })
}

/// Returns whether `text` has the form `YYYY-MM-DD`.
pub(crate) fn looks_like_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 10
        && bytes.iter().enumerate().all(|(i, b)| if i == 4 || i == 7 { *b == b'-' } else { b.is_ascii_digit() })
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(extend("pattern" = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"))]
        pub struct $name(String);

        impl $name {
            /// Returns the name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = Error;

            fn from_str(value: &str) -> Result<Self, Error> {
                check($what, value).map(|()| Self(value.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(value: String) -> Result<Self, Error> {
                check($what, &value).map(|()| Self(value))
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// A place with one gateway or more; the prefix of every key written there.
    Site,
    "site"
);
name!(
    /// One camera of a site; the postfix of its keys.
    Camera,
    "camera"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rule() {
        for good in ["a", "plant-7", "Gate_2.north", "0", &"x".repeat(64), "2026-11-2", "2026-11-200"] {
            assert!(good.parse::<Site>().is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "-a", "a/b", "ä", "a b", "2026-11-20", &"x".repeat(65), "a\n"] {
            assert!(bad.parse::<Camera>().is_err(), "{bad}");
        }
    }
}
