//! What was named on the command line, as cameras: a file or a URL each, with a name of its own.

use edge_uploader::camera::file::{Pace, Repeat};
use edge_uploader::config::CameraConfig;
use framepost_events::Camera;
use std::collections::HashSet;
use std::path::Path;

/// The clip that plays when nothing is named: ten seconds from synthetic sources.
const DEMO_CLIP: &[u8] = include_bytes!("../assets/demo.mp4");

/// The cameras for `videos`; a looping clip in `dir` when there are none.
pub(crate) fn cameras(videos: &[String], dir: &Path, pace: Pace) -> anyhow::Result<Vec<CameraConfig>> {
    if videos.is_empty() {
        let clip = dir.join("demo.mp4");
        std::fs::write(&clip, DEMO_CLIP)?;
        let mut camera = CameraConfig::new("demo".parse()?, clip.to_string_lossy());
        (camera.pace, camera.repeat) = (Pace::Live, Repeat::Forever);
        return Ok(vec![camera]);
    }
    let mut taken = HashSet::new();
    let mut cameras = Vec::new();
    for video in videos {
        let mut camera = CameraConfig::new(name(video, &mut taken)?, video.as_str());
        camera.pace = pace;
        cameras.push(camera);
    }
    Ok(cameras)
}

/// A name from a file's or a URL's last part; a number is added where two would be the same.
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
}
