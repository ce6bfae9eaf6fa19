//! The boxes and attributes of chunks whose frames are known.

use super::super::timeline::wall_after;
use super::super::{Cuts, Error, Keep, RepairError, SegmentSettings, Segmenter, Stats, repair};
use super::*;
use framepost_events::attributes::ChunkStart;
use mp4_atom::{Ftyp, Mfra, Moov, Prft};
use std::io::Cursor;

use Reference::{Disposable, Needed, RandomAccess};
use TrackKind::{Audio, Video};

fn segmenter(keep: Keep, audio: Option<u32>) -> Segmenter {
    let settings = SegmentSettings { keep, source: "rtsp://10.0.0.7/Tür".to_owned(), ..SegmentSettings::default() };
    Segmenter::new(settings, parameters(90_000, audio), CLOCK)
}

fn wall(frame: &Frame) -> Timestamp {
    wall_after(epoch(), frame.pts, 90_000)
}

fn run(mut segmenter: Segmenter, frames: impl IntoIterator<Item = Frame>) -> (Vec<Output>, Stats) {
    let mut outputs = Vec::new();
    for frame in frames {
        let wall = wall(&frame);
        outputs.extend(segmenter.push(frame, wall).unwrap());
    }
    let stats = segmenter.stats();
    outputs.extend(segmenter.finish().unwrap());
    (outputs, stats)
}

/// 25 frames a second, a random access frame every `gop`.
fn steady(count: i64, gop: i64) -> Vec<Frame> {
    let reference = |n| if n % gop == 0 { RandomAccess } else { Needed };
    (0..count).map(|n| frame(Video, n * 3600, reference(n))).collect()
}

#[test]
fn a_chunk_is_laid_out_as_onvif_wants_it() {
    let mut frames = steady(200, 50);
    frames.extend((0..375).map(|n| frame(Audio, n * 1024, RandomAccess)));
    frames.sort_by_key(|frame| if frame.track == Video { frame.pts * 8 } else { frame.pts * 15 });
    let (outputs, _) = run(segmenter(Keep::All, Some(48_000)), frames);
    let (files, end) = files(outputs);
    assert_eq!(files.len(), 2);
    assert_eq!(end, Some((wall_after(epoch(), 8, 1), 2)));
    let file = &files[0];
    assert_eq!((file.start, file.counter), (epoch(), 0));
    assert_eq!(files[1].start, wall_after(epoch(), 4, 1));
    let boxes = top_level(&file.bytes);
    let kinds: Vec<&str> = boxes.iter().map(|(kind, ..)| kind.as_str()).collect();
    let mut expected = vec!["ftyp", "moov"];
    expected.extend(["prft", "moof", "mdat"].repeat(4));
    expected.push("mfra");
    assert_eq!(kinds, expected);

    let at = |n: usize| &file.bytes[boxes[n].1..boxes[n].1 + boxes[n].2];
    assert_eq!(Ftyp::decode(&mut at(0)).unwrap().major_brand, b"iso6".into());
    let moov = Moov::decode(&mut at(1)).unwrap();
    let mvex = moov.mvex.unwrap();
    // The last sound that begins in the chunk ends a little after it.
    assert_eq!(mvex.mehd.unwrap().fragment_duration, 188 * 15_360);
    assert_eq!((moov.mvhd.timescale, moov.trak[0].mdia.mdhd.timescale, moov.trak[1].mdia.mdhd.timescale), {
        let shared = 720_000;
        (shared, shared, shared)
    });
    let config = parameters(90_000, None).video.config;
    assert!(at(1).windows(config.len()).any(|window| window == config));
    let prft = Prft::decode(&mut at(5)).unwrap();
    assert_eq!((prft.reference_track_id, prft.media_time), (1, 720_000));
    assert_eq!(super::super::boxes::wall_of_ntp(prft.ntp_timestamp), Some(wall_after(epoch(), 1, 1)));

    let mfra = Mfra::decode(&mut at(boxes.len() - 1)).unwrap();
    assert_eq!(mfra.mfro.parent_size as usize, boxes.last().unwrap().2);
    let entries = |track: usize| {
        mfra.tfra[track].entries.iter().map(|entry| (entry.time, usize::try_from(entry.moof_offset).unwrap()))
    };
    assert_eq!(entries(0).collect::<Vec<_>>(), [(0, boxes[3].1), (2 * 720_000, boxes[9].1)]);
    assert_eq!(mfra.tfra[1].entries.len(), 4);
    assert!(mfra.tfra[1].entries.iter().all(|entry| entry.traf_number == 2 && entry.sample_delta == 1));

    let metadata = file.attributes.to_metadata().unwrap();
    let value = |name: &str| metadata.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    assert_eq!(value("Source"), Some("rtsp://10.0.0.7/T%C3%BCr"));
    assert_eq!(value("Duration"), Some("PT4S"));
    assert_eq!(value("From"), Some("2026-11-20T15:08:23.547000Z"));
    assert_eq!(value("To"), Some("2026-11-20T15:08:27.547000Z"));
    assert_eq!(value("FullContentType"), Some("video/mp4; codecs=\"avc1.64001F,mp4a.40.2\""));
    assert_eq!((value("VideoFramerate"), value("Timescale")), (Some("25"), Some("720000")));
    assert_eq!(value("Clock"), Some("given"));
    let table = file.attributes.seek_table.clone().unwrap();
    assert_eq!(Mfra::decode(&mut table.as_slice()).unwrap().tfra.len(), 2);
}

