//! Opens a camera of the kind that its address indicates.

use super::file::{FileCamera, FileOptions};
use super::rtsp::{RtspCamera, RtspOptions};
use super::{Camera, CameraError};
use framepost_ports::shown::ShownUrl;
use std::path::{Path, PathBuf};
use url::Url;

/// Options for all kinds of cameras.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Options for `rtsp://…`.
    pub rtsp: RtspOptions,
    /// Options for files.
    pub file: FileOptions,
}

/// Creates the camera for an `rtsp://` URL, a `file://` URL or a path.
///
/// Does not connect or open anything yet. An address with another scheme is [`CameraError::Unusable`].
pub fn open(address: &str, options: &Options) -> Result<Box<dyn Camera>, CameraError> {
    match address.split_once("://") {
        // Do not take a camera URL with a typing error for a file, because a file name would be shown.
        None if resembles_url(address) => Err(CameraError::Unusable {
            what: "camera".to_owned(),
            problem: "neither a URL nor a file that is there; write rtsp://host/path".to_owned(),
            source: None,
        }),
        None => Ok(Box::new(FileCamera::new(address, options.file.clone()))),
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("file") => {
            let path = file_path(address).ok_or_else(|| CameraError::Unusable {
                what: ShownUrl::of(address).into(),
                problem: "not the URL of a local file; expected file:///path".to_owned(),
                source: None,
            })?;
            Ok(Box::new(FileCamera::new(path, options.file.clone())))
        }
        // This refuses other schemes without repeating credentials.
        Some(_) => Ok(Box::new(RtspCamera::new(address, options.rtsp.clone())?)),
    }
}

/// Returns whether an address without a scheme that is not an existing file looks like
/// an incomplete URL: `rtsp:/…`, `user:password@…`.
fn resembles_url(address: &str) -> bool {
    let schemes = ["rtsp:", "rtsps:", "rtspu:", "http:", "https:", "//"];
    let lower = address.to_ascii_lowercase();
    let alike = schemes.iter().any(|scheme| lower.starts_with(scheme));
    // This may be a user name and a password. File names rarely contain both characters, and
    // an existing file is accepted.
    (alike || address.contains('@') && address.contains([':', '='])) && !Path::new(address).exists()
}

fn file_path(address: &str) -> Option<PathBuf> {
    Url::parse(address).ok()?.to_file_path().ok()
}

#[cfg(test)]
mod tests {
    use super::super::Extent;
    use super::*;

    #[test]
    fn the_scheme_decides() {
        let options = Options::default();
        for (address, source, extent) in [
            ("rtsp://u:p@10.0.0.7/live", "rtsp://10.0.0.7/live", Extent::Live),
            ("RTSP://10.0.0.7/live", "rtsp://10.0.0.7/live", Extent::Live),
            ("rtsps://10.0.0.7/live", "rtsps://10.0.0.7/live", Extent::Live),
            ("clips/a b.mp4", "clips/a b.mp4", Extent::Finite),
            ("clips/Tür.mp4", "clips/T%C3%BCr.mp4", Extent::Finite),
            ("file:///clips/a%20b.mp4", "/clips/a b.mp4", Extent::Finite),
        ] {
            let camera = open(address, &options).unwrap();
            assert_eq!((camera.source().as_str(), camera.extent()), (source, extent));
        }
        for bad in [
            "http://10.0.0.7/live",
            "file://u:secret@10.0.0.7/share",
            "rtsp:/u:secret@10.0.0.7/live",
            "u:secret@10.0.0.7/live",
            "//u:secret@10.0.0.7/live",
        ] {
            let Err(error) = open(bad, &options) else { panic!("{bad}") };
            assert!(matches!(error, CameraError::Unusable { .. }), "{bad}");
            assert!(!framepost_ports::chain(&error).contains("secret"), "{bad}: {error}");
        }
    }
}
