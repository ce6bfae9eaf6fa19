//! `framepost model`: a model is added, listed, checked and compared; a hostile one costs a child process.

use framepost_tests::range_server::{RangeServer, Served};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) fn framepost(models: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_framepost"));
    command.arg("model").env("FRAMEPOST_MODELS", models).stdin(Stdio::null());
    command
}

pub(crate) fn words(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

pub(crate) fn shared_models() -> Option<PathBuf> {
    let models = std::env::var_os("FRAMEPOST_TEST_DATA").map(|data| Path::new(&data).join("models"));
    if models.is_none() {
        eprintln!("skipped: FRAMEPOST_TEST_DATA is not set, and this test needs its model");
    }
    models
}

pub(crate) fn add(models: &Path, name: &str, onnx: &Path, labels: &Path) -> Output {
    let mut command = framepost(models);
    command
        .args(["add", name, "--decoder", "yolox", "--size", "416x416", "--onnx"])
        .arg(onnx)
        .arg("--labels")
        .arg(labels);
    command.output().unwrap()
}

#[test]
fn a_model_is_added_listed_and_checked_and_another_file_in_its_place_is_refused() {
    let Some(shared) = shared_models() else { return };
    let dir = tempfile::tempdir().unwrap();
    let models = dir.path().join("models");
    let onnx = shared.join("yolox_nano.onnx");
    let labels = shared.join("coco80_labels.txt");
    let added = add(&models, "nano", &onnx, &labels);
    assert!(added.status.success(), "{}", words(&added));
    assert!(words(&added).contains("nano works: 416 x 416 pixels"), "{}", words(&added));
    let again = add(&models, "nano", &onnx, &labels);
    assert!(!again.status.success() && words(&again).contains("is there already"), "{}", words(&again));
    let listed = framepost(&models).arg("list").output().unwrap();
    assert_eq!(words(&listed), format!("nano\t-\t416x416\t80 labels\t{SHARED}\n"));
    let checked = framepost(&models).args(["check", "nano"]).output().unwrap();
    assert!(checked.status.success(), "{}", words(&checked));
    std::fs::write(models.join("nano/model.onnx"), b"something else").unwrap();
    for arguments in [&["list"][..], &["check", "nano"]] {
        let refused = framepost(&models).args(arguments).output().unwrap();
        assert!(!refused.status.success(), "{arguments:?}: {}", words(&refused));
        assert!(words(&refused).contains("has the SHA-256"), "{arguments:?}: {}", words(&refused));
    }
}

/// The digest of the shared model, which is another export than the publisher's.
pub(crate) const SHARED: &str = "d39bee73564e338080378b0ad567fbb40e818b55bbfaf971de82a0267ed16b8a";

/// A server with the shared model under this name.
fn server(name: &str, shared: &Path) -> RangeServer {
    let served = Served { path: shared.join("yolox_nano.onnx"), headers: vec![] };
    RangeServer::start(HashMap::from([(name.to_owned(), served)]))
}

pub(crate) fn left_in(models: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(models).map(|entries| entries.flatten().collect()).unwrap_or(vec![]);
    let mut names: Vec<_> = entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_known_model_is_fetched_from_where_it_broke_off_and_another_file_is_refused() {
    let Some(shared) = shared_models() else { return };
    let dir = tempfile::tempdir().unwrap();
    let models = dir.path().join("models");
    let server = server("yolox_nano.onnx?token=secret", &shared);
    let url = server.url("yolox_nano.onnx?token=secret");
    let get =
        |more: &[&str]| framepost(&models).args(["get", "yolox-nano", "--url", &url]).args(more).output().unwrap();
    let other = get(&[]);
    assert!(!other.status.success() && words(&other).contains("it has to have 3659407"), "{}", words(&other));
    let wrong = "0".repeat(64);
    let refused = get(&["--sha256", &wrong]);
    assert!(
        !refused.status.success() && words(&refused).contains("the downloaded file has the SHA-256"),
        "{}",
        words(&refused)
    );
    assert!(!left_in(&models).iter().any(|name| name.starts_with(".yolox-nano-0000")), "{:?}", left_in(&models));
    // Half of it came before the program was killed.
    let whole = std::fs::read(shared.join("yolox_nano.onnx")).unwrap();
    std::fs::write(models.join(format!(".yolox-nano-{}.part", &SHARED[..16])), &whole[..2_000_000]).unwrap();
    server.take_traffic();
    let got = get(&["--sha256", SHARED]);
    assert!(got.status.success(), "{}", words(&got));
    assert!(!words(&got).contains("secret"), "{}", words(&got));
    assert_eq!(server.take_traffic().bytes, whole.len() as u64 - 2_000_000);
    assert!(words(&got).contains("yolox-nano works"), "{}", words(&got));
    let listed = framepost(&models).arg("list").output().unwrap();
    assert_eq!(words(&listed), format!("yolox-nano\t0.1.1rc0\t416x416\t80 labels\t{SHARED}\n"));
    let again = get(&["--sha256", SHARED]);
    assert!(!again.status.success() && words(&again).contains("is there already"), "{}", words(&again));
    assert_eq!(server.take_traffic().requests, 0, "it asks for nothing that it cannot lay down");
}

#[test]
fn a_model_comes_through_the_proxy_of_the_environment() {
    let Some(shared) = shared_models() else { return };
    let dir = tempfile::tempdir().unwrap();
    let models = dir.path().join("models");
    let url = "http://models.invalid/yolox_nano.onnx";
    let proxy = server(url, &shared);
    let get = |variable: &str| {
        let mut command = framepost(&models);
        for name in ["http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env_remove(name);
        }
        command.env(variable, proxy.url("").trim_end_matches('/'));
        command.args(["get", "yolox-nano", "--url", url, "--sha256", SHARED]).output().unwrap()
    };
    let got = get("HTTP_PROXY");
    assert!(got.status.success(), "{}", words(&got));
    assert_eq!((proxy.take_traffic().requests, left_in(&models)), (1, vec!["yolox-nano".to_owned()]));
}

#[test]
fn what_is_no_model_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let models = dir.path().join("models");
    let labels = dir.path().join("labels.txt");
    std::fs::write(&labels, "person\n").unwrap();
    for (name, bytes) in [("garbage", b"not a model".to_vec()), ("bomb", bomb())] {
        let onnx = dir.path().join("x.onnx");
        std::fs::write(&onnx, bytes).unwrap();
        let refused = add(&models, name, &onnx, &labels);
        assert!(!refused.status.success(), "{name}: {}", words(&refused));
        eprintln!("{name}: {}", words(&refused).lines().last().unwrap_or_default());
        let left: Vec<_> = std::fs::read_dir(&models).unwrap().collect();
        assert!(left.is_empty(), "{name}: {left:?}");
        let outside = add(&models, "../outside", &onnx, &labels);
        assert!(words(&outside).contains("a model's name has"), "{}", words(&outside));
        assert!(!dir.path().join("outside").exists());
    }
}

/// A field of protocol buffers that is bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    assert!(bytes.len() < 1 << 14);
    let length = bytes.len();
    let mut field = vec![number << 3 | 2];
    if length < 128 {
        field.push(length.to_le_bytes()[0]);
    } else {
        field.extend([length.to_le_bytes()[0] | 0x80, (length >> 7).to_le_bytes()[0]]);
    }
    field.extend(bytes);
    field
}