#[test]
fn sample_flags_say_what_depends_on_what() {
    let frames = [(0, RandomAccess), (7200, Needed), (3600, Disposable)];
    let (outputs, _) = run(segmenter(Keep::All, None), frames.map(|(pts, reference)| frame(Video, pts, reference)));
    let read = samples(&files(outputs).0[0].bytes);
    let seen: Vec<_> = read.iter().map(|s| (s.dts, s.pts, s.duration, s.flags)).collect();
    assert_eq!(seen, [(0, 0, 1800, 0x0200_0000), (1800, 7200, 1800, 0x0101_0000), (3600, 3600, 7200, 0x0181_0000)]);
}

/// How long each chunk is, in milliseconds, and what it starts with.
fn lengths(frames: impl IntoIterator<Item = Frame>) -> Vec<(i128, ChunkStart)> {
    let (files, end) = files(run(segmenter(Keep::All, None), frames).0);
    for (file, n) in files.iter().zip(0..) {
        assert_eq!(file.counter, n);
        let until = files.iter().map(|later| later.start).find(|start| *start > file.start);
        assert_eq!(file.attributes.to, until.or(end.map(|(end, _)| end)));
        let first = samples(&file.bytes)[0].flags & 0x1_0000 == 0;
        assert_eq!(first, file.attributes.start == ChunkStart::RandomAccess, "the mark and the file agree");
        assert_eq!(file.draft.start, file.attributes.start);
    }
    files.iter().map(|file| (file.attributes.duration.unwrap().as_millis(), file.attributes.start)).collect()
}

