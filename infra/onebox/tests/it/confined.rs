//! Models that attack: each costs a process of its own, which is within its limits, and the next model runs as if nothing had been.

#![cfg(target_os = "linux")]

use framepost_events::Sha256;
use framepost_models::{Confinement, ModelDirectory, OnnxDetector};
use framepost_ports::{Detector as _, ErrorKind, Picture, Result, chain};
use framepost_tests::measure::peak_bytes;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a model may take here.
const MEMORY_BYTES: u64 = 1 << 30;
const TIMEOUT: Duration = Duration::from_secs(4);
/// How many processes may run one model here.
const PROCESSES: usize = 3;
/// Starting the process and ending it takes this much longer, on a machine that is busy.
const BESIDE: Duration = Duration::from_secs(10);
/// The resident memory of this process may grow by this much.
const OURS_BYTES: u64 = 256 << 20;

fn confinement() -> Confinement {
    Confinement {
        program: env!("CARGO_BIN_EXE_framepost").into(),
        arguments: vec!["run-model".into()],
        memory_bytes: MEMORY_BYTES,
        processes: PROCESSES,
        timeout: TIMEOUT,
    }
}

/// A field of protocol buffers: its number, and bytes.
pub(crate) fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = varint(u64::from(number) << 3 | 2);
    field.extend(varint(bytes.len() as u64));
    field.extend(bytes);
    field
}

pub(crate) fn number(field: u8, value: u64) -> Vec<u8> {
    let mut bytes = varint(u64::from(field) << 3);
    bytes.extend(varint(value));
    bytes
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
    bytes
}

/// `NodeProto` in a graph, with further fields.
fn node_with(operator: &str, inputs: &[&str], outputs: &[&str], more: &[u8]) -> Vec<u8> {
    let mut node: Vec<u8> = inputs.iter().flat_map(|input| field(1, input.as_bytes())).collect();
    node.extend(outputs.iter().flat_map(|output| field(2, output.as_bytes())));
    node.extend(field(4, operator.as_bytes()));
    node.extend(more);
    field(1, &node)
}

pub(crate) fn node(operator: &str, inputs: &[&str], output: &str) -> Vec<u8> {
    node_with(operator, inputs, &[output], &[])
}

/// `TensorProto` of 64-bit integers with these dimensions, as an initializer.
fn integers(name: &str, dimensions: &[u64], values: &[i64]) -> Vec<u8> {
    let mut tensor: Vec<u8> = dimensions.iter().flat_map(|side| number(1, *side)).collect();
    tensor.extend(number(2, 7));
    tensor.extend(field(8, name.as_bytes()));
    tensor.extend(field(9, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>()));
    field(5, &tensor)
}

/// `ValueInfoProto` of a tensor; 1 is of floats, 7 of 64-bit integers, 9 of truths.
pub(crate) fn value(name: &str, kind: u64, dimensions: &[u64]) -> Vec<u8> {
    let sides: Vec<u8> = dimensions.iter().flat_map(|side| field(1, &number(1, *side))).collect();
    let tensor = [number(1, kind), field(2, &sides)].concat();
    [field(1, name.as_bytes()), field(2, &field(1, &tensor))].concat()
}

/// A model with this inside, from `images` to `output`.
fn model(inside: &[Vec<u8>]) -> Vec<u8> {
    let mut graph = inside.concat();
    graph.extend(field(2, b"graph"));
    graph.extend(field(11, &value("images", 1, &[1, 3, 64, 64])));
    graph.extend(field(12, &value("output", 1, &[1, 5, 5])));
    let mut model = number(1, 8);
    model.extend(field(7, &graph));
    model.extend(field(8, &number(2, 17)));
    model
}

/// The sum of `big` and the picture.
fn with_big(mut inside: Vec<Vec<u8>>) -> Vec<u8> {
    inside.push(node("ReduceSum", &["big"], "sum"));
    inside.push(node("Add", &["images", "sum"], "output"));
    model(&inside)
}

/// A loop that ends after 2⁶² rounds.
fn endless() -> Vec<u8> {
    // A GraphProto: round, condition in, and a value that is carried on.
    let mut body = node("Identity", &["go"], "on");
    body.extend(node("Add", &["carried", "carried"], "more"));
    body.extend(field(2, b"body"));
    for (name, kind, dimensions) in [("round", 7, &[][..]), ("go", 9, &[][..]), ("carried", 1, &[1, 3, 64, 64][..])] {
        body.extend(field(11, &value(name, kind, dimensions)));
    }
    for (name, kind, dimensions) in [("on", 9, &[][..]), ("more", 1, &[1, 3, 64, 64][..])] {
        body.extend(field(12, &value(name, kind, dimensions)));
    }
    // An attribute of the type GRAPH, which is 5.
    let attribute = [field(1, b"body"), field(6, &body), number(20, 5)].concat();
    let looping = node_with("Loop", &["rounds", "", "images"], &["output"], &field(5, &attribute));
    model(&[integers("rounds", &[], &[1 << 62]), looping])
}