fn node(operator: &str, inputs: &[&str], output: &str) -> Vec<u8> {
    let mut node: Vec<u8> = inputs.iter().flat_map(|input| field(1, input.as_bytes())).collect();
    node.extend(field(2, output.as_bytes()));
    node.extend(field(4, operator.as_bytes()));
    field(1, &node)
}

/// A model of some hundred bytes that takes 256 GiB: a tensor of 2³⁶ zeros, whose shape is a constant.
fn bomb() -> Vec<u8> {
    // TensorProto: dims = [1], data_type = INT64, name, raw_data.
    let mut shape = vec![0x08, 1, 0x10, 7];
    shape.extend(field(8, b"shape"));
    shape.extend(field(9, &(1_u64 << 36).to_le_bytes()));
    let mut graph = node("ConstantOfShape", &["shape"], "zeros");
    graph.extend(node("ReduceSum", &["zeros"], "sum"));
    graph.extend(node("Add", &["images", "sum"], "output"));
    model(&graph, &shape)
}

/// A model that adds this constant to its input.
fn adding(number: &[u8]) -> Vec<u8> {
    model(&node("Add", &["images", "number"], "output"), number)
}

/// A model of these nodes, which have the input `images`, the output `output`, and a constant.
fn model(nodes: &[u8], constant: &[u8]) -> Vec<u8> {
    let value = |name: &str| {
        // Of floats, [1, 3, 416, 416].
        let dimensions: Vec<u8> = [[1, 0], [3, 0], [0xa0, 3], [0xa0, 3]]
            .iter()
            .flat_map(|side| {
                let side: &[u8] = if side[1] == 0 { &side[..1] } else { side };
                field(1, &[&[0x08][..], side].concat())
            })
            .collect();
        let tensor = [vec![0x08, 1], field(2, &dimensions)].concat();
        [field(1, name.as_bytes()), field(2, &field(1, &tensor))].concat()
    };
    let mut graph = nodes.to_vec();
    graph.extend(field(2, b"graph"));
    graph.extend(field(5, constant));
    graph.extend(field(11, &value("images")));
    graph.extend(field(12, &value("output")));
    let mut model = vec![0x08, 8];
    model.extend(field(7, &graph));
    model.extend(field(8, &[0x10, 17]));
    model
}

