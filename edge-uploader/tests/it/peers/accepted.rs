//! Cameras that others accept are accepted.

use super::script::{
    PPS, Peer, Request, SPROP, SPS, described, description, framed, frames, options, pictures, rtp, status, stream,
    usual,
};
use edge_uploader::camera::CameraError;
use edge_uploader::camera::rtsp::{RtspOptions, Transport};
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

const COUNT: u16 = 8;

/// Changes the usual answers: what they are, and what to make of them.
type Quirk = fn(&Request, String) -> String;

/// The usual answer, except that DESCRIBE is answered with `description`.
fn saying(request: &Request, usual: String, description: &str) -> String {
    if request.method == "DESCRIBE" { described(request, description) } else { usual }
}

#[tokio::test]
async fn answers_may_be_sloppy() {
    let quirks: &[(&str, Quirk)] = &[
        ("as usual", |_, answer| answer),
        ("line feeds only", |_, answer| match answer.split_once("\r\n\r\n") {
            Some((head, body)) => format!("{}\n\n{body}", head.replace("\r\n", "\n")),
            None => answer,
        }),
        ("empty lines before each answer", |_, answer| format!("\r\n\r\n{answer}")),
        ("no reason phrase", |_, answer| answer.replace("200 OK", "200")),
        ("headers in lower case", |_, answer| {
            answer.replace("Session", "session").replace("Transport", "transport").replace("CSeq", "cseq")
        }),
        ("spaces around the colon", |_, answer| answer.replace("CSeq: ", "CSeq :  ").replace("Session: ", "Session:")),
        ("numbers that are always 1", |request, answer| {
            answer.replace(&format!("CSeq: {}", request.header("cseq")), "CSeq: 1")
        }),
        ("no numbers", |request, answer| answer.replace(&format!("CSeq: {}\r\n", request.header("cseq")), "")),
        ("numbers from elsewhere", |request, answer| {
            answer.replace(&format!("CSeq: {}", request.header("cseq")), "CSeq: 4711")
        }),
        ("100 Continue first", |request, answer| format!("{}{answer}", status(request, "100 Continue", ""))),
        ("each answer twice", |_, answer| format!("{answer}{answer}")),
        ("a question before each answer", |_, answer| format!("OPTIONS * RTSP/1.0\r\nCSeq: 9\r\n\r\n{answer}")),
        ("a content type with parameters", |_, answer| {
            answer.replace("application/sdp", "application/sdp;charset=utf-8")
        }),
        ("another content type", |_, answer| answer.replace("application/sdp", "text/plain")),
        ("no content type", |_, answer| answer.replace("Content-Type: application/sdp\r\n", "")),
        ("no session", |_, answer| answer.replace("Session: 1234;timeout=60\r\n", "").replace("Session: 1234\r\n", "")),
        ("a session of 0 s", |_, answer| answer.replace("timeout=60", "timeout=0")),
        ("a session with more", |_, answer| answer.replace(";timeout=60", "; x=y ; timeout = 60;z")),
        ("another session at PLAY", |_, answer| answer.replace("Session: 1234\r\n", "Session: 99\r\n")),
        ("no transport", |_, answer| answer.replace("Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n", "")),
        ("half a transport", |_, answer| answer.replace("interleaved=0-1", "interleaved=0;ssrc=zz;mode=\"PLAY\"")),
        ("an RTP-Info of no sense", |_, answer| answer.replace("url=track1;seq=1;rtptime=0", "seq;=;url,rtptime=x")),
        ("no base", |request, answer| answer.replace(&format!("Content-Base: {}/\r\n", request.uri), "")),
        ("a base without a scheme", |_, answer| answer.replace("Content-Base: rtsp://", "Content-Base: ")),
        ("a base that is none", |request, answer| {
            answer.replace(&format!("Content-Base: {}/", request.uri), "Content-Base: *")
        }),
        ("no v=", |request, answer| saying(request, answer, &description().replace("v=0\r\n", ""))),
        ("only the stream", |request, answer| {
            let text = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track1";
            saying(request, answer, text)
        }),
        ("half an o=", |request, answer| saying(request, answer, &description().replace(" IN IP4 127.0.0.1", " IN"))),
        ("no sets in the description", |request, answer| {
            saying(request, answer, &description().replace(&format!(";sprop-parameter-sets={SPROP}"), ""))
        }),
        ("sets that are none", |request, answer| {
            saying(request, answer, &description().replace(SPROP, "6QAAAA==,6gAA"))
        }),
        ("no control", |request, answer| saying(request, answer, &description().replace("a=control:track1\r\n", ""))),
        ("control of *", |request, answer| {
            saying(request, answer, &description().replace("control:track1", "control:*"))
        }),
        ("an absolute control", |request, answer| {
            let control = format!("control:{}/track1", request.uri);
            saying(request, answer, &description().replace("control:track1", &control))
        }),
        ("streams that nobody knows", |request, answer| {
            let more = "m=audio 0 RTP/AVP 98\r\na=rtpmap:98 opus/48000/2\r\nm=audio 0 RTP/AVP 8\r\nm=application/TP-LINK 0 \
                        RTP/AVP smart/1/90000\r\nm=video 0 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\na=control:track9\r\n";
            saying(request, answer, &format!("{}{more}", description()))
        }),
    ];
    for (what, quirk) in quirks {
        let quirk = *quirk;
        // The sets come with the pictures as well: not every description has them.
        let sets: Vec<u8> = [(&SPS[..], u16::MAX - 1), (&PPS, u16::MAX)]
            .iter()
            .flat_map(|(set, number)| framed(0, &rtp(*number, 0, false, set)))
            .collect();
        let sets = if what.contains("sets") || what.contains("only") { sets } else { Vec::new() };
        let peer =
            Peer::start(move |request| quirk(request, usual(request)).into_bytes(), [sets, stream(COUNT)].concat());
        let found = frames(&peer.url(""), options(), COUNT.into()).await;
        let found = found.unwrap_or_else(|error| panic!("{what}: {}", framepost_ports::chain(&error)));
        assert_eq!(found.len(), usize::from(COUNT), "{what}");
        let setups = peer.requests().into_iter().filter(|request| request.method == "SETUP").count();
        assert_eq!(setups, 1, "{what}");
    }
}

