use super::*;
use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use std::convert::Infallible;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const LIMITS: ConnectionLimits = ConnectionLimits {
    connections: 4,
    header_time: Duration::from_millis(400),
    idle_time: Duration::from_millis(400),
    lifetime: Duration::from_mins(1),
    header_bytes: 8192,
};

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
    let ended = tokio::time::timeout(Duration::from_secs(20), async {
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
    let mut crowd = Vec::new();
    for _ in 0..40 {
        crowd.push(connect(address, b"GET / HT").await);
    }
    let mut stream = connect(address, b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").await;
    let answer = rest(&mut stream).await;
    assert!(answer.ends_with("hello"), "{answer}");
    // All but as many as there may be were ended.
    for stream in &mut crowd[..36] {
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
        while stream.write_all(b"A").await.is_ok() && began.elapsed() < Duration::from_secs(15) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        began.elapsed()
    };
    let (dripped, silence, answer) = tokio::join!(dripping, rest(&mut silent), rest(&mut idle));
    assert!(dripped < Duration::from_secs(10), "{dripped:?}");
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
