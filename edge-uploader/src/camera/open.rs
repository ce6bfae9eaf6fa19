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
    /// Used where the address is a URL: `rtsp://…` or `rtsps://…`.
    pub rtsp: RtspOptions,
    /// Used where the address is the path of a file.
    pub file: FileOptions,
}

/// Which kind of camera an address is that of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// An `rtsp://` or `rtsps://` URL.
    Rtsp,
    /// A file, by its path or by a `file://` URL.
    File(PathBuf),
}

impl Address {
    /// By what the address looks like. What has a scheme and is none of these is [`CameraError::Unusable`].
    pub fn of(address: &str) -> Result<Self, CameraError> {
        let unusable = |what: String, problem: &str| {
            Err(CameraError::Unusable { what, problem: problem.to_owned(), source: None })
        };
        let Some((scheme, _)) = address.split_once("://") else {
            // Do not take a camera URL with a typing error for a file, because a file name would be shown.
            if resembles_url(address) {
                return unusable("camera".to_owned(), "neither a URL nor an existing file; expected rtsp://host/path");
            }
            return Ok(Self::File(address.into()));
        };
        match scheme.to_ascii_lowercase().as_str() {
            "rtsp" | "rtsps" => Ok(Self::Rtsp),
            "file" => match file_path(address) {
                Some(path) => Ok(Self::File(path)),
                None => unusable(ShownUrl::of(address).into(), "not the URL of a local file; expected file:///path"),
            },
            _ => unusable(
                ShownUrl::of(address).into(),
                "a camera's URL cannot have this scheme; expected rtsp://host/path, rtsps://host/path or a file's path",
            ),
        }
    }
}

/// The camera at an address. Nothing is connected or opened yet.
pub fn open(address: &str, options: &Options) -> Result<Box<dyn Camera>, CameraError> {
    match Address::of(address)? {
        Address::Rtsp => Ok(Box::new(RtspCamera::new(address, options.rtsp.clone())?)),
        Address::File(path) => Ok(Box::new(FileCamera::new(path, options.file.clone()))),
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
            "srt://u:secret@10.0.0.7:9000",
            "rtmp://u:secret@10.0.0.7/live",
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
