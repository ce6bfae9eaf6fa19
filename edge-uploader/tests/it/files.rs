//! Files as cameras, against what ffprobe says of the same files. ffmpeg makes them.

use edge_uploader::camera::file::{Began, FileCamera, FileOptions, Pace, Repeat};
use edge_uploader::camera::{Camera as _, CameraError, CameraEvent, SourceFault};
use edge_uploader::media::Timing;
use edge_uploader::media::{Frame, Reference, StreamParameters, TrackKind, VideoCodec};
use framepost_events::attributes::ClockSource;
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// Everything that a file gave.
#[derive(Default)]
struct Played {
    parameters: Vec<StreamParameters>,
    frames: Vec<Frame>,
    faults: Vec<SourceFault>,
    error: Option<CameraError>,
    timing: Option<Timing>,
    total: Option<u64>,
}

impl Played {
    fn of(&self, track: TrackKind) -> impl Iterator<Item = &Frame> {
        self.frames.iter().filter(move |frame| frame.track == track)
    }
}

async fn played(path: &Path, options: FileOptions, limit: usize) -> Played {
    let mut played = Played::default();
    let mut session = match FileCamera::new(path, options).connect().await {
        Ok(session) => session,
        Err(error) => return Played { error: Some(error), ..played },
    };
    (played.timing, played.total) = (Some(session.timing()), session.frames_total());
    while played.frames.len() < limit {
        match session.next().await {
            Ok(Some(CameraEvent::Parameters(parameters))) => played.parameters.push(parameters),
            Ok(Some(CameraEvent::Frame(frame))) => {
                assert!(!played.parameters.is_empty(), "parameters come first");
                played.frames.push(frame);
            }
            Ok(Some(CameraEvent::Fault(fault))) => played.faults.push(fault),
            Ok(Some(other)) => panic!("{other:?}"),
            Ok(None) => break,
            Err(error) => {
                played.error = Some(error);
                break;
            }
        }
    }
    played
}

fn ffmpeg(arguments: &str, output: &Path) {
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-nostdin"])
        .args(arguments.split_whitespace())
        .arg(output)
        .status()
        .expect("ffmpeg is installed");
    assert!(status.success(), "ffmpeg {arguments}");
}

/// `(pts, size)` of each packet of a kind of stream, in file order.
#[expect(clippy::unwrap_used, reason = "a test's own tool")]
fn packets(path: &Path, stream: &str) -> Vec<(i64, usize)> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", stream, "-show_entries", "packet=pts,size", "-of", "csv=p=0"])
        .arg(path)
        .output()
        .expect("ffprobe is installed");
    let text = String::from_utf8(output.stdout).unwrap();
    let fields = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    fields.filter(|f| f.len() >= 2).map(|f| (f[0].parse().unwrap(), f[1].parse().unwrap())).collect()
}

const PICTURE: &str = "-f lavfi -i testsrc2=size=192x108:rate=25:duration=3";
const SOUND: &str = "-f lavfi -i sine=frequency=440:sample_rate=48000:duration=3";
const H264: &str = "-c:v libx264 -preset veryfast -pix_fmt yuv420p -x264-params keyint=25:scenecut=0:bframes=2:log=-1";
const H265: &str = "-c:v libx265 -preset ultrafast -pix_fmt yuv420p -x265-params keyint=23:min-keyint=23:scenecut=0:bframes=3:b-adapt=0:b-pyramid=1:open-gop=1:log-level=none -tag:v hvc1";

/// An elementary stream of a second.
fn stream(codec: &str, size: &str) -> String {
    let codec = match codec {
        "h264" => "libx264 -preset veryfast -x264-params keyint=25:bframes=0:log=-1",
        _ => "libx265 -preset ultrafast -x265-params keyint=25:bframes=0:repeat-headers=1:log-level=none",
    };
    format!("-f lavfi -i testsrc2=size={size}:rate=25:duration=1 -pix_fmt yuv420p -c:v {codec}")
}

