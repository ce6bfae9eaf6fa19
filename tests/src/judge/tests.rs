//! Tests of the judge with intact and with broken chunks made by ffmpeg.

use super::packets::{Stream, packets, same_packets};
use super::*;
use crate::media::{Clip, ffmpeg};
use framepost_events::attributes::VideoAttributes;
use std::path::PathBuf;

/// Makes two chunks of four seconds each in the layout that Framepost writes.
fn two_chunks(directory: &Path) -> [PathBuf; 2] {
    let source = Clip::H264.path();
    let source = source.to_str().unwrap();
    [("0", "a.mp4"), ("4", "b.mp4")].map(|(start, name)| {
        let path = directory.join(name);
        let flags = "frag_keyframe+empty_moov+default_base_moof";
        let times = ["-ss", start, "-i", source, "-frames:v", "100", "-avoid_negative_ts", "make_zero"];
        ffmpeg(times.into_iter().chain(["-c", "copy", "-movflags", flags, "-write_prft", "wallclock"]), &path);
        // ffmpeg's fragmenting writer does not write `mehd`.
        let bytes = with_mehd(&std::fs::read(&path).unwrap());
        std::fs::write(&path, bytes).unwrap();
        path
    })
}

/// Inserts an `mehd` of 4 s (movie timescale 1000) into `mvex`, and adapts sizes and offsets.
fn with_mehd(file: &[u8]) -> Vec<u8> {
    let found = boxes::top_level(file).unwrap();
    let mvex = boxes::in_moov(file, &found, &["mvex"]).unwrap();
    let mvex_at = mvex.as_ptr() as usize - file.as_ptr() as usize;
    let moov_at = found.iter().find(|b| b.kind == "moov").unwrap().start;
    let mut out = file.to_vec();
    for at in [mvex_at, moov_at] {
        let size = u32::from_be_bytes(out[at..at + 4].try_into().unwrap()) + 16;
        out[at..at + 4].copy_from_slice(&size.to_be_bytes());
    }
    let mut mehd = Vec::from(16_u32.to_be_bytes());
    mehd.extend(b"mehd\0\0\0\0");
    mehd.extend(4000_u32.to_be_bytes());
    out.splice(mvex_at + 8..mvex_at + 8, mehd);
    // The offsets in `mfra` are now 16 bytes too small. Neither ffprobe nor the judge reads them.
    out
}

fn claims() -> Claims<'static> {
    Claims { key: None, seconds: Some(4.0), attributes: None, frame_seconds: 0.04 }
}

fn faults_of(bytes: &[u8], claims: &Claims<'_>) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("broken.mp4");
    std::fs::write(&path, bytes).unwrap();
    judge_chunk(&path, claims).join("\n")
}

#[test]
fn a_whole_chunk_passes_and_its_packets_are_the_sources() {
    let directory = tempfile::tempdir().unwrap();
    let chunks = two_chunks(directory.path());
    for chunk in &chunks {
        assert_faultless(&judge_chunk(chunk, &claims()));
    }
    let source = packets(&Clip::H264.path(), Stream::Video).unwrap();
    let [a, b] = chunks.each_ref().map(|chunk| packets(chunk, Stream::Video).unwrap());
    assert_eq!(source.len(), 250);
    assert_eq!(same_packets(&source[..200], &[a.clone(), b.clone()].concat()), Ok(()));
    assert!(same_packets(&source[..200], &[b.clone(), a.clone()].concat()).is_err(), "wrong order");
    assert!(same_packets(&source[..200], &[a.clone(), b[1..].to_vec()].concat()).is_err(), "one missing");
    assert!(same_packets(&source[..200], &[a[..].to_vec(), a[99..].to_vec(), b].concat()).is_err(), "one twice");
}

