//! ffprobe and ffmpeg judge chunks of files that ffmpeg made.

use super::super::timeline::wall_after;
use super::super::{Keep, SegmentSettings, Segmenter, repair};
use super::*;
use crate::camera::nal::Referencing;
use framepost_events::attributes::ChunkStart;
use std::fmt::Write as _;
use std::io::Cursor;
use std::path::Path;
use std::process::Command;

/// Standard output of a program that must end well and say nothing else.
pub(super) fn silent(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(["-v", "error"]).args(arguments).output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.is_empty(), "{program} {arguments:?}: {complaints}");
    String::from_utf8(output.stdout).unwrap()
}

/// Whether the judges are here.
pub(super) fn judges() -> bool {
    let here = ["ffmpeg", "ffprobe"].iter().all(|name| Command::new(name).arg("-version").output().is_ok());
    if !here {
        eprintln!("skipped: ffmpeg and ffprobe are not installed");
    }
    here
}

/// Size and digest of every packet of a stream.
fn packets(path: &Path, stream: &str) -> Vec<(String, String)> {
    let text = silent("ffmpeg", &["-i", path.to_str().unwrap(), "-map", stream, "-c", "copy", "-f", "framemd5", "-"]);
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            // Side data may follow.
            let mut fields = line.split(',').skip(4).map(|field| field.trim().to_owned());
            let bytes = fields.next().unwrap();
            let digest = fields.next().unwrap();
            (bytes, digest)
        })
        .collect()
}

/// The frames of a file, interleaved by decoding time; sound begins one frame before the picture, as encoders do.
pub(super) fn demux(path: &Path) -> (StreamParameters, Vec<Frame>) {
    let (mp4, bytes) = re_mp4::Mp4::read_file(path).unwrap();
    let kind = |wanted| mp4.tracks().values().find(|track| track.kind == Some(wanted));
    let track = kind(re_mp4::TrackKind::Video).unwrap();
    let rfc6381 = track.codec_string(&mp4).unwrap();
    let h264 = rfc6381.starts_with("avc1");
    let mut parameters = parameters(u32::try_from(track.timescale).unwrap(), None);
    parameters.video = VideoParameters {
        codec: if h264 { VideoCodec::H264 } else { VideoCodec::H265 },
        config: track.raw_codec_config(&mp4).unwrap().into(),
        rfc6381,
        width: track.width,
        height: track.height,
        ..parameters.video
    };
    let mut frames = Vec::new();
    for sample in &track.samples {
        let data = sample_data(&bytes, sample);
        let reference = match sample.is_sync {
            true => Reference::RandomAccess,
            false if disposable(&data, h264) => Reference::Disposable,
            false => Reference::Needed,
        };
        let duration = u32::try_from(sample.duration).ok();
        let pts = sample.composition_timestamp;
        let arrival = Duration::ZERO;
        let order = sample.decode_timestamp as f64 / track.timescale as f64;
        frames.push((order, Frame { track: TrackKind::Video, pts, duration, reference, arrival, data }));
    }
    if let Some(track) = kind(re_mp4::TrackKind::Audio) {
        let at = bytes.windows(5).position(|window| window == [5, 0x80, 0x80, 0x80, 5]).unwrap() + 5;
        let rate = u32::try_from(track.timescale).unwrap();
        let config = Bytes::copy_from_slice(&bytes[at..at + 5]);
        let rfc6381 = "mp4a.40.2".to_owned();
        parameters.audio = Some(AudioParameters { config, rfc6381, channels: 1, sample_rate: rate, timescale: rate });
        for sample in &track.samples {
            let data = sample_data(&bytes, sample);
            let pts = sample.composition_timestamp - 1024;
            let reference = Reference::RandomAccess;
            let order = pts as f64 / track.timescale as f64;
            let duration = None;
            let arrival = Duration::ZERO;
            frames.push((order, Frame { track: TrackKind::Audio, pts, duration, reference, arrival, data }));
        }
    }
    frames.sort_by(|a, b| a.0.total_cmp(&b.0));
    (parameters, frames.into_iter().map(|(_, frame)| frame).collect())
}

