//! Static tokens: a text that its holder keeps, and its digest here.
//!
//! A token is `fp_<id>_<secret>` with 256 random bits, so a plain SHA-256 is enough to keep it: nobody can guess what it is of.
//! The file is a JSON list of [`StoredToken`]s. It is read again when it changes, so a token that is taken away ends at once.

use super::{Grant, Sight};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use framepost_events::{Camera, Sha256, Site};
use jiff::Timestamp;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// What is kept of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StoredToken {
    /// What it is called in lists and in the log.
    pub id: String,
    /// The digest of the token.
    pub sha256: Sha256,
    /// What its holder may see: `*`, `site` or `site/camera`.
    pub reads: Vec<Scope>,
    /// What its holder may do besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rights: Vec<Right>,
    /// From when on it does not count any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

/// What may be done besides looking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Right {
    /// To keep footage that is seen: to make and remove exports and holds.
    Keep,
}

/// Whom a token lets in.
pub(crate) struct Admitted {
    pub(crate) sight: Sight,
    pub(crate) rights: Vec<Right>,
    /// What the token is called.
    pub(crate) id: String,
}

/// What may be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// All cameras of all sites: `*`.
    All,
    /// All cameras of a site: `SITE`.
    Site(Site),
    /// One camera: `SITE/CAMERA`.
    Camera(Site, Camera),
}

impl TryFrom<String> for Scope {
    type Error = framepost_events::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.split_once('/') {
            _ if text == "*" => Ok(Self::All),
            Some((site, camera)) => Ok(Self::Camera(site.parse()?, camera.parse()?)),
            None => Ok(Self::Site(text.try_into()?)),
        }
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::All => "*".to_owned(),
            Scope::Site(site) => site.into(),
            Scope::Camera(site, camera) => format!("{site}/{camera}"),
        }
    }
}

impl StoredToken {
    /// Makes a new token. The text is its holder's, and is not kept.
    ///
    /// # Errors
    ///
    /// If the operating system provides no random numbers.
    pub fn make(reads: Vec<Scope>, expires: Option<Timestamp>) -> io::Result<(String, Self)> {
        let mut random = [0; 38];
        SystemRandom::new()
            .fill(&mut random)
            .map_err(|_| io::Error::other("the operating system provides no random numbers"))?;
        let (id, secret) = random.split_at(6);
        let id = hex::encode(id);
        let text = format!("fp_{id}_{}", BASE64_URL_SAFE_NO_PAD.encode(secret));
        let stored = Self { id, sha256: Sha256::of(text.as_bytes()), reads, rights: vec![], expires };
        Ok((text, stored))
    }

    /// The same, for a holder who may do this besides.
    #[must_use]
    pub fn with(self, rights: Vec<Right>) -> Self {
        Self { rights, ..self }
    }
}

/// What these scopes let be seen.
pub(super) fn sight(reads: &[Scope]) -> Sight {
    if reads.contains(&Scope::All) {
        return Sight::Everything;
    }
    let grants = reads.iter().filter_map(|scope| match scope {
        Scope::All => None,
        Scope::Site(site) => Some(Grant { site: site.to_string(), camera: None }),
        Scope::Camera(site, camera) => Some(Grant { site: site.to_string(), camera: Some(camera.to_string()) }),
    });
    Sight::Some(Arc::new(grants.collect()))
}

/// The tokens of a file, or of a text.
#[derive(Debug)]
pub struct Tokens {
    file: Option<PathBuf>,
    known: Mutex<(Option<SystemTime>, Arc<Vec<StoredToken>>)>,
}

impl Tokens {
    /// The tokens of a JSON text.
    pub fn of(json: &str) -> serde_json::Result<Self> {
        let tokens = serde_json::from_str(json)?;
        Ok(Self { file: None, known: Mutex::new((None, Arc::new(tokens))) })
    }

    /// The tokens of a file, which may not be there yet.
    pub fn in_file(file: impl Into<PathBuf>) -> Self {
        Self { file: Some(file.into()), known: Mutex::default() }
    }

    /// Those that are there now. A file that cannot be read has none: who is not known is not let in.
    fn now(&self) -> Arc<Vec<StoredToken>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &self.file {
            let changed = std::fs::metadata(file).and_then(|found| found.modified()).ok();
            if changed.is_none() || changed != known.0 {
                let read = std::fs::read(file).ok().map(|json| serde_json::from_slice(&json));
                if let Some(Err(error)) = &read {
                    tracing::error!(file = %file.display(), %error, "the tokens cannot be read: every request is refused");
                }
                *known = (changed, Arc::new(read.and_then(Result::ok).unwrap_or_default()));
            }
        }
        known.1.clone()
    }

    /// What the holder of this text may see and do.
    pub(crate) fn admit(&self, text: &str, now: Timestamp) -> Option<Admitted> {
        let digest = Sha256::of(text.as_bytes());
        // What is compared is a digest: how long it takes says nothing of the token.
        let tokens = self.now();
        let token = tokens.iter().find(|token| token.sha256 == digest)?;
        let counts = token.expires.is_none_or(|expires| now < expires);
        counts.then(|| Admitted { sight: sight(&token.reads), rights: token.rights.clone(), id: token.id.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use framepost_ports::catalog::CameraName;

    #[test]
    fn a_token_lets_its_holder_see_what_it_is_for_until_it_ends() {
        let scopes = ["plant-7", "dock-2/gate"].map(|text| Scope::try_from(text.to_owned()).unwrap());
        let end: Timestamp = "2026-11-20T15:00:00Z".parse().unwrap();
        let (text, stored) = StoredToken::make(scopes.to_vec(), Some(end)).unwrap();
        let stored = stored.with(vec![Right::Keep]);
        assert!(!serde_json::to_string(&stored).unwrap().contains(&text[20..]), "the secret is not kept");
        let tokens = Tokens::of(&serde_json::to_string(&[stored]).unwrap()).unwrap();
        let before = end - jiff::SignedDuration::from_secs(1);
        let Admitted { sight, rights, .. } = tokens.admit(&text, before).unwrap();
        assert_eq!(rights, [Right::Keep]);
        let has = |site: &str, camera: &str| {
            sight.has(&CameraName { site: site.parse().unwrap(), camera: camera.parse().unwrap() })
        };
        assert!(has("plant-7", "any") && has("dock-2", "gate") && !has("dock-2", "other") && !has("plant-70", "any"));
        assert!(sight.has_site("plant-7") && !sight.has_site("dock-2"));
        assert!(tokens.admit(&text, end).is_none(), "it ended");
        for other in ["", "fp_", &text[1..], &format!("{text}x")] {
            assert!(tokens.admit(other, before).is_none(), "{other}");
        }
        assert!(Scope::try_from("plant-7/../x".to_owned()).is_err() && Scope::try_from(String::new()).is_err());
    }
}