#[test]
fn every_way_of_breaking_a_chunk_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let [path, _] = two_chunks(directory.path());
    let whole = std::fs::read(&path).unwrap();
    let found = boxes::top_level(&whole).unwrap();
    let find = |kind: &str| found.iter().find(|b| b.kind == kind).unwrap().clone();
    let without = |range: std::ops::Range<usize>| [&whole[..range.start], &whole[range.end..]].concat();

    let prft = find("prft");
    let mfra = find("mfra");
    let moof = find("moof");
    let mdat = find("mdat");
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        bytes
    };
    let tfdt = whole.windows(4).position(|w| w == b"tfdt").unwrap();
    let mehd = whole.windows(4).position(|w| w == b"mehd").unwrap();
    for (what, bytes, expected) in [
        ("cut in the middle", whole[..whole.len() / 2].to_vec(), "are left"),
        ("cut at the end of mdat", whole[..mfra.start].to_vec(), "expected ftyp moov"),
        ("no prft", without(prft.start..prft.end), "expected ftyp moov"),
        ("fragment lost", without(prft.start..mdat.end), "the record says 4 s"),
        ("decode time moved", changed(&|b| b[tfdt + 15] = 1), "decode times"),
        ("no mehd", changed(&|b| b[mehd..mehd + 4].copy_from_slice(b"free")), "no mehd"),
        (
            "picture overwritten",
            changed(&|b| b[mdat.start + 200..mdat.end - 200].fill(0xa5)),
            "does not decode cleanly",
        ),
        ("no moof", changed(&|b| b[moof.start + 4..moof.start + 8].copy_from_slice(b"free")), "expected ftyp moov"),
        ("empty", Vec::new(), "expected ftyp moov"),
        ("not a video", b"what is this? certainly no chunk".to_vec(), "bytes"),
    ] {
        let faults = faults_of(&bytes, &claims());
        assert!(faults.contains(expected), "{what}: {faults:?}");
    }
}

#[test]
fn a_chunk_that_starts_between_random_access_frames_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("late.mp4");
    let source = Clip::H264.path();
    let drop = "noise=drop=lt(n\\,5)";
    let arguments = ["-copyinkf", "-bsf:v", drop, "-movflags", "frag_keyframe+empty_moov+default_base_moof"];
    let all = ["-i", source.to_str().unwrap(), "-c", "copy"].into_iter().chain(arguments);
    ffmpeg(all, &path);
    let faults = judge_chunk(&path, &claims()).join("\n");
    assert!(faults.contains("does not start with a random access frame"), "{faults}");
}

#[test]
fn claims_are_held_against_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let [path, _] = two_chunks(directory.path());
    let key = "s/2026-11-20/c/15/08-23Z.0.mp4";
    let attributes = Attributes {
        from: Some("2026-11-20T15:08:23Z".parse().unwrap()),
        to: Some("2026-11-20T15:08:27Z".parse().unwrap()),
        duration: Some(jiff::SignedDuration::from_secs(4)),
        full_content_type: Some("video/mp4; codecs=\"avc1.42C00D\"".to_owned()),
        video: Some(VideoAttributes { width: 320, height: 240, framerate: 25.0, bitrate_kbps: 1 }),
        seek_table: Some(b"\0\0\0\x08mfra".to_vec()),
        sha256: Some(Sha256::of(&std::fs::read(&path).unwrap())),
        ..Attributes::default()
    };
    let all = Claims { key: Some(key), attributes: Some(&attributes), ..claims() };
    assert_faultless(&judge_chunk(&path, &all));

    let change = |change: &dyn Fn(&mut Attributes)| {
        let mut attributes = attributes.clone();
        change(&mut attributes);
        attributes
    };
    for (attributes, expected) in [
        (change(&|a| a.sha256 = Some(Sha256::of(b"other"))), "Sha256"),
        (change(&|a| a.to = a.from), "apart"),
        (change(&|a| a.duration = Some(jiff::SignedDuration::from_millis(4100))), "Duration says"),
        (change(&|a| a.from = None), "From"),
        (change(&|a| a.video = None), "VideoWidth"),
        (change(&|a| a.video.as_mut().unwrap().width = 319), "319x240"),
        (change(&|a| a.full_content_type = None), "FullContentType"),
        (change(&|a| a.seek_table = Some(vec![0; 16])), "SeekTable"),
    ] {
        let faults = judge_chunk(&path, &Claims { attributes: Some(&attributes), ..all.clone() }).join("\n");
        assert!(faults.contains(expected), "{expected}: {faults:?}");
    }
    for (key, expected) in [
        ("s/2026-11-20/c/15/08-24Z.0.mp4", "the key says"),
        ("s/2026-11-20/c/15/08-23.000000Z.0.mp4", "would be written"),
        ("s/2026-11-20/c/15/08-23Z.0.mp4_end", "not the key of a camera's chunk"),
        ("2026-11-20/15/08-23Z.0.mp4", "not the key of a camera's chunk"),
        ("clip.mp4", "not an ONVIF object key"),
    ] {
        let faults = judge_chunk(&path, &Claims { key: Some(key), ..all.clone() }).join("\n");
        assert!(faults.contains(expected), "{key}: {faults:?}");
    }
    let faults = judge_chunk(&path, &Claims { seconds: Some(4.05), ..all }).join("\n");
    assert!(faults.contains("the record says 4.05 s"), "{faults:?}");
}

