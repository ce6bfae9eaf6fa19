use super::*;
use crate::manifest::Manifest;
use bytes::Bytes;
use framepost_events::detection::Bounds;
use framepost_ports::Picture;
use proptest::prelude::*;
use std::time::Duration;

const LABELS: [&str; 3] = ["", "person", "bottle"];

fn manifest(decoder: &str) -> Manifest {
    let text = format!(
        "name = \"m\"\nlabels = {LABELS:?}\nscore = 0.5\niou = 0.5\n[input]\nwidth = 32\nheight = 32\nlayout = \"nchw\"\ntype = \"u8\"\n\
         colour = \"rgb\"\nresize = \"stretch\"\n[decoder]\n{decoder}"
    );
    Manifest::parse(&text).unwrap()
}

fn found(manifest: &Manifest, outputs: &[OutputTensor]) -> Result<Vec<Detection>, DecodeError> {
    let picture = Picture::new(32, 32, Bytes::from(vec![0; 32 * 32 * 3]), Duration::ZERO).unwrap();
    let (_, placement) = crate::prepare(&picture, &manifest.input);
    decode(manifest, &LABELS.map(str::to_owned), outputs, &placement)
}

fn output(name: &str, shape: &[usize], values: &[f32]) -> OutputTensor {
    OutputTensor { name: name.to_owned(), shape: shape.to_vec(), values: values.to_vec() }
}

fn seen(label: &str, score: f64, [left, top, right, bottom]: [f64; 4]) -> Detection {
    let bounds = Bounds::from_edges(left, top, right, bottom).unwrap();
    Detection { label: label.to_owned(), score, bounds, zones: Vec::new() }
}

const YOLOX: &str = "kind = \"yolox\"\nstrides = [16]";
const YOLOV8: &str = "kind = \"yolov8\"";
const SSD: &str = "kind = \"ssd\"\nboxes = \"b\"\nscores = \"s\"";
const CHOSEN: &str =
    "kind = \"ssd\"\nboxes = \"b\"\nscores = \"s\"\nclasses = \"c\"\norder = \"yxyx\"\nunit = \"pixel\"";
const DETR: &str = "kind = \"detr\"\nboxes = \"b\"\nlogits = \"s\"\nactivation = \"softmax\"";

#[test]
fn each_head_is_read() {
    let quarter = [0.25, 0.25, 0.75, 0.75];
    let nothing = [0.0; 8];
    // The cell in the second column and row: its centre is one stride from the corner, and its size one stride.
    let cell = [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.75, 0.5];
    let yolox = [nothing, nothing, nothing, cell].concat();
    let ssd_boxes = [[0.25, 0.25, 0.75, 0.75], [0.0; 4]].concat();
    for (decoder, outputs) in [
        (YOLOX, vec![output("o", &[1, 4, 8], &yolox)]),
        (YOLOV8, vec![output("o", &[1, 7, 1], &[16.0, 16.0, 16.0, 16.0, 1.0, 0.75, 0.5])]),
        (YOLOV8, vec![output("o", &[1, 1, 7], &[16.0, 16.0, 16.0, 16.0, 1.0, 0.75, 0.5])]),
        (SSD, vec![output("b", &[1, 2, 4], &ssd_boxes), output("s", &[1, 2, 3], &[0.25, 0.75, 0.0, 1.0, 0.0, 0.0])]),
        (
            CHOSEN,
            vec![
                output("b", &[1, 2, 4], &[8.0, 8.0, 24.0, 24.0, 0.0, 0.0, 0.0, 0.0]),
                output("s", &[1, 2], &[0.75, 1.0]),
                output("c", &[1, 2], &[1.0, -1.0]),
            ],
        ),
        (
            DETR,
            vec![
                output("b", &[1, 1, 4], &[0.5, 0.5, 0.5, 0.5]),
                output("s", &[1, 1, 4], &[f32::NEG_INFINITY, 3.0_f32.ln(), f32::NEG_INFINITY, 0.0]),
            ],
        ),
    ] {
        let found = found(&manifest(decoder), &outputs).unwrap();
        let [only] = found.as_slice() else { panic!("{decoder}: {found:?}") };
        assert!((only.score - 0.75).abs() < 1e-6, "{decoder}: {only:?}");
        assert_eq!((only.label.as_str(), only.bounds), ("person", seen("", 0.0, quarter).bounds), "{decoder}");
    }
}

