//! `framepost model get`: a known model from its publisher.

use super::{Directory, add};
use anyhow::Context as _;
use edge_uploader::terminal;
use framepost_events::Sha256;
use framepost_models::MODEL_LIMIT_BYTES;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_RANGE, ETAG, HeaderValue, IF_RANGE, RANGE};
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// A download that moves no byte for this long is begun again where it stopped.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a download may break off without having moved a byte.
const FRUITLESS_MAX: u32 = 5;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    directory: Directory,
    /// The name of a model whose publisher and digest this program knows.
    #[arg(value_parser = ["yolox-nano"])]
    name: String,
    /// Fetches it from another place, a mirror. It has to be the publisher's file.
    #[arg(long, value_name = "URL")]
    url: Option<url::Url>,
    /// The file at --url is another export of the model, with this SHA-256.
    #[arg(long, value_name = "SHA256", requires = "url")]
    sha256: Option<Sha256>,
}

/// A model that a publisher offers.
struct Known {
    name: &'static str,
    url: &'static str,
    /// Of the publisher's file.
    sha256: &'static str,
    bytes: u64,
    licence: &'static str,
    /// Its `model.toml` below the names of the files.
    text: &'static str,
}

/// The release asset's digest and size, as four projects that pin it give them independently of each other.
const KNOWN: [Known; 1] = [Known {
    name: "yolox-nano",
    url: "https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0/yolox_nano.onnx",
    sha256: "c789161ed43c8269fcd4e67c67eeeb4e80c622da2eb296a20bc6007bd18a0b7d",
    bytes: 3_659_407,
    licence: "Apache-2.0 (Megvii YOLOX)",
    text: include_str!("yolox-nano.toml"),
}];

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let known = KNOWN.iter().find(|known| known.name == arguments.name).context("no such model is known")?;
    let url = match &arguments.url {
        Some(url) => url.clone(),
        None => known.url.parse()?,
    };
    let wanted = match arguments.sha256 {
        Some(digest) => Wanted { digest, size: None },
        None => Wanted { digest: known.sha256.parse()?, size: Some(known.bytes) },
    };
    let models = &arguments.directory.models;
    add::free_place(models, known.name)?;
    std::fs::create_dir_all(models)?;
    // Kept when it breaks off, so that the next attempt goes on. Of another file it would be the beginning of nothing.
    let part = models.join(format!(".{}-{}.part", known.name, &wanted.digest.to_string()[..16]));
    terminal::err(format_args!("{} from {}; licence: {}", known.name, shown(&url), known.licence));
    download(&url, &part, wanted.size).await?;
    let bytes = std::fs::read(&part)?;
    let digest = Sha256::of(&bytes);
    if digest != wanted.digest {
        std::fs::remove_file(&part)?;
        anyhow::bail!("the downloaded file has the SHA-256 {digest} instead of {}; it was removed", wanted.digest);
    }
    let text = format!("file = \"model.onnx\"\nsha256 = \"{digest}\"\n{}", known.text);
    let code = add::lay(models, known.name, &text, &[("model.onnx", &bytes)]).await?;
    if code == ExitCode::SUCCESS {
        std::fs::remove_file(&part)?;
    }
    Ok(code)
}

/// The file that is wanted.
struct Wanted {
    digest: Sha256,
    /// In bytes; `None` where only the server knows it.
    size: Option<u64>,
}

