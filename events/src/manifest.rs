//! The canonical text about one object, which is signed and which the next object of the span refers to.
//!
//! ```text
//! framepost-manifest-v1
//! key=plant-7/2026-11-20/gate/15/08-23.547000Z.0.mp4
//! bytes=1503224
//! sha256=…
//! from=2026-11-20T15:08:23.547000Z
//! to=2026-11-20T15:08:26.550000Z
//! previous=…
//! ```
//!
//! Every line ends with a line feed. `previous` is `-` on the first object of a span. The digest of this text
//! is the next object's `Previous`, so that a span is a chain up to its `mp4_end`: a changed, removed or
//! inserted object breaks it. The signature is Ed25519 (RFC 8032) over the text. The key id is the first 8
//! bytes of the public key's SHA-256.

use crate::attributes::{Attributes, rfc3339_micros};
use crate::{Error, ObjectKey, Sha256};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use jiff::Timestamp;

/// The signed data of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest<'a> {
    /// Key of the object.
    pub key: &'a str,
    /// Size of the object in bytes.
    pub bytes: u64,
    /// SHA-256 of the object's bytes.
    pub sha256: Sha256,
    /// Wall-clock time of the first sample.
    pub from: Timestamp,
    /// Wall-clock time of the end of the last sample.
    pub to: Timestamp,
    /// The digest of the manifest before this one in the span.
    pub previous: Option<Sha256>,
}

impl<'a> Manifest<'a> {
    /// Returns the manifest that an object's metadata claims, or `None` for metadata of other writers.
    pub fn claimed(key: &'a str, bytes: u64, attributes: &Attributes) -> Option<Self> {
        let sha256 = attributes.sha256?;
        let from = attributes.from?;
        let to = attributes.to?;
        Some(Self { key, bytes, sha256, from, to, previous: attributes.previous })
    }

    /// Returns the canonical text of the manifest.
    pub fn text(&self) -> String {
        let Self { key, bytes, sha256, .. } = self;
        let from = rfc3339_micros(self.from);
        let to = rfc3339_micros(self.to);
        let previous = self.previous.map_or_else(|| "-".to_owned(), |digest| digest.to_string());
        format!(
            "framepost-manifest-v1\nkey={key}\nbytes={bytes}\nsha256={sha256}\nfrom={from}\nto={to}\nprevious={previous}\n"
        )
    }

    /// Returns the digest of the canonical text, which is the next object's `Previous`.
    pub fn digest(&self) -> Sha256 {
        Sha256::of(self.text().as_bytes())
    }
}

/// Signs manifests. The secret cannot be read from it and is wiped when it is dropped.
pub struct ManifestSigner {
    key: SigningKey,
    id: String,
}

impl ManifestSigner {
    /// Creates a signer from the 32 secret bytes of an Ed25519 key.
    pub fn from_secret(secret: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(secret);
        let id = key_id(&key.verifying_key());
        Self { key, id }
    }

    /// Returns the id of the public key that verifies the signatures.
    pub fn key_id(&self) -> &str {
        &self.id
    }

    /// Returns the public key for verifiers.
    pub fn public_key(&self) -> PublicKey {
        PublicKey { key: self.key.verifying_key(), id: self.id.clone() }
    }

    /// Signs the canonical text of the manifest.
    pub fn sign(&self, manifest: &Manifest<'_>) -> [u8; 64] {
        self.key.sign(manifest.text().as_bytes()).to_bytes()
    }
}

impl std::fmt::Debug for ManifestSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ManifestSigner({})", self.id)
    }
}

/// A public key that verifies manifests. As text, it has 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    key: VerifyingKey,
    id: String,
}

impl PublicKey {
    /// Parses public keys that are separated by commas. Nothing between two commas is no key.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, Error> {
        text.split(',').map(str::trim).filter(|key| !key.is_empty()).map(str::parse).collect()
    }

    /// Returns the `KeyId` of signatures with this key.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns whether `signature` is a valid signature of `manifest` with this key.
    pub fn verifies(&self, manifest: &Manifest<'_>, signature: &[u8; 64]) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.key.verify_strict(manifest.text().as_bytes(), &signature).is_ok()
    }
}

impl std::str::FromStr for PublicKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text.trim(), &mut bytes)
            .map_err(|_| Error::SigningKey("a public key is 64 hexadecimal digits"))?;
        let key = VerifyingKey::from_bytes(&bytes)
            .map_err(|_| Error::SigningKey("these 32 bytes are not a point of the curve"))?;
        let id = key_id(&key);
        Ok(Self { key, id })
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.key.as_bytes()))
    }
}

