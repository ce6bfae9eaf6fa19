//! The JSON files of an export: `manifest.json`, and `NAME.proof.json` beside each clip. Fields are only ever added.
//!
//! A clip has the fragments of its chunks with other numbers and times. A proof has the bytes that were changed, and those before
//! and after the fragments in a chunk's object, so that each object can be made again byte for byte. The gateway signed the
//! SHA-256 of the object, in a text ([`framepost_events::manifest`]) that names the object before it.

use super::state::Range;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use framepost_events::Sha256;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

pub(super) const MANIFEST_NAME: &str = "manifest.json";
pub(super) const PAGE_NAME: &str = "index.html";
pub(super) const MANIFEST_FORMAT: &str = "framepost-export-v1";
pub(super) const PROOF_FORMAT: &str = "framepost-proof-v1";

/// Bytes that are base64 (RFC 4648 §4) in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Base64(pub(super) Vec<u8>);

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64_STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

/// An object of the export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) sha256: Sha256,
}

/// A clip of the export.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClipFile {
    #[serde(flatten)]
    pub(super) file: Listed,
    #[serde(flatten)]
    pub(super) range: Range,
    pub(super) duration_ms: u64,
    pub(super) proof: Listed,
}

/// The contents of `manifest.json`, which names every other file of the export with its digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExportManifest {
    pub(super) format: String,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) created_by: Option<String>,
    /// The ranges that were asked for.
    pub(super) ranges: Vec<Range>,
    pub(super) files: Vec<ClipFile>,
    pub(super) page: Listed,
    /// The public keys of gateways, as the exporting side knew them: 64 hexadecimal digits each.
    pub(super) public_keys: Vec<String>,
}

/// A field of a fragment that a clip changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Undo {
    /// Offset of the field in the chunk's media.
    pub(super) at: u64,
    /// The field's bytes in the chunk's own object.
    pub(super) was: Base64,
}

/// A chunk in a clip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChunkProof {
    /// The key of the chunk's object in the bucket.
    pub(super) key: String,
    /// Size of the object in bytes.
    pub(super) bytes: u64,
    /// The digest of its bytes as they were read for the export.
    pub(super) sha256: Sha256,
    /// Wall-clock time of its first sample.
    pub(super) from: Timestamp,
    /// Wall-clock time of the end of its last sample.
    pub(super) to: Timestamp,
    /// Seconds that its media last in the clip, as a decimal number.
    pub(super) seconds: String,
    /// The claims of its writer: the digest, the times, the object before it, and the signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) claim: Option<Claim>,
    /// Offset of its media in the clip.
    pub(super) at: u64,
    /// Size of its media in bytes.
    pub(super) media_bytes: u64,
    /// The digest of the object's bytes before its media, by which they are in `heads`.
    pub(super) head: Sha256,
    /// The object's bytes after its media.
    pub(super) tail: Base64,
    /// The fields that the clip changes.
    pub(super) undo: Vec<Undo>,
}

/// The claims of a chunk's writer, from the object's metadata.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Claim {
    pub(super) sha256: Sha256,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) previous: Option<Sha256>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key_id: Option<String>,
    /// Ed25519 over the manifest's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) signature: Option<Base64>,
}

/// The contents of `NAME.proof.json`: how the chunks' objects are made out of the clip again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Proof {
    pub(super) format: String,
    /// The file name of the clip that this proves.
    pub(super) clip: String,
    /// The length of the clip's head, before its fragments.
    pub(super) head_bytes: u64,
    /// The beginnings of objects, by their digest.
    pub(super) heads: BTreeMap<Sha256, Base64>,
    /// The chunks in the order of the clip.
    pub(super) chunks: Vec<ChunkProof>,
}