#[tokio::test]
async fn packets_may_come_where_nobody_expects_them() {
    let by_channel =
        |channel: u8| -> Vec<u8> { pictures(COUNT).iter().flat_map(|packet| framed(channel, packet)).collect() };
    let report = [&[0x80, 200, 0, 6, 0, 0, 0, 7][..], &[0xe0; 8], &[0; 12]].concat();
    for (what, media) in [
        ("by other channels than agreed", by_channel(4)),
        (
            "with strange channels between",
            pictures(COUNT).iter().flat_map(|p| [framed(9, b"x"), framed(0, p)].concat()).collect(),
        ),
        (
            "with reports among them",
            pictures(COUNT).iter().flat_map(|p| [framed(0, &report), framed(0, p)].concat()).collect(),
        ),
        (
            "with line ends between",
            pictures(COUNT).iter().flat_map(|p| [b"\r\n\r\n".to_vec(), framed(0, p)].concat()).collect(),
        ),
        ("after a packet's tail", [b"tail of $ something".to_vec(), stream(COUNT)].concat()),
        ("with questions between", [b"GET_PARAMETER * RTSP/1.0\r\nCSeq: 1\r\n\r\n".to_vec(), stream(COUNT)].concat()),
        ("of another type than described", {
            pictures(COUNT)
                .into_iter()
                .flat_map(|mut p| {
                    p[1] = 0x80 | 0x62;
                    framed(0, &p)
                })
                .collect()
        }),
    ] {
        let peer = Peer::start(|request| usual(request).into_bytes(), media);
        let found = frames(&peer.url(""), options(), COUNT.into()).await;
        assert!(
            found.is_ok(),
            "{what}: {}",
            found.err().map(|error| framepost_ports::chain(&error)).unwrap_or_default()
        );
    }
    // Before the answer to PLAY.
    let early = move |request: &Request| match request.method.as_str() {
        "PLAY" => [stream(COUNT), usual(request).into_bytes()].concat(),
        _ => usual(request).into_bytes(),
    };
    frames(&Peer::start(early, Vec::new()).url(""), options(), COUNT.into()).await.expect("early packets");
}