#[test]
fn without_random_access_frames_chunks_go_on_and_say_so() {
    use ChunkStart::{Between, RandomAccess as Start};
    // One key frame a minute.
    let minute: Vec<_> = lengths(steady(25 * 130, 25 * 60));
    let expected = [Start, Between, Between, Between, Between, Between].repeat(2);
    assert_eq!(minute[..12].iter().map(|(_, start)| *start).collect::<Vec<_>>(), expected);
    assert!(minute[..12].iter().all(|(length, _)| *length == 10_000), "{minute:?}");
    // None at all.
    let none = lengths(steady(25 * 25, i64::MAX).into_iter().skip(1));
    assert_eq!(none, [(10_000, Between), (10_000, Between), (4_960, Between)]);
    // Joined between two: what comes first is a chunk, and the rest is as ever.
    let joined = lengths(steady(25 * 9, 50).into_iter().skip(20));
    assert_eq!(joined, [(1_200, Between), (4_000, Start), (3_000, Start)]);
    // A window that is as long as the longest chunk, and groups that do not fit into it: it is waited for the next.
    let settings = SegmentSettings { window: Duration::from_secs(10), ..SegmentSettings::default() };
    let (outputs, _) = run(Segmenter::new(settings, parameters(90_000, None), CLOCK), steady(25 * 30, 75));
    let starts = |outputs| files(outputs).0.iter().map(|file| (file.start, file.attributes.start)).collect::<Vec<_>>();
    let expected = [0, 12, 24].map(|second| (wall_after(epoch(), second, 1), Start));
    assert_eq!(starts(outputs), expected);
    // Groups of 9.96 s and 10.04 s are not cut just before they end.
    let mut uneven = steady(25 * 60, 250);
    for (n, frame) in uneven.iter_mut().enumerate() {
        frame.reference = if [0, 249, 500, 749, 1001, 1250].contains(&n) { RandomAccess } else { Needed };
    }
    let (lengths, starts): (Vec<i128>, Vec<_>) = lengths(uneven).into_iter().unzip();
    assert_eq!((&lengths[..5], &starts[..5]), (&[9_960, 10_040, 9_960, 10_080, 9_960][..], &[Start; 5][..]));
}

#[test]
fn chunks_are_cut_seldom_while_that_is_set() {
    let lengths = |gop| {
        let mut segmenter = segmenter(Keep::All, None);
        let mut outputs = Vec::new();
        for (n, frame) in steady(25 * 100, gop).into_iter().enumerate() {
            segmenter.set_cuts(if (25 * 4..25 * 90).contains(&n) { Cuts::Seldom } else { Cuts::Usual });
            let wall = wall(&frame);
            outputs.extend(segmenter.push(frame, wall).unwrap());
        }
        let fragments = outputs.iter().filter(|output| matches!(output, Output::Fragment(_))).count();
        outputs.extend(segmenter.finish().unwrap());
        let files = files(outputs).0;
        assert_eq!(files.iter().map(|file| samples(&file.bytes).len()).sum::<usize>(), 25 * 100);
        // Of a second, whatever the chunks are.
        assert!(fragments >= 95, "{fragments}");
        files.iter().map(|file| file.attributes.duration.unwrap().as_millis()).collect::<Vec<_>>()
    };
    assert_eq!(lengths(25), [3_000, 60_000, 27_000, 3_000, 3_000, 3_000, 1_000]);
    assert_eq!(lengths(i64::MAX)[0], 60_000);
}

#[test]
fn a_chunk_without_random_access_frames_lists_none() {
    let (outputs, _) = run(segmenter(Keep::All, None), steady(300, i64::MAX).into_iter().skip(1));
    let file = &files(outputs).0[0];
    let boxes = top_level(&file.bytes);
    // A table without entries would say that every sample is a sync sample (ISO/IEC 14496-12, 8.8.10.3).
    let mfra = Mfra::decode(&mut &file.bytes[boxes.last().unwrap().1..]).unwrap();
    assert_eq!((mfra.tfra.len(), mfra.mfro.parent_size as usize), (0, boxes.last().unwrap().2));
    assert_eq!(file.attributes.seek_table, None);
    let metadata = file.attributes.to_metadata().unwrap();
    assert!(metadata.contains(&("StartsWithRandomAccess".to_owned(), "false".to_owned())));
    // A random access frame within is found: the last chunk has one, which comes too late to begin another.
    let gradual = [(0, Needed), (3600, Reference::Refresh), (7200, Needed)];
    let (outputs, _) = run(segmenter(Keep::All, None), gradual.map(|(pts, reference)| frame(Video, pts, reference)));
    let flags: Vec<Vec<u32>> =
        files(outputs).0.iter().map(|file| samples(&file.bytes).iter().map(|s| s.flags).collect()).collect();
    assert_eq!(flags, [vec![0x0101_0000], vec![0, 0x0101_0000]]);
}

