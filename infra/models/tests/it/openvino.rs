//! OpenVINO Model Server: a stub that answers over REST as its source does (openvinotoolkit/model_server, stored versions of 2024 and
//! later), since the server itself comes in no package that can be installed here.
//!
//! | what it does | where its source says so |
//! |---|---|
//! | takes `/v2/models/NAME`, `…/versions/N`, `…/infer` | `src/http_rest_api_handler.cpp`, the expressions that begin with `kfs_` |
//! | reads the body as JSON to its end where there is no `Inference-Header-Content-Length` | there, `prepareGrpcRequest` |
//! | refuses parameters other than texts, truths and whole numbers | `src/rest_parser.cpp`, `PARSE_PARAMETER` |
//! | keeps the last one of several named outputs | there, `parseOutput` |
//! | gives named outputs alone in binary form, whatever is asked for | `getRequestedBinaryOutputsNames` |
//! | gives every output, named or not; no header where none is binary | `src/rest_utils.cpp`, `parseOutputs` |
//! | calls binary answers `application/json`, too | `src/http_server.cpp` |
//! | 412 for what is no JSON, 404 for what it does not have, 400 for the rest; `{"error": …}` | there, `httpStatusMap` |

use crate::servers::{blank, described};
use framepost_models::oip::Token;
use framepost_models::{ModelDirectory, OipDetector};
use framepost_ports::{Detector as _, ErrorKind, Picture, chain};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// An output of the model: its name, shape and elements.
#[derive(Clone)]
struct Output(&'static str, Vec<usize>, Vec<f32>);

/// A request that was answered, and which outputs were given in binary form.
type Heard = (String, Vec<String>);

/// What the server has, and what stands before it.
#[derive(Clone)]
struct Model {
    /// Its input's type, and the bytes of an element.
    input: (&'static str, usize),
    outputs: Vec<Output>,
    /// Whether a proxy before it passes on no header that it does not know.
    loses_header: bool,
}

impl Model {
    fn with(outputs: Vec<Output>) -> Self {
        Self { input: ("FP32", 4), outputs, loses_header: false }
    }
}

struct ModelServer {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl ModelServer {
    fn start(model: Model) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = heard.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // An error is a client that went away.
                let _ = serve(stream, &model, &log);
            }
        });
        Self { address, heard }
    }

    async fn detector(&self, path: &str, model: &Path) -> OipDetector {
        let url = format!("http://{}{path}", self.address).parse().unwrap();
        OipDetector::new(url, ModelDirectory::local(model), Token::None).await.unwrap()
    }

    fn heard(&self) -> Vec<Heard> {
        std::mem::take(&mut *self.heard.lock().unwrap())
    }
}

/// Answers one request and logs it. An error is a client that closed the connection early.
fn serve(mut stream: TcpStream, model: &Model, log: &Mutex<Vec<Heard>>) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let header = |name: &str| {
        let found = head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        });
        found.map(|value| value.parse::<usize>().unwrap())
    };
    let mut body = vec![0; header("content-length").unwrap_or(0)];
    stream.read_exact(&mut body)?;
    let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
    let end = header("inference-header-content-length").filter(|_| !model.loses_header).unwrap_or(body.len());
    let known = |path: &str| {
        let rest = path.strip_prefix("/v2/models/yolox-nano")?;
        let rest = rest.strip_prefix("/versions/3").unwrap_or(rest);
        ["", "/infer"].contains(&rest).then(|| rest.to_owned())
    };
    let path = line.split_once(' ').unwrap().1;
    let answered = match (known(path).as_deref(), line.starts_with("POST")) {
        (Some(""), false) => Ok((metadata(model), None, vec![])),
        (Some("/infer"), true) => infer(&body, end, model),
        (Some(_), _) => Err((400, "Invalid request URL")),
        (None, _) => Err((404, "Model with requested name is not found")),
    };
    let kind = "content-type: application/json\r\nconnection: close";
    match answered {
        Ok((bytes, document, binary)) => {
            log.lock().unwrap().push((line, binary));
            let document =
                document.map_or_else(String::new, |length| format!("Inference-Header-Content-Length: {length}\r\n"));
            write!(stream, "HTTP/1.1 200 OK\r\n{kind}\r\n{document}content-length: {}\r\n\r\n", bytes.len())?;
            stream.write_all(&bytes)
        }
        Err((status, error)) => {
            log.lock().unwrap().push((format!("{status} {line}"), vec![]));
            let error = json!({ "error": error }).to_string();
            write!(stream, "HTTP/1.1 {status} X\r\n{kind}\r\ncontent-length: {}\r\n\r\n{error}", error.len())
        }
    }
}

