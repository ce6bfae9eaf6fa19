//! The frames of a file are its packets, whatever the container.

use super::{FILES, packets, played};
use edge_uploader::camera::file::FileOptions;
use edge_uploader::media::{Reference, TrackKind, VideoCodec};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

#[tokio::test]
async fn every_container_gives_the_packets_that_ffprobe_sees() {
    for (name, codec, has_audio) in [
        ("avc.mp4", VideoCodec::H264, true),
        ("front.mp4", VideoCodec::H264, true),
        ("fragmented.mp4", VideoCodec::H264, true),
        ("frame-fragments.mp4", VideoCodec::H264, true),
        ("hybrid.mp4", VideoCodec::H264, true),
        ("avc.mkv", VideoCodec::H264, true),
        ("hevc.mp4", VideoCodec::H265, false),
        ("hevc.mkv", VideoCodec::H265, false),
        ("opus.mp4", VideoCodec::H264, false),
    ] {
        let path = FILES.path(name);
        let played = played(&path, FileOptions::default(), usize::MAX).await;
        assert!(played.error.is_none(), "{name}: {:?}", played.error);
        let [parameters] = &played.parameters[..] else { panic!("{name}: {:?}", played.parameters) };
        assert_eq!(
            (parameters.video.codec, parameters.video.width, parameters.video.height),
            (codec, 192, 108),
            "{name}"
        );
        assert_eq!(parameters.audio.is_some(), has_audio, "{name}");

        let expected = packets(&path, "v");
        let zero = expected.iter().map(|(pts, _)| *pts).min().unwrap();
        let expected: Vec<_> = expected.iter().map(|(pts, size)| (pts - zero, *size)).collect();
        let video: Vec<_> = played.of(TrackKind::Video).map(|f| (f.pts, f.data.len())).collect();
        assert_eq!(video, expected, "{name}");
        assert_eq!(video.len(), 75, "{name}");
        assert!(played.total.is_none_or(|total| total == 75), "{name}: {:?}", played.total);
        if name.ends_with("avc.mp4") {
            assert_eq!(played.total, Some(75));
        }

        if let Some(audio) = &parameters.audio {
            assert_eq!((audio.channels, audio.sample_rate, audio.rfc6381.as_str()), (1, 48_000, "mp4a.40.2"));
            let shift = zero * i64::from(audio.timescale) / i64::from(parameters.video.timescale);
            let expected: Vec<_> = packets(&path, "a").iter().map(|(pts, size)| (pts - shift, *size)).collect();
            let audio: Vec<_> = played.of(TrackKind::Audio).map(|f| (f.pts, f.data.len())).collect();
            assert_eq!(audio, expected, "{name}");
        }
    }
}

#[tokio::test]
async fn the_first_video_that_can_be_recorded_is() {
    for name in ["two.mkv", "two.mov"] {
        let path = FILES.path(name);
        let played = played(&path, FileOptions::default(), usize::MAX).await;
        assert!(played.error.is_none(), "{name}: {:?}", played.error);
        assert_eq!(played.of(TrackKind::Video).count(), packets(&path, "v:1").len(), "{name}");
    }
}

#[tokio::test]
async fn tracks_are_merged_in_time() {
    for name in ["avc.mp4", "fragmented.mp4", "hybrid.mp4"] {
        let played = played(&FILES.path(name), FileOptions::default(), usize::MAX).await;
        let parameters = &played.parameters[0];
        let video_scale = f64::from(parameters.video.timescale);
        let audio_scale = f64::from(parameters.audio.as_ref().unwrap().timescale);
        let mut video = 0.0_f64;
        let mut audio = 0.0_f64;
        for frame in &played.frames {
            match frame.track {
                TrackKind::Video => video = video.max(frame.pts as f64 / video_scale),
                TrackKind::Audio => audio = frame.pts as f64 / audio_scale,
            }
            // Two B-frames of 40 ms between decoding and showing.
            assert!((video - audio).abs() < 0.25, "{name}: {video} {audio}");
        }
    }
}

