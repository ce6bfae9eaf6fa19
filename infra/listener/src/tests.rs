use super::*;
use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use std::convert::Infallible;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const LIMITS: ConnectionLimits = ConnectionLimits {
    versions: Versions::Http1,
    connections: 4,
    header_time: Duration::from_millis(400),
    idle_time: Duration::from_millis(400),
    answer_time: Duration::from_millis(400),
    lifetime: Duration::from_mins(5),
    header_bytes: 8192,
    drain: Duration::from_secs(10),
};

/// How long a busy machine may take to end a connection whose limit is over. Nothing else ends those of these tests.
const PATIENCE: Duration = Duration::from_mins(1);

async fn listening(limits: ConnectionLimits) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let service = || {
        // An answer that a peer has to read before more of it is sent.
        let answer = |request: Request<Incoming>| async move {
            let bytes = if request.uri().path() == "/large" { vec![b'x'; 64 << 20] } else { b"hello".to_vec() };
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(bytes))))
        };
        service_fn(answer)
    };
    let serving = tokio::spawn(serve(listener, "test", limits, service, stop.clone()));
    (address, stop, serving)
}

async fn connect(address: SocketAddr, first: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(first).await.unwrap();
    stream
}

/// Everything until the other side ends the connection, however it does.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, async {
        let mut piece = [0; 4096];
        while let Ok(1..) = stream.read(&mut piece).await.inspect(|n| bytes.extend_from_slice(&piece[..*n])) {}
    });
    ended.await.expect("the connection is ended");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn who_asks_is_served_whatever_a_crowd_holds() {
    let (address, ..) = listening(ConnectionLimits {
        header_time: Duration::from_mins(1),
        idle_time: Duration::from_mins(1),
        ..LIMITS
    })
    .await;
    // Each of them has a descriptor in this process.
    assert!(descriptors::raise() >= 2048, "`ulimit -n` allows too few descriptors for this test");
    let mut crowd = Vec::new();
    for _ in 0..1000 {
        crowd.push(connect(address, b"GET / HT").await);
    }
    let mut stream = connect(address, b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").await;
    let answer = rest(&mut stream).await;
    assert!(answer.ends_with("hello"), "{answer}");
    // All but as many as there may be were ended.
    for stream in &mut crowd[..996] {
        assert_eq!(rest(stream).await, "");
    }
}

#[tokio::test]
async fn slow_heads_idle_peers_and_those_who_do_not_read_are_ended() {
    let (address, ..) = listening(LIMITS).await;
    let began = std::time::Instant::now();
    let mut silent = connect(address, b"").await;
    let mut idle = connect(address, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let mut greedy = connect(address, b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n").await;
    // A byte now and then is not a head in time.
    let dripping = async {
        let mut stream = connect(address, b"GET / HTTP/1.1\r\n").await;
        while stream.write_all(b"A").await.is_ok() && began.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        began.elapsed()
    };
    let (dripped, silence, answer) = tokio::join!(dripping, rest(&mut silent), rest(&mut idle));
    assert!(dripped < PATIENCE, "{dripped:?}");
    assert_eq!(silence, "");
    assert!(answer.contains("hello"), "{answer}");
    // What the system buffered comes, the rest was given up.
    let mut received = 0;
    let mut piece = vec![0; 1 << 20];
    while let Ok(n @ 1..) = greedy.read(&mut piece).await {
        received += n;
    }
    assert!(received < 64 << 20, "{received}");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let (address, ..) = listening(LIMITS).await;
    let mut stream = connect(address, format!("GET / HTTP/1.1\r\nA: {}\r\n", "a".repeat(20_000)).as_bytes()).await;
    let answer = rest(&mut stream).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn the_end_waits_for_requests_and_not_for_idle_peers() {
    let (address, stop, serving) = listening(ConnectionLimits {
        idle_time: Duration::from_mins(1),
        header_time: Duration::from_mins(1),
        ..LIMITS
    })
    .await;
    let mut idle = connect(address, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let mut answer = [0; 12];
    idle.read_exact(&mut answer).await.unwrap();
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), serving).await.expect("it ends").unwrap();
}

#[tokio::test]
async fn an_answer_may_take_longer_than_a_connection_may_be_idle() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = || {
        service_fn(async |_: Request<Incoming>| {
            tokio::time::sleep(3 * LIMITS.idle_time).await;
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"late"))))
        })
    };
    let limits = ConnectionLimits { answer_time: Duration::from_mins(1), ..LIMITS };
    tokio::spawn(serve(listener, "test", limits, service, CancellationToken::new()));
    let mut stream = connect(address, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let answer = rest(&mut stream).await;
    assert!(answer.ends_with("late"), "{answer}");
}

/// Frames of HTTP/2 (RFC 9113 §4.1) by hand.
#[cfg(feature = "http2")]
mod http2 {
    use super::*;

    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const SETTINGS: u8 = 4;
    const PING: u8 = 6;
    const HEADERS: u8 = 1;
    const CONTINUATION: u8 = 9;
    const END_STREAM: u8 = 1;
    const END_HEADERS: u8 = 4;

    const BOTH: ConnectionLimits = ConnectionLimits { versions: Versions::Http1And2 { streams: 8 }, ..LIMITS };

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    }

    fn opening() -> Vec<u8> {
        [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()
    }

    /// `GET / http h`, by indices of HPACK's static table and one literal (RFC 7541, appendix A).
    fn request(stream: u32) -> Vec<u8> {
        frame(HEADERS, END_STREAM | END_HEADERS, stream, b"\x82\x84\x86\x41\x01h")
    }

    #[tokio::test]
    async fn requests_are_answered() {
        let (address, ..) = listening(BOTH).await;
        let mut stream = connect(address, &[opening(), request(1)].concat()).await;
        assert!(rest(&mut stream).await.contains("hello"));
        let mut stream = connect(address, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        assert!(rest(&mut stream).await.contains("hello"));
    }

    #[tokio::test]
    async fn who_never_asks_is_ended_whatever_it_sends() {
        let (address, ..) = listening(BOTH).await;
        // Nothing; a part of what tells the version; all of it, and pings for ever.
        let mut silent = connect(address, b"").await;
        let mut part = connect(address, &PREFACE[..9]).await;
        let pinging = async {
            let began = std::time::Instant::now();
            let mut stream = connect(address, &opening()).await;
            let ping = frame(PING, 0, 0, &[0; 8]);
            while stream.write_all(&ping).await.is_ok() && began.elapsed() < PATIENCE {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            began.elapsed()
        };
        let (pinged, ..) = tokio::join!(pinging, rest(&mut silent), rest(&mut part));
        assert!(pinged < PATIENCE, "{pinged:?}");
    }

    #[tokio::test]
    async fn a_head_without_end_is_refused() {
        let (address, ..) = listening(BOTH).await;
        let began = std::time::Instant::now();
        let mut stream = connect(address, &opening()).await;
        stream.write_all(&frame(HEADERS, 0, 1, b"\x82\x84\x86\x41\x01h")).await.unwrap();
        // A literal field of 1000 bytes, again and again.
        let field = [&b"\x00\x01a\x7f\xe9\x06"[..], &[b'a'; 1000]].concat();
        let more = frame(CONTINUATION, 0, 1, &field);
        let mut sent = 0;
        while stream.write_all(&more).await.is_ok() && began.elapsed() < PATIENCE {
            sent += more.len();
        }
        assert!(began.elapsed() < PATIENCE, "{sent} bytes in {:?}", began.elapsed());
    }
}
