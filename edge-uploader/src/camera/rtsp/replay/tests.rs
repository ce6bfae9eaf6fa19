use super::super::known_sets::tests::{PPS, SPS, decoded};
use super::super::limits::SOUND_MAX;
use super::super::rtp::tests::packet;
use super::*;
use crate::camera::nal;
use proptest::prelude::*;

/// What a camera's bytes come to: its events and how its session ends. What must hold of any bytes is checked on the way.
fn outcome(received: &[u8], piece: usize) -> (Vec<CameraEvent>, Option<String>) {
    let mut events = Vec::new();
    let end = replay(received, NonZeroUsize::new(piece).unwrap(), |event| events.push(event));
    let mut described = false;
    let mut before = Duration::ZERO;
    for event in &events {
        match event {
            CameraEvent::Parameters(_) => described = true,
            CameraEvent::Frame(frame) => {
                assert!(described, "a frame without parameters");
                assert!(before <= frame.arrival && !frame.data.is_empty());
                before = frame.arrival;
                let covered: usize = nal::units(&frame.data).map(|unit| unit.len() + 4).sum();
                match frame.track {
                    TrackKind::Video => assert_eq!(covered, frame.data.len()),
                    TrackKind::Audio => assert!(frame.data.len() <= SOUND_MAX),
                }
            }
            CameraEvent::Undescribed { .. } => assert!(!described, "a frame whose parameters are known"),
            CameraEvent::PacketsLost(lost) => assert!(*lost > 0),
            CameraEvent::SenderReport { .. } | CameraEvent::Fault(_) => {}
        }
    }
    (events, end.err().map(|error| error.to_string()))
}

fn framed(channel: u8, packet: &[u8]) -> Vec<u8> {
    [&[b'$', channel][..], &u16::try_from(packet.len()).unwrap().to_be_bytes(), packet].concat()
}

fn description() -> Vec<u8> {
    let sdp = format!(
        "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;sprop-parameter-sets={SPS},{PPS}\r\n\
         m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MPEG4-GENERIC/16000/1\r\na=fmtp:97 mode=AAC-hbr;sizelength=13;indexlength=3;config=1408\r\n"
    );
    let info = "url=rtsp://camera/live/1;seq=1;rtptime=90000,url=rtsp://camera/live/2;seq=1;rtptime=16000";
    let head = "Content-Base: rtsp://camera/live/\r\nSession: 7;timeout=30\r\nPublic: OPTIONS, GET_PARAMETER";
    let length = sdp.len();
    format!("RTSP/1.0 200 OK\r\nCSeq: 2\r\n{head}\r\nRTP-Info: {info}\r\nContent-Length: {length}\r\n\r\n{sdp}")
        .into_bytes()
}

/// A conversation in its parts: eight pictures of each kind of packet, sound, reports and a message.
fn conversation() -> Vec<Vec<u8>> {
    let sets = [decoded(SPS), decoded(PPS)];
    let mut aggregate = vec![24];
    for unit in [&sets[0][..], &sets[1], &[6, 5, 5]] {
        aggregate.extend_from_slice(&u16::try_from(unit.len()).unwrap().to_be_bytes());
        aggregate.extend_from_slice(unit);
    }
    let mut parts = vec![description()];
    let mut number = 1;
    for picture in 0..8_u32 {
        let time = 90_000 + 3600 * picture;
        let payloads: [&[u8]; 5] =
            [&aggregate, &[0x7c, 0x85, 0x88, 1], &[0x7c, 0x05, 9], &[0x7c, 0x45, 9], &[0x65, 0x40, 2]];
        for (nth, payload) in (0_u8..).zip(payloads) {
            let packet = packet(number, time, nth == 4, payload);
            // Every other picture by datagrams.
            parts.push(framed(if picture % 2 == 0 { 0 } else { DATAGRAMS + 4 * nth }, &packet));
            number += 1;
        }
        let mut sound =
            packet(u16::try_from(picture).unwrap(), 16_000 + 1024 * picture, true, b"\0\x20\0\x10\0\x18abcde");
        sound[1] = 0xe1;
        parts.push(framed(2, &sound));
        let mut report = vec![0x80, 200, 0, 6, 0, 0, 0, 1];
        report.extend_from_slice(&((3_973_190_400 + u64::from(picture)) << 32).to_be_bytes());
        report.extend_from_slice(&time.to_be_bytes());
        parts.push(framed(if picture % 2 == 0 { 1 } else { DATAGRAMS + 2 + 4 * 11 }, &report));
    }
    parts.push(
        b"RTSP/1.0 401 No\r\nCSeq: 3\r\nWWW-Authenticate: Digest realm=\"x\", nonce=\"1\"\r\nLocation: /x\r\n\r\n"
            .to_vec(),
    );
    parts
}