/// The files that the tests read, made once.
struct Files {
    directory: tempfile::TempDir,
}

impl Files {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

static FILES: LazyLock<Files> = LazyLock::new(|| {
    let files = Files { directory: tempfile::tempdir().expect("a temporary directory") };
    let make = |arguments: String, name: &str| ffmpeg(&arguments, &files.path(name));
    let copy = |of: &str| {
        format!("-i {} -map 0 -c copy -metadata creation_time=2026-01-02T03:04:05Z", files.path(of).display())
    };
    make(format!("{PICTURE} {SOUND} {H264} -c:a aac -metadata creation_time=2026-01-02T03:04:05Z"), "avc.mp4");
    make(format!("{PICTURE} {H265}"), "hevc.mp4");
    make(format!("{} -movflags +faststart", copy("avc.mp4")), "front.mp4");
    make(format!("{} -movflags +frag_keyframe+empty_moov+default_base_moof", copy("avc.mp4")), "fragmented.mp4");
    make(format!("{} -movflags +frag_every_frame+empty_moov", copy("avc.mp4")), "frame-fragments.mp4");
    make(format!("{} -movflags +frag_keyframe+separate_moof+default_base_moof", copy("avc.mp4")), "hybrid.mp4");
    make(copy("avc.mp4"), "avc.mkv");
    make(copy("hevc.mp4"), "hevc.mkv");
    make(format!("{PICTURE} {SOUND} {H264} -c:a libopus"), "opus.mp4");
    for name in ["two.mkv", "two.mov"] {
        make(format!("{PICTURE} -map 0:v -map 0:v {H264} -c:v:0 mjpeg -pix_fmt:v:0 yuvj420p"), name);
    }
    for codec in ["h264", "hevc"] {
        // A camera that is switched to another resolution while ffmpeg copies its stream, and back.
        let streams = ["192x108", "96x64", "192x108"].map(|size| {
            let name = format!("{size}.{codec}");
            make(stream(codec, size), &name);
            std::fs::read(files.path(&name)).expect("just made")
        });
        let joined = files.path(&format!("joined.{codec}"));
        std::fs::write(&joined, streams.concat()).expect("written");
        for container in ["mp4", "mkv"] {
            make(format!("-r 25 -i {} -c copy", joined.display()), &format!("changing-{codec}.{container}"));
        }
    }
    make(format!("{PICTURE} -c:v mpeg4"), "mpeg4.mp4");
    make(format!("{PICTURE} -c:v libvpx -b:v 200k"), "vp8.webm");
    files
});

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
async fn the_parameter_sets_of_the_frames_count() {
    for name in ["changing-h264.mp4", "changing-h264.mkv", "changing-hevc.mp4", "changing-hevc.mkv"] {
        let mut session = FileCamera::new(FILES.path(name), FileOptions::default()).connect().await.expect(name);
        let mut told = Vec::new();
        let mut frames = 0;
        while let Some(event) = session.next().await.expect(name) {
            match event {
                CameraEvent::Parameters(StreamParameters { video, .. }) => {
                    told.push((frames, video.width, video.height));
                }
                _ => frames += 1,
            }
        }
        assert_eq!((told, frames), (vec![(0, 192, 108), (25, 96, 64), (50, 192, 108)], 75), "{name}");
    }
}

#[tokio::test]
async fn parameter_sets_may_be_in_the_frames_only() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("avc3.mp4");
    for (source, frames, complete) in [("changing-h264.mp4", 75, true), ("avc.mp4", 0, false)] {
        let mut bytes = std::fs::read(FILES.path(source)).unwrap();
        let avcc = bytes.windows(4).position(|kind| kind == b"avcC").unwrap();
        bytes[avcc + 9..avcc + 11].copy_from_slice(&[0xe0, 0]);
        std::fs::write(&path, &bytes).unwrap();
        let played = played(&path, FileOptions::default(), usize::MAX).await;
        assert_eq!(played.of(TrackKind::Video).count(), frames, "{source}");
        match played.error {
            None => assert!(complete && played.parameters[0].video.width == 192, "{source}: {:?}", played.parameters),
            Some(error) => assert!(!complete && error.to_string().contains("parameter sets"), "{source}: {error}"),
        }
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

#[tokio::test]
async fn the_wall_clock_is_given_or_the_files_own() {
    let start = "2020-02-02T02:02:02.5Z".parse().unwrap();
    let avc = FILES.path("avc.mp4");
    let given = played(&avc, FileOptions { start: Some(Began::given(start)), ..FileOptions::default() }, 1).await;
    assert_eq!(given.timing, Some(Timing::Media { start, source: ClockSource::Given }));
    let created = "2026-01-02T03:04:05Z".parse().unwrap();
    for name in ["avc.mp4", "avc.mkv", "fragmented.mp4"] {
        let own = played(&FILES.path(name), FileOptions::default(), 1).await;
        assert_eq!(own.timing, Some(Timing::Media { start: created, source: ClockSource::File }), "{name}");
    }
    let hevc = FILES.path("hevc.mp4");
    let written = "2026-03-04T05:06:10Z".parse::<jiff::Timestamp>().unwrap();
    std::fs::File::options().append(true).open(&hevc).unwrap().set_modified(written.into()).unwrap();
    let start = "2026-03-04T05:06:07Z".parse().unwrap();
    let own = played(&hevc, FileOptions::default(), 1).await;
    assert_eq!(own.timing, Some(Timing::Media { start, source: ClockSource::File }));
    let looped = played(&avc, FileOptions { repeat: Repeat::Forever, ..FileOptions::default() }, 1).await;
    assert_eq!((looped.timing, looped.total), (Some(Timing::Arrival), None));
}

#[tokio::test]
async fn what_cannot_be_recorded_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("notes.mp4");
    std::fs::write(&text, "not a video at all").unwrap();
    let empty = directory.path().join("empty.mp4");
    std::fs::write(&empty, "").unwrap();
    for (path, words) in [
        (FILES.path("mpeg4.mp4"), "mp4v; H.264 and H.265"),
        (FILES.path("vp8.webm"), "V_VP8; H.264 and H.265"),
        (text, "neither MP4 nor Matroska"),
        (empty, "empty"),
        (directory.path().join("missing.mp4"), "cannot be opened"),
        (directory.path().to_owned(), "not a regular file"),
    ] {
        let error = played(&path, FileOptions::default(), 1).await.error.expect("an error");
        assert!(matches!(&error, CameraError::Unusable { problem, .. } if problem.contains(words)), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_repeated_file_goes_on_like_a_live_camera() {
    let options = FileOptions { repeat: Repeat::Forever, pace: Pace::Live, ..FileOptions::default() };
    let began = tokio::time::Instant::now();
    let played = played(&FILES.path("avc.mp4"), options, 700).await;
    let took = began.elapsed();
    assert!(played.error.is_none());
    assert_eq!(played.parameters.len(), 1, "the same parameters are not told again");
    let mut video: Vec<_> = played.of(TrackKind::Video).map(|f| f.pts).collect();
    assert!(video.len() > 75 * 3);
    video.sort_unstable();
    let scale = i64::from(played.parameters[0].video.timescale);
    let steps: Vec<_> = video.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // The last frames given may lack some that are shown before them.
    for step in &steps[..steps.len() - 4] {
        assert!((scale / 25..scale / 8).contains(step), "{step}");
    }
    let audio: Vec<_> = played.of(TrackKind::Audio).map(|f| f.pts).collect();
    assert!(audio.windows(2).all(|pair| pair[1] > pair[0]));
    let shown = Duration::from_secs_f64(video.len() as f64 / 25.0);
    assert!(took > shown.mul_f64(0.9) && took < shown.mul_f64(1.1), "{took:?} for {shown:?}");
}

#[tokio::test(start_paused = true)]
async fn dropping_the_future_loses_nothing() {
    let path = FILES.path("avc.mp4");
    let whole = played(&path, FileOptions::default(), usize::MAX).await.frames.len();
    let mut session =
        FileCamera::new(&path, FileOptions { pace: Pace::Live, ..FileOptions::default() }).connect().await.unwrap();
    let mut frames = 0;
    loop {
        // Shorter than the step between frames: most polls are dropped while they wait.
        match tokio::time::timeout(Duration::from_millis(7), session.next()).await {
            Err(_) => {}
            Ok(event) => match event.unwrap() {
                Some(CameraEvent::Frame(_)) => frames += 1,
                Some(_) => {}
                None => break,
            },
        }
    }
    assert_eq!(frames, whole);
}

#[tokio::test]
async fn a_truncated_file_gives_what_is_there() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["front.mp4", "fragmented.mp4", "avc.mkv"] {
        let bytes = std::fs::read(FILES.path(name)).unwrap();
        let cut = directory.path().join(name);
        std::fs::write(&cut, &bytes[..bytes.len() * 2 / 3]).unwrap();
        let played = played(&cut, FileOptions::default(), usize::MAX).await;
        let frames = played.of(TrackKind::Video).count();
        assert!((30..75).contains(&frames), "{name}: {frames}");
        let error = played.error.unwrap_or_else(|| panic!("{name}: no error after {frames} frames"));
        let text = error.to_string();
        assert!(matches!(error, CameraError::Unusable { .. }) && text.contains("cut short"), "{name}: {text}");
    }
}

/// A file with its bytes changed, inserted and cut; most changes fall on the structure.
fn mutated(original: &[u8], changes: &[(prop::sample::Index, u8)], cut: Option<prop::sample::Index>) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for (i, (index, byte)) in changes.iter().enumerate() {
        // Every other change lands in the first or the last 4 KiB, where the tables are.
        let near = bytes.len().min(4096);
        let at = match i % 3 {
            0 => index.index(near),
            1 => bytes.len() - near + index.index(near),
            _ => index.index(bytes.len()),
        };
        bytes[at] = *byte;
    }
    if let Some(cut) = cut {
        bytes.truncate(cut.index(bytes.len()));
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damage_never_panics_nor_hangs(
        name in prop::sample::select(vec!["avc.mp4", "front.mp4", "fragmented.mp4", "hybrid.mp4", "avc.mkv", "hevc.mkv"]),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in proptest::option::weighted(0.3, any::<prop::sample::Index>()),
    ) {
        let bytes = mutated(&std::fs::read(FILES.path(name)).unwrap(), &changes, cut);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        std::fs::write(&path, &bytes).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let played = runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(20), played(&path, FileOptions::default(), 100_000)).await
        });
        let played = played.expect("it ends in time");
        prop_assert!(played.frames.iter().all(|frame| frame.data.len() <= bytes.len() + 4096));
        let text = played.error.map(|error| error.to_string()).unwrap_or_default();
        prop_assert!(!text.contains("failed unexpectedly"), "a parser panicked: {}", text);
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

#[tokio::test]
async fn malformed_files_end_in_words() {
    let Some(data) = std::env::var_os("FRAMEPOST_TEST_DATA") else {
        eprintln!("skipped: FRAMEPOST_TEST_DATA is not set");
        return;
    };
    let mut files = 0;
    for directory in std::fs::read_dir(PathBuf::from(data).join("malformed")).unwrap() {
        for file in std::fs::read_dir(directory.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let ended =
                tokio::time::timeout(Duration::from_secs(10), played(&path, FileOptions::default(), 10_000)).await;
            let ended = ended.unwrap_or_else(|_| panic!("{} hangs", path.display()));
            let told = ended.error.is_some() || !ended.faults.is_empty();
            assert!(!ended.frames.is_empty() || told, "{}: neither frames nor words", path.display());
            let text = ended.error.map(|error| error.to_string()).unwrap_or_default();
            assert!(!text.contains("failed unexpectedly"), "{text}");
            files += 1;
        }
    }
    assert!(files > 0);
}
