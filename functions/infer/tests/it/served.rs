//! A model server that sees nothing, as YOLOX-nano on one would: with it, asking a server is measured without the server.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

const METADATA: &str = r#"{"name":"yolox-nano","inputs":[{"name":"images","datatype":"FP32","shape":[1,3,416,416]}]}"#;
/// Of 416 × 416 pixels, YOLOX makes 3549 rows of a box, whether there is an object, and 80 labels.
const ROWS: usize = 3549;
const COLUMNS: usize = 85;

/// Starts the server, which ends with the process. Returns the model's URL.
pub(crate) fn yolox() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || serve(stream));
        }
    });
    format!("http://{address}/v2/models/yolox-nano")
}

/// Answers requests until the client closes the connection.
fn serve(mut stream: TcpStream) {
    let Ok(reading) = stream.try_clone() else { return };
    let mut reader = BufReader::with_capacity(1 << 16, reading);
    let zeros = ROWS * COLUMNS * size_of::<f32>();
    let document = format!(
        r#"{{"model_name":"yolox-nano","outputs":[{{"name":"output","shape":[1,{ROWS},{COLUMNS}],"datatype":"FP32","parameters":{{"binary_data_size":{zeros}}}}}]}}"#
    );
    let mut seen = document.clone().into_bytes();
    seen.resize(document.len() + zeros, 0);
    while let Some((is_metadata, length)) = head(&mut reader) {
        if std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink()).is_err() {
            return;
        }
        let body = if is_metadata { METADATA.as_bytes() } else { &seen };
        let inference = format!("inference-header-content-length: {}\r\n", document.len());
        let head = format!("content-length: {}\r\n{}\r\n", body.len(), if is_metadata { "" } else { &inference });
        let written = stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}").as_bytes());
        if written.and_then(|()| stream.write_all(body)).is_err() {
            return;
        }
    }
}

/// Reads the head of a request: whether it asks about the model, and how long its body is. None at the end.
fn head(reader: &mut BufReader<TcpStream>) -> Option<(bool, u64)> {
    let mut is_metadata = false;
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        is_metadata |= line.starts_with("GET ");
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line == "\r\n" {
            return Some((is_metadata, length));
        }
    }
}