fn attacks() -> Vec<(&'static str, Vec<u8>)> {
    let deep: Vec<Vec<u8>> = (0..200_000)
        .map(|at| {
            node("Neg", &[&if at == 0 { "images".to_owned() } else { format!("n{at}") }], &format!("n{}", at + 1))
        })
        .chain([node("Neg", &["n200000"], "output")])
        .collect();
    let twice: Vec<Vec<u8>> = (0..40)
        .map(|at| {
            let from = if at == 0 { "images".to_owned() } else { format!("c{at}") };
            let axis = field(5, &[field(1, b"axis"), number(3, 0), number(20, 2)].concat());
            node_with("Concat", &[&from, &from], &[&format!("c{}", at + 1)], &axis)
        })
        .chain([node("Identity", &["c40"], "output")])
        .collect();
    vec![
        (
            "zeros, 256 GiB",
            with_big(vec![integers("shape", &[1], &[1 << 36]), node("ConstantOfShape", &["shape"], "big")]),
        ),
        (
            "zeros whose size overflows",
            with_big(vec![integers("shape", &[2], &[1 << 40, 1 << 40]), node("ConstantOfShape", &["shape"], "big")]),
        ),
        (
            "tiles of the picture",
            with_big(vec![integers("repeats", &[4], &[1 << 20, 1, 1, 1]), node("Tile", &["images", "repeats"], "big")]),
        ),
        (
            "the picture, expanded",
            with_big(vec![
                integers("shape", &[5], &[1 << 20, 1, 3, 64, 64]),
                node("Expand", &["images", "shape"], "wide"),
                node("Neg", &["wide"], "big"),
            ]),
        ),
        (
            "a range",
            with_big(vec![
                integers("start", &[], &[0]),
                integers("end", &[], &[1 << 40]),
                integers("step", &[], &[1]),
                node("Range", &["start", "end", "step"], "big"),
            ]),
        ),
        (
            "a reshape to other sizes",
            with_big(vec![integers("shape", &[2], &[1 << 40, -1]), node("Reshape", &["images", "shape"], "big")]),
        ),
        ("an initializer that says it is larger", with_big(vec![integers("big", &[1 << 40], &[1])])),
        ("the picture doubled 40 times", model(&twice)),
        ("a chain of 200 000 operators", model(&deep)),
        ("a loop without end", endless()),
        ("an operator that needs itself", model(&[node("Add", &["images", "output"], "output")])),
    ]
}

fn lay(dir: &Path, onnx: &[u8]) {
    std::fs::create_dir_all(dir).unwrap();
    std::fs::write(dir.join("model.onnx"), onnx).unwrap();
    let text = format!(
        "name = \"m\"\nfile = \"model.onnx\"\nsha256 = \"{}\"\nlabels = [\"x\"]\nscore = 0.5\n[input]\nwidth = 64\nheight = 64\n\
         layout = \"nchw\"\ntype = \"f32\"\ncolour = \"rgb\"\nresize = \"stretch\"\n[decoder]\nkind = \"yolov8\"\n",
        Sha256::of(onnx)
    );
    std::fs::write(dir.join("model.toml"), text).unwrap();
}

/// Loads the model and gives it two pictures.
async fn tried(dir: &Path) -> (OnnxOutcome, Option<OnnxDetector>) {
    let picture = || Picture::new(64, 64, vec![90; 64 * 64 * 3].into(), Duration::ZERO).unwrap();
    let detector = match OnnxDetector::load_confined(ModelDirectory::local(dir), confinement()).await {
        Ok(detector) => detector,
        Err(error) => return (Err(error), None),
    };
    let first = detector.detect(&[picture()]).await;
    // The process may be another one now.
    let second = detector.detect(&[picture()]).await;
    assert_eq!(first.is_ok(), second.is_ok());
    (second.map(|_| ()), Some(detector))
}

type OnnxOutcome = Result<()>;

/// A model whose answer is the picture's first values: five rows of five candidates.
fn harmless() -> Vec<u8> {
    model(&[
        integers("flat", &[1], &[-1]),
        integers("starts", &[1], &[0]),
        integers("ends", &[1], &[25]),
        integers("shape", &[3], &[1, 5, 5]),
        node("Reshape", &["images", "flat"], "line"),
        node("Slice", &["line", "starts", "ends"], "some"),
        node("Reshape", &["some", "shape"], "output"),
    ])
}