/// A model that adds a number to its input, which is in a file outside of its directory: TensorProto's `external_data`.
fn with_external_data(location: &str) -> Vec<u8> {
    let entry = |key: &str, value: &str| field(13, &[field(1, key.as_bytes()), field(2, value.as_bytes())].concat());
    // dims = [1], data_type = FLOAT, name, external_data, data_location = EXTERNAL.
    let mut number = vec![0x08, 1, 0x10, 1];
    number.extend(field(8, b"number"));
    number.extend([entry("location", location), entry("offset", "0"), entry("length", "4")].concat());
    number.extend([14 << 3, 1]);
    adding(&number)
}

/// A pipe with a name, at whose other end somebody waits.
struct Watched {
    is_opened: Arc<AtomicBool>,
}

impl Watched {
    fn at(path: &Path) -> Self {
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
        let is_opened = Arc::new(AtomicBool::new(false));
        let opened = is_opened.clone();
        let path = path.to_owned();
        // It lasts until somebody opens the pipe to read, or the program ends. Who reads is at the end then.
        std::thread::spawn(move || {
            while let Ok(pipe) = std::fs::OpenOptions::new().write(true).open(&path) {
                opened.store(true, Ordering::SeqCst);
                drop(pipe);
            }
        });
        Self { is_opened }
    }

    fn is_opened(&self) -> bool {
        self.is_opened.load(Ordering::SeqCst)
    }
}

#[test]
fn a_pipe_that_is_read_is_seen_to_be_opened() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data");
    let watched = Watched::at(&path);
    assert!(!watched.is_opened());
    assert_eq!(std::fs::read(&path).unwrap(), b"");
    assert!(watched.is_opened());
}