#[tokio::test]
async fn frames_are_told_apart() {
    let avc = played(&FILES.path("avc.mp4"), FileOptions::default(), usize::MAX).await;
    let hevc = played(&FILES.path("hevc.mp4"), FileOptions::default(), usize::MAX).await;
    for (name, played) in [("avc", &avc), ("hevc", &hevc)] {
        let count = |kind| played.of(TrackKind::Video).filter(|frame| frame.reference == kind).count();
        let keys: Vec<_> =
            played.of(TrackKind::Video).enumerate().filter(|(_, f)| f.reference == Reference::RandomAccess).collect();
        assert_eq!(keys[0].0, 0, "{name}");
        assert_eq!(keys.len(), if name == "avc" { 3 } else { 4 }, "{name}");
        assert!(count(Reference::Disposable) > 20, "{name}: {}", count(Reference::Disposable));
        assert!(count(Reference::Needed) > 10, "{name}: {}", count(Reference::Needed));
    }
    // Open GOP: a CRA (type 21), and frames after it that are shown before it.
    let cra = hevc.frames.iter().rposition(|frame| nal_types(&frame.data).contains(&21));
    let cra = cra.expect("open-gop makes CRA pictures");
    assert!(hevc.frames[cra + 1].pts < hevc.frames[cra].pts);
}

fn nal_types(frame: &[u8]) -> Vec<u8> {
    edge_uploader::camera::nal::units(frame).map(|unit| (unit[0] >> 1) & 0x3f).collect()
}

/// The parameter sets in the record of a sample entry.
fn parameter_sets(record: &[u8], codec: VideoCodec) -> Vec<Vec<u8>> {
    let mut sets = Vec::new();
    let mut at;
    let mut take = |at: &mut usize, count: usize| {
        for _ in 0..count {
            let length = usize::from(u16::from_be_bytes([record[*at], record[*at + 1]]));
            sets.push(record[*at + 2..*at + 2 + length].to_vec());
            *at += 2 + length;
        }
    };
    match codec {
        VideoCodec::H264 => {
            at = 6;
            take(&mut at, usize::from(record[5] & 0x1f));
            let count = usize::from(record[at]);
            at += 1;
            take(&mut at, count);
        }
        VideoCodec::H265 => {
            at = 23;
            for _ in 0..record[22] {
                let count = usize::from(u16::from_be_bytes([record[at + 1], record[at + 2]]));
                at += 3;
                take(&mut at, count);
            }
        }
    }
    sets
}

/// What is called disposable can be left out, and the rest decodes without a complaint.
#[tokio::test]
async fn without_the_disposable_frames_the_rest_decodes() {
    for (name, start_codes) in [("avc.mp4", "h264"), ("hevc.mp4", "hevc")] {
        let played = played(&FILES.path(name), FileOptions::default(), usize::MAX).await;
        let stream = FILES.path(&format!("kept.{start_codes}"));
        let mut bytes = Vec::new();
        let mut unit = |unit: &[u8]| {
            bytes.extend_from_slice(&[0, 0, 0, 1]);
            bytes.extend_from_slice(unit);
        };
        // The first frames hold the parameter sets too: x264 and x265 repeat none, so take them from the record.
        for set in parameter_sets(&played.parameters[0].video.config, played.parameters[0].video.codec) {
            unit(&set);
        }
        let kept: Vec<_> = played.of(TrackKind::Video).filter(|f| f.reference != Reference::Disposable).collect();
        for frame in &kept {
            edge_uploader::camera::nal::units(&frame.data).for_each(&mut unit);
        }
        std::fs::write(&stream, &bytes).unwrap();
        let output = Command::new("ffmpeg")
            .args(["-v", "error", "-f", start_codes, "-i"])
            .arg(&stream)
            .args(["-fps_mode", "passthrough", "-f", "framemd5", "-"])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{name}");
        let decoded = String::from_utf8(output.stdout).unwrap().lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(decoded, kept.len(), "{name}");
    }
}

#[tokio::test]
async fn real_clips_play() {
    let Some(data) = std::env::var_os("FRAMEPOST_TEST_DATA") else {
        eprintln!("skipped: FRAMEPOST_TEST_DATA is not set");
        return;
    };
    let clips = Arc::new(PathBuf::from(data).join("clips"));
    for clip in std::fs::read_dir(&*clips).unwrap() {
        let path = clip.unwrap().path();
        let played = played(&path, FileOptions::default(), usize::MAX).await;
        assert!(played.error.is_none(), "{}: {:?}", path.display(), played.error);
        let expected = packets(&path, "v");
        let zero = expected.iter().map(|(pts, _)| *pts).min().unwrap();
        let expected: Vec<_> = expected.iter().map(|(pts, size)| (pts - zero, *size)).collect();
        let video: Vec<_> = played.of(TrackKind::Video).map(|f| (f.pts, f.data.len())).collect();
        assert_eq!(video, expected, "{}", path.display());
        assert_eq!(played.frames[0].reference, Reference::RandomAccess, "{}", path.display());
    }
}