fn sample_data(file: &[u8], sample: &re_mp4::Sample) -> Bytes {
    let number = |value| usize::try_from(value).unwrap();
    Bytes::copy_from_slice(&file[number(sample.offset)..][..number(sample.size)])
}

/// Whether no slice of the access unit is of a reference picture.
fn disposable(mut data: &[u8], h264: bool) -> bool {
    while let Some((length, rest)) = data.split_first_chunk() {
        let (nal, after) = rest.split_at(u32::from_be_bytes(*length) as usize);
        let referenced = if h264 {
            (1..=5).contains(&(nal[0] & 31)) && nal[0] & 0x60 != 0
        } else {
            let kind = nal[0] >> 1;
            kind < 32 && (kind > 15 || kind % 2 == 1)
        };
        if referenced {
            return false;
        }
        data = after;
    }
    true
}

fn segment(path: &Path, keep: Keep) -> (Vec<File>, Timestamp) {
    segment_as(SegmentSettings { keep, ..SegmentSettings::default() }, demux(path))
}

fn segment_as(
    settings: SegmentSettings,
    (parameters, frames): (StreamParameters, Vec<Frame>),
) -> (Vec<File>, Timestamp) {
    let timescale = parameters.video.timescale;
    let mut segmenter = Segmenter::new(settings, parameters, CLOCK);
    let mut outputs = Vec::new();
    for frame in frames {
        let wall = wall_after(epoch(), frame.pts, timescale);
        outputs.extend(segmenter.push(frame, wall).unwrap());
    }
    outputs.extend(segmenter.finish().unwrap());
    let (files, end) = files(outputs);
    (files, end.unwrap().0)
}

/// Every property that a stranger with ffprobe can see.
fn judge(name: &str, bytes: &[u8], attributes: &Attributes, directory: &Path) -> std::path::PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, bytes).unwrap();
    let text = path.to_str().unwrap();
    let first = silent("ffprobe", &["-select_streams", "v", "-show_entries", "packet=flags", "-of", "csv=p=0", text]);
    assert!(first.starts_with('K'), "{name}: {}", first.get(..10).unwrap_or_default());
    let duration = silent("ffprobe", &["-show_entries", "format=duration", "-of", "csv=p=0", text]);
    let duration: f64 = duration.trim().parse().unwrap();
    let claimed = attributes.duration.unwrap().as_secs_f64();
    let frame = 1.0 / attributes.video.as_ref().unwrap().framerate;
    // With sound, ffprobe counts from the first sound to the last, and delays reordered pictures beside it.
    let tolerance = if attributes.audio.is_some() { frame * 2.0 + 0.05 } else { frame };
    assert!((duration - claimed).abs() <= tolerance, "{name}: {duration} {claimed}");
    silent("ffmpeg", &["-i", text, "-f", "null", "-"]);
    path
}

fn whole(path: &Path, streams: &[&str], least: usize) {
    let directory = tempfile::tempdir().unwrap();
    let (files, end) = segment(path, Keep::All);
    assert!(files.len() >= least, "{} chunks", files.len());
    let mut paths = Vec::new();
    for (index, file) in files.iter().enumerate() {
        paths.push(judge(&format!("{index}.mp4"), &file.bytes, &file.attributes, directory.path()));
        let until = files.get(index + 1).map_or(end, |next| next.start);
        assert_eq!(file.attributes.to, Some(until));
    }
    for stream in streams {
        let union: Vec<_> = paths.iter().flat_map(|path| packets(path, stream)).collect();
        let source = packets(path, stream);
        let differ = union.iter().zip(&source).position(|(ours, theirs)| ours != theirs);
        assert_eq!((differ, union.len()), (None, source.len()), "{stream}");
    }
    // What a crash leaves of the first is as good.
    let file = &files[0];
    let torn = &file.part[..file.part.len() - 1];
    if let Ok(repaired) = repair(Cursor::new(torn), &file.draft) {
        let mut bytes = torn[..usize::try_from(repaired.keep_bytes).unwrap()].to_vec();
        bytes[..repaired.init.len()].copy_from_slice(&repaired.init);
        bytes.extend_from_slice(&repaired.tail);
        judge("repaired.mp4", &bytes, &repaired.attributes, directory.path());
    }
}

