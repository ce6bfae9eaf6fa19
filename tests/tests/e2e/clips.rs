//! Files through the whole pipeline: every packet of the source is recorded, at its time.

use framepost_events::ObjectKey;
use framepost_tests::binaries::Running;
use framepost_tests::bucket::Bucket;
use framepost_tests::edge;
use framepost_tests::judge::assert_faultless;
use framepost_tests::judge::packets::{Stream, packets, same_packets};
use framepost_tests::judge::recording::{Chunk, Recording};
use framepost_tests::media::{Clip, shared_data};
use framepost_tests::onebox::Onebox;
use std::path::Path;
use std::time::Duration;

/// Records `source` with `framepost up` and returns all faults of the recording.
fn faults_of(source: &Path, streams: &[Stream], frame_seconds: f64) -> Vec<String> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut onebox = Onebox::up(directory.path(), &[source]);
    onebox.running.wait_for_exit_code(0, Duration::from_mins(5));
    let recording = Recording::only(&onebox.bucket(), &onebox.records());
    let mut faults = recording.is_the_same_as(source, streams).err().unwrap_or_default();
    match recording.judge(frame_seconds) {
        Ok(spans) if spans.len() == 1 => {}
        Ok(spans) => faults.push(format!("one span was expected: {spans:?}")),
        Err(more) => faults.extend(more),
    }
    let sound = streams.contains(&Stream::Audio);
    if recording.chunks.iter().any(|chunk| chunk.attributes.audio.is_some() != sound) {
        faults.push(format!("there has to be sound: {sound}; and there is otherwise"));
    }
    faults.into_iter().map(|fault| format!("{}: {fault}", source.display())).collect()
}

#[test]
fn the_shared_clip_comes_out_as_it_went_in() {
    let Some(data) = shared_data() else { return };
    let clip = data.join("clips/one-by-one-person-detection.mp4");
    assert_faultless(&faults_of(&clip, &[Stream::Video], 1.0 / 10.0));
}

#[test]
fn the_other_shared_clips_come_out_as_they_went_in() {
    let Some(data) = shared_data() else { return };
    let mut faults = faults_of(&data.join("clips/bottle-detection.mp4"), &[Stream::Video], 1.0 / 10.0);
    let gizmo = data.join("clips/gizmo_hevc_8bit_420.mp4");
    faults.extend(faults_of(&gizmo, &[Stream::Video, Stream::Audio], 1.0 / 10.0));
    assert_faultless(&faults);
}

#[test]
fn every_codec_container_and_gop_structure_comes_out_as_it_went_in() {
    let mut faults = Vec::new();
    for clip in Clip::SHORT {
        let both = [Stream::Video, Stream::Audio];
        let streams = if clip.has_aac() { &both[..] } else { &both[..1] };
        faults.extend(faults_of(&clip.path(), streams, clip.frame_seconds()));
    }
    assert_faultless(&faults);
}

#[test]
fn several_files_are_several_cameras() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let clips = [Clip::H264.path(), Clip::H265.path()];
    let mut onebox = Onebox::up(directory.path(), &clips);
    onebox.running.wait_for_exit_code(0, Duration::from_mins(2));
    let bucket = onebox.bucket();
    let records = onebox.records();
    let cameras = bucket.cameras();
    assert_eq!(cameras.len(), 2, "{cameras:?}");
    let mut found: Vec<_> = cameras
        .iter()
        .map(|camera| Recording::new(&bucket, camera, &records))
        .map(|recording| {
            recording.judge(1.0 / 25.0).unwrap_or_else(|faults| panic!("{faults:#?}"));
            recording.packets(Stream::Video).expect("the chunks' packets")
        })
        .collect();
    for clip in clips {
        let source = packets(&clip, Stream::Video).expect("the clip's packets");
        let same = found.iter().position(|found| same_packets(&source, found).is_ok());
        found.remove(same.unwrap_or_else(|| panic!("no camera shows {}", clip.display())));
    }
}

#[test]
fn a_backfill_puts_a_file_into_a_directory_as_fast_as_it_can() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let destination = directory.path().join("archive");
    let to = format!("file://{}", destination.display());
    let clip = Clip::H264Aac.path();
    let mut command = edge::backfill(&clip, &directory.path().join("spool"), &to);
    command.args(["--start", "2026-11-20T23:59:57.5Z"]);
    let mut running = Running::start(&mut command);
    running.wait_for_exit_code(0, Duration::from_mins(1));

    let recording = Recording::without_records(&Bucket::at(&destination), "gate");
    let spans = recording.judge(1.0 / 25.0).unwrap_or_else(|faults| panic!("{faults:#?}"));
    assert_eq!(spans.len(), 1, "{spans:?}");
    recording.is_the_same_as(&clip, &[Stream::Video, Stream::Audio]).unwrap_or_else(|faults| panic!("{faults:#?}"));
    let first: ObjectKey = "plant-7/2026-11-20/gate/23/59-57.500000Z.0.mp4".parse().expect("a key");
    assert_eq!(recording.chunks[0].object.key, first);
    let after_midnight = |chunk: &Chunk| chunk.object.key.to_string().contains("/2026-11-21/gate/00/");
    assert!(recording.chunks.iter().any(after_midnight), "midnight passed");
}