#[test]
fn a_seek_table_is_thinned_to_what_fits() {
    let settings =
        SegmentSettings { window: Duration::from_secs(100), source: "x".repeat(900), ..SegmentSettings::default() };
    let (outputs, _) = run(Segmenter::new(settings, parameters(90_000, None), CLOCK), steady(1500, 10));
    let file = &files(outputs).0[0];
    let whole = Mfra::decode(&mut &file.bytes[top_level(&file.bytes).last().unwrap().1..]).unwrap();
    assert_eq!(whole.tfra[0].entries.len(), 150);
    let thin = Mfra::decode(&mut file.attributes.seek_table.clone().unwrap().as_slice()).unwrap();
    assert!((5..=20).contains(&thin.tfra[0].entries.len()), "{}", thin.tfra[0].entries.len());
    assert_eq!(thin.tfra[0].entries[0], whole.tfra[0].entries[0]);
    assert!(file.attributes.to_metadata().is_ok());
}

#[test]
fn what_is_left_out_is_counted() {
    let mut frames = vec![
        frame(Audio, 0, RandomAccess),
        frame(Video, 0, Needed),
        Frame { data: Bytes::new(), ..frame(Video, 3600, RandomAccess) },
    ];
    frames.extend([(7200, RandomAccess), (10_800, Needed), (10_800, Needed)].map(|(pts, r)| frame(Video, pts, r)));
    let (outputs, stats) = run(segmenter(Keep::All, Some(48_000)), frames);
    let expected = Stats { empty: 1, repeated: 1, ..Stats::default() };
    assert_eq!(Stats { video_frames: 0, audio_frames: 0, ..stats }, expected);
    let (files, _) = files(outputs);
    // 720 000 a second. What comes before the first random access frame is a chunk of its own.
    let times = |n: usize| samples(&files[n].bytes).iter().map(|s| (s.track, s.dts, s.pts)).collect::<Vec<_>>();
    assert_eq!(times(0), [(1, 0, 0), (2, 0, 0)]);
    // The repeated time is kept, and both pictures are decoded by then.
    assert_eq!(times(1), [(1, 0, 0), (1, 14_400, 28_800), (1, 28_800, 28_800)]);
    assert!(run(segmenter(Keep::All, Some(48_000)), [frame(Audio, 0, RandomAccess)]).0.is_empty());
}

#[test]
fn a_jump_ends_the_span_and_loses_nothing() {
    for jump in [-10 * 90_000, 62 * 90_000, i64::MAX] {
        let mut segmenter = segmenter(Keep::All, None);
        let mut outputs = Vec::new();
        for frame in steady(30, 25) {
            let wall = wall(&frame);
            outputs.extend(segmenter.push(frame, wall).unwrap());
        }
        let error = segmenter.push(frame(Video, jump, RandomAccess), epoch()).unwrap_err();
        assert!(matches!(error, Error::Discontinuity { timescale: 90_000, .. }), "{error}");
        outputs.extend(segmenter.finish().unwrap());
        let (files, end) = files(outputs);
        assert_eq!(samples(&files[0].bytes).len(), 30);
        assert_eq!(end, Some((wall_after(epoch(), 30 * 3600, 90_000), 1)));
    }
}

#[test]
fn a_reordered_frame_does_not_make_the_span_longer() {
    // Before a pause of a minute: the duration that an MP4 gives the frame decoded last is that of its decoding.
    let pause = 60 * 90_000;
    let shown = [(0, 3600), (7200, 3600), (3600, pause), (pause, 3600), (pause + 3600, 3600)];
    let frames = shown.map(|(pts, duration)| {
        let reference = if pts == 0 { RandomAccess } else { Needed };
        Frame { duration: Some(duration.try_into().unwrap()), ..frame(Video, pts, reference) }
    });
    let (files, end) = files(run(segmenter(Keep::All, None), frames).0);
    let (end, _) = end.unwrap();
    assert_eq!(end, wall_after(epoch(), pause + 7200, 90_000));
    assert_eq!(files.last().unwrap().attributes.to, Some(end));
}