/// A synthetic film of ten seconds.
fn film(directory: &Path, arguments: &[&str]) -> std::path::PathBuf {
    let path = directory.join("film.mp4");
    let picture = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=10"];
    let mut command = vec!["-y"];
    command.extend(picture);
    command.extend(arguments);
    command.push(path.to_str().unwrap());
    silent("ffmpeg", &command);
    path
}

const SOUND: [&str; 8] = ["-f", "lavfi", "-i", "sine=duration=10", "-c:a", "aac", "-b:a", "64k"];
const H264: [&str; 6] = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"];
const H265: [&str; 6] = ["-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p"];

#[test]
fn films_of_every_structure_are_cut_without_loss() {
    if !judges() {
        return;
    }
    let table: [(&str, Vec<&str>, &[&str], usize); 8] = [
        ("low delay", [&H264[..], &["-g", "25", "-bf", "0"]].concat(), &["0:v"], 4),
        ("pyramid", [&H264[..], &["-g", "50", "-bf", "3"]].concat(), &["0:v"], 3),
        ("sound", [&SOUND[..], &H264, &["-g", "30", "-bf", "2"]].concat(), &["0:v", "0:a"], 3),
        ("odd rate", [&SOUND[..], &["-ar", "48000", "-r", "30000/1001"], &H264, &["-g", "30"]].concat(), &["0:v"], 3),
        ("all intra", [&H264[..], &["-g", "1"]].concat(), &["0:v"], 4),
        ("one group", [&H264[..], &["-g", "500", "-sc_threshold", "0"]].concat(), &["0:v"], 1),
        (
            "variable rate",
            [&["-vf", "select='lt(mod(n,10),3)+eq(mod(n,17),0)'", "-fps_mode", "vfr"], &H264[..], &["-g", "9"]]
                .concat(),
            &["0:v"],
            3,
        ),
        (
            "h265, closed",
            [&H265[..], &["-tag:v", "hvc1", "-x265-params", "log-level=none:keyint=25:open-gop=0:bframes=4"]].concat(),
            &["0:v"],
            3,
        ),
    ];
    for (name, arguments, streams, least) in table {
        eprintln!("{name}");
        let directory = tempfile::tempdir().unwrap();
        whole(&film(directory.path(), &arguments), streams, least);
    }
}

#[test]
fn open_groups_keep_their_leading_pictures() {
    if !judges() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let open = "log-level=none:keyint=25:min-keyint=25:scenecut=0:open-gop=1:bframes=4:b-adapt=0";
    let arguments = [&H265[..], &["-tag:v", "hvc1", "-x265-params", open]].concat();
    whole(&film(directory.path(), &arguments), &["0:v"], 3);
}