#[test]
fn a_conversation_becomes_events() {
    let (events, end) = outcome(&conversation().concat(), 1 << 20);
    assert_eq!(end, None);
    let count = |is: fn(&CameraEvent) -> bool| events.iter().filter(|event| is(event)).count();
    let frames = |track| {
        events.iter().filter(|event| matches!(event, CameraEvent::Frame(frame) if frame.track == track)).count()
    };
    assert_eq!((frames(TrackKind::Video), frames(TrackKind::Audio)), (8, 16));
    assert_eq!(count(|event| matches!(event, CameraEvent::Parameters(_))), 1);
    // The first, and those a second after the one before.
    assert_eq!(count(|event| matches!(event, CameraEvent::SenderReport { .. })), 5);
    assert_eq!(count(|event| matches!(event, CameraEvent::PacketsLost(_))), 0);
}

/// Something done to one part of a conversation.
#[derive(Debug, Clone)]
enum Damage {
    Lost,
    Twice,
    Swapped,
    Cut(usize),
    Byte(usize, u8),
    Bit(usize, u8),
    Inserted(usize, Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        Just(Damage::Lost),
        Just(Damage::Twice),
        Just(Damage::Swapped),
        any::<usize>().prop_map(Damage::Cut),
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Damage::Byte(at, byte)),
        // Near the front are the headers of packets.
        (0..20_usize, 0..8_u8).prop_map(|(at, bit)| Damage::Bit(at, bit)),
        (any::<usize>(), proptest::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(at, bytes)| Damage::Inserted(at, bytes)),
    ]
}

fn damaged(mut parts: Vec<Vec<u8>>, damages: Vec<(usize, Damage)>) -> Vec<u8> {
    for (place, damage) in damages {
        let place = place % parts.len();
        let length = parts[place].len();
        match damage {
            Damage::Lost => parts[place].clear(),
            Damage::Twice => {
                let again = parts[place].clone();
                parts.insert(place, again);
            }
            Damage::Swapped => {
                let other = (place + 1) % parts.len();
                parts.swap(place, other);
            }
            Damage::Cut(at) => parts[place].truncate(at % (length + 1)),
            Damage::Inserted(at, bytes) => {
                let at = at % (length + 1);
                parts[place].splice(at..at, bytes);
            }
            Damage::Byte(at, byte) if length > 0 => parts[place][at % length] = byte,
            Damage::Bit(at, bit) if length > 0 => parts[place][at % length] ^= 1 << bit,
            Damage::Byte(..) | Damage::Bit(..) => {}
        }
    }
    parts.concat()
}

proptest! {
    #[test]
    fn a_damaged_conversation_gives_whole_frames_however_it_is_cut_up(
        damages in proptest::collection::vec((any::<usize>(), damage()), 1..12),
        piece in 1..300_usize,
    ) {
        let received = damaged(conversation(), damages);
        prop_assert_eq!(outcome(&received, piece), outcome(&received, received.len() + 1));
    }

    #[test]
    fn anything_behind_a_description_is_taken(
        pieces in proptest::collection::vec(
            (any::<u8>(), 0..3_u8, any::<u8>(), any::<u32>(), proptest::collection::vec(any::<u8>(), 0..40)),
            0..60,
        ),
    ) {
        let mut received = description();
        for (channel, steps, kind, time, payload) in pieces {
            let mut packet = packet(u16::from(steps), time, kind & 0x80 != 0, &payload);
            packet[1] = kind;
            received.extend(framed(channel, &packet));
        }
        outcome(&received, 1 << 20);
    }
}

/// The fuzz target begins with conversations that have something to lose.
#[test]
fn the_seeds_of_the_fuzz_target_are_whole_conversations() {
    for (name, seed, sounds) in [
        ("h264-aac", &include_bytes!("../../../../../tests/fuzz/seeds/rtsp/h264-aac")[..], true),
        ("h264-udp", include_bytes!("../../../../../tests/fuzz/seeds/rtsp/h264-udp"), false),
        ("h265", include_bytes!("../../../../../tests/fuzz/seeds/rtsp/h265"), false),
    ] {
        let (piece, received) = seed.split_first().unwrap();
        let (events, end) = outcome(received, (*piece).into());
        let frames = |track| {
            events.iter().filter(|event| matches!(event, CameraEvent::Frame(frame) if frame.track == track)).count()
        };
        assert_eq!((frames(TrackKind::Video), frames(TrackKind::Audio) > 0, end), (8, sounds, None), "{name}");
        assert!(events.iter().all(|event| !matches!(event, CameraEvent::PacketsLost(_))), "{name}");
    }
}
