//! RTSP cameras, against GStreamer's RTSP server.
//!
//! Skipped, loudly, where GStreamer's Python bindings are not installed (Debian: `gir1.2-gst-rtsp-server-1.0`,
//! `python3-gi`, `gstreamer1.0-plugins-ugly`, `-bad` and `-libav`).

use edge_uploader::camera::rtsp::{Audio, RtspCamera, RtspOptions, Transport};
use edge_uploader::camera::{Camera as _, CameraError, CameraEvent, Session};
use edge_uploader::media::Timing;
use edge_uploader::media::{Frame, Reference, StreamParameters, TrackKind, VideoCodec};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A server that dies with the test.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(credentials: Option<(&str, &str)>) -> Option<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/rtsp/server.py");
        let mut command = Command::new("/usr/bin/python3");
        command.arg(script);
        if let Some((user, password)) = credentials {
            command.args(["--user", user, "--password", password]);
        }
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let Ok(mut child) = child else {
            eprintln!("skipped: python3 is not installed");
            return None;
        };
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("the server's output");
        let port = serde_json::from_str::<serde_json::Value>(&line).ok().and_then(|ready| ready["port"].as_u64());
        let Some(port) = port.and_then(|port| u16::try_from(port).ok()) else {
            eprintln!("skipped: GStreamer's RTSP server does not start");
            let _ = child.wait();
            return None;
        };
        Some(Self { child, port })
    }

    fn url(&self, path: &str) -> String {
        format!("rtsp://127.0.0.1:{}{path}", self.port)
    }

    /// Stops it where it is, as a camera that hangs.
    fn freeze(&self) {
        assert!(Command::new("kill").args(["-STOP", &self.child.id().to_string()]).status().expect("kill").success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn options() -> RtspOptions {
    RtspOptions { connect_timeout: Duration::from_secs(30), ..RtspOptions::default() }
}

async fn connected(url: &str, options: RtspOptions) -> Result<Box<dyn Session>, CameraError> {
    RtspCamera::new(url, options)?.connect().await
}

#[derive(Default)]
struct Seen {
    parameters: Vec<StreamParameters>,
    video: Vec<Frame>,
    audio: Vec<Frame>,
}

async fn watch(session: &mut Box<dyn Session>, video: usize) -> Result<Seen, CameraError> {
    let mut seen = Seen::default();
    while seen.video.len() < video {
        match session.next().await? {
            Some(CameraEvent::Parameters(parameters)) => seen.parameters.push(parameters),
            Some(CameraEvent::Frame(frame)) => {
                assert!(!seen.parameters.is_empty(), "parameters come first");
                match frame.track {
                    TrackKind::Video => seen.video.push(frame),
                    TrackKind::Audio => seen.audio.push(frame),
                }
            }
            Some(CameraEvent::SenderReport { .. } | CameraEvent::PacketsLost(_) | CameraEvent::Undescribed { .. }) => {}
            Some(other @ CameraEvent::Fault(_)) => panic!("a camera has no {other:?}"),
            None => panic!("the server ended"),
        }
    }
    Ok(seen)
}

#[tokio::test]
async fn streams_are_received_over_both_transports() {
    let Some(server) = Server::start(None) else { return };
    for (path, codec, has_audio) in [
        ("/h264", VideoCodec::H264, false),
        ("/h264-aac", VideoCodec::H264, true),
        ("/h264-opus", VideoCodec::H264, false),
        ("/h264-bframes", VideoCodec::H264, false),
        ("/h265", VideoCodec::H265, false),
    ] {
        for transport in [Transport::Tcp, Transport::Udp] {
            let case = format!("{path} {transport:?}");
            let mut session = connected(&server.url(path), RtspOptions { transport, ..options() }).await.expect(&case);
            assert_eq!(session.timing(), Timing::Arrival);
            let seen = watch(&mut session, 60).await.expect(&case);
            let parameters = seen.parameters.last().expect("parameters");
            assert_eq!(parameters.video.codec, codec, "{case}");
            assert_eq!((parameters.video.width, parameters.video.height), (320, 240), "{case}");
            assert_eq!(parameters.video.timescale, 90_000);
            assert_eq!(parameters.video.config[0], 1, "{case}: a decoder configuration record");
            assert_eq!(parameters.audio.is_some(), has_audio, "{case}");
            let keys = seen.video.iter().filter(|frame| frame.reference == Reference::RandomAccess).count();
            assert!((1..=5).contains(&keys), "{case}: {keys}");
            for frame in &seen.video {
                let inside: usize = edge_uploader::camera::nal::units(&frame.data).map(|unit| unit.len() + 4).sum();
                assert_eq!(inside, frame.data.len(), "{case}: NAL units with 4-byte lengths");
            }
            let mut times: Vec<_> = seen.video.iter().map(|frame| frame.pts).collect();
            let in_order = times.is_sorted();
            assert_eq!(in_order, path != "/h264-bframes", "{case}");
            times.sort_unstable();
            // The frames given last may lack some that are shown before them.
            for pair in times[..56].windows(2) {
                assert!((3_500..3_700).contains(&(pair[1] - pair[0])), "{case}: {pair:?}");
            }
            if path == "/h264-bframes" {
                assert!(seen.video.iter().any(|frame| frame.reference == Reference::Disposable), "{case}");
            }
            if let Some(audio) = &parameters.audio {
                assert_eq!((audio.channels, audio.sample_rate, audio.timescale), (1, 48_000, 48_000));
                assert!(seen.audio.len() > 60, "{case}: {}", seen.audio.len());
                assert!(seen.audio.iter().all(|frame| frame.duration == Some(1024)));
                let steps: Vec<_> = seen.audio.windows(2).map(|pair| pair[1].pts - pair[0].pts).collect();
                assert!(steps.iter().all(|step| (1000..1050).contains(step)), "{case}: {steps:?}");
            }
        }
    }
}

#[tokio::test]
async fn parameter_sets_may_come_in_band_only() {
    let Some(server) = Server::start(None) else { return };
    let mut session = connected(&server.url("/h264-bare"), options()).await.expect("connected");
    let seen = watch(&mut session, 30).await.expect("frames");
    assert_eq!((seen.parameters[0].video.width, seen.parameters[0].video.height), (320, 240));
    assert_eq!(seen.video[0].reference, Reference::RandomAccess);
}

#[tokio::test]
async fn the_cameras_clock_is_told() {
    let Some(server) = Server::start(None) else { return };
    let mut session = connected(&server.url("/h264"), options()).await.expect("connected");
    let report = tokio::time::timeout(Duration::from_secs(30), async {
        let mut last = 0;
        loop {
            match session.next().await.expect("a live stream") {
                Some(CameraEvent::Frame(frame)) => last = frame.pts,
                Some(CameraEvent::SenderReport { pts, ntp }) => return (pts, ntp, last),
                _ => {}
            }
        }
    });
    let (pts, ntp, last) = report.await.expect("a sender report in time");
    // The server's clock is this machine's.
    assert!(ntp.duration_since(jiff::Timestamp::now()).abs() < jiff::SignedDuration::from_secs(5), "{ntp}");
    assert!((pts - last).abs() < 2 * 90_000, "{pts} {last}");
}

#[tokio::test]
async fn sound_can_be_ignored() {
    let Some(server) = Server::start(None) else { return };
    let options = RtspOptions { audio: Audio::Ignore, ..options() };
    let mut session = connected(&server.url("/h264-aac"), options).await.expect("connected");
    let seen = watch(&mut session, 10).await.expect("frames");
    assert!(seen.audio.is_empty() && seen.parameters[0].audio.is_none());
}

#[tokio::test]
async fn the_password_opens_and_nothing_else_does() {
    let Some(server) = Server::start(Some(("admin", "s3cret"))) else { return };
    let with = |user: &str, password: &str| RtspOptions {
        username: Some(user.to_owned()),
        password: Some(password.to_owned()),
        ..options()
    };
    let mut session = connected(&server.url("/h264"), with("admin", "s3cret")).await.expect("by the options");
    watch(&mut session, 5).await.expect("frames");
    let url = format!("rtsp://admin:s3cret@127.0.0.1:{}/h264", server.port);
    connected(&url, options()).await.expect("by the URL");
    for wrong in [with("admin", "guess"), options()] {
        let error = connected(&server.url("/h264"), wrong).await.err().expect("refused");
        assert!(matches!(error, CameraError::Unauthorized(_)), "{error:?}");
        assert!(!format!("{error:?} {error}").contains("guess"));
    }
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    let Some(server) = Server::start(None) else { return };
    let error = connected(&server.url("/nothing"), options()).await.err().expect("no such path");
    assert!(matches!(&error, CameraError::Lost { problem, .. } if problem.contains("404")), "{error:?}");
    let error = connected(&server.url("/jpeg"), options()).await.err().expect("no video");
    assert!(matches!(&error, CameraError::Unusable { problem, .. } if problem.contains("jpeg")), "{error:?}");
    // A port where nobody listens any more.
    let url = server.url("/h264");
    drop(server);
    let error = connected(&url, options()).await.err().expect("nobody there");
    assert!(matches!(error, CameraError::Lost { .. }), "{error:?}");
}

#[tokio::test]
async fn a_killed_camera_is_lost_at_once_and_a_frozen_one_is_silent_in_time() {
    for transport in [Transport::Tcp, Transport::Udp] {
        let Some(mut server) = Server::start(None) else { return };
        // Its silence alone would not end the session within the deadline.
        let patient = RtspOptions { transport, inactivity: Duration::from_mins(10), ..options() };
        let mut session = connected(&server.url("/h264"), patient).await.expect("connected");
        watch(&mut session, 5).await.expect("frames");
        server.child.kill().expect("killed");
        let error = end(&mut session).await;
        assert!(matches!(error, CameraError::Lost { .. }), "{error:?}");

        let Some(server) = Server::start(None) else { return };
        let options = RtspOptions { transport, inactivity: Duration::from_secs(2), ..options() };
        let mut session = connected(&server.url("/h264"), options).await.expect("connected");
        watch(&mut session, 5).await.expect("frames");
        server.freeze();
        let error = end(&mut session).await;
        assert!(matches!(error, CameraError::Silent { .. }), "{error:?}");
    }
}

/// The error that ends a session. Frames that had arrived before come first.
async fn end(session: &mut Box<dyn Session>) -> CameraError {
    let ended = async {
        loop {
            match session.next().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the server ended"),
                Err(error) => return error,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), ended).await.expect("the end is noticed")
}

#[tokio::test]
async fn a_camera_can_be_connected_again() {
    let Some(server) = Server::start(None) else { return };
    let mut camera = RtspCamera::new(&server.url("/h264"), options()).expect("a camera");
    for _ in 0..3 {
        let mut session = camera.connect().await.expect("connected");
        watch(&mut session, 3).await.expect("frames");
    }
}
