use super::super::known_sets::tests::{PPS, SPS, decoded, second};
use super::super::limits::WORK_AT_ONCE;
use super::super::rtp::tests::packet;
use super::super::sdp;
use super::*;
use crate::camera::nal;

/// An IDR picture in one NAL unit, of picture parameter set 0, and one of set
/// 1: `first_mb_in_slice`, `slice_type`, `pic_parameter_set_id`.
const IDR: &[u8] = &[0x65, 0b1000_1000, 0b1000_0000];
const IDR_OF_SECOND: &[u8] = &[0x65, 0b1000_1000, 0b0101_0000];
/// A picture that refers to others.
const OTHER: &[u8] = &[0x41, 0b1000_1000, 0b1000_0000];

/// A camera in simulated time.
struct Camera {
    demuxer: Demuxer,
    now: Duration,
    source: u32,
    payload_type: u8,
    number: u16,
    timestamp: u32,
}

impl Camera {
    /// One that describes its parameter sets.
    fn new() -> Self {
        Self::described(&format!(";sprop-parameter-sets={SPS},{PPS}"))
    }

    fn described(sets: &str) -> Self {
        let text = format!(
            "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 packetization-mode=1{sets}\n\
             m=audio 0 RTP/AVP 97\na=rtpmap:97 MPEG4-GENERIC/16000/1\na=fmtp:97 config=1408\n"
        );
        let description = sdp::parse(text.as_bytes());
        let announced = |place: usize| Announced { stream: &description.streams[place], start: None };
        let video = announced(0);
        let demuxer = Demuxer::new("camera".to_owned(), VideoCodec::H264, video, Some(announced(1)), Duration::ZERO);
        Self { demuxer, now: Duration::ZERO, source: 1, payload_type: 96, number: 65_000, timestamp: u32::MAX - 9000 }
    }

    /// Sends one NAL unit in a packet; the last one of a picture has the marker.
    fn send(&mut self, unit: &[u8], marker: bool) -> Result<(), Excess> {
        let mut bytes = packet(self.number, self.timestamp, marker, unit);
        bytes[1] = (bytes[1] & 0x80) | self.payload_type;
        bytes[8..12].copy_from_slice(&self.source.to_be_bytes());
        self.number = self.number.wrapping_add(1);
        self.demuxer.packet(TrackKind::Video, &bytes, self.now)
    }

    /// Sends a picture, and lets so much time pass after it.
    fn picture(&mut self, units: &[&[u8]], apart: Duration) -> Result<(), Excess> {
        let (last, before) = units.split_last().unwrap();
        for unit in before {
            self.send(unit, false)?;
        }
        self.send(last, true)?;
        self.pass(apart);
        Ok(())
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.timestamp = self.timestamp.wrapping_add(u32::try_from(time.as_micros() * 9 / 100).unwrap());
    }

    fn events(&mut self) -> Vec<CameraEvent> {
        std::iter::from_fn(|| self.demuxer.next()).collect()
    }

    /// How many events there are of parameters.
    fn changes(&mut self) -> usize {
        self.events().iter().filter(|event| matches!(event, CameraEvent::Parameters(_))).count()
    }

    /// Times of frames, and losses as `Err`.
    fn frames(&mut self) -> Vec<Result<i64, u64>> {
        let told = |event| match event {
            CameraEvent::Frame(frame) => Some(Ok(frame.pts)),
            CameraEvent::PacketsLost(lost) => Some(Err(lost)),
            _ => None,
        };
        self.events().into_iter().filter_map(told).collect()
    }
}

const SECOND: Duration = Duration::from_secs(1);
const FRAME: Duration = Duration::from_millis(40);

fn of_level(level: u8) -> Vec<u8> {
    let mut sps = decoded(SPS);
    sps[3] = level;
    sps
}

/// The seconds at which parameters are told, of a camera that sends each second another SPS with `picture`, and what its frames
/// begin with in between.
fn flipping(picture: &[u8], seconds: u8) -> (Camera, Vec<u64>) {
    let mut camera = Camera::new();
    assert_eq!(camera.changes(), 1);
    let mut told = Vec::new();
    for n in 0..seconds {
        let own = of_level(10 + n);
        let now = camera.now.as_secs();
        camera.picture(&[&own, &decoded(PPS), picture], SECOND).unwrap();
        let events = camera.events();
        let (frame, is_told) = match &events[..] {
            [CameraEvent::Parameters(_), CameraEvent::Frame(frame)] => (frame, true),
            [CameraEvent::Frame(frame)] => (frame, false),
            other => panic!("{now} s: {other:?}"),
        };
        let units: Vec<&[u8]> = nal::units(&frame.data).collect();
        if is_told || picture == OTHER {
            assert_eq!(units, [picture], "{now} s");
        } else {
            // What a decoder that goes by the record does not know travels in band.
            assert_eq!(units, [&own[..], picture], "{now} s");
        }
        told.extend(is_told.then_some(now));
    }
    (camera, told)
}