/// A URL without what may be secret in it.
fn shown(url: &url::Url) -> String {
    format!("{}://{}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

/// Fetches `url` into `part`, going on where that ends. Breaks are gone over as long as bytes come. `size` is the file's, in bytes,
/// where it is known.
async fn download(url: &url::Url, part: &Path, size: Option<u64>) -> anyhow::Result<()> {
    // A provider that was installed before is kept.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Proxies are those of HTTP_PROXY, HTTPS_PROXY and NO_PROXY.
    let client = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(STALL_TIMEOUT).build()?;
    let mut tag = None;
    let mut fruitless = 0;
    loop {
        let before = std::fs::metadata(part).map_or(0, |found| found.len());
        if size == Some(before) {
            return Ok(());
        }
        let Err(broken) = attempt(&client, url, part, size, &mut tag).await else { return Ok(()) };
        let after = std::fs::metadata(part).map_or(0, |found| found.len());
        fruitless = if after > before { 0 } else { fruitless + 1 };
        if broken.is_final || fruitless > FRUITLESS_MAX {
            return Err(broken.error);
        }
        terminal::err(format_args!("the transfer broke off after {after} bytes: {:#}", broken.error));
        tokio::time::sleep(Duration::from_millis(200) * 2_u32.pow(fruitless)).await;
    }
}

struct Broken {
    error: anyhow::Error,
    /// Whether the same again would not help.
    is_final: bool,
}

impl<E: Into<anyhow::Error>> From<E> for Broken {
    fn from(error: E) -> Self {
        Self { error: error.into(), is_final: false }
    }
}

fn hopeless(text: String) -> Broken {
    Broken { error: anyhow::anyhow!(text), is_final: true }
}

/// One request for what is missing. `tag` is what identifies the file's version, so that parts of two are never joined.
async fn attempt(
    client: &reqwest::Client,
    url: &url::Url,
    part: &Path,
    size: Option<u64>,
    tag: &mut Option<HeaderValue>,
) -> Result<(), Broken> {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(part)?;
    let mut have = file.metadata()?.len();
    if have > size.unwrap_or(MODEL_LIMIT_BYTES) {
        file.set_len(0)?;
        have = 0;
    }
    let mut request = client.get(url.clone());
    if have > 0 {
        request = request.header(RANGE, format!("bytes={have}-"));
        if let Some(tag) = tag.clone() {
            request = request.header(IF_RANGE, tag);
        }
    }
    let mut answer = request.send().await?;
    match answer.status() {
        StatusCode::PARTIAL_CONTENT => {
            let range = answer.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
            if !range.is_some_and(|range| range.starts_with(&format!("bytes {have}-"))) {
                return Err(hopeless(format!("the server sent another range than was asked for: {range:?}")));
            }
        }
        StatusCode::OK => {
            file.set_len(0)?;
            have = 0;
        }
        StatusCode::RANGE_NOT_SATISFIABLE => {
            file.set_len(0)?;
            return Err(anyhow::anyhow!("the server's file is shorter than what was already downloaded").into());
        }
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            return Err(anyhow::anyhow!("the server answered {status}").into());
        }
        status => return Err(hopeless(format!("the server answered {status}"))),
    }
    // The whole file's size, where the server says one.
    let total = answer.content_length().map(|length| length + have);
    if let (Some(size), Some(total)) = (size, total)
        && size != total
    {
        file.set_len(0)?;
        return Err(hopeless(format!("the server's file has {total} bytes, and it has to have {size}")));
    }
    let most = size.or(total).unwrap_or(MODEL_LIMIT_BYTES).min(MODEL_LIMIT_BYTES);
    *tag = answer.headers().get(ETAG).filter(|tag| !tag.as_bytes().starts_with(b"W/")).cloned();
    while let Some(piece) = answer.chunk().await? {
        have += piece.len() as u64;
        if have > most {
            file.set_len(0)?;
            return Err(hopeless(format!("the file has more than {most} bytes")));
        }
        file.write_all(&piece)?;
        if terminal::is_interactive() {
            terminal::redraw(format_args!("{} of {} KiB", have / 1024, most / 1024));
        }
    }
    if terminal::is_interactive() {
        terminal::err("");
    }
    // A body that is shorter than its announced length has been an error above.
    if size.is_some_and(|size| have < size) { Err(anyhow::anyhow!("the answer ended early").into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader};
    use std::net::{Ipv4Addr, TcpListener};
    use std::sync::{Arc, Mutex};

    /// How a connection is answered.
    #[derive(Debug, Clone, Copy)]
    enum Answer {
        /// The range that was asked for, breaking off after so many bytes.
        Range(usize),
        /// The whole file from its beginning, breaking off after so many bytes.
        Whole(usize),
        /// This status, and nothing.
        Status(u16),
    }

    /// Answers one connection after the other. Returns the URL and the ranges that were asked for.
    fn server(file: Vec<u8>, answers: Vec<Answer>) -> (url::Url, Arc<Mutex<Vec<Option<usize>>>>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}/model.onnx", listener.local_addr().unwrap()).parse().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        std::thread::spawn(move || {
            for answer in answers {
                let (stream, _) = listener.accept().unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let head: Vec<String> =
                    lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
                let from = head.iter().find_map(|line| {
                    line.to_ascii_lowercase().strip_prefix("range: bytes=")?.trim_end_matches('-').parse::<usize>().ok()
                });
                log.lock().unwrap().push(from);
                let (status, body, most) = match answer {
                    Answer::Range(most) => (if from.is_some() { 206 } else { 200 }, &file[from.unwrap_or(0)..], most),
                    Answer::Whole(most) => (200, &file[..], most),
                    Answer::Status(status) => (status, &[][..], 0),
                };
                let range =
                    from.map(|from| format!("content-range: bytes {from}-{}/{}\r\n", file.len() - 1, file.len()));
                let mut stream = stream;
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status} X\r\netag: \"1\"\r\ncontent-length: {}\r\n{}connection: close\r\n\r\n",
                    body.len(),
                    range.filter(|_| status == 206).unwrap_or_default()
                );
                let _ = stream.write_all(&body[..body.len().min(most)]);
            }
        });
        (url, asked)
    }

    fn file() -> Vec<u8> {
        (0..100_000_u32).flat_map(u32::to_le_bytes).collect()
    }

    #[tokio::test]
    async fn a_download_that_breaks_off_goes_on_where_it_was() {
        let dir = tempfile::tempdir().unwrap();
        for (answers, ranges) in [
            (vec![Answer::Range(usize::MAX)], vec![None]),
            (
                vec![Answer::Range(1000), Answer::Range(50_000), Answer::Range(usize::MAX)],
                vec![None, Some(1000), Some(51_000)],
            ),
            // A server that knows no ranges begins again.
            (vec![Answer::Whole(1000), Answer::Whole(usize::MAX)], vec![None, Some(1000)]),
            (vec![Answer::Status(503), Answer::Range(usize::MAX)], vec![None, None]),
        ] {
            let part = dir.path().join("part");
            let _ = std::fs::remove_file(&part);
            let file = file();
            let (url, asked) = server(file.clone(), answers.clone());
            download(&url, &part, Some(file.len() as u64)).await.unwrap();
            assert!(std::fs::read(&part).unwrap() == file, "{answers:?}");
            assert_eq!(*asked.lock().unwrap(), ranges, "{answers:?}");
        }
    }

    #[tokio::test]
    async fn what_was_there_before_is_gone_on_with_and_what_cannot_be_had_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let part = dir.path().join("part");
        let file = file();
        std::fs::write(&part, &file[..70_000]).unwrap();
        let (url, asked) = server(file.clone(), vec![Answer::Range(usize::MAX)]);
        download(&url, &part, Some(file.len() as u64)).await.unwrap();
        assert_eq!((std::fs::read(&part).unwrap() == file, asked.lock().unwrap().clone()), (true, vec![Some(70_000)]));
        for (answers, expected) in [
            (vec![Answer::Status(404)], "the server answered 404"),
            (vec![Answer::Whole(usize::MAX)], "the server's file has 400000 bytes, and it has to have 1000"),
        ] {
            let _ = std::fs::remove_file(&part);
            let (url, _) = server(file.clone(), answers);
            let error = download(&url, &part, Some(1000)).await.unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn what_is_known_of_a_model_is_a_description_of_it() {
        for known in KNOWN {
            let text = format!("file = \"model.onnx\"\nsha256 = \"{}\"\n{}", known.sha256, known.text);
            let manifest = framepost_models::Manifest::parse(&text).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(manifest.name, known.name);
            assert!(known.url.starts_with("https://"));
        }
    }
}