#[test]
fn overlapping_boxes_of_one_class_become_the_best_of_them() {
    let boxes = [[0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 0.5, 0.4375], [0.0, 0.0, 0.5, 0.5], [0.5, 0.5, 1.0, 1.0]].concat();
    let scores = [[0.0, 0.625, 0.0], [0.0, 0.875, 0.0], [0.0, 0.0, 0.75], [0.0, 0.5, 0.0]].concat();
    let outputs = [output("b", &[1, 4, 4], &boxes), output("s", &[1, 4, 3], &scores)];
    let mut manifest = manifest(SSD);
    let expected = [
        seen("person", 0.875, [0.0, 0.0, 0.5, 0.4375]),
        seen("bottle", 0.75, [0.0, 0.0, 0.5, 0.5]),
        seen("person", 0.5, [0.5, 0.5, 1.0, 1.0]),
    ];
    assert_eq!(found(&manifest, &outputs).unwrap(), expected);
    manifest.iou = None;
    assert_eq!(found(&manifest, &outputs).unwrap().len(), 4);
}

#[test]
fn an_answer_that_does_not_fit_is_refused_with_what_is_expected() {
    for (decoder, outputs, expected) in [
        (YOLOX, vec![], "the model has no output that is the only one; it has "),
        (YOLOX, vec![output("o", &[1, 5, 8], &[0.0; 40])], "output o has the shape [5, 8]; expected is [1, 4, 8]"),
        (YOLOX, vec![output("o", &[1, 4, 8], &[0.0; 31])], "output o has the shape [1, 4, 8] and 31 elements"),
        (
            YOLOX,
            vec![output("o", &[usize::MAX, 2, 8], &[])],
            "output o has the shape [18446744073709551615, 2, 8] and 0 elements",
        ),
        (
            YOLOV8,
            vec![output("o", &[2, 7, 1], &[0.0; 14])],
            "output o has the shape [2, 7, 1]; expected is [1, 7, candidates]",
        ),
        (SSD, vec![output("b", &[1, 1, 4], &[0.0; 4])], "the model has no output `s`; it has b"),
        (SSD, vec![output("b", &[1, 1, 4], &[0.0; 4]), output("s", &[1, 2, 3], &[0.0; 6])], {
            "output s has the shape [2, 3]; expected is [1, 1, 3]"
        }),
    ] {
        let error = found(&manifest(decoder), &outputs).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{decoder}: {error}");
    }
}

/// Numbers that a damaged or hostile model can return.
fn number() -> impl Strategy<Value = f32> {
    prop_oneof![
        any::<f32>(),
        Just(f32::NAN),
        Just(f32::INFINITY),
        Just(f32::NEG_INFINITY),
        Just(f32::MAX),
        0.0_f32..1.0,
        Just(0.75)
    ]
}

fn tensor(name: &'static str) -> impl Strategy<Value = OutputTensor> {
    // Shapes that fit and others; as many values as the shape says, or not.
    let shape = prop_oneof![
        Just(vec![1, 4, 8]),
        Just(vec![1, 7, 5]),
        Just(vec![1, 5, 7]),
        Just(vec![1, 4, 4]),
        Just(vec![1, 4, 3]),
        Just(vec![1, 4]),
        proptest::collection::vec(0_usize..9, 0..5)
    ];
    let filled = shape.prop_flat_map(move |shape| {
        let elements = shape.iter().product::<usize>().min(10_000);
        let length = prop_oneof![9 => Just(elements), 1 => 0..=elements];
        length.prop_flat_map(move |length| (Just(shape.clone()), proptest::collection::vec(number(), length)))
    });
    filled.prop_map(move |(shape, values)| OutputTensor { name: name.to_owned(), shape, values })
}

proptest! {
    #[test]
    fn any_answer_is_read_or_refused(
        decoder in prop_oneof![Just(YOLOX), Just(YOLOV8), Just(SSD), Just(CHOSEN), Just(DETR)],
        outputs in (tensor("b"), tensor("s"), tensor("c")),
        alone: bool,
    ) {
        let outputs = if alone { vec![outputs.0] } else { vec![outputs.0, outputs.1, outputs.2] };
        for detection in found(&manifest(decoder), &outputs).unwrap_or_default() {
            prop_assert!((0.5..=1.0).contains(&detection.score), "{detection:?}");
            prop_assert!(!detection.label.is_empty());
            let bounds = detection.bounds;
            prop_assert!(bounds.left >= 0.0 && bounds.right() <= 1.0 + 1e-9 && bounds.area() > 0.0, "{detection:?}");
        }
    }
}