/// A bucket with two chunks and a span end in the local layout, with their records.
mod recordings {
    use super::*;
    use crate::bucket::Bucket;
    use crate::judge::recording::Recording;
    use framepost_events::finalized::{ObjectFinalized, Provider};
    use framepost_events::record::{self, ChunkProbed, Container, Data, Integrity, ObjectRef, Record, SpanEnded};
    use jiff::{SignedDuration, Timestamp};

    const CHUNKS: [&str; 2] = ["s/2026-11-20/c/15/08-20Z.0.mp4", "s/2026-11-20/c/15/08-24Z.1.mp4"];
    const END: &str = "s/2026-11-20/c/15/08-28Z.2.mp4_end";

    fn integrity(sha256: Option<Sha256>) -> Integrity {
        let chain = record::Chain { state: record::ChainState::Absent, previous: None, manifest: None };
        Integrity { sha256, content: None, signature: record::Signature::Absent, key_id: None, chain }
    }

    fn record(key: &str, data: impl FnOnce(ObjectRef) -> Data) -> Record {
        let event = ObjectFinalized {
            provider: Provider::Local,
            bucket: "footage".to_owned(),
            key: key.to_owned(),
            version: "1".to_owned(),
            size: None,
            time: "2026-11-20T15:09:00Z".parse().unwrap(),
            media_link: None,
            region: None,
            read_version: None,
        };
        Record::about(&(&event).into(), event.time, data(ObjectRef::from(&event)))
    }