#[test]
fn parameters_that_change_all_the_time_are_told_ever_more_rarely() {
    let (mut camera, told) = flipping(IDR, 200);
    // The first picture corrects the description; then they hold for 10 s, 20 s, 40 s, 80 s.
    assert_eq!(told, [0, 10, 30, 70, 150]);
    // After they have held for longer than twice that, a change counts at once again, and the next 10 s later.
    camera.picture(&[&of_level(10), IDR], Duration::from_secs(400)).unwrap();
    camera.events();
    let mut later = Vec::new();
    for n in 0..12 {
        camera.picture(&[&of_level(60 + n), IDR], SECOND).unwrap();
        later.push(camera.changes());
    }
    assert_eq!(later, [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
}

#[test]
fn parameters_are_told_again_within_ten_minutes() {
    let mut camera = Camera::new();
    let mut told = Vec::new();
    for n in 0..500_u32 {
        let now = camera.now.as_secs();
        camera.picture(&[&of_level(10 + (n % 40) as u8), IDR], 10 * SECOND).unwrap();
        if camera.changes() > 0 {
            told.push(now);
        }
    }
    let apart: Vec<u64> = told.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(apart[..7], [10, 20, 40, 80, 160, 320, 600]);
    assert!(apart[7..].iter().all(|apart| *apart == 600) && apart.len() > 10, "{apart:?}");
}

#[test]
fn a_stream_without_random_access_is_told_of_between_pictures() {
    let (_, told) = flipping(OTHER, 120);
    // Each waits `CHANGES_APART` longer for a place to start at: the first 0 s and that, then 10 s, 20 s and 40 s and that.
    assert_eq!(told, [10, 30, 60, 110]);
}

#[test]
fn sets_that_take_turns_change_nothing() {
    let (sps, pps) = second();
    let mut camera = Camera::new();
    camera.picture(&[&sps, &pps, IDR_OF_SECOND], SECOND).unwrap();
    // The description's, and both.
    assert_eq!(camera.changes(), 2);
    for n in 0..60 {
        if n % 2 == 0 {
            camera.picture(&[&decoded(SPS), &decoded(PPS), IDR], SECOND).unwrap();
        } else {
            camera.picture(&[&sps, &pps, IDR_OF_SECOND], SECOND).unwrap();
        }
        let events = camera.events();
        let [CameraEvent::Frame(frame)] = &events[..] else { panic!("{n}: {events:?}") };
        assert_eq!(nal::units(&frame.data).count(), 1);
    }
}

#[test]
fn without_sets_nothing_is_given_until_they_come() {
    let mut camera = Camera::described("");
    for _ in 0..3 {
        camera.picture(&[IDR], FRAME).unwrap();
    }
    // What is lost of frames that nobody gets is no loss.
    camera.number += 5;
    camera.picture(&[IDR], FRAME).unwrap();
    let events = camera.events();
    assert!(events.iter().all(|event| matches!(event, CameraEvent::Undescribed { .. })) && events.len() == 4);
    assert!(camera.demuxer.lacks_sets());
    camera.picture(&[&decoded(SPS), &decoded(PPS), IDR], FRAME).unwrap();
    let events = camera.events();
    assert!(matches!(&events[..], [CameraEvent::Parameters(_), CameraEvent::Frame(_)]), "{events:?}");
    assert!(!camera.demuxer.lacks_sets());
    assert_eq!(camera.demuxer.frames(), 1);
}

#[test]
fn a_new_source_goes_on_where_the_last_one_was() {
    let mut camera = Camera::new();
    for _ in 0..3 {
        camera.picture(&[IDR], FRAME).unwrap();
    }
    assert_eq!(camera.frames(), [Ok(0), Ok(3600), Ok(7200)]);
    // A packet that strayed here is none of it.
    let number = camera.number;
    camera.source = 5;
    camera.number = 7;
    camera.picture(&[IDR], FRAME).unwrap();
    camera.source = 1;
    camera.number = number;
    camera.picture(&[IDR], FRAME).unwrap();
    assert_eq!(camera.frames(), [Ok(14_400)]);
    // Another source, with numbers and times of its own, two seconds later: it counts from its second packet on, and the first
    // is not lost. What the first source still had on the way nobody can know.
    camera.pass(2 * SECOND);
    camera.source = 9;
    camera.number = 300;
    camera.timestamp = 12;
    for _ in 0..3 {
        camera.picture(&[IDR], FRAME).unwrap();
    }
    // 14400, then 40 ms and 2 s and 40 ms passed until the second packet.
    let second = 14_400 + 187_200;
    assert_eq!(camera.frames(), [Err(1), Ok(second - 3600), Ok(second), Ok(second + 3600)]);
    // The same source, from another number and time on.
    camera.number = 40_000;
    camera.timestamp = 3_000_000_000;
    for _ in 0..2 {
        camera.picture(&[IDR], FRAME).unwrap();
    }
    let again = second + 2 * 3600;
    assert_eq!(camera.frames(), [Err(1), Ok(again), Ok(again + 3600)]);
}

#[test]
fn packets_of_other_types_are_left_out_once_the_type_is_known() {
    let mut camera = Camera::new();
    camera.events();
    for (payload_type, frames) in [
        // Geovision's, before anything came.
        (50, 0),
        // Not as described: it becomes the stream's.
        (98, 1),
        (96, 0),
        (50, 0),
        (98, 1),
    ] {
        camera.payload_type = payload_type;
        let awaited = camera.demuxer.awaits(TrackKind::Video, 96);
        assert_eq!(awaited, camera.demuxer.frames() == 0);
        camera.picture(&[IDR], FRAME).unwrap();
        // What is left out takes no number.
        camera.number -= 1 - frames;
        assert_eq!(camera.frames().len(), usize::from(frames), "{payload_type}");
    }
}

#[test]
fn losses_are_told_before_the_next_frame_and_once() {
    for (what, skipped, expected) in [
        ("none", 0, vec![Ok(3600), Ok(7200)]),
        ("one", 1, vec![Err(1), Ok(3600), Ok(7200)]),
        ("many", 2999, vec![Err(2999), Ok(3600), Ok(7200)]),
    ] {
        let mut camera = Camera::new();
        camera.picture(&[IDR], FRAME).unwrap();
        camera.events();
        camera.number = camera.number.wrapping_add(skipped);
        camera.picture(&[IDR], FRAME).unwrap();
        camera.picture(&[OTHER], FRAME).unwrap();
        assert_eq!(camera.frames(), expected, "{what}");
    }
    // A packet that comes twice or too late is no loss.
    let mut camera = Camera::new();
    camera.picture(&[IDR], FRAME).unwrap();
    camera.number -= 1;
    camera.picture(&[IDR], FRAME).unwrap();
    camera.picture(&[IDR], FRAME).unwrap();
    assert_eq!(camera.frames(), [Ok(0), Ok(7200)]);
}

/// What may be done at once is counted exactly, and comes back with time.
#[test]
fn the_work_that_a_camera_may_make_is_exact() {
    const PICTURE: u32 = WORK_A_PICTURE + 1;
    let report = |camera: &mut Camera| camera.demuxer.report(TrackKind::Video, &[], camera.now);
    let message = |camera: &mut Camera| camera.demuxer.message(camera.now);
    let stray = |camera: &mut Camera| camera.demuxer.stray(camera.now);
    let picture = |camera: &mut Camera| camera.picture(&[IDR], Duration::ZERO);
    let empty = |camera: &mut Camera| camera.send(&[], false);
    // The beginning of a NAL unit, and of each picture anew.
    let fragment = |camera: &mut Camera| camera.send(&[0x7c, 0x85, 0x88], false);
    let broken = |camera: &mut Camera| {
        camera.number = camera.number.wrapping_add(1);
        camera.timestamp = camera.timestamp.wrapping_add(3600);
        camera.send(&[24, 0, 2, 0x41, 0x9a, 0, 2, 0x41, 0x9a, 0, 2, 0x41, 0x9a], false)
    };
    let read = |camera: &mut Camera| camera.demuxer.read(7, camera.now);
    let foreign = |camera: &mut Camera| camera.demuxer.packet(TrackKind::Video, b"nonsense", camera.now);
    let sound = |camera: &mut Camera| {
        let number = camera.number;
        camera.number = number.wrapping_add(1);
        let mut bytes = packet(number, 0, true, b"\0\x10\0\x08a");
        bytes[1] = 97;
        camera.demuxer.packet(TrackKind::Audio, &bytes, camera.now)
    };
    type Act<'a> = &'a dyn Fn(&mut Camera) -> Result<(), Excess>;
    for (what, act, cost) in [
        ("pictures", &picture as Act<'_>, PICTURE),
        ("messages", &message, WORK_A_PICTURE),
        ("reports", &report, WORK_A_PICTURE),
        ("sound frames", &sound, WORK_A_PICTURE),
        ("strays", &stray, WORK_A_PACKET),
        ("empty packets", &empty, WORK_A_PACKET),
        ("what is no packet", &foreign, WORK_A_PACKET),
        ("small fragments", &fragment, WORK_A_PACKET),
        ("slices of pictures that are left out", &broken, 3),
        ("reads", &read, 7),
    ] {
        let mut camera = Camera::new();
        for n in 0..WORK_AT_ONCE / cost {
            assert_eq!(act(&mut camera), Ok(()), "{what}: {n}");
            camera.events();
        }
        assert_eq!(act(&mut camera), Err(Excess::Work), "{what}");
    }
    // One more than there is, one less, and as much.
    for (spare, result) in [(0, Err(Excess::Work)), (1, Ok(())), (2, Ok(()))] {
        let mut camera = Camera::new();
        for _ in 0..WORK_AT_ONCE - spare {
            stray(&mut camera).unwrap();
        }
        assert_eq!(stray(&mut camera), result, "{spare}");
    }
    // A second later there is a second's work again, and after a long time no more than at first.
    for (passed, pictures) in [(1, 500), (2, 1000), (3, 1500), (3600, 1500)] {
        let mut camera = Camera::new();
        for _ in 0..1500 {
            picture(&mut camera).unwrap();
        }
        camera.pass(Duration::from_secs(passed));
        for n in 0..pictures {
            assert_eq!(picture(&mut camera), Ok(()), "{passed} s: {n}");
        }
        assert_eq!(stray(&mut camera), Err(Excess::Work), "{passed} s");
    }
}

/// Pictures that nobody has recorded yet are bounded together, and those that were count no more.
#[test]
fn pictures_that_wait_are_bounded() {
    let large = |camera: &mut Camera| {
        camera.timestamp = camera.timestamp.wrapping_add(3600);
        camera.send(&[0x7c, 0x85, 0x88], false)?;
        for _ in 0..10 << 5 {
            camera.send(&[&[0x7c, 0x05][..], &vec![0x55; 32 << 10]].concat(), false)?;
        }
        camera.send(&[0x7c, 0x45, 0x88], true)
    };
    let mut camera = Camera::new();
    for _ in 0..20 {
        large(&mut camera).unwrap();
        camera.events();
    }
    let mut waiting = Vec::new();
    for _ in 0..4 {
        large(&mut camera).unwrap();
        waiting.extend(std::iter::from_fn(|| camera.demuxer.next()));
    }
    assert_eq!(large(&mut camera), Err(Excess::Held));
    assert_eq!(waiting.len(), 4);
}

#[test]
fn reports_say_something_new_twice_a_second_at_most() {
    let report = |source: u32, ntp: u64| {
        let mut bytes = vec![0x80, 200, 0, 6];
        bytes.extend_from_slice(&source.to_be_bytes());
        bytes.extend_from_slice(&ntp.to_be_bytes());
        bytes.extend_from_slice(&(u32::MAX - 9000).to_be_bytes());
        bytes
    };
    let noon = 3_973_190_400 << 32;
    let mut camera = Camera::new();
    let told = |camera: &mut Camera, kind, bytes: &[u8]| {
        camera.demuxer.report(kind, bytes, camera.now).unwrap();
        camera.events().iter().filter(|event| matches!(event, CameraEvent::SenderReport { .. })).count()
    };
    assert_eq!(told(&mut camera, TrackKind::Video, &report(1, noon)), 0, "before the first packet");
    camera.picture(&[IDR], FRAME).unwrap();
    for (what, kind, bytes, expected) in [
        ("another's", TrackKind::Video, report(2, noon), 0),
        ("no clock", TrackKind::Video, report(1, 0), 0),
        ("the sound's", TrackKind::Audio, report(1, noon), 0),
        ("its own", TrackKind::Video, report(1, noon), 1),
        ("at once again", TrackKind::Video, report(1, noon), 0),
    ] {
        assert_eq!(told(&mut camera, kind, &bytes), expected, "{what}");
    }
    camera.pass(REPORTS_APART.checked_sub(Duration::from_nanos(1)).unwrap());
    assert_eq!(told(&mut camera, TrackKind::Video, &report(1, noon)), 0);
    camera.now += Duration::from_nanos(1);
    assert_eq!(told(&mut camera, TrackKind::Video, &report(1, noon)), 1);
}

#[test]
fn ntp_is_read_in_both_eras() {
    for (ntp, expected) in [
        (0, None),
        (2_208_988_800 << 32, Some("1970-01-01T00:00:00Z")),
        ((3_973_190_400 << 32) | (1 << 31), Some("2025-11-27T00:00:00.5Z")),
        (1 << 32, Some("2036-02-07T06:28:17Z")),
    ] {
        assert_eq!(utc(ntp), expected.map(|text| text.parse().unwrap()), "{ntp}");
    }
}
