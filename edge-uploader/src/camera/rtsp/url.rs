//! Parses an RTSP URL: the target, the credentials, and the part that may be shown.

use super::super::CameraError;
use super::RtspOptions;
use super::auth::Credentials;
use super::target::Target;
use framepost_ports::shown::ShownUrl;
use url::Url;

/// The address of a camera.
pub(super) struct Address {
    /// The target, without user name and password.
    pub(super) target: Target,
    /// Credentials from the options or the URL.
    pub(super) credentials: Option<Credentials>,
    /// The URL for logs and recordings, without credentials, also in the query and the path.
    pub(super) source: String,
}

impl Address {
    /// Parses a URL. The error never repeats a URL that cannot be parsed, because it may contain a password.
    pub(super) fn parse(text: &str, options: &RtspOptions) -> Result<Self, CameraError> {
        let unusable = |what: &str, problem: &str| CameraError::Unusable {
            what: what.to_owned(),
            problem: problem.to_owned(),
            source: None,
        };
        let mut url = Url::parse(text).map_err(|error| CameraError::Unusable {
            what: "camera URL".to_owned(),
            problem: "not a URL; expected rtsp://host/path".to_owned(),
            source: Some(Box::new(error)),
        })?;
        let in_url = (!url.username().is_empty()).then(|| Credentials {
            username: percent_decoded(url.username()),
            password: percent_decoded(url.password().unwrap_or_default()),
        });
        // Both calls fail only for URLs without a host, which are refused below.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        let source = ShownUrl::of(text.trim()).as_str().to_owned();
        match url.scheme() {
            "rtsp" | "rtsps" => {}
            _ => return Err(unusable(&source, "not an RTSP URL; expected rtsp://host/path")),
        }
        let target = Target::of(&url).ok_or_else(|| unusable(&source, "the URL names no host"))?;
        let credentials = match (&options.username, &options.password, in_url) {
            (None, None, in_url) => in_url,
            (username, password, in_url) => {
                let in_url = in_url.unwrap_or(Credentials { username: String::new(), password: String::new() });
                Some(Credentials {
                    username: username.clone().unwrap_or(in_url.username),
                    password: password.clone().unwrap_or(in_url.password),
                })
            }
        };
        let password = credentials.as_ref().map_or("", |credentials| credentials.password.as_str());
        let source = ShownUrl::of(text.trim()).without(password).into();
        Ok(Self { target, credentials, source })
    }
}

/// Decodes RFC 3986 percent encoding. Replaces bytes that are not UTF-8 afterwards.
fn percent_decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = (first == b'%').then(|| after.split_first_chunk::<2>()).flatten();
        let decoded = escaped.and_then(|(digits, after)| {
            let digits = std::str::from_utf8(digits).ok()?;
            Some((u8::from_str_radix(digits, 16).ok()?, after))
        });
        let (byte, after) = decoded.unwrap_or((first, after));
        out.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_taken_out() {
        let options = RtspOptions::default();
        let address =
            Address::parse("rtsp://admin:p%40ss%2F%zz@10.0.0.7:8554/live?channel=1&pwd=secret", &options).unwrap();
        assert_eq!(address.source, "rtsp://10.0.0.7:8554/live");
        assert_eq!(address.target.uri, "rtsp://10.0.0.7:8554/live?channel=1&pwd=secret");
        let credentials = address.credentials.unwrap();
        assert_eq!((credentials.username.as_str(), credentials.password.as_str()), ("admin", "p@ss/%zz"));

        let options = RtspOptions { password: Some("other".to_owned()), ..RtspOptions::default() };
        let credentials = Address::parse("rtsp://admin@10.0.0.7/", &options).unwrap().credentials.unwrap();
        assert_eq!((credentials.username.as_str(), credentials.password.as_str()), ("admin", "other"));
        assert!(!format!("{options:?}").contains("other"));
        assert!(Address::parse("rtsp://10.0.0.7/", &RtspOptions::default()).unwrap().credentials.is_none());
    }

    #[test]
    fn other_urls_are_refused_without_repeating_secrets() {
        for bad in ["http://u:secret@h/", "rtsp:secret", "rtsp://u:secret@", "secret"] {
            let error = Address::parse(bad, &RtspOptions::default()).err().unwrap();
            assert!(matches!(&error, CameraError::Unusable { .. }), "{bad}");
            assert!(!format!("{error}").contains("u:secret"), "{bad}: {error}");
        }
    }
}
