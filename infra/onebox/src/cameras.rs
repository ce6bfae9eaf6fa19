//! The cameras named on the command line: files or URLs, each with a unique name.

use edge_uploader::camera::file::{Pace, Repeat};
use edge_uploader::config::CameraConfig;
use framepost_events::Camera;
use std::collections::HashSet;
use std::path::Path;

/// The clip that is played if no camera is named: ten seconds from synthetic sources.
const DEMO_CLIP: &[u8] = include_bytes!("../assets/demo.mp4");

/// Returns the cameras for `videos`, or a looping clip in `dir` if there are none.
pub(crate) fn cameras(videos: &[String], dir: &Path, pace: Pace) -> anyhow::Result<Vec<CameraConfig>> {
    if videos.is_empty() {
        let clip = dir.join("demo.mp4");
        std::fs::write(&clip, DEMO_CLIP)?;
        let mut camera = CameraConfig::new("demo".parse()?, clip.to_string_lossy());
        (camera.pace, camera.repeat) = (Some(Pace::Live), Some(Repeat::Forever));
        return Ok(vec![camera]);
    }
    let mut taken = HashSet::new();
    let mut cameras = Vec::new();
    for video in videos {
        let mut camera = CameraConfig::new(name(video, &mut taken)?, video.as_str());
        camera.pace = Some(pace);
        cameras.push(camera);
    }
    Ok(cameras)
}

/// Logins of the cameras, on the command line. Each is for all cameras, or after `CAMERA=` for one, by the name that it gets
/// from its URL.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Credentials {
    /// The user of the cameras, or of the one with this name.
    #[arg(long, value_name = "[CAMERA=]USER")]
    username: Vec<String>,
    /// An environment variable that holds their password.
    #[arg(long, value_name = "[CAMERA=]VARIABLE")]
    password_env: Vec<String>,
    /// A file whose first line is their password.
    #[arg(long, value_name = "[CAMERA=]FILE")]
    password_file: Vec<String>,
}

impl Credentials {
    /// Assigns the options to the cameras. An option for a named camera takes precedence over one for all.
    pub(crate) fn give(&self, cameras: &mut [CameraConfig]) -> anyhow::Result<()> {
        let names: Vec<String> = cameras.iter().map(|camera| camera.name.to_string()).collect();
        for camera in cameras.iter_mut().filter(|camera| camera.url.contains("://")) {
            let given = |values: &[String]| {
                let split = |value: &'_ str| match value.split_once('=') {
                    Some((name, rest)) if names.iter().any(|known| known == name) => {
                        (Some(name.to_owned()), rest.to_owned())
                    }
                    _ => (None, value.to_owned()),
                };
                let values: Vec<_> = values.iter().map(|value| split(value)).collect();
                let own = values.iter().find(|(name, _)| name.as_deref() == Some(camera.name.as_str()));
                own.or_else(|| values.iter().find(|(name, _)| name.is_none())).map(|(_, value)| value.clone())
            };
            let username = given(&self.username);
            let env = given(&self.password_env);
            let file = given(&self.password_file);
            anyhow::ensure!(
                env.is_none() || file.is_none(),
                "camera {}: give --password-env or --password-file, not both",
                camera.name
            );
            camera.username = username;
            camera.password_env = env;
            camera.password_file = file.map(Into::into);
        }
        Ok(())
    }
}

/// Returns a name from the last part of a file's or URL's path, with a number if the name is taken.
fn name(video: &str, taken: &mut HashSet<String>) -> anyhow::Result<Camera> {
    let path = match url::Url::parse(video) {
        Ok(url) if url.has_host() => {
            let last = url.path().trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
            if last.is_empty() { url.host_str().unwrap_or_default().to_owned() } else { last }
        }
        _ => Path::new(video).file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned()),
    };
    let cleaned: String =
        path.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect();
    let trimmed = cleaned.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let base: String = trimmed.chars().take(56).collect();
    let base = if base.parse::<Camera>().is_ok() { base } else { format!("camera-{base}") };
    let mut candidate = base.clone();
    for n in 2.. {
        if taken.insert(candidate.clone()) {
            break;
        }
        candidate = format!("{base}-{n}");
    }
    Ok(candidate.trim_end_matches('-').parse().or_else(|_| "camera".parse())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_video_gets_a_name_of_its_own() {
        let mut taken = HashSet::new();
        for (video, expected) in [
            ("/srv/video/gate.mp4", "gate"),
            ("other/gate.mkv", "gate-2"),
            ("rtsp://user:secret@10.0.0.7:554/Streaming/Channels/101", "101"),
            ("rtsp://10.0.0.8/", "10.0.0.8"),
            ("rtsp://10.0.0.8", "10.0.0.8-2"),
            ("2026-11-20.mp4", "camera-2026-11-20"),
            ("Hof & Tor.mp4", "Hof---Tor"),
            ("...", "camera"),
        ] {
            assert_eq!(name(video, &mut taken).unwrap().as_str(), expected, "{video}");
        }
    }

    #[test]
    fn credentials_come_from_elsewhere_than_the_url() {
        let dir = tempfile::tempdir().unwrap();
        let videos = ["rtsp://10.0.0.7/gate", "rtsp://10.0.0.8/dock", "clip.mp4"].map(str::to_owned);
        let mut configs = cameras(&videos, dir.path(), Pace::Live).unwrap();
        let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        let mut given = Credentials {
            username: owned(&["viewer", "dock=admin"]),
            password_env: owned(&["gate=GATE_PASSWORD"]),
            password_file: owned(&["dock=/run/secrets/a=b"]),
        };
        given.give(&mut configs).unwrap();
        let of = |n: usize| {
            let camera: &CameraConfig = &configs[n];
            let file = camera.password_file.as_ref().map(|file| file.to_string_lossy().into_owned());
            (camera.username.clone(), camera.password_env.clone(), file)
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(of(0), (some("viewer"), some("GATE_PASSWORD"), None));
        assert_eq!(of(1), (some("admin"), None, some("/run/secrets/a=b")));
        assert_eq!(of(2), (None, None, None));
        given.password_env.push("EVERY".to_owned());
        assert!(given.give(&mut configs).unwrap_err().to_string().contains("not both"));
    }
}