#[test]
fn sound_before_the_first_picture_is_not_lost() {
    // An encoder's priming is packed together at the first picture; a second of sound is where the chunk begins.
    for (lead, start, picture, sounds) in [(1024, 0, 0, [0, 1]), (48_000, -48_000, 720_000, [0, 720_000])] {
        let mut frames = vec![frame(Audio, -lead, RandomAccess)];
        frames.extend(steady(100, 25));
        frames.insert(2, frame(Audio, 0, RandomAccess));
        let (outputs, _) = run(segmenter(Keep::All, Some(48_000)), frames);
        let file = &files(outputs).0[0];
        assert_eq!(file.start, wall_after(epoch(), start, 48_000));
        let read = samples(&file.bytes);
        let times = |track| read.iter().filter(|s| s.track == track).map(|s| s.dts).collect::<Vec<_>>();
        assert_eq!((times(1)[0], times(2)), (picture, sounds.to_vec()));
    }
}

#[test]
fn sound_that_comes_too_late_is_kept_and_counted() {
    // One sound in the first chunk comes three seconds after its time.
    let mut frames = steady(250, 25);
    frames.insert(150, frame(Audio, 2 * 48_000, RandomAccess));
    frames.insert(160, frame(Audio, 6 * 48_000, RandomAccess));
    let (outputs, stats) = run(segmenter(Keep::All, Some(48_000)), frames);
    assert_eq!((stats.audio_late, stats.audio_dropped), (1, 0));
    let (files, _) = files(outputs);
    let sounds: Vec<_> = files.iter().map(|f| samples(&f.bytes).iter().filter(|s| s.track == 2).count()).collect();
    assert_eq!(sounds, [0, 1, 1, 0]);
}

#[test]
fn rare_reordered_pictures_are_no_jump() {
    // One frame a second, four of them between references.
    let order = [0, 5, 3, 1, 2, 4, 10, 8, 6, 7, 9];
    let frames = order.map(|n| frame(Video, n * 90_000, if n == 0 { RandomAccess } else { Needed }));
    let (outputs, _) = run(segmenter(Keep::All, None), frames);
    let read = samples(&files(outputs).0[0].bytes);
    assert_eq!(read.iter().map(|s| s.pts / 90_000).collect::<Vec<_>>(), order);
}

#[test]
fn keyframes_are_shown_until_the_next() {
    let (outputs, stats) = run(segmenter(Keep::Keyframes, Some(48_000)), steady(110, 25));
    assert_eq!(stats.thinned, 105);
    let (files, end) = files(outputs);
    let kept: Vec<_> = files.iter().map(|file| samples(&file.bytes).len()).collect();
    assert_eq!(kept, [3, 2]);
    assert_eq!(samples(&files[0].bytes)[2].duration, 90_000);
    assert!(files[0].attributes.audio.is_none());
    assert_eq!(end.unwrap().0, wall_after(epoch(), 5, 1));
}

#[test]
fn a_camera_whose_time_stands_still_stays_within_bounds() {
    let frames = (0..5000).map(|n| frame(Video, 0, if n == 0 { RandomAccess } else { Needed }));
    let (outputs, stats) = run(segmenter(Keep::All, None), frames);
    assert_eq!(stats.repeated, 4999);
    let read = samples(&files(outputs).0[0].bytes);
    assert_eq!(read.len(), 5000);
    assert!(read.windows(2).all(|pair| pair[0].dts < pair[1].dts));
    assert!(read.iter().all(|sample| sample.pts == 0));
}

