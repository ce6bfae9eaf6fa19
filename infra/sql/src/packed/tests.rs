use super::*;

const HOUR_US: i64 = 1_795_219_200_000_000;

fn at(us: i64) -> Timestamp {
    Timestamp::from_microsecond(HOUR_US + us).unwrap()
}

/// What was packed years ago is still read: every variant is where it was.
#[test]
fn the_bytes_of_an_hour_stay_what_they_are() {
    let mut chunks = Vec::new();
    let signatures = [Signature::Valid, Signature::Invalid, Signature::Absent, Signature::Unknown];
    let contents = [Some(Content::Claimed), Some(Content::Verified), Some(Content::Mismatch), None];
    let chains = [ChainState::First, ChainState::Linked, ChainState::Broken, ChainState::Absent];
    for (n, ((signature, content), chain)) in (0..).zip(signatures.into_iter().zip(contents).zip(chains)) {
        let activity = (n > 0).then_some(0.5);
        chunks.push(ChunkOutline { from: at(n), to: at(n + 3), size_bytes: 300, activity, signature, content, chain });
    }
    let bytes = pack_outlines(HOUR_US, &chunks).unwrap();
    let expected = "04 0003ac0200 00010000 0103ac0201000000000000e03f 01010101 0203ac0201000000000000e03f 02010202 \
                    0303ac0201000000000000e03f 030003";
    assert_eq!(hex(&bytes), expected.replace(' ', ""));
    assert_eq!(outlines(HOUR_US, &bytes).unwrap(), chunks);

    let skips =
        [None, Some(Skipped::Still), Some(Skipped::Budget), Some(Skipped::Interrupted), Some(Skipped::NoPicture)];
    let look =
        |(n, skipped)| SeriesLook { looked: Looked { from: at(0), to: at(3), skipped }, series: n, again: n > 0 };
    let seen: Vec<SeriesLook> = (0..).zip(skips).map(look).collect();
    let bytes = pack_looks(HOUR_US, &seen).unwrap();
    assert_eq!(hex(&bytes), "05 0000030000 010003020100 010003040101 010003060102 010003080103".replace(' ', ""));
    assert_eq!(looks(HOUR_US, &bytes).unwrap(), seen);

    let bounds = Bounds { left: 0.5, top: 0.5, width: 0.5, height: 0.5 };
    let best = Best { time: at(1), key: "k".to_owned(), offset: 0.5, bounds };
    let early = Timestamp::new(-1, -1).unwrap();
    let zones = ["a".to_owned(), "b".to_owned()].into();
    let sighting =
        Sighting { label: "car".to_owned(), from: early, to: at(2), score: 0.5, pictures: 3, most: 2, zones, best };
    let sighting = vec![(7, sighting)];
    let bytes = pack_sightings(sighting.clone()).unwrap();
    let half = "000000000000e03f";
    let expected =
        format!("01 0e 03636172 0101 80fc86b00da01f {half} 03 02 0201610162 80fc86b00dd00f 016b {}", half.repeat(5));
    assert_eq!(hex(&bytes), expected.replace(' ', ""));
    assert_eq!(sightings(&bytes).unwrap(), sighting);
}

#[test]
fn what_is_no_hour_is_refused() {
    for bytes in [&b""[..], b"\x05\x00", b"\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x00\x00\x00\x00\x00"] {
        assert_eq!(outlines(HOUR_US, bytes).unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(looks(HOUR_US, bytes).unwrap_err().kind(), ErrorKind::Corrupt);
    }
    let early = ChunkOutline {
        from: at(-1),
        to: at(3),
        size_bytes: 1,
        activity: None,
        signature: Signature::Absent,
        content: None,
        chain: ChainState::Absent,
    };
    assert!(pack_outlines(HOUR_US, &[early]).is_err());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
