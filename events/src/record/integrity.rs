//! What a record says of an object's integrity: digest, signature, place in the chain of manifests.

use crate::Sha256;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether the signature holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Signature {
    /// A configured public key verifies it, and the object's key, size, times and (where checked) bytes are the signed ones.
    Valid,
    /// It does not verify, or what was signed is not this object.
    Invalid,
    /// There is none.
    Absent,
    /// There is one, by a key that is not configured.
    Unknown,
}

/// Whether the bytes are the ones that were hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// The digest is the writer's word; the object was not read as a whole.
    Claimed,
    /// The whole object was read and has this digest.
    Verified,
    /// The whole object was read and has another digest.
    Mismatch,
}

/// The object's place in its span's chain of manifests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Chain {
    /// The first of a span has no previous; every other one has. Anything else is broken in itself.
    pub state: ChainState,
    /// The digest of the manifest before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Sha256>,
    /// The digest of this object's manifest; the next object's `previous`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Sha256>,
}

/// What one object alone says of its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChainState {
    /// The first of its span.
    First,
    /// It points back.
    Linked,
    /// Its counter and its `Previous` contradict each other.
    Broken,
    /// It carries no manifest.
    Absent,
}

/// Whether the object is what its writer wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Integrity {
    /// The digest of the object's bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256>,
    /// How far that digest was checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// Whether the signature holds.
    pub signature: Signature,
    /// The key that signed.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "keyId")]
    pub key_id: Option<String>,
    /// The place in the chain.
    pub chain: Chain,
}
