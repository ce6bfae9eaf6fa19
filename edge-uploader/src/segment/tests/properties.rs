//! Random group structures, orders, durations and sounds.

use super::super::timeline::wall_after;
use super::super::{RepairError, SegmentSettings, Segmenter, repair};
use super::*;
use framepost_events::attributes::ChunkStart;
use proptest::prelude::*;
use std::io::Cursor;

const TIMESCALE: u32 = 90_000;

/// One group: leading pictures before its random access frame in presentation, then runs of `reordered + 1` frames.
#[derive(Debug, Clone)]
struct Group {
    leading: usize,
    runs: Vec<usize>,
}

fn groups() -> impl Strategy<Value = Vec<Group>> {
    let group = (0_usize..4, proptest::collection::vec(0_usize..5, 0..30));
    let group = group.prop_map(|(leading, runs)| Group { leading, runs });
    proptest::collection::vec(group, 1..12)
}

/// The frames in decoding order; presentation times follow each other at these distances.
fn video(groups: &[Group], steps: &[i64]) -> Vec<Frame> {
    let mut steps = steps.iter().cycle();
    let mut time = 0;
    let mut next = || {
        time += steps.next().unwrap();
        time
    };
    let mut frames = Vec::new();
    for group in groups {
        // What is shown first was decoded second.
        let runs = std::iter::once((RandomAccess, group.leading)).chain(group.runs.iter().map(|run| (Needed, *run)));
        for (reference, before) in runs {
            let times: Vec<i64> = (0..before).map(|_| next()).collect();
            frames.push(frame(TrackKind::Video, next(), reference));
            // A small pyramid: the middle one first.
            let mut order: Vec<i64> = times.clone();
            if order.len() > 2 {
                order.swap(0, times.len() / 2);
            }
            frames.extend(order.into_iter().map(|pts| frame(TrackKind::Video, pts, Reference::Disposable)));
        }
    }
    frames
}
use Reference::{Needed, RandomAccess};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn nothing_is_lost_and_every_time_is_kept(
        groups in groups(),
        steps in proptest::collection::vec(1_i64..9000, 1..20),
        sound in any::<bool>(),
        skew in 0_i64..45_000,
        cuts in proptest::collection::vec(0.0_f64..1.0, 4),
    ) {
        let pictures = video(&groups, &steps);
        let last = pictures.iter().map(|frame| frame.pts).max().unwrap();
        let sounds: Vec<Frame> = (0..if sound { last / 1920 + 1 } else { 0 })
            .map(|n| frame(TrackKind::Audio, n * 1024, Reference::RandomAccess)).collect();
        let mut all: Vec<(i64, Frame)> = Vec::new();
        let mut decoded = i64::MIN;
        for picture in &pictures {
            decoded = decoded.max(picture.pts);
            all.push((decoded, picture.clone()));
        }
        all.extend(sounds.iter().map(|sound| (sound.pts * 15 / 8 + skew, sound.clone())));
        all.sort_by_key(|(order, _)| *order);

        let settings = SegmentSettings::default();
        let mut segmenter = Segmenter::new(settings, parameters(TIMESCALE, sound.then_some(48_000)), CLOCK);
        let shared = if sound { 720_000 } else { TIMESCALE };
        let mut outputs = Vec::new();
        for (_, frame) in all {
            let wall = wall_after(epoch(), frame.pts, TIMESCALE);
            outputs.extend(segmenter.push(frame, wall).unwrap());
        }
        prop_assert_eq!(segmenter.stats().audio_late, 0);
        outputs.extend(segmenter.finish().unwrap());
        let (files, end) = files(outputs);

        let mut seen: [Vec<Vec<u8>>; 2] = Default::default();
        for (index, file) in files.iter().enumerate() {
            let read = samples(&file.bytes);
            prop_assert_eq!(file.counter, index as u64);
            prop_assert_eq!(file.attributes.from, Some(file.start));
            let until = files.get(index + 1).map_or(end.unwrap().0, |next| next.start);
            prop_assert_eq!(file.attributes.to, Some(until));
            prop_assert_eq!(read[0].flags & 0x1_0000 == 0, file.attributes.start == ChunkStart::RandomAccess);
            prop_assert_eq!(read.iter().map(|s| s.dts).min(), Some(0));
            for track in [1, 2] {
                let of: Vec<&Read> = read.iter().filter(|s| s.track == track).collect();
                prop_assert!(of.windows(2).all(|pair| pair[0].dts < pair[1].dts));
                prop_assert!(of.windows(2).all(|pair| pair[0].dts + i64::from(pair[0].duration) == pair[1].dts));
                seen[track as usize - 1].extend(of.iter().map(|s| s.data.clone()));
            }
            // The wall clock of every picture is where its time in the file says.
            for sample in read.iter().filter(|s| s.track == 1) {
                let text = String::from_utf8(sample.data.clone()).unwrap();
                let pts: i64 = text.split(' ').nth(1).unwrap().parse().unwrap();
                let wall = wall_after(epoch(), pts, TIMESCALE);
                let found = wall_after(file.start, sample.pts, shared);
                prop_assert!((found.as_microsecond() - wall.as_microsecond()).abs() <= 2, "{text}");
            }

            for cut in &cuts {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a length")]
                let length = (file.bytes.len() as f64 * cut) as usize;
                let repaired = match repair(Cursor::new(&file.bytes[..length]), &file.draft) {
                    Ok(repaired) => repaired,
                    Err(RepairError::Nothing) => continue,
                    Err(error) => panic!("{error}"),
                };
                let mut bytes = file.bytes[..usize::try_from(repaired.keep_bytes).unwrap()].to_vec();
                bytes[..repaired.init.len()].copy_from_slice(&repaired.init);
                bytes.extend_from_slice(&repaired.tail);
                let kept = samples(&bytes);
                prop_assert!(!kept.is_empty());
                prop_assert_eq!(&kept[..], &read[..kept.len()]);
                // Through NTP and back: a microsecond may be rounded.
                let micros = |attributes: &Attributes| attributes.to.unwrap().as_microsecond();
                prop_assert!(micros(&repaired.attributes) <= micros(&file.attributes) + 1);
                prop_assert!(repaired.attributes.to_metadata().is_ok());
                prop_assert_eq!(top_level(&bytes).last().map(|(kind, ..)| kind.clone()), Some("mfra".to_owned()));
            }
        }
        let expected = |frames: &[Frame]| frames.iter().map(|frame| frame.data.to_vec()).collect::<Vec<_>>();
        prop_assert_eq!(&seen[0], &expected(&pictures));
        prop_assert_eq!(&seen[1], &expected(&sounds));
    }

    #[test]
    fn chunks_are_bounded_whatever_frames_decoding_can_start_at(
        structure in proptest::collection::vec((0_usize..4, 0_usize..40, 0_usize..4), 1..60),
        step in 900_i64..9000,
        window_ms in 500_u64..8000,
        more_ms in 0_u64..8000,
        skipped in 0_usize..40,
    ) {
        // Runs of frames that nothing can start at, between a random access frame, a refresh, or neither.
        let mut frames = Vec::new();
        let mut shown = 0;
        for (kind, length, reordered) in structure {
            let first = [RandomAccess, Reference::Refresh, Needed, Needed][kind];
            for (n, reference) in std::iter::once(first).chain(std::iter::repeat_n(Needed, length)).enumerate() {
                let before = if n % 2 == 0 { reordered } else { 0 };
                let time = |n: usize| (shown + i64::try_from(n).unwrap()) * step;
                frames.push(frame(TrackKind::Video, time(before), reference));
                frames.extend((0..before).map(|n| frame(TrackKind::Video, time(n), Reference::Disposable)));
                shown += i64::try_from(before).unwrap() + 1;
            }
        }
        let frames = frames.split_off(skipped.min(frames.len() - 1));
        let window = Duration::from_millis(window_ms);
        let chunk_max = Duration::from_millis(window_ms + more_ms);
        let settings = SegmentSettings { window, chunk_max, ..SegmentSettings::default() };
        let mut segmenter = Segmenter::new(settings, parameters(TIMESCALE, None), CLOCK);
        let mut outputs = Vec::new();
        let mut fragments = Vec::new();
        for frame in frames.clone() {
            let wall = wall_after(epoch(), frame.pts, TIMESCALE);
            outputs.extend(segmenter.push(frame, wall).unwrap());
        }
        outputs.extend(segmenter.finish().unwrap());
        let (files, _) = files(outputs);
        // As long as may be, a little more where that spares a random access frame its chunk, and to the next clean cut.
        let slack = 10 * step;
        let ticks_of = |duration: Duration| i64::try_from(duration.as_millis()).unwrap() * 90;
        let most = ticks_of(window) + ticks_of(chunk_max) * 17 / 16 + slack;
        let mut seen = Vec::new();
        for (n, file) in files.iter().enumerate() {
            let read = samples(&file.bytes);
            let ticks = |duration: jiff::SignedDuration| i64::try_from(duration.as_millis()).unwrap() * 90;
            prop_assert!(ticks(file.attributes.duration.unwrap()) <= most, "{:?}", file.attributes.duration);
            let sync: Vec<bool> = read.iter().map(|sample| sample.flags & 0x1_0000 == 0).collect();
            prop_assert_eq!(sync[0], file.attributes.start == ChunkStart::RandomAccess);
            // Whatever can begin a chunk does, unless the chunk that it is in began so and is not a window long yet.
            prop_assert!(sync[0] || sync.iter().all(|sync| !sync));
            if let Some(next) = files.get(n + 1) {
                let longest = next.attributes.start == ChunkStart::Between;
                let least = if longest { chunk_max } else if sync[0] { window } else { Duration::ZERO };
                prop_assert!(ticks(file.attributes.duration.unwrap()) + slack >= ticks_of(least));
            }
            seen.extend(read.iter().map(|sample| sample.data.clone()));
            for (_, at, size) in top_level(&file.bytes).into_iter().filter(|(kind, ..)| kind == "moof") {
                let moof = Moof::decode(&mut &file.bytes[at..at + size]).unwrap();
                let durations = moof.traf[0].trun[0].samples.iter().map(|sample| i64::from(sample.duration.unwrap()));
                fragments.push(durations.sum::<i64>());
            }
        }
        prop_assert_eq!(seen, frames.iter().map(|frame| frame.data.to_vec()).collect::<Vec<_>>());
        prop_assert!(fragments.iter().all(|length| *length <= i64::from(TIMESCALE) + 2 * slack), "{fragments:?}");
    }

    #[test]
    fn a_broken_part_file_is_never_a_panic(
        changes in proptest::collection::vec((0_usize..6000, any::<u8>()), 1..12),
        length in 0_usize..6000,
    ) {
        let mut segmenter = Segmenter::new(SegmentSettings::default(), parameters(TIMESCALE, None), CLOCK);
        let mut outputs = Vec::new();
        for n in 0..70 {
            let reference = if n % 25 == 0 { RandomAccess } else { Needed };
            outputs.extend(segmenter.push(frame(TrackKind::Video, n * 3600, reference), epoch()).unwrap());
        }
        outputs.extend(segmenter.finish().unwrap());
        let file = files(outputs).0.remove(0);
        let mut bytes = file.bytes;
        for (at, value) in changes {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        bytes.truncate(length);
        if let Ok(repaired) = repair(Cursor::new(&bytes), &file.draft) {
            prop_assert!(repaired.keep_bytes <= bytes.len() as u64);
        }
    }

    #[test]
    fn any_times_give_an_answer(
        frames in proptest::collection::vec((any::<bool>(), -200_000_i64..200_000, 0_usize..3), 1..200),
    ) {
        let mut segmenter = Segmenter::new(SegmentSettings::default(), parameters(TIMESCALE, Some(48_000)), CLOCK);
        let mut outputs = Vec::new();
        let mut taken = 0;
        for (sound, pts, reference) in frames {
            let reference = [RandomAccess, Needed, Reference::Disposable][reference];
            let track = if sound { TrackKind::Audio } else { TrackKind::Video };
            if let Ok(more) = segmenter.push(frame(track, pts, reference), epoch()) {
                taken += 1;
                outputs.extend(more);
            }
        }
        let stats = segmenter.stats();
        let waiting = taken - stats.video_frames - stats.audio_frames - stats.audio_dropped;
        outputs.extend(segmenter.finish().unwrap());
        let (files, end) = files(outputs);
        let read: Vec<Read> = files.iter().flat_map(|file| samples(&file.bytes)).collect();
        if end.is_some() {
            prop_assert_eq!(read.len() as u64, stats.video_frames + stats.audio_frames + waiting);
        }
        for file in &files {
            let read = samples(&file.bytes);
            prop_assert_eq!(read[0].flags & 0x1_0000 == 0, file.attributes.start == ChunkStart::RandomAccess);
            let video: Vec<_> = read.iter().filter(|s| s.track == 1).collect();
            prop_assert!(video.windows(2).all(|pair| pair[0].dts < pair[1].dts));
        }
    }
}
