//! The integrity of an object in a record: digest, signature, position in the chain of manifests.

use crate::Sha256;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The result of checking the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Signature {
    /// A configured public key verifies it, and the object's key, size, times and (if checked)
    /// bytes are the signed ones.
    Valid,
    /// It does not verify, or the signed data do not match this object.
    Invalid,
    /// The object has no signature.
    Absent,
    /// The signature is by a key that is not configured.
    Unknown,
}

/// The result of checking the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// The digest is the writer's claim; the whole object was not read.
    Claimed,
    /// The whole object was read and has this digest.
    Verified,
    /// The whole object was read and has another digest.
    Mismatch,
}

/// The object's position in its span's chain of manifests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Chain {
    /// Whether the position is consistent. The first object of a span has no previous
    /// manifest; every other one has.
    pub state: ChainState,
    /// The digest of the manifest before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Sha256>,
    /// The digest of this object's manifest, which is the next object's `previous`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Sha256>,
}

/// What a single object shows about its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChainState {
    /// It is the first of its span.
    First,
    /// It refers to the object before it.
    Linked,
    /// Its counter and its `Previous` contradict each other.
    Broken,
    /// It has no manifest, or is an object of a kind that is in no chain.
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
    /// The result of checking the signature.
    pub signature: Signature,
    /// The id of the key that signed.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "keyId")]
    pub key_id: Option<String>,
    /// The position in the chain.
    pub chain: Chain,
}
