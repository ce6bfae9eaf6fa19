//! Serves files over HTTP like a bucket, completely or by range, and counts requests and bytes.

use crate::http::Head;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read as _, Result, Seek as _, SeekFrom, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts of requests and of the bytes sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    pub requests: u64,
    /// Bytes of bodies sent, as far as the client accepted them.
    pub bytes: u64,
}

#[derive(Debug, Clone)]
pub struct Served {
    pub path: PathBuf,
    /// Headers that go with it, such as `x-amz-meta-from`.
    pub headers: Vec<(String, String)>,
}

/// A running server. It ends with the process.
#[derive(Debug)]
pub struct RangeServer {
    address: SocketAddr,
    traffic: Arc<Mutex<Traffic>>,
}

impl RangeServer {
    /// Serves `files` by their names.
    pub fn start(files: HashMap<String, Served>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on loopback");
        let address = listener.local_addr().expect("a bound listener has an address");
        let traffic = Arc::new(Mutex::new(Traffic::default()));
        let files = Arc::new(files);
        let counted = Arc::clone(&traffic);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let files = Arc::clone(&files);
                let counted = Arc::clone(&counted);
                std::thread::spawn(move || while matches!(answer(&connection, &files, &counted), Ok(true)) {});
            }
        });
        Self { address, traffic }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL of a file: `http://127.0.0.1:PORT/name`.
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    /// Returns the counts since the last call.
    pub fn take_traffic(&self) -> Traffic {
        std::mem::take(&mut lock(&self.traffic))
    }
}

fn lock(traffic: &Mutex<Traffic>) -> MutexGuard<'_, Traffic> {
    traffic.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers one request. Returns whether another one may follow.
fn answer(mut connection: &TcpStream, files: &HashMap<String, Served>, traffic: &Mutex<Traffic>) -> Result<bool> {
    let Some(head) = Head::read(&mut connection)? else { return Ok(false) };
    lock(traffic).requests += 1;
    let name = head.path().trim_start_matches('/').to_owned();
    // A name may have a query; S3's clients say in one which operation it is.
    let plain = name.split('?').next().unwrap_or_default();
    let Some(served) = files.get(&name).or_else(|| files.get(plain)) else {
        connection.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?;
        return Ok(true);
    };
    let mut file = File::open(&served.path)?;
    let size = file.metadata()?.len();
    let range = head.header("range").and_then(|range| parse_range(&range, size));
    let (start, end) = range.unwrap_or((0, size));
    let mut text = match range {
        Some(_) => format!("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {start}-{}/{size}\r\n", end - 1),
        None => "HTTP/1.1 200 OK\r\n".to_owned(),
    };
    for (name, value) in &served.headers {
        let _ = write!(text, "{name}: {value}\r\n");
    }
    let _ = write!(text, "Accept-Ranges: bytes\r\nContent-Length: {}\r\n\r\n", end - start);
    connection.write_all(text.as_bytes())?;
    if head.method() == "HEAD" {
        return Ok(true);
    }
    file.seek(SeekFrom::Start(start))?;
    let mut body = file.take(end - start);
    let mut piece = vec![0; 16 * 1024];
    loop {
        let read = body.read(&mut piece)?;
        if read == 0 {
            return Ok(true);
        }
        // Count before sending: a client with the last byte may ask for the count immediately.
        lock(traffic).bytes += read as u64;
        connection.write_all(&piece[..read])?;
    }
}

/// Parses `bytes=FIRST-` and `bytes=FIRST-LAST`. Returns the first position and the one after the last.
fn parse_range(range: &str, size: u64) -> Option<(u64, u64)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let start = first.parse().ok()?;
    let end = if last.is_empty() { size } else { last.parse::<u64>().ok()?.checked_add(1)?.min(size) };
    (start < end).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_at_the_end() {
        for (range, expected) in [
            ("bytes=0-", Some((0, 100))),
            ("bytes=10-19", Some((10, 20))),
            ("bytes=90-1000", Some((90, 100))),
            ("bytes=100-", None),
            ("bytes=5-4", None),
            ("lines=1-2", None),
        ] {
            assert_eq!(parse_range(range, 100), expected, "{range}");
        }
    }

    #[test]
    fn what_is_asked_for_comes_and_is_counted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        std::fs::write(&path, "0123456789").unwrap();
        let file = Served { path, headers: vec![("x-amz-meta-from".to_owned(), "now".to_owned())] };
        let server = RangeServer::start(HashMap::from([("a".to_owned(), file)]));
        let ask = |request: &str| {
            let mut connection = TcpStream::connect(server.address()).unwrap();
            connection.write_all(request.as_bytes()).unwrap();
            connection.shutdown(std::net::Shutdown::Write).unwrap();
            let mut answer = String::new();
            connection.read_to_string(&mut answer).unwrap();
            answer
        };
        let answer = ask("GET /a HTTP/1.1\r\nRange: bytes=2-4\r\n\r\nGET /a HTTP/1.1\r\n\r\n");
        assert!(answer.contains("Content-Range: bytes 2-4/10") && answer.contains("x-amz-meta-from: now"), "{answer}");
        assert!(answer.contains("\r\n\r\n234HTTP/1.1 200 OK") && answer.ends_with("0123456789"), "{answer}");
        assert!(ask("GET /b HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404"));
        assert!(ask("HEAD /a?x-id=HeadObject HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200 OK"));
        assert_eq!(server.take_traffic(), Traffic { requests: 4, bytes: 13 });
        assert_eq!(server.take_traffic(), Traffic::default());
    }
}