/// The digest of every picture, in the order in which they are shown, and how many packets there are.
fn pictures(input: &[&str]) -> Vec<String> {
    // A decoder that begins at a recovery point says what it misses.
    let arguments = [&["-v", "fatal", "-threads", "1"], input, &["-map", "0:v", "-fps_mode", "passthrough"]].concat();
    let output = Command::new("ffmpeg").args(arguments).args(["-f", "framemd5", "-"]).output().unwrap();
    assert!(output.status.success(), "{input:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|line| !line.starts_with('#')).map(|line| line.rsplit(',').next().unwrap().to_owned()).collect()
}

#[test]
fn films_without_idr_are_cut_and_decode_as_one() {
    if !judges() {
        return;
    }
    let x264 = |options: &'static str| [&H264[..], &["-x264-params", options]].concat();
    let x265 = |options: &'static str| [&H265[..], &["-tag:v", "hvc1", "-x265-params", options]].concat();
    for (name, arguments, skipped, starts) in [
        ("h264, open groups", x264("keyint=50:min-keyint=50:scenecut=0:open-gop=1:bframes=2:b-adapt=0"), 0, "SSS"),
        (
            "h264, open groups, joined",
            x264("keyint=50:min-keyint=50:scenecut=0:open-gop=1:bframes=2:b-adapt=0"),
            9,
            "BSS",
        ),
        ("h264, refreshed", x264("keyint=50:min-keyint=50:scenecut=0:intra-refresh=1"), 0, "SSS"),
        ("h264, one key frame", x264("keyint=9999:scenecut=0:bframes=3"), 0, "SBBB"),
        ("h265, one key frame", x265("log-level=none:keyint=-1:scenecut=0:bframes=4"), 0, "SBBB"),
        ("h265, CRA", x265("log-level=none:keyint=50:min-keyint=50:scenecut=0:open-gop=1:bframes=3"), 0, "SSS"),
        ("h265, RADL", x265("log-level=none:keyint=50:min-keyint=50:scenecut=0:open-gop=0:radl=2:bframes=3"), 0, "SSS"),
    ] {
        eprintln!("{name}");
        let directory = tempfile::tempdir().unwrap();
        let film = film(directory.path(), &arguments);
        let (parameters, mut frames) = demux(&film);
        let referencing = Referencing::new(parameters.video.codec, &parameters.video.config);
        for frame in &mut frames {
            frame.reference = referencing.of(&frame.data);
        }
        let frames = frames.split_off(skipped);
        let count = frames.len();
        // Random access frames are 2 s apart, or do not come again.
        let settings = SegmentSettings { chunk_max: Duration::from_secs(3), ..SegmentSettings::default() };
        let (files, _) = segment_as(settings, (parameters, frames));
        let mut list = String::new();
        let mut found = String::new();
        for (index, file) in files.iter().enumerate() {
            let path = directory.path().join(format!("{index}.mp4"));
            std::fs::write(&path, &file.bytes).unwrap();
            writeln!(list, "file '{}'", path.display()).unwrap();
            let path = path.to_str().unwrap();
            let flags =
                ["-v", "fatal", "-select_streams", "v", "-show_entries", "packet=flags", "-of", "csv=p=0", path];
            let first = Command::new("ffprobe").args(flags).output().unwrap().stdout.starts_with(b"K");
            assert_eq!(first, file.attributes.start == ChunkStart::RandomAccess, "{name}: {index}");
            found.push(if first { 'S' } else { 'B' });
            if first {
                assert!(!pictures(&["-i", path]).is_empty(), "{name}: {index} shows nothing on its own");
            }
        }
        assert!(found.starts_with(starts), "{name}: {found}");
        let packets: usize = files.iter().map(|file| samples(&file.bytes).len()).sum();
        assert_eq!(packets, count, "{name}");
        let whole = directory.path().join("list.txt");
        std::fs::write(&whole, list).unwrap();
        let ours = pictures(&["-f", "concat", "-safe", "0", "-i", whole.to_str().unwrap()]);
        let theirs = pictures(&["-i", film.to_str().unwrap()]);
        if skipped == 0 {
            assert_eq!((ours.len(), ours == theirs), (count, true), "{name}");
        } else {
            // From the first random access frame on, all is as it was.
            let same = ours.iter().rev().zip(theirs.iter().rev()).take_while(|(ours, theirs)| ours == theirs).count();
            assert!(same >= count - 50, "{name}: {same} of {count}");
        }
    }
}

#[test]
fn thinned_films_play() {
    if !judges() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = film(directory.path(), &[&SOUND[..], &H264, &["-g", "25", "-bf", "1", "-b_strategy", "0"]].concat());
    let every = Keep::Every(std::num::NonZeroU32::new(2).unwrap());
    for (keep, frames) in [(Keep::Keyframes, 10..=10), (every, 125..=140)] {
        let (files, end) = segment(&path, keep);
        let mut kept = 0;
        for (index, file) in files.iter().enumerate() {
            judge(&format!("{index}.mp4"), &file.bytes, &file.attributes, directory.path());
            kept += samples(&file.bytes).iter().filter(|sample| sample.track == 1).count();
        }
        assert!(frames.contains(&kept), "{keep:?} {kept}");
        assert_eq!(end, wall_after(epoch(), 10, 1));
    }
}

#[test]
fn the_reference_clip_is_cut_without_loss() {
    let Some(data) = std::env::var_os("FRAMEPOST_TEST_DATA") else {
        eprintln!("skipped: FRAMEPOST_TEST_DATA is not set");
        return;
    };
    if judges() {
        whole(&Path::new(&data).join("clips/one-by-one-person-detection.mp4"), &["0:v"], 10);
    }
}