/// The processes that run a model for this one.
fn running() -> Vec<i32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let ours = format!("PPid:\t{}\n", std::process::id());
    ids.filter(|id| {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{id}/{file}")).unwrap_or_default();
        // One that has ended and is not yet waited for has no command line.
        read("status").contains(&ours) && read("cmdline").contains("run-model")
    })
    .collect()
}

fn resident_bytes() -> u64 {
    peak_bytes(std::process::id()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_model_takes_more_than_it_may() {
    let dir = tempfile::tempdir().unwrap();
    let before = resident_bytes();
    for (index, (what, onnx)) in attacks().into_iter().enumerate() {
        let dir = dir.path().join(index.to_string());
        lay(&dir, &onnx);
        let begun = Instant::now();
        let (outcome, _) = tried(&dir).await;
        let took = begun.elapsed();
        match &outcome {
            Ok(()) => eprintln!("{what}: runs, {took:.1?}"),
            Err(error) => {
                eprintln!("{what}: {}, {took:.1?}", chain(error));
                assert_eq!(error.kind(), ErrorKind::Invalid, "{what}: {}", chain(error));
            }
        }
        assert!(took < 3 * TIMEOUT + BESIDE, "{what}: {took:?}");
        assert!(resident_bytes() < before + OURS_BYTES, "{what}: {} of {before}", resident_bytes());
    }
    assert_eq!(running(), Vec::<i32>::new(), "what is dropped is ended");
    let good = dir.path().join("good");
    a_process_that_is_killed_is_started_again(&good).await;
    pictures_that_wait_have_processes_of_their_own(&good).await;
}

async fn a_process_that_is_killed_is_started_again(dir: &Path) {
    lay(dir, &harmless());
    let (outcome, detector) = tried(dir).await;
    outcome.unwrap_or_else(|error| panic!("{}", chain(&error)));
    let detector = detector.unwrap();
    let [before] = running()[..] else { panic!("{:?}", running()) };
    kill(Pid::from_raw(before), Signal::SIGKILL).unwrap();
    let picture = || Picture::new(64, 64, vec![90; 64 * 64 * 3].into(), Duration::ZERO).unwrap();
    // Somebody else did that, so the picture is worth another try.
    let error = detector.detect(&[picture()]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{}", chain(&error));
    detector.detect(&[picture()]).await.unwrap_or_else(|error| panic!("{}", chain(&error)));
    let [after] = running()[..] else { panic!("{:?}", running()) };
    assert_ne!(before, after);
}

fn signal(process: i32, signal: Signal) {
    kill(Pid::from_raw(process), signal).unwrap();
}

/// Waits until no process runs a model for this one.
async fn all_have_ended() {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !running().is_empty() {
        assert!(Instant::now() < deadline, "{:?}", running());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn pictures_that_wait_have_processes_of_their_own(dir: &Path) {
    all_have_ended().await;
    // A process is stopped for as long as this test takes.
    let confinement = Confinement { timeout: Duration::from_mins(5), ..confinement() };
    let detector = OnnxDetector::load_confined(ModelDirectory::local(dir), confinement).await;
    let detector = Arc::new(detector.unwrap_or_else(|error| panic!("{}", chain(&error))));
    let look = || {
        let detector = detector.clone();
        let picture = Picture::new(64, 64, vec![90; 64 * 64 * 3].into(), Duration::ZERO).unwrap();
        tokio::spawn(async move { detector.detect(&[picture]).await.map(drop) })
    };
    let [first] = running()[..] else { panic!("{:?}", running()) };

    // The picture that gets the stopped process waits, and the other one is looked at.
    signal(first, Signal::SIGSTOP);
    let mut one = look();
    let mut other = look();
    let (answered, waiting) = tokio::select! {
        answered = &mut one => (answered, other),
        answered = &mut other => (answered, one),
    };
    answered.unwrap().unwrap_or_else(|error| panic!("{}", chain(&error)));
    assert!(!waiting.is_finished());
    assert_eq!(running().len(), 2);
    signal(first, Signal::SIGKILL);
    // Somebody else did that, so the picture is worth another try.
    assert_eq!(waiting.await.unwrap().unwrap_err().kind(), ErrorKind::Io);

    // One is killed among many pictures: all are answered, that one's at the second try.
    let looks: Vec<_> = (0..8 * PROCESSES).map(|_| look()).collect();
    let [victim, ..] = running()[..] else { panic!("none runs") };
    signal(victim, Signal::SIGKILL);
    let mut failed = 0;
    for looked in looks {
        if let Err(error) = looked.await.unwrap() {
            assert_eq!(error.kind(), ErrorKind::Io, "{}", chain(&error));
            failed += 1;
            look().await.unwrap().unwrap_or_else(|error| panic!("{}", chain(&error)));
        }
    }
    assert!(failed <= 1, "{failed} pictures of one process");
    assert!(running().len() <= PROCESSES, "{:?}", running());
    drop(detector);
    all_have_ended().await;
}