fn metadata(Model { input, outputs, .. }: &Model) -> Vec<u8> {
    let outputs =
        outputs.iter().map(|Output(name, shape, _)| json!({ "name": name, "datatype": "FP32", "shape": shape }));
    let said = json!({
        "name": "yolox-nano", "versions": ["3"], "platform": "OpenVINO",
        "inputs": [{ "name": "images", "datatype": input.0, "shape": [-1, 3, 416, 416] }],
        "outputs": outputs.collect::<Vec<_>>(), "rt_info": { "model_info": { "model_type": "YOLOX" } },
    });
    said.to_string().into_bytes()
}

/// A body, the length of the document before binary tensors, and the outputs among those; or a status and an error.
type Answered = Result<(Vec<u8>, Option<usize>, Vec<String>), (u16, &'static str)>;

fn infer(body: &[u8], end: usize, Model { input: (datatype, element_bytes), outputs, .. }: &Model) -> Answered {
    // It ends at the first zero byte, as texts do in C++.
    let text = body[..end].split(|byte| *byte == 0).next().unwrap();
    let asked: Value = serde_json::from_slice(text).map_err(|_| (412, "The file is not valid json"))?;
    let parameters = |of: &Value| match &of["parameters"] {
        Value::Null => true,
        parameters => parameters.as_object().is_some_and(|all| {
            all.values().all(|value| value.is_string() || value.is_boolean() || value.as_i64().is_some())
        }),
    };
    let named = asked["outputs"].as_array().cloned().unwrap_or_default();
    let [input] = &asked["inputs"].as_array().unwrap()[..] else { return Err((400, "Invalid number of inputs")) };
    if ![&asked, input].into_iter().chain(&named).all(parameters) || !asked["id"].is_string() {
        return Err((400, "Could not parse request parameters"));
    }
    if (&input["name"], &input["datatype"], &input["shape"])
        != (&json!("images"), &json!(datatype), &json!([1, 3, 416, 416]))
    {
        return Err((400, "Missing input with specific name"));
    }
    let bytes = match (&input["data"], input["parameters"]["binary_data_size"].as_u64()) {
        (Value::Array(data), None) => data.len() * element_bytes,
        (Value::Null, Some(size)) if usize::try_from(size).unwrap() <= body.len() - end => size.try_into().unwrap(),
        (Value::Null, Some(_)) => {
            return Err((400, "Received buffer size is smaller than binary_data_size parameter indicates"));
        }
        _ => return Err((400, "Request contains values both in binary data and in content value")),
    };
    if bytes != 3 * 416 * 416 * element_bytes {
        return Err((400, "Invalid content size of tensor proto"));
    }
    let usual = asked["parameters"]["binary_data_output"] == true;
    let last = named.last().filter(|last| last["parameters"]["binary_data"].as_bool().unwrap_or(usual));
    let mut tensors = Vec::new();
    let mut binary = Vec::new();
    let mut said = Vec::new();
    for Output(name, shape, values) in outputs {
        let mut output = json!({ "name": name, "shape": shape, "datatype": "FP32" });
        if last.is_some_and(|last| last["name"] == *name) {
            output["parameters"] = json!({ "binary_data_size": values.len() * 4 });
            tensors.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            binary.push((*name).to_owned());
        } else {
            output["data"] = json!(values);
        }
        said.push(output);
    }
    let said = json!({ "model_name": "yolox-nano", "id": asked["id"], "model_version": "3", "outputs": said });
    let document = serde_json::to_vec_pretty(&said).unwrap();
    let length = Some(document.len()).filter(|_| !tensors.is_empty());
    Ok(([document, tensors].concat(), length, binary))
}

/// What YOLOX says of a person in the middle.
fn person() -> Vec<Output> {
    let mut rows = vec![0.0; 3549 * 6];
    // The cell in the middle of the coarsest grid, whose cells have 32 pixels: the centre, the logarithms of the sides, the scores.
    let cell = 52 * 52 + 26 * 26 + 6 * 13 + 6;
    rows[cell * 6..][..6].copy_from_slice(&[0.5, 0.5, 1.0, 1.0, 1.0, 0.875]);
    vec![Output("output", vec![1, 3549, 6], rows)]
}

#[tokio::test]
async fn it_is_asked_and_answers_in_binary_form_for_whichever_version() {
    let dir = tempfile::tempdir().unwrap();
    described(dir.path());
    let server = ModelServer::start(Model::with(person()));
    for path in ["/v2/models/yolox-nano", "/v2/models/yolox-nano/versions/3"] {
        let detector = server.detector(path, dir.path()).await;
        let found = detector.detect(&[blank(), blank()]).await.unwrap_or_else(|error| panic!("{}", chain(&error)));
        let labels: Vec<Vec<(&str, f64)>> =
            found.iter().map(|seen| seen.iter().map(|d| (d.label.as_str(), d.score)).collect()).collect();
        assert_eq!(labels, [[("person", 0.875)], [("person", 0.875)]]);
        assert!(!detector.takes_only_json());
        let infer = (format!("POST {path}/infer"), vec!["output".to_owned()]);
        assert_eq!(server.heard(), [(format!("GET {path}"), vec![]), infer.clone(), infer]);
    }
}

#[tokio::test]
async fn of_several_outputs_it_gives_one_in_binary_form_and_the_others_in_json() {
    let dir = tempfile::tempdir().unwrap();
    described(dir.path());
    let text = std::fs::read_to_string(dir.path().join("model.toml")).unwrap();
    let ssd = text.replace("kind = \"yolox\"", "kind = \"ssd\"\nboxes = \"boxes\"\nscores = \"scores\"");
    std::fs::write(dir.path().join("model.toml"), ssd).unwrap();
    let boxes = Output("boxes", vec![1, 1, 4], vec![0.25, 0.25, 0.75, 0.75]);
    let server = ModelServer::start(Model::with(vec![boxes, Output("scores", vec![1, 1, 1], vec![0.875])]));
    let detector = server.detector("/v2/models/yolox-nano", dir.path()).await;
    let found = detector.detect(&[blank()]).await.unwrap_or_else(|error| panic!("{}", chain(&error)));
    assert_eq!((found[0][0].label.as_str(), found[0][0].score), ("person", 0.875));
    assert_eq!(server.heard()[1].1, ["scores"]);
}

/// It takes the tensor for a part of the document. A zero byte ends that, and then the tensor is missing.
#[tokio::test]
async fn behind_a_proxy_that_loses_the_documents_length_it_is_asked_in_json() {
    let dir = tempfile::tempdir().unwrap();
    let white = Picture::new(4, 4, vec![255; 48].into(), Duration::ZERO).unwrap();
    for (kind, input, status) in [("f32", ("FP32", 4), 400), ("u8", ("UINT8", 1), 412)] {
        described(dir.path());
        let text = std::fs::read_to_string(dir.path().join("model.toml")).unwrap();
        std::fs::write(dir.path().join("model.toml"), text.replace("\"f32\"", &format!("{kind:?}"))).unwrap();
        let server = ModelServer::start(Model { input, outputs: person(), loses_header: true });
        let detector = server.detector("/v2/models/yolox-nano", dir.path()).await;
        let found = detector.detect(&[white.clone(), white.clone()]).await;
        let found = found.unwrap_or_else(|error| panic!("{}", chain(&error)));
        assert_eq!((found[0][0].score, found[1][0].score), (0.875, 0.875));
        assert!(detector.takes_only_json());
        let requests: Vec<String> = server.heard().into_iter().map(|(request, _)| request).collect();
        let infer = "POST /v2/models/yolox-nano/infer";
        assert_eq!(requests, ["GET /v2/models/yolox-nano", &format!("{status} {infer}"), infer, infer]);
    }
}

#[tokio::test]
async fn its_errors_say_what_it_says() {
    let dir = tempfile::tempdir().unwrap();
    described(dir.path());
    let server = ModelServer::start(Model::with(person()));
    for path in ["/v2/models/other", "/v2/models/yolox-nano/versions/4"] {
        let error = server.detector(path, dir.path()).await.detect(&[blank()]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{}", chain(&error));
        assert!(chain(&error).contains("Model with requested name is not found"), "{}", chain(&error));
    }
}
