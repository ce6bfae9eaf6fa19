//! Peers that go beyond what a camera may do are stopped, soon and at little cost.

use super::script::{PPS, Peer, Request, SPS, described, description, framed, frames, options, pictures, rtp, usual};
use edge_uploader::camera::CameraError;
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Aggregated NAL units: STAP-A of so many units.
fn aggregate(unit: &[u8], count: usize) -> Vec<u8> {
    let length = u16::try_from(unit.len()).expect("a short unit").to_be_bytes();
    [vec![24], [&length, unit].concat().repeat(count)].concat()
}

/// A sender report of nobody.
fn report() -> Vec<u8> {
    [&[0x80, 200, 0, 6, 0, 0, 0, 7][..], &[0xe0; 8], &[0; 12]].concat()
}

/// Writes the same for ever.
fn flood(to: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    loop {
        to.write_all(bytes)?;
    }
}

type Answer = fn(&Request) -> Vec<u8>;
type Media = fn(&mut TcpStream) -> std::io::Result<()>;

#[tokio::test]
async fn floods_are_stopped() {
    let media: &[(&str, Media)] = &[
        ("an access unit without an end", |to| {
            to.write_all(&framed(0, &rtp(0, 0, false, &[0x7c, 0x85, 0x88])))?;
            (1..=u16::MAX).cycle().try_for_each(|n| {
                to.write_all(&framed(0, &rtp(n, 0, false, &[&[0x7c, 5][..], &[0x55; 16_000]].concat())))
            })
        }),
        ("countless slices", |to| {
            (0..=u16::MAX)
                .cycle()
                .try_for_each(|n| to.write_all(&framed(0, &rtp(n, 0, false, &aggregate(&[0x41, 0x9a], 5000)))))
        }),
        ("countless messages", |to| {
            (0..=u16::MAX)
                .cycle()
                .try_for_each(|n| to.write_all(&framed(0, &rtp(n, 0, false, &aggregate(&[6, 5], 100)))))
        }),
        ("countless sets", |to| {
            (0..=u16::MAX).cycle().try_for_each(|n| to.write_all(&framed(0, &rtp(n, 0, true, &aggregate(&SPS, 100)))))
        }),
        ("countless pictures", |to| {
            (0..=u16::MAX)
                .cycle()
                .try_for_each(|n| to.write_all(&framed(0, &rtp(n, u32::from(n) * 3600, true, &[0x65, 0x88, 0x84]))))
        }),
        ("a line without an end", |to| {
            to.write_all(b"RTSP/1.0 200 OK\r\nX: ")?;
            flood(to, &[b'a'; 1000])
        }),
        ("a head without an end", |to| {
            to.write_all(b"RTSP/1.0 200 OK\r\n")?;
            flood(to, b"X: a\r\n")
        }),
        ("a body without an end", |to| {
            to.write_all(b"RTSP/1.0 200 OK\r\nContent-Length: 4000000000\r\n\r\n")?;
            flood(to, &[b'x'; 1000])
        }),
        ("what is nothing", |to| flood(to, &[b'x'; 1000])),
        ("questions", |to| flood(to, b"GET_PARAMETER * RTSP/1.0\r\nCSeq: 1\r\n\r\n")),
        ("answers to nothing", |to| flood(to, b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n")),
        ("reports", |to| flood(to, &framed(1, &report()).repeat(100))),
        ("packets that are none", |to| flood(to, &framed(0, b"nothing").repeat(1000))),
        ("channels that are nobody's", |to| flood(to, &framed(9, b"").repeat(1000))),
        ("empty packets", |to| {
            let packets: Vec<u8> = (0..=u16::MAX).flat_map(|n| framed(0, &rtp(n, 0, false, &[]))).collect();
            flood(to, &packets)
        }),
    ];
    for (what, media) in media {
        let peer = Peer::start_at("127.0.0.1", |request| usual(request).into_bytes(), *media);
        let since = Instant::now();
        let error = frames(&peer.url(""), options(), usize::MAX).await.expect_err(what);
        assert!(matches!(error, CameraError::Excessive { .. }), "{what}: {error:?}");
        assert!(since.elapsed() < Duration::from_secs(20), "{what}");
    }
}

#[tokio::test]
async fn bytes_that_make_no_frame_do_not_hold_off_the_silence() {
    let slowly = Duration::from_millis(20);
    for (what, first, bytes, pause) in [
        ("channels that are nobody's", &b""[..], framed(9, &[b'x'; 16_000]), Duration::ZERO),
        ("reports", b"", framed(1, &report()), slowly),
        ("packets that are none", b"", framed(0, b"nothing"), slowly),
        ("a byte at a time", b"RTSP/1.0 200 OK\r\nX: ", b"a".to_vec(), slowly),
    ] {
        let peer = Peer::start_at(
            "127.0.0.1",
            |request| usual(request).into_bytes(),
            move |to| {
                to.write_all(first)?;
                loop {
                    to.write_all(&bytes)?;
                    std::thread::sleep(pause);
                }
            },
        );
        let since = Instant::now();
        let error = frames(&peer.url(""), options(), usize::MAX).await.expect_err(what);
        assert!(matches!(error, CameraError::Silent { .. }), "{what}: {error:?}");
        assert!(since.elapsed() < options().inactivity + Duration::from_secs(3), "{what}: {:?}", since.elapsed());
    }
}

#[tokio::test]
async fn descriptions_have_bounds() {
    let answers: &[(&str, Answer)] = &[
        ("a long one", |request| {
            described(request, &format!("{}{}", description(), "a=x:y\r\n".repeat(20_000))).into_bytes()
        }),
        ("countless headers", |_| [&b"RTSP/1.0 200 OK\r\n"[..], &b"X: a\r\n".repeat(10_000)].concat()),
        ("a long line", |_| [&b"RTSP/1.0 200 OK\r\nX: "[..], &[b'a'; 16_000]].concat()),
    ];
    for (what, answer) in answers {
        let error = frames(&Peer::start(*answer, Vec::new()).url(""), options(), 1).await.expect_err(what);
        assert!(matches!(error, CameraError::Excessive { .. }), "{what}: {error:?}");
    }
    // Countless streams within the bounds of a body cost no more than their reading.
    let many = format!("{}{}", description(), "m=audio 0 RTP/AVP 0\r\n".repeat(2500));
    let answers = move |request: &Request| match request.method.as_str() {
        "DESCRIBE" => described(request, &many).into_bytes(),
        _ => usual(request).into_bytes(),
    };
    let media: Vec<u8> = pictures(3).iter().flat_map(|packet| framed(0, packet)).collect();
    frames(&Peer::start(answers, media).url(""), options(), 3).await.expect("the first stream");
}

#[tokio::test]
async fn other_sets_with_each_picture_end_no_span() {
    use edge_uploader::camera::rtsp::RtspCamera;
    use edge_uploader::camera::{Camera as _, CameraEvent};
    let media: Vec<u8> = (0..200_u16)
        .flat_map(|n| {
            let mut sps = SPS;
            sps[3] = 10 + n.to_be_bytes()[1] % 40;
            let time = u32::from(n) * 3600;
            let parts = [(&sps[..], false), (&PPS, false), (&[0x65, 0x88, 0x80], true)];
            (0..3)
                .zip(parts)
                .flat_map(move |(part, (unit, marker))| framed(0, &rtp(3 * n + part, time, marker, unit)))
                .collect::<Vec<u8>>()
        })
        .collect();
    let peer = Peer::start(|request| usual(request).into_bytes(), media);
    let mut session = RtspCamera::new(&peer.url(""), options()).expect("a camera").connect().await.expect("connected");
    let mut changes = 0;
    let mut frames = 0;
    while frames < 200 {
        match session.next().await.expect("a live stream") {
            Some(CameraEvent::Parameters(_)) => changes += 1,
            Some(CameraEvent::Frame(frame)) => {
                // What the told parameters lack goes with the picture.
                if frames % 40 != 0 {
                    let units: Vec<&[u8]> = edge_uploader::camera::nal::units(&frame.data).collect();
                    assert_eq!(units.len(), 2, "frame {frames}");
                    assert_eq!(units[0][0], 0x67);
                }
                frames += 1;
            }
            _ => {}
        }
    }
    // The description's, and the first that came.
    assert!(changes <= 2, "{changes}");
}
