use super::*;
use proptest::prelude::*;

/// A description that uses most keys.
const GOOD: &str = r#"name = "yolox-nano"
version = "0.1.1rc0"
file = "model.onnx"
sha256 = "d39bee73564e338080378b0ad567fbb40e818b55bbfaf971de82a0267ed16b8a"
labels = ["person", "bottle"]
score = 0.3
iou = 0.45
[input]
name = "images"
width = 416
height = 416
layout = "nchw"
type = "f32"
colour = "bgr"
resize = "letterbox"
[decoder]
kind = "yolox"
strides = [8, 16, 32]
"#;

#[test]
fn a_description_is_read_with_the_usual_values_for_what_it_leaves_out() {
    let manifest = Manifest::parse(GOOD).unwrap();
    assert_eq!(manifest.file.as_ref().unwrap().name, "model.onnx");
    assert_eq!(manifest.labels, Labels::List(vec!["person".into(), "bottle".into()]));
    assert_eq!(manifest.input.normalisation, Normalisation::default());
    assert_eq!(manifest.input.resize, Resize::Letterbox { fill: 114, align: Align::TopLeft });
    assert_eq!(manifest.decoder, Decoder::Yolox { output: None, strides: vec![8, 16, 32] });
    let without = GOOD.replace("strides = [8, 16, 32]\n", "");
    assert_eq!(Manifest::parse(&without).unwrap(), manifest);
}

/// Replaces a line of [`GOOD`] and returns the error.
fn with(line: &str, replaced: &str) -> String {
    assert!(GOOD.contains(line), "{line}");
    Manifest::parse(&GOOD.replace(line, replaced)).expect_err(replaced).to_string()
}

#[test]
fn an_error_names_the_line_the_key_and_what_is_allowed() {
    for (line, replaced, expected) in [
        ("width = 416", "width = 4", "model.toml line 10: input.width: expected 8 to 4096 pixels"),
        ("width = 416", "width = 99999999999", "model.toml line 10: input.width: expected 8 to 4096 pixels"),
        (
            "width = 416",
            "width = \"416\"",
            "model.toml line 10: input.width: invalid type: string \"416\", expected i64",
        ),
        ("score = 0.3", "score = 1.5", "model.toml line 6: score: expected a number from 0 to 1"),
        ("score = 0.3", "score = nan", "model.toml line 6: score: expected a number from 0 to 1"),
        ("layout = \"nchw\"", "layout = \"chw\"", {
            "model.toml line 12: input.layout: unknown variant `chw`, expected `nchw` or `nhwc`"
        }),
        ("kind = \"yolox\"", "kind = \"yolo\"", {
            "model.toml line 17: decoder.kind: unknown variant `yolo`, expected one of `yolox`, `yolov8`, `ssd`, `detr`"
        }),
        ("strides = [8, 16, 32]", "strides = [7]", {
            "model.toml line 18: decoder.strides: the input's sides are no multiples of 7"
        }),
        ("strides = [8, 16, 32]", "strides = [0]", {
            "model.toml line 18: decoder.strides: expected 1 to 8 numbers from 1 to 256"
        }),
        ("strides = [8, 16, 32]", "boxes = \"b\"", {
            "model.toml line 18: decoder.boxes: does not apply to `yolox`, which has output, strides"
        }),
        ("file = \"model.onnx\"\n", "", "model.toml line 3: sha256: is of a `file`, and none is named"),
        ("resize = \"letterbox\"", "resize = \"stretch\"\nfill = 0", {
            "model.toml line 16: input.fill: applies to `resize = \"letterbox\"` only"
        }),
        ("type = \"f32\"", "type = \"u8\"\nscale = 2.0", {
            "model.toml line 14: input.scale: does not apply to `type = \"u8\"`, whose elements are the pixels"
        }),
        ("type = \"f32\"", "type = \"f32\"\nstd = [1.0, 0.0, 1.0]", {
            "model.toml line 14: input.std: is divided by, and must not be 0"
        }),
        ("height = 416", "height = 416\nwidht = 1", "model.toml line 12: input.widht: unknown field `widht`"),
    ] {
        let error = with(line, replaced);
        assert!(error.starts_with(expected), "{replaced}: {error}");
    }
    let large = GOOD.replace("width = 416", "width = 4096");
    assert!(Manifest::parse(&large).is_ok());
    let error = Manifest::parse(&large.replace("height = 416", "height = 4096")).unwrap_err().to_string();
    assert_eq!(error, "model.toml line 11: input.height: 4096 × 4096 pixels; allowed are 4194304");
}

#[test]
fn a_file_is_in_the_same_directory() {
    for name in ["../model.onnx", "/etc/passwd", "a/b.onnx", ".model.onnx", "..", "", "a\\b", "c:model", "x\u{0}"] {
        for (line, key) in [("file = \"model.onnx\"", "file"), ("labels = [\"person\", \"bottle\"]", "labels")] {
            let error = with(line, &format!("{key} = {name:?}").replace("\\0", "\\u0000"));
            assert!(error.contains(&format!(": {key}: expected the name of a file")), "{name}: {error}");
        }
    }
}

#[test]
fn labels_are_few_and_short_and_an_empty_one_is_kept() {
    assert_eq!(labels_of("person\r\n\nbottle\n\n").unwrap(), ["person", "", "bottle"]);
    for text in [String::new(), "\n\n".to_owned(), "x\n".repeat(10_001), "x".repeat(101), "a\tb\u{1b}[2J".to_owned()] {
        assert!(labels_of(&text).is_err(), "{:?}", &text[..text.len().min(20)]);
    }
}

#[test]
fn each_kind_needs_its_outputs() {
    for (decoder, expected) in [
        ("kind = \"ssd\"\nscores = \"s\"", "decoder.boxes: missing: the name of an output of `ssd`"),
        ("kind = \"ssd\"\nboxes = \"b\"", "decoder.scores: missing: the name of an output of `ssd`"),
        ("kind = \"detr\"\nboxes = \"b\"\nlogits = \"l\"", {
            "decoder.activation: missing: `softmax` (DETR) or `sigmoid` (RT-DETR)"
        }),
    ] {
        let error = with("kind = \"yolox\"\nstrides = [8, 16, 32]", decoder);
        assert_eq!(error, format!("model.toml line 17: {expected}"));
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text: String) {
        let _ = Manifest::parse(&text);
    }

    #[test]
    fn a_damaged_description_is_read_or_refused(at in 0..GOOD.len(), byte in 0_u8..128) {
        let mut bytes = GOOD.as_bytes().to_vec();
        bytes[at] = byte;
        let _ = Manifest::parse(std::str::from_utf8(&bytes).unwrap());
    }
}
