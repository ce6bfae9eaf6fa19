//! An S3-shaped bucket that keeps nothing but keys: each put is read, counted and answered as S3 does, with the checksum's echo.
//! A put of a key that is there already is refused if it asks for that, as each retry of a gateway does: a gateway takes a bucket that
//! creates an object twice for something else in between.

use crate::http::Head;
use std::collections::HashSet;
use std::io::{BufReader, ErrorKind, Read as _, Result, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// A running sink. It ends with the process.
#[derive(Debug)]
pub struct Sink {
    address: SocketAddr,
    keys: Arc<Keys>,
}

/// The paths of all objects.
#[derive(Debug, Default)]
struct Keys(Mutex<HashSet<String>>);

impl Keys {
    /// Whether this is the first put of `path`.
    fn insert(&self, path: String) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(path)
    }

    fn count(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len() as u64
    }
}

impl Sink {
    /// Listens on a free port of loopback.
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on loopback");
        let address = listener.local_addr().expect("a bound listener has an address");
        let keys = Arc::new(Keys::default());
        let shared = Arc::clone(&keys);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let keys = Arc::clone(&shared);
                // A client that hangs up ends its thread.
                std::thread::spawn(move || serve(&connection, &keys));
            }
        });
        Self { address, keys }
    }

    /// Returns `http://127.0.0.1:PORT`, the S3 endpoint of any bucket name.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many objects were put.
    pub fn puts(&self) -> u64 {
        self.keys.count()
    }
}

fn serve(connection: &TcpStream, keys: &Keys) -> Result<()> {
    connection.set_nodelay(true)?;
    let mut requests = BufReader::with_capacity(64 * 1024, connection);
    let mut answers = connection;
    let mut piece = vec![0; 64 * 1024];
    while let Some(head) = Head::read(&mut requests)? {
        if head.expects_continue() {
            answers.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let mut left: usize = head.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        while left > 0 {
            let wanted = left.min(piece.len());
            match requests.read(&mut piece[..wanted])? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                count => left -= count,
            }
        }
        let is_first = head.method() != "PUT" || keys.insert(head.path());
        if !is_first && head.header("if-none-match").is_some() {
            answers.write_all(refusal().as_bytes())?;
            continue;
        }
        let echo = head.header("x-amz-checksum-sha256").map(|sum| format!("x-amz-checksum-sha256: {sum}\r\n"));
        let echo = echo.unwrap_or_default();
        let answer = format!("HTTP/1.1 200 OK\r\nETag: \"0\"\r\nServer: AmazonS3\r\nContent-Length: 0\r\n{echo}\r\n");
        answers.write_all(answer.as_bytes())?;
    }
    Ok(())
}

/// What S3 says of a put with `If-None-Match: *` where an object is there.
fn refusal() -> String {
    let document = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>PreconditionFailed</Code></Error>";
    format!(
        "HTTP/1.1 412 Precondition Failed\r\nServer: AmazonS3\r\nContent-Type: application/xml\r\n\
         Content-Length: {}\r\n\r\n{document}",
        document.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_put_is_counted_and_its_checksum_given_back_and_a_second_one_refused() {
        let sink = Sink::start();
        let mut connection = TcpStream::connect(sink.address).unwrap();
        let put = |key: &str| {
            format!(
                "PUT /footage/{key} HTTP/1.1\r\nContent-Length: 3\r\nIf-None-Match: *\r\n\
                 x-amz-checksum-sha256: abc=\r\n\r\none"
            )
        };
        connection.write_all([put("a"), put("b"), put("a")].concat().as_bytes()).unwrap();
        connection.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answers = String::new();
        connection.read_to_string(&mut answers).unwrap();
        assert_eq!(answers.matches("x-amz-checksum-sha256: abc=\r\n").count(), 2, "{answers}");
        assert!(answers.ends_with("<Code>PreconditionFailed</Code></Error>"), "{answers}");
        assert_eq!(sink.puts(), 2);
        assert!(sink.endpoint().starts_with("http://127.0.0.1:"));
    }
}
