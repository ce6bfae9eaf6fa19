//! An S3-shaped bucket that keeps nothing: each put is read, counted and answered as S3 does, with the checksum's echo.

use crate::http::Head;
use std::io::{BufReader, ErrorKind, Read as _, Result, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A running sink. It ends with the process.
#[derive(Debug)]
pub struct Sink {
    address: SocketAddr,
    puts: Arc<AtomicU64>,
}

impl Sink {
    /// Listens on a free port of loopback.
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on loopback");
        let address = listener.local_addr().expect("a bound listener has an address");
        let puts = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&puts);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let puts = Arc::clone(&counted);
                // A client that hangs up ends its thread.
                std::thread::spawn(move || serve(&connection, &puts));
            }
        });
        Self { address, puts }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many objects were put.
    pub fn puts(&self) -> u64 {
        self.puts.load(Ordering::Relaxed)
    }
}

fn serve(connection: &TcpStream, puts: &AtomicU64) -> Result<()> {
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
        if head.method() == "PUT" {
            puts.fetch_add(1, Ordering::Relaxed);
        }
        let echo = head.header("x-amz-checksum-sha256").map(|sum| format!("x-amz-checksum-sha256: {sum}\r\n"));
        let echo = echo.unwrap_or_default();
        let answer = format!("HTTP/1.1 200 OK\r\nETag: \"0\"\r\nServer: AmazonS3\r\nContent-Length: 0\r\n{echo}\r\n");
        answers.write_all(answer.as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_put_is_counted_and_its_checksum_given_back() {
        let sink = Sink::start();
        let mut connection = TcpStream::connect(sink.address).unwrap();
        let put = "PUT /footage/a HTTP/1.1\r\nContent-Length: 3\r\nx-amz-checksum-sha256: abc=\r\n\r\none";
        connection.write_all(put.repeat(2).as_bytes()).unwrap();
        connection.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answers = String::new();
        connection.read_to_string(&mut answers).unwrap();
        assert_eq!(answers.matches("x-amz-checksum-sha256: abc=\r\n").count(), 2, "{answers}");
        assert_eq!(sink.puts(), 2);
        assert!(sink.endpoint().starts_with("http://127.0.0.1:"));
    }
}
