//! Runs `probe` on objects of an HTTP server with a minimal client, to count its requests.

use async_trait::async_trait;
use framepost_events::attributes::Metadata;
use framepost_events::finalized::{ObjectFinalized, Provider};
use framepost_events::record::Data;
use framepost_ports::{ByteRange, Error, ErrorKind, ObjectHead, ObjectRead, ObjectSource, Result};
use framepost_probe::{ProbeSettings, inspect};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

/// Objects at an HTTP server, a connection for each request.
struct Objects {
    address: SocketAddr,
}

impl Objects {
    fn get(&self, key: &str, range: ByteRange) -> std::io::Result<ObjectRead> {
        let mut connection = TcpStream::connect(self.address)?;
        let first = range.start;
        let last = range.start + range.len - 1;
        write!(connection, "GET /{key} HTTP/1.1\r\nHost: localhost\r\nRange: bytes={first}-{last}\r\n\r\n")?;
        let mut answer = BufReader::new(connection);
        let mut head = ObjectHead { size: 0, content_type: String::new(), metadata: Metadata::new(), modified: None };
        let mut length = 0;
        let mut line = String::new();
        while answer.read_line(&mut line)? > 2 {
            if let Some((name, value)) = line.trim_end().split_once(": ") {
                if let Some(name) = name.strip_prefix("x-amz-meta-") {
                    head.metadata.push((name.to_owned(), value.to_owned()));
                } else if name == "Content-Length" {
                    length = value.parse().unwrap_or(0);
                } else if name == "Content-Range" {
                    head.size = value.rsplit('/').next().and_then(|size| size.parse().ok()).unwrap_or(0);
                }
            }
            line.clear();
        }
        let mut bytes = vec![0; length];
        answer.read_exact(&mut bytes)?;
        Ok(ObjectRead { head, bytes: bytes.into() })
    }
}

#[async_trait]
impl ObjectSource for Objects {
    async fn read(&self, _bucket: &str, key: &str, _version: Option<&str>, range: ByteRange) -> Result<ObjectRead> {
        self.get(key, range).map_err(|error| Error::new(ErrorKind::Io, "read", key).because(error))
    }

    fn provider(&self) -> Provider {
        Provider::S3
    }

    fn media_link(&self, _bucket: &str, key: &str, _version: Option<&str>) -> String {
        format!("http://{}/{key}", self.address)
    }
}

/// Probes one object; panics if it is rejected.
pub(crate) fn probe(address: SocketAddr, key: &str) {
    let event = ObjectFinalized {
        provider: Provider::S3,
        bucket: "footage".to_owned(),
        key: key.to_owned(),
        version: "1".to_owned(),
        size: None,
        time: jiff::Timestamp::UNIX_EPOCH,
        media_link: None,
        region: None,
        read_version: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let data = runtime.block_on(inspect(&Objects { address }, &event, &ProbeSettings::default()));
    assert!(matches!(data, Ok(Data::ChunkProbed(_))), "{key}: {data:?}");
}