/// Answers with a challenge until the request is authorized in the way that the challenge is about.
fn guarded(challenges: &'static [&'static str], scheme: &'static str) -> impl Fn(&Request) -> Vec<u8> + Send + Sync {
    move |request| {
        let authorization = request.header("authorization");
        if authorization.to_ascii_lowercase().starts_with(scheme) {
            return usual(request).into_bytes();
        }
        let headers = challenges
            .iter()
            .fold(String::new(), |headers, challenge| headers + "WWW-Authenticate: " + challenge + "\r\n");
        status(request, "401 Unauthorized", &headers).into_bytes()
    }
}

#[tokio::test]
async fn every_kind_of_challenge_is_answered() {
    for (challenges, scheme) in [
        (&["Digest realm=\"cam\", nonce=\"1\""][..], "digest"),
        (&["Digest realm=\"cam\", nonce=\"1\", algorithm=SHA-256, qop=\"auth\""], "digest"),
        (&["Digest realm=\"cam\", nonce=\"1\", qop=\"auth-int\""], "digest"),
        (&["Digest realm=\"a \\\"quoted\\\", realm\",nonce=1,stale=FALSE"], "digest"),
        (&["Basic realm=\"cam\"", "Digest realm=\"cam\", nonce=\"1\""], "digest"),
        (&["Digest realm=\"cam\", nonce=\"1\"", "Digest realm=\"cam\", nonce=\"2\", algorithm=SHA-256"], "digest"),
        (&["Basic realm=\"cam\""], "basic"),
    ] {
        let peer = Peer::start(guarded(challenges, scheme), stream(COUNT));
        let found = frames(&peer.url("viewer:secret@"), options(), 1).await;
        assert!(found.is_ok(), "{challenges:?}: {:?}", found.err());
        let error = frames(&peer.url(""), options(), 1).await.expect_err("no credentials");
        assert!(matches!(error, CameraError::Unauthorized(_)), "{challenges:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_nonce_that_went_stale_is_renewed_and_a_refusal_is_taken_for_one() {
    // Another nonce for each request, as some cameras want it.
    let count = AtomicUsize::new(0);
    let fresh = move |request: &Request| {
        let n = count.fetch_add(1, Relaxed);
        let authorization = request.header("authorization");
        if n % 2 == 1 && authorization.contains(&format!("nonce=\"n{}\"", n - 1)) {
            return usual(request).into_bytes();
        }
        let challenge = format!("WWW-Authenticate: Digest realm=\"cam\", nonce=\"n{n}\", stale=true\r\n");
        status(request, "401 Unauthorized", &challenge).into_bytes()
    };
    let peer = Peer::start(fresh, stream(COUNT));
    frames(&peer.url("viewer:secret@"), options(), 1).await.expect("with a new nonce each time");

    for challenge in ["Digest realm=\"cam\", nonce=\"1\", stale=true", "Basic realm=\"cam\""] {
        let never = move |request: &Request| {
            status(request, "401 Unauthorized", &format!("WWW-Authenticate: {challenge}\r\n")).into_bytes()
        };
        let peer = Peer::start(never, Vec::new());
        let error = frames(&peer.url("viewer:secret@"), options(), 1).await.expect_err("refused");
        assert!(matches!(error, CameraError::Unauthorized(_)), "{error:?}");
        assert!(peer.requests().len() <= 2, "{}", peer.requests().len());
    }
}

#[tokio::test]
async fn redirections_are_followed_with_credentials_for_their_own_host_only() {
    const CHALLENGE: &[&str] = &["Digest realm=\"cam\", nonce=\"1\""];
    for (host, sees) in [("127.0.0.1", true), ("127.0.0.2", false)] {
        let elsewhere =
            Peer::start_at(host, guarded(CHALLENGE, "digest"), |to| std::io::Write::write_all(to, &stream(COUNT)));
        let to = format!("Location: rtsp://{host}:{}/other\r\n", elsewhere.port);
        let first = Peer::start(move |request| status(request, "302 Found", &to).into_bytes(), Vec::new());
        let found = frames(&first.url("viewer:secret@"), options(), 1).await;
        assert_eq!(found.is_ok(), sees, "{host}: {:?}", found.err());
        let shown = elsewhere.requests().iter().any(|request| !request.header("authorization").is_empty());
        assert_eq!(shown, sees, "{host}");
        assert!(!elsewhere.requests().is_empty(), "{host}: it was asked");
    }
    // Round and round.
    let round = Peer::start(
        |request| status(request, "301 Moved", &format!("Location: {}\r\n", request.uri)).into_bytes(),
        Vec::new(),
    );
    let error = frames(&round.url(""), options(), 1).await.expect_err("no end");
    assert!(matches!(error, CameraError::Lost { .. }), "{error:?}");
    assert!((3..10).contains(&round.requests().len()), "{}", round.requests().len());
    for location in ["http://127.0.0.1/", "file:///etc/passwd", ""] {
        let peer = Peer::start(
            move |request| status(request, "302 Found", &format!("Location: {location}\r\n")).into_bytes(),
            Vec::new(),
        );
        assert!(frames(&peer.url(""), options(), 1).await.is_err(), "{location}");
    }
}

#[tokio::test]
async fn signs_of_life_are_what_the_camera_takes_and_their_answers_do_not_matter() {
    for (public, refuses, expected) in [
        ("OPTIONS, SET_PARAMETER", "", "SET_PARAMETER"),
        ("OPTIONS, GET_PARAMETER, SET_PARAMETER", "GET_PARAMETER", "SET_PARAMETER"),
        ("", "OPTIONS", "OPTIONS"),
    ] {
        let answers = move |request: &Request| match request.method.as_str() {
            method if method == refuses => b"RTSP/1.0 400 Bad Request\r\nCSeq: 1\r\n\r\n".to_vec(),
            "OPTIONS" => status(request, "200 OK", &format!("Public: {public}\r\n")).into_bytes(),
            "SETUP" => usual(request).replace("timeout=60", "timeout=1").into_bytes(),
            _ => usual(request).into_bytes(),
        };
        // A picture every tenth of a second; requests are answered meanwhile.
        let peer = Peer::start_at("127.0.0.1", answers, |to| {
            let mut to = to.try_clone()?;
            std::thread::spawn(move || {
                for packet in pictures(100) {
                    std::io::Write::write_all(&mut to, &framed(0, &packet))?;
                    std::thread::sleep(Duration::from_millis(100));
                }
                Ok::<(), std::io::Error>(())
            });
            Ok(())
        });
        frames(&peer.url(""), options(), 25).await.unwrap_or_else(|error| panic!("{public}: {error:?}"));
        let signs: Vec<String> =
            peer.requests().into_iter().map(|request| request.method).skip_while(|method| method != "PLAY").collect();
        assert_eq!(signs.get(1).map(String::as_str), Some("OPTIONS"), "{public}: {signs:?}");
        assert!(signs.iter().any(|sign| sign == expected), "{public}: {signs:?}");
    }
}

#[tokio::test]
async fn udp_packets_may_come_out_of_order() {
    let client = Arc::new(OnceLock::new());
    let told = Arc::clone(&client);
    let answers = move |request: &Request| {
        if request.method != "SETUP" {
            return usual(request).into_bytes();
        }
        let port = request.header("transport").split("client_port=").nth(1).unwrap_or_default().to_owned();
        let rtp_port: u16 = port.split('-').next().and_then(|port| port.parse().ok()).expect("a client port");
        told.get_or_init(|| SocketAddr::from(([127, 0, 0, 1], rtp_port)));
        let transport = format!("RTP/AVP/UDP;unicast;client_port={port};server_port=9-10;source=127.0.0.1");
        status(request, "200 OK", &format!("Session: 1\r\nTransport: {transport}\r\n")).into_bytes()
    };
    // Sent once PLAY is answered.
    let peer = Peer::start_at("127.0.0.1", answers, move |_| {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let mut packets = pictures(40);
        // Neighbours change places, and one comes two places late.
        for at in (1..38).step_by(3) {
            packets.swap(at, at + 1);
        }
        let late = packets.remove(30);
        packets.insert(32, late);
        let client = client.get().expect("SETUP comes before PLAY");
        packets.iter().try_for_each(|packet| socket.send_to(packet, client).map(drop))
    });
    let options = RtspOptions { transport: Transport::Udp, ..options() };
    let found = frames(&peer.url(""), options, 40).await.expect("all of them");
    let numbers: Vec<u8> = found.iter().filter_map(|frame| frame.data.last().copied()).collect();
    assert_eq!(numbers, (1..=40).collect::<Vec<u8>>());
}