#[test]
fn a_closed_chunk_repairs_to_itself() {
    let (outputs, _) = run(segmenter(Keep::All, None), steady(100, 25));
    let (files, _) = files(outputs);
    for file in &files {
        // With and without the end that was written already.
        for left in [&file.part, &file.bytes] {
            let repaired = repair(Cursor::new(left), &file.draft).unwrap();
            assert_eq!(repaired.attributes, file.attributes);
            assert_eq!(repaired.keep_bytes, file.part.len() as u64);
            assert_eq!(repaired.init, file.bytes[..repaired.init.len()]);
            assert_eq!(repaired.tail, file.bytes[file.part.len()..]);
        }
    }
    // A chunk that continues another does so when it is mended, whatever the draft says.
    let (outputs, _) = run(segmenter(Keep::All, None), steady(300, i64::MAX).into_iter().skip(1));
    let between = &super::files(outputs).0[0];
    let forgetful = Attributes { start: ChunkStart::RandomAccess, ..between.draft.clone() };
    for draft in [&between.draft, &forgetful] {
        let repaired = repair(Cursor::new(&between.part), draft).unwrap();
        assert_eq!(repaired.attributes, between.attributes);
        assert_eq!(repaired.tail, between.bytes[between.part.len()..]);
    }
    let file = &files[0];
    let nothing = |bytes: &[u8]| matches!(repair(Cursor::new(bytes), &file.draft), Err(RepairError::Nothing));
    assert!(nothing(&[]) && nothing(&[0; 4096]) && nothing(&file.part[..900]));
    let mut zeros = file.part.clone();
    zeros.resize(file.part.len() + 100_000, 0);
    assert_eq!(repair(Cursor::new(zeros), &file.draft).unwrap().keep_bytes, file.part.len() as u64);
}

#[test]
fn what_is_no_duration_is_not_overwritten() {
    let mut segmenter = segmenter(Keep::All, None);
    let mut outputs = segmenter.push(frame(Video, 0, RandomAccess), epoch()).unwrap();
    outputs.extend(segmenter.finish().unwrap());
    let file = files(outputs).0.remove(0);
    let moov = top_level(&file.part)[1].clone();
    assert_eq!(moov.0, "moov");
    // The movie's header comes right after an `mehd` with nothing in it.
    let inside = &file.part[moov.1 + 8..moov.1 + moov.2];
    let (kind, at, size) = top_level(inside)[0].clone();
    assert_eq!((kind.as_str(), at), ("mvhd", 0));
    let boxed = |kind: &[u8], body: &[u8]| [&u32::try_from(8 + body.len()).unwrap().to_be_bytes(), kind, body].concat();
    let short = boxed(b"moov", &[&boxed(b"mvex", &boxed(b"mehd", &[])), &inside[..size]].concat());
    let part = [&file.part[..moov.1], &short, &file.part[moov.1 + moov.2..]].concat();
    let repaired = repair(Cursor::new(&part), &file.draft).unwrap();
    assert_eq!(repaired.init, part[..moov.1 + short.len()]);
    assert_eq!(repaired.keep_bytes, part.len() as u64);
}

#[test]
fn boxes_nested_deeper_than_a_stack_are_no_fragment() {
    let mut segmenter = segmenter(Keep::All, None);
    let mut outputs = segmenter.push(frame(Video, 0, RandomAccess), epoch()).unwrap();
    outputs.extend(segmenter.finish().unwrap());
    let file = files(outputs).0.remove(0);
    for kind in [b"moof", b"traf", b"moov", b"dinf"] {
        let mut part = file.part.clone();
        for depth in (1..=200_000_u32).rev() {
            part.extend_from_slice(&(8 * depth).to_be_bytes());
            part.extend_from_slice(if depth == 200_000 { b"moof" } else { kind });
        }
        part.extend_from_slice(b"\0\0\0\x08mdat");
        let repaired = repair(Cursor::new(&part), &file.draft).unwrap();
        let expected = Attributes { media_end: Some(repaired.keep_bytes), ..file.attributes.clone() };
        assert_eq!(repaired.attributes, expected);
    }
}
