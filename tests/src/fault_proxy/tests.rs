//! Every fault, as seen by a client and by the bucket behind the proxy.

use super::*;
use crate::http;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// A bucket that accepts everything: it counts complete requests and answers 200 with 10 bytes.
fn bucket() -> (SocketAddr, Arc<Mutex<Vec<Vec<u8>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let taken = Arc::clone(&bodies);
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let connection = connection.unwrap();
            let taken = Arc::clone(&taken);
            std::thread::spawn(move || {
                while let Ok(Some(head)) = http::Head::read(&mut &connection) {
                    let mut body = Vec::new();
                    if http::relay(head.request_body(), &mut &connection, &mut body, 4096, |_| {}).is_err() {
                        return;
                    }
                    taken.lock().unwrap().push(body);
                    (&connection).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789").unwrap();
                }
            });
        }
    });
    (address, bodies)
}

/// Puts `body` and returns everything received until the end, or the error.
fn put(proxy: &FaultProxy, body: &[u8]) -> Result<String, std::io::Error> {
    let mut connection = TcpStream::connect(proxy.address())?;
    let head = format!("PUT /footage/a HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    connection.write_all(head.as_bytes())?;
    connection.write_all(body)?;
    connection.shutdown(std::net::Shutdown::Write)?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn without_a_fault_everything_goes_through() {
    let (upstream, bodies) = bucket();
    let proxy = FaultProxy::start(upstream);
    let body = vec![7; 100_000];
    assert!(put(&proxy, &body).unwrap().ends_with("0123456789"));
    assert_eq!(*bodies.lock().unwrap(), [body]);
    let seen = proxy.seen();
    assert_eq!((seen.requests, seen.methods["PUT"], seen.answers[&200], seen.faults.len()), (1, 1, 1, 0));
    assert!(seen.bytes_up > 100_000 && seen.bytes_down > 10);
}

#[test]
fn every_fault_is_what_it_says() {
    let ms = Duration::from_millis;
    for (fault, answer, reaches_the_bucket) in [
        (Fault::SlowDown { retry_after_s: 2 }, Some("Retry-After: 2"), false),
        (Fault::ResetAtAccept, None, false),
        (Fault::ResetInRequest, None, false),
        (Fault::LoseAnswer, None, true),
        (Fault::TruncateAnswer, None, true),
        (Fault::Stall(ms(150)), Some("0123456789"), true),
        (Fault::Latency(ms(150)), Some("0123456789"), true),
    ] {
        let (upstream, bodies) = bucket();
        let proxy = FaultProxy::start(upstream);
        proxy.set_plan(Plan::Script(vec![fault]));
        let started = Instant::now();
        let got = put(&proxy, &[1; 5000]);
        match (answer, &got) {
            (Some(expected), Ok(got)) => assert!(got.contains(expected), "{fault:?}: {got}"),
            (None, Err(_)) => {}
            _ => panic!("{fault:?}: {got:?}"),
        }
        if matches!(fault, Fault::Stall(_) | Fault::Latency(_)) {
            assert!(started.elapsed() >= ms(150), "{fault:?}");
        }
        assert_eq!(bodies.lock().unwrap().len(), usize::from(reaches_the_bucket), "{fault:?}");
        assert_eq!(proxy.seen().fault(fault), 1, "{fault:?}");
        assert!(put(&proxy, b"again").unwrap().ends_with("0123456789"), "after {fault:?} all is well");
    }
}

#[test]
fn chance_is_the_same_for_the_same_seed() {
    let (upstream, _) = bucket();
    let run = |seed| {
        let proxy = FaultProxy::start(upstream);
        proxy.set_plan(Plan::Random { seed, one_in: 3, faults: vec![Fault::SlowDown { retry_after_s: 1 }] });
        (0..30).map(|_| put(&proxy, b"x").unwrap().contains("503")).collect::<Vec<_>>()
    };
    let first = run(7);
    assert_eq!(first, run(7));
    assert_ne!(first, run(8));
    assert!(first.contains(&true) && first.contains(&false));
}

#[test]
fn a_slow_link_is_slow() {
    let (upstream, bodies) = bucket();
    let proxy = FaultProxy::start(upstream);
    proxy.set_link(Some(Link::steady(1_200_000)));
    let started = Instant::now();
    put(&proxy, &vec![0; 60_000]).unwrap();
    assert!(started.elapsed() >= Duration::from_millis(350), "{:?}", started.elapsed());
    assert_eq!(bodies.lock().unwrap()[0].len(), 60_000);
}

#[test]
#[should_panic(expected = "did not see what was awaited")]
fn waiting_for_what_never_comes_is_a_failure() {
    let (upstream, _) = bucket();
    FaultProxy::start(upstream).wait_for(Duration::from_millis(20), |seen| seen.requests > 0);
}