/// A file named in the model is not even looked for, wherever it may be: it is there, and whoever opens it is seen.
#[test]
fn a_model_with_data_in_another_file_is_refused_and_that_is_not_opened() {
    let dir = tempfile::tempdir().unwrap();
    let models = dir.path().join("models");
    let place = dir.path().join("in");
    for made in [&models, &place] {
        std::fs::create_dir(made).unwrap();
    }
    let labels = place.join("labels.txt");
    std::fs::write(&labels, "person\n").unwrap();
    let onnx = place.join("x.onnx");
    // Beside the directory that the file is in, beside the one that it would get, and where the command is given.
    let outside = [dir.path().join("data"), models.join("data"), place.join("data")];
    let watched = outside.each_ref().map(|path| Watched::at(path));
    for location in ["../data", "data", outside[0].to_str().unwrap()] {
        std::fs::write(&onnx, with_external_data(location)).unwrap();
        let mut command = framepost(&models);
        command.current_dir(&place).args(["add", "x", "--decoder", "yolox", "--size", "416x416", "--onnx"]);
        let refused = command.arg(&onnx).arg("--labels").arg(&labels).output().unwrap();
        assert!(!refused.status.success(), "{location}");
        assert!(words(&refused).contains("external data"), "{location}: {}", words(&refused));
        assert_eq!((left_in(&models), left_in(&place)), (names(&["data"]), names(&["data", "labels.txt", "x.onnx"])));
        assert_eq!(left_in(dir.path()), names(&["data", "in", "models"]), "{location}");
        assert_eq!(watched.each_ref().map(Watched::is_opened), [false; 3], "{location}");
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A record of `infer` about chunk `chunk`.
fn record(chunk: u32, model: &str, boxes: &[(&str, [f64; 4])], dollars: Option<f64>) -> Value {
    let detections: Vec<Value> = boxes
        .iter()
        .map(|(label, [left, top, width, height])| {
            json!({"label": label, "score": 0.9, "box": {"left": left, "top": top, "width": width, "height": height}})
        })
        .collect();
    let key = format!("plant-7/2026-11-20/gate/15/08-0{chunk}.000000Z.0.mp4");
    let mut data = json!({
        "site": "plant-7", "camera": "gate",
        "duration": {"recorded": 10.0, "track": 10.0},
        "model": {"detector": "onnx", "name": model},
        "settingsDigest": "00".repeat(32),
        "frames": [{"offset": 0.0, "detections": detections}],
        "detectorMs": 40,
        "object": {"provider": "local", "bucket": "footage", "key": key, "version": "1"},
    });
    if let Some(dollars) = dollars {
        data["calls"] = json!(1);
        data["dollars"] = json!(dollars);
    }
    json!({
        "specversion": "1.0", "id": format!("{model}-{chunk}"), "source": "framepost/infer",
        "type": "io.framepost.chunk.inferred.v1", "subject": key, "time": "2026-11-20T15:08:00Z",
        "datacontenttype": "application/json", "data": data,
    })
}

/// What `framepost model compare` says of these records.
fn compared(arguments: &[&str], records: &[Value]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let mut command = framepost(dir.path());
    command.arg("compare").args(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    for record in records {
        writeln!(input, "{record}").unwrap();
    }
    drop(input);
    child.wait_with_output().unwrap()
}

#[test]
fn two_models_are_compared_by_their_records() {
    let person = ("person", [0.1, 0.1, 0.2, 0.4]);
    let moved = ("person", [0.1, 0.1, 0.2, 0.3]);
    let records = [
        record(1, "old", &[person], None),
        record(1, "new", &[moved, ("dog", [0.6, 0.6, 0.2, 0.2])], Some(0.001)),
        record(2, "old", &[person], None),
        record(3, "new", &[person], Some(0.001)),
        json!({"another": "line"}),
    ];
    let output = compared(&["old", "new"], &records);
    assert!(output.status.success());
    let expected = "1 chunks and 1 pictures that both looked at\n\
        label\tboth\tonly old\tonly new\tagreement\tmean IoU\n\
        dog\t0\t0\t1\t0 %\t-\n\
        person\t1\t0\t0\t100 %\t0.75\n\
        label\tall of old\tin 100 pictures\tall of new\tin 100 pictures\n\
        dog\t0\t0.0\t1\t50.0\n\
        person\t2\t100.0\t2\t100.0\n\
        model\trecords\tskipped\tpictures\tms a picture, median\t95th percentile\tdollars\n\
        old\t2\t0\t2\t40\t40\t0.0000\n\
        new\t2\t0\t2\t40\t40\t0.0020\n\
        pictures to look at, by how many detections only one has\n\
        1\tfootage/plant-7/2026-11-20/gate/15/08-01.000000Z.0.mp4 1 at 0.000 s\n";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

/// An arm has hours of a camera to itself, so no chunk is looked at by both.
#[test]
fn two_arms_are_compared_by_what_each_saw_in_its_own_hours() {
    let person = ("person", [0.1, 0.1, 0.2, 0.4]);
    let dog = ("dog", [0.6, 0.6, 0.2, 0.2]);
    let of_arm = |chunk: u32, arm: &str, boxes: &[(&str, [f64; 4])], ms: u64| {
        let mut record = record(chunk, "m", boxes, None);
        record["data"]["model"]["arm"] = json!(arm);
        record["data"]["detectorMs"] = json!(ms);
        record
    };
    let mut records: Vec<Value> = (0..4).map(|chunk| of_arm(chunk, "a", &[person, person], 30)).collect();
    let mut still = of_arm(4, "a", &[], 0);
    still["data"]["skipped"] = json!("still");
    still["data"]["frames"] = json!([]);
    records.push(still);
    records.extend([of_arm(5, "b", &[person, dog], 50), of_arm(6, "b", &[person], 90)]);
    let output = compared(&["a", "b"], &records);
    assert!(output.status.success());
    let expected = "0 chunks and 0 pictures that both looked at\n\
        label\tboth\tonly a\tonly b\tagreement\tmean IoU\n\
        label\tall of a\tin 100 pictures\tall of b\tin 100 pictures\n\
        dog\t0\t0.0\t1\t50.0\n\
        person\t8\t200.0\t2\t100.0\n\
        model\trecords\tskipped\tpictures\tms a picture, median\t95th percentile\tdollars\n\
        a\t5\t1\t4\t30\t30\t0.0000\n\
        b\t2\t0\t2\t90\t90\t0.0000\n";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);

    // Nothing can be said of an arm that has looked at nothing.
    assert!(!compared(&["a", "b"], &records[..5]).status.success());
}

#[test]
fn the_pictures_in_which_two_models_differ_most_come_first() {
    let boxes: Vec<(&str, [f64; 4])> = (0..3_u8).map(|n| ("person", [0.3 * f64::from(n), 0.1, 0.2, 0.4])).collect();
    let mut records: Vec<Value> = (0..3).map(|chunk| record(chunk, "old", &boxes, None)).collect();
    records.extend((0..3).map(|chunk| record(chunk, "new", &boxes[..chunk as usize], None)));
    let output = compared(&["old", "new", "--pictures", "2"], &records);
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, differing) = text.split_once("pictures to look at").unwrap();
    let named: Vec<&str> = differing.lines().skip(1).map(|line| line.split(' ').next().unwrap()).collect();
    let key = |chunk| format!("footage/plant-7/2026-11-20/gate/15/08-0{chunk}.000000Z.0.mp4");
    assert_eq!(named, [format!("3\t{}", key(0)), format!("2\t{}", key(1))], "{text}");
}
