//! Checks whether an object is what its writer wrote: digest, signature and position in the chain.
//!
//! A single object allows these checks: its metadata claims a manifest (key, size, digest, times, previous).
//! Key and size are compared with the object, the digest if the whole object was read, and the signature
//! with the configured public keys. Whether `previous` is the manifest of the object before must be checked
//! by a program that sees both.

use framepost_events::attributes::{Attributes, Metadata};
use framepost_events::manifest::{Manifest, PublicKey};
use framepost_events::record::{Chain, ChainState, Content, Integrity, Signature};
use framepost_events::{ObjectKey, Sha256};

/// An object's metadata, as far as it can be parsed.
pub(crate) struct Claims {
    pub(crate) attributes: Attributes,
    signature: SignatureEntry,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SignatureEntry {
    /// There is no signature, or it was parsed.
    Readable,
    /// There is a signature in metadata that cannot be parsed.
    Unreadable,
}

impl Claims {
    /// Metadata that cannot be parsed does not come from us, whatever it contains.
    pub(crate) fn read(key: &str, metadata: &Metadata) -> Self {
        let entries = metadata.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        match Attributes::from_metadata(entries) {
            Ok(attributes) => Self { attributes, signature: SignatureEntry::Readable },
            Err(error) => {
                tracing::warn!(key, %error, "the metadata cannot be read, the object is treated as foreign");
                let signed = metadata.iter().any(|(name, _)| name.eq_ignore_ascii_case("signature"));
                let signature = if signed { SignatureEntry::Unreadable } else { SignatureEntry::Readable };
                Self { attributes: Attributes::default(), signature }
            }
        }
    }

    /// `content` is the digest of the whole object, if it was read.
    pub(crate) fn integrity(
        &self,
        key: &str,
        parsed: Option<&ObjectKey>,
        bytes: u64,
        content: Option<Sha256>,
        keys: &[PublicKey],
    ) -> Integrity {
        let Attributes { sha256, previous, key_id, .. } = &self.attributes;
        let checked = match (sha256, content) {
            (None, None) => None,
            (Some(_), None) => Some(Content::Claimed),
            (Some(claimed), Some(real)) if *claimed != real => Some(Content::Mismatch),
            (_, Some(_)) => Some(Content::Verified),
        };
        let manifest = Manifest::claimed(key, bytes, &self.attributes);
        let state = match (&manifest, parsed.map(|key| key.counter), previous) {
            (None, ..) => ChainState::Absent,
            (Some(_), Some(0), None) => ChainState::First,
            (Some(_), Some(1..), Some(_)) => ChainState::Linked,
            _ => ChainState::Broken,
        };
        let mut signature = self.check(manifest.as_ref(), keys);
        if signature == Signature::Valid && checked == Some(Content::Mismatch) {
            signature = Signature::Invalid;
        }
        Integrity {
            sha256: sha256.or(content),
            content: checked,
            signature,
            key_id: key_id.clone(),
            chain: Chain { state, previous: *previous, manifest: manifest.map(|manifest| manifest.digest()) },
        }
    }