    fn note(root: &Path, key: &str, attributes: &Attributes) {
        let digest = Sha256::of(key.as_bytes()).to_string();
        let path = root.join(".framepost/meta").join(&digest[..2]).join(format!("{digest}.json"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let metadata = attributes.to_metadata().unwrap();
        std::fs::write(path, serde_json::json!({ "key": key, "metadata": metadata }).to_string()).unwrap();
    }

    fn bucket(root: &Path) -> Vec<Record> {
        let mut records = Vec::new();
        for (file, key) in two_chunks(root).into_iter().zip(CHUNKS) {
            std::fs::create_dir_all(root.join(key).parent().unwrap()).unwrap();
            std::fs::rename(file, root.join(key)).unwrap();
            let bytes = std::fs::read(root.join(key)).unwrap();
            let from = key.parse::<ObjectKey>().unwrap().start;
            let attributes = Attributes {
                from: Some(from),
                to: Some(from + SignedDuration::from_secs(4)),
                duration: Some(SignedDuration::from_secs(4)),
                full_content_type: Some("video/mp4; codecs=\"avc1.42C00D\"".to_owned()),
                video: Some(VideoAttributes { width: 320, height: 240, framerate: 25.0, bitrate_kbps: 1 }),
                seek_table: Some(b"\0\0\0\x08mfra".to_vec()),
                sha256: Some(Sha256::of(&bytes)),
                ..Attributes::default()
            };
            note(root, key, &attributes);
            records.push(record(key, |object| {
                Data::ChunkProbed(Box::new(ChunkProbed {
                    site: None,
                    camera: None,
                    duration: record::Duration { from: attributes.from, to: attributes.to, seconds: Some(4.0) },
                    resolution: record::Resolution {
                        width: 320,
                        height: 240,
                        channels: 3,
                        rotation: None,
                        mirrored: None,
                        pixel_aspect: None,
                    },
                    media_link: String::new(),
                    codec: "avc1.42C00D".to_owned(),
                    frame_rate: None,
                    audio: None,
                    container: Container::Fmp4,
                    size_bytes: bytes.len() as u64,
                    init_bytes: None,
                    media_end: None,
                    timescale: None,
                    sample_entry_digest: None,
                    activity: None,
                    object,
                    starts_with_random_access: Some(true),
                    clock: None,
                    integrity: integrity(attributes.sha256),
                }))
            }));
        }
        std::fs::write(root.join(END), b"").unwrap();
        let end: Timestamp = "2026-11-20T15:08:28Z".parse().unwrap();
        records.push(record(END, |object| {
            let integrity = integrity(None);
            Data::SpanEnded(Box::new(SpanEnded { site: None, camera: None, end, chunks: 2, object, integrity }))
        }));
        records
    }

    #[test]
    fn a_whole_recording_passes_and_everything_missing_is_missed() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let records = bucket(root);
        let judge = |records: &[Record]| Recording::only(&Bucket::at(root), records).judge(0.04);
        let faults = |records: &[Record]| judge(records).expect_err("a fault").join("\n");
        assert_eq!(judge(&records).unwrap().len(), 1);

        assert!(faults(&records[1..]).contains("no record"));
        assert!(faults(&records[..2]).contains("no record"));
        assert!(faults(&[&records[..], &records[..1]].concat()).contains("2 records"));
        let changed = |change: &dyn Fn(&mut ChunkProbed)| {
            let mut records = records.clone();
            if let Data::ChunkProbed(chunk) = &mut records[0].data {
                change(chunk);
            }
            faults(&records)
        };
        assert!(changed(&|chunk| chunk.duration.seconds = Some(4.1)).contains("the record says 4.1 s"));
        assert!(changed(&|chunk| chunk.duration.seconds = None).contains("the record says"));
        assert!(changed(&|chunk| chunk.size_bytes += 1).contains("bytes"));
        assert!(changed(&|chunk| chunk.integrity.sha256 = None).contains("digest"));
        assert!(changed(&|chunk| chunk.resolution.width = 1).contains("Resolution"));

        let stray = root.join("s/2026-11-20/c/15/08-24Z.1.mp4.tmp");
        std::fs::write(&stray, b"x").unwrap();
        assert!(faults(&records).contains("no objects"));
        std::fs::remove_file(stray).unwrap();
        std::fs::remove_file(root.join(END)).unwrap();
        assert!(faults(&records).contains("not closed"));
        std::fs::write(root.join(END), b"").unwrap();
        std::fs::remove_file(root.join(CHUNKS[0])).unwrap();
        assert!(faults(&records).contains("the chunk before it is missing"));
    }

    #[test]
    fn a_recording_is_its_source_or_it_is_not() {
        let directory = tempfile::tempdir().unwrap();
        bucket(directory.path());
        let recording = Recording::without_records(&Bucket::at(directory.path()), "c");
        let source = directory.path().join(".source.mp4");
        let clip = Clip::H264.path();
        let first = |frames: &str, out: &Path| {
            ffmpeg(["-i", clip.to_str().unwrap(), "-c", "copy", "-frames:v", frames], out);
        };
        first("200", &source);
        assert_eq!(recording.is_the_same_as(&source, &[Stream::Video]), Ok(()));
        first("201", &source);
        let faults = recording.is_the_same_as(&source, &[Stream::Video]).unwrap_err();
        assert!(faults[0].contains("200 packets, 201 in the source"), "{faults:?}");

        let mut late = recording;
        first("200", &source);
        late.chunks[1].attributes.from = Some("2026-11-20T15:08:24.002Z".parse().unwrap());
        let faults = late.is_the_same_as(&source, &[Stream::Video]).unwrap_err();
        assert!(faults[0].contains("2.000 ms off"), "{faults:?}");
    }
}