fn key_id(key: &VerifyingKey) -> String {
    hex::encode(&Sha256::of(key.as_bytes()).0[..8])
}

/// Checks the chain through the manifests of one camera's spans, in key order.
#[derive(Debug, Default)]
pub struct ChainChecker {
    last: Option<(u64, Sha256)>,
}

/// The relation of an object to the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainLink {
    /// It is the first object of a span.
    First,
    /// It refers to the object before it.
    Linked,
    /// It refers to something else: an object was changed, removed or inserted before it.
    Broken,
}

impl ChainChecker {
    /// Takes the next object: a chunk or a span end.
    pub fn next(&mut self, key: &ObjectKey, manifest: &Manifest<'_>) -> ChainLink {
        let link = match (key.counter, manifest.previous, self.last) {
            (0, None, _) => ChainLink::First,
            (counter, Some(previous), Some((last, digest))) if counter == last + 1 && previous == digest => {
                ChainLink::Linked
            }
            _ => ChainLink::Broken,
        };
        self.last = Some((key.counter, manifest.digest()));
        link
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(key: &str, previous: Option<Sha256>) -> Manifest<'_> {
        let from = "2026-11-20T15:08:23.547Z".parse().unwrap();
        let to = "2026-11-20T15:08:26.55Z".parse().unwrap();
        Manifest { key, bytes: 5, sha256: Sha256::of(b"chunk"), from, to, previous }
    }

    #[test]
    fn the_text_is_the_documented_one() {
        let text = manifest("s/2026-11-20/c/15/08-23.547000Z.0.mp4", None).text();
        let sha256 = Sha256::of(b"chunk");
        assert_eq!(
            text,
            format!(
                "framepost-manifest-v1\nkey=s/2026-11-20/c/15/08-23.547000Z.0.mp4\nbytes=5\nsha256={sha256}\n\
                 from=2026-11-20T15:08:23.547000Z\nto=2026-11-20T15:08:26.550000Z\nprevious=-\n"
            )
        );
    }

    #[test]
    fn a_signature_holds_for_its_manifest_only() {
        let signer = ManifestSigner::from_secret(&[3; 32]);
        let manifest = manifest("s/2026-11-20/c/15/08-23.547000Z.0.mp4", None);
        let signature = signer.sign(&manifest);
        let public: PublicKey = signer.public_key().to_string().parse().unwrap();
        assert_eq!(public.id(), signer.key_id());
        assert!(public.verifies(&manifest, &signature));
        for other in [
            Manifest { bytes: 6, ..manifest.clone() },
            Manifest { sha256: Sha256::of(b"else"), ..manifest.clone() },
            Manifest { previous: Some(Sha256::of(b"x")), ..manifest.clone() },
            Manifest { key: "t/2026-11-20/c/15/08-23.547000Z.0.mp4", ..manifest.clone() },
        ] {
            assert!(!public.verifies(&other, &signature), "{other:?}");
        }
        assert!(!ManifestSigner::from_secret(&[4; 32]).public_key().verifies(&manifest, &signature));
    }

    #[test]
    fn a_removed_or_changed_object_breaks_the_chain() {
        let keys: Vec<ObjectKey> =
            (0..4).map(|n| format!("s/2026-11-20/c/15/08-{:02}Z.{n}.mp4", 20 + n).parse().unwrap()).collect();
        let texts: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let mut manifests = Vec::new();
        let mut previous = None;
        for text in &texts {
            let manifest = manifest(text, previous);
            previous = Some(manifest.digest());
            manifests.push(manifest);
        }
        let check = |order: &[usize], manifests: &[Manifest<'_>]| {
            let mut chain = ChainChecker::default();
            order.iter().map(|n| chain.next(&keys[*n], &manifests[*n])).collect::<Vec<_>>()
        };
        use ChainLink::{Broken, First, Linked};
        assert_eq!(check(&[0, 1, 2, 3], &manifests), [First, Linked, Linked, Linked]);
        assert_eq!(check(&[0, 2, 3], &manifests), [First, Broken, Linked]);
        manifests[1].sha256 = Sha256::of(b"changed");
        assert_eq!(check(&[0, 1, 2, 3], &manifests), [First, Linked, Broken, Linked]);
    }
}