    fn check(&self, manifest: Option<&Manifest<'_>>, keys: &[PublicKey]) -> Signature {
        if self.signature == SignatureEntry::Unreadable {
            return Signature::Invalid;
        }
        let Some(signature) = &self.attributes.signature else { return Signature::Absent };
        let Some(manifest) = manifest else { return Signature::Invalid };
        match &self.attributes.key_id {
            Some(id) => match keys.iter().find(|key| key.id() == id) {
                Some(key) if key.verifies(manifest, signature) => Signature::Valid,
                Some(_) => Signature::Invalid,
                None => Signature::Unknown,
            },
            None if keys.iter().any(|key| key.verifies(manifest, signature)) => Signature::Valid,
            None => Signature::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use framepost_events::manifest::ManifestSigner;

    const KEY: &str = "s/2026-11-20/c/15/08-23.547000Z.1.mp4";

    fn signed() -> (ManifestSigner, Attributes) {
        let signer = ManifestSigner::from_secret(&[7; 32]);
        let mut attributes = Attributes {
            from: Some("2026-11-20T15:08:23.547Z".parse().unwrap()),
            to: Some("2026-11-20T15:08:26.547Z".parse().unwrap()),
            sha256: Some(Sha256::of(b"chunk")),
            previous: Some(Sha256::of(b"manifest")),
            key_id: Some(signer.key_id().to_owned()),
            ..Attributes::default()
        };
        attributes.signature = Some(signer.sign(&Manifest::claimed(KEY, 5, &attributes).unwrap()));
        (signer, attributes)
    }

    fn judge(attributes: &Attributes, bytes: u64, content: Option<Sha256>, keys: &[PublicKey]) -> Integrity {
        let claims = Claims::read(KEY, &attributes.to_metadata().unwrap());
        claims.integrity(KEY, KEY.parse().ok().as_ref(), bytes, content, keys)
    }

    #[test]
    fn a_signature_is_judged() {
        let (signer, attributes) = signed();
        let keys = [ManifestSigner::from_secret(&[8; 32]).public_key(), signer.public_key()];
        let real = Sha256::of(b"chunk");
        let other = Sha256::of(b"else");
        let bare = Attributes { signature: None, ..attributes.clone() };
        let anonymous = Attributes { key_id: None, ..attributes.clone() };
        let no_times = Attributes { to: None, ..attributes.clone() };
        for (name, attributes, bytes, content, keys, expected) in [
            ("as written", &attributes, 5, None, &keys[..], (Signature::Valid, Some(Content::Claimed))),
            ("read whole", &attributes, 5, Some(real), &keys, (Signature::Valid, Some(Content::Verified))),
            ("other bytes", &attributes, 5, Some(other), &keys, (Signature::Invalid, Some(Content::Mismatch))),
            ("other size", &attributes, 6, None, &keys, (Signature::Invalid, Some(Content::Claimed))),
            ("other key", &attributes, 5, None, &keys[..1], (Signature::Unknown, Some(Content::Claimed))),
            ("no key", &attributes, 5, None, &[], (Signature::Unknown, Some(Content::Claimed))),
            ("no signature", &bare, 5, None, &keys, (Signature::Absent, Some(Content::Claimed))),
            ("no key id", &anonymous, 5, None, &keys, (Signature::Valid, Some(Content::Claimed))),
            ("no manifest", &no_times, 5, None, &keys, (Signature::Invalid, Some(Content::Claimed))),
        ] {
            let integrity = judge(attributes, bytes, content, keys);
            assert_eq!((integrity.signature, integrity.content), expected, "{name}");
        }
    }

    #[test]
    fn the_counter_and_previous_belong_together() {
        let (_, linked) = signed();
        assert_eq!(judge(&linked, 5, None, &[]).chain.state, ChainState::Linked);
        let broken = Attributes { previous: None, ..linked.clone() };
        assert_eq!(judge(&broken, 5, None, &[]).chain.state, ChainState::Broken);
        let absent = Attributes { sha256: None, ..linked };
        assert_eq!(judge(&absent, 5, None, &[]).chain.state, ChainState::Absent);
    }

    #[test]
    fn unreadable_metadata_is_foreign_and_its_signature_invalid() {
        let entry = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let metadata = vec![entry("from", "yesterday"), entry("signature", "x")];
        let claims = Claims::read("k", &metadata);
        assert_eq!(claims.attributes, Attributes::default());
        assert_eq!(claims.integrity("k", None, 1, None, &[]).signature, Signature::Invalid);
        let claims = Claims::read("k", &metadata[..1].to_vec());
        assert_eq!(claims.integrity("k", None, 1, None, &[]).signature, Signature::Absent);
    }
}
