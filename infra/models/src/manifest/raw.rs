//! `model.toml` as it is written, and the check of what does not show in a single value.

use super::{
    Activation, Align, Colour, Decoder, Element, Input, Labels, Layout, Manifest, ModelFile, Normalisation, Order,
    Resize, Ssd, Unit,
};
use framepost_events::Sha256;
use serde::Deserialize;
use serde::de::Error as _;
use std::fmt;
use std::ops::Range;
use toml::Spanned;

/// The largest width and height of a model's input, in pixels.
const SIDE_MAX: u32 = 4096;
/// The most pixels of a model's input: 2048 × 2048.
const PIXELS_MAX: u32 = 4 * 1024 * 1024;
/// The most labels that a model may have.
const LABELS_MAX: usize = 10_000;
/// The longest label and the longest name, in bytes.
const NAME_LIMIT_BYTES: usize = 100;

/// What does not fit together.
pub(super) struct Wrong {
    pub(super) key: &'static str,
    pub(super) span: Option<Range<usize>>,
    pub(super) problem: String,
}

fn wrong(key: &'static str, span: Option<Range<usize>>, problem: impl Into<String>) -> Wrong {
    Wrong { key, span, problem: problem.into() }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawManifest {
    name: Name,
    version: Option<Name>,
    file: Option<Spanned<FileName>>,
    sha256: Option<Spanned<Digest>>,
    labels: RawLabels,
    score: Fraction,
    iou: Option<Fraction>,
    input: RawInput,
    decoder: RawDecoder,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawInput {
    name: Option<Name>,
    width: Side,
    height: Spanned<Side>,
    layout: Layout,
    r#type: Element,
    colour: Colour,
    scale: Option<Spanned<Finite>>,
    mean: Option<Spanned<[Finite; 3]>>,
    std: Option<Spanned<[Finite; 3]>>,
    resize: RawResize,
    fill: Option<Spanned<u8>>,
    align: Option<Spanned<Align>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawResize {
    Letterbox,
    Stretch,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDecoder {
    kind: Spanned<Kind>,
    output: Option<Spanned<Name>>,
    strides: Option<Spanned<Strides>>,
    boxes: Option<Spanned<Name>>,
    scores: Option<Spanned<Name>>,
    classes: Option<Spanned<Name>>,
    order: Option<Spanned<Order>>,
    unit: Option<Spanned<Unit>>,
    logits: Option<Spanned<Name>>,
    activation: Option<Spanned<Activation>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Yolox,
    Yolov8,
    Ssd,
    Detr,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Yolox => "yolox",
            Self::Yolov8 => "yolov8",
            Self::Ssd => "ssd",
            Self::Detr => "detr",
        })
    }
}

impl RawManifest {
    pub(super) fn check(self) -> Result<Manifest, Wrong> {
        let file = match (self.file, self.sha256) {
            (Some(name), Some(sha256)) => Some(ModelFile { name: name.into_inner().0, sha256: sha256.into_inner().0 }),
            (Some(name), None) => return Err(wrong("sha256", Some(name.span()), "missing: the digest of `file`")),
            (None, Some(sha256)) => {
                return Err(wrong("sha256", Some(sha256.span()), "is of a `file`, and none is named"));
            }
            (None, None) => None,
        };
        let input = self.input.check()?;
        let decoder = self.decoder.check(&input)?;
        Ok(Manifest {
            name: self.name.0,
            version: self.version.map(|version| version.0),
            file,
            labels: match self.labels {
                RawLabels::File(name) => Labels::File(name.0),
                RawLabels::List(labels) => Labels::List(labels),
            },
            score: self.score.0,
            iou: self.iou.map(|iou| iou.0),
            input,
            decoder,
        })
    }
}

impl RawInput {
    fn check(self) -> Result<Input, Wrong> {
        let width = self.width.0;
        let height = self.height.get_ref().0;
        if width.checked_mul(height).is_none_or(|pixels| pixels > PIXELS_MAX) {
            let problem = format!("{width} × {height} pixels; allowed are {PIXELS_MAX}");
            return Err(wrong("input.height", Some(self.height.span()), problem));
        }
        if let Element::U8 = self.r#type {
            let given = [
                ("input.scale", self.scale.as_ref().map(Spanned::span)),
                ("input.mean", self.mean.as_ref().map(Spanned::span)),
                ("input.std", self.std.as_ref().map(Spanned::span)),
            ];
            if let Some((key, span)) = given.into_iter().find(|(_, span)| span.is_some()) {
                return Err(wrong(key, span, "does not apply to `type = \"u8\"`, whose elements are the pixels"));
            }
        }
        let usual = Normalisation::default();
        let three = |value: Option<Spanned<[Finite; 3]>>, usual| value.map_or(usual, |v| v.into_inner().map(|v| v.0));
        if let Some(std) = self.std.as_ref().filter(|std| std.get_ref().iter().any(|std| std.0 == 0.0)) {
            return Err(wrong("input.std", Some(std.span()), "is divided by, and must not be 0"));
        }
        let normalisation = Normalisation {
            scale: self.scale.map_or(usual.scale, |scale| scale.into_inner().0),
            mean: three(self.mean, usual.mean),
            std: three(self.std, usual.std),
        };
        let resize = match self.resize {
            RawResize::Letterbox => Resize::Letterbox {
                fill: self.fill.map_or(114, Spanned::into_inner),
                align: self.align.map_or(Align::TopLeft, Spanned::into_inner),
            },
            RawResize::Stretch => {
                let given = [
                    ("input.fill", self.fill.as_ref().map(Spanned::span)),
                    ("input.align", self.align.as_ref().map(Spanned::span)),
                ];
                if let Some((key, span)) = given.into_iter().find(|(_, span)| span.is_some()) {
                    return Err(wrong(key, span, "applies to `resize = \"letterbox\"` only"));
                }
                Resize::Stretch
            }
        };
        let name = self.name.map(|name| name.0);
        let Self { layout, r#type: element, colour, .. } = self;
        Ok(Input { name, width, height, layout, element, colour, normalisation, resize })
    }
}

/// A key, where it is given, and the kinds that have it.
type Given = (&'static str, Option<Range<usize>>, &'static [Kind]);

impl RawDecoder {
    /// The keys that not every kind has.
    fn given(&self) -> [Given; 9] {
        fn span<T>(value: Option<&Spanned<T>>) -> Option<Range<usize>> {
            value.map(Spanned::span)
        }
        [
            ("decoder.output", span(self.output.as_ref()), &[Kind::Yolox, Kind::Yolov8]),
            ("decoder.strides", span(self.strides.as_ref()), &[Kind::Yolox]),
            ("decoder.boxes", span(self.boxes.as_ref()), &[Kind::Ssd, Kind::Detr]),
            ("decoder.scores", span(self.scores.as_ref()), &[Kind::Ssd]),
            ("decoder.classes", span(self.classes.as_ref()), &[Kind::Ssd]),
            ("decoder.order", span(self.order.as_ref()), &[Kind::Ssd]),
            ("decoder.unit", span(self.unit.as_ref()), &[Kind::Ssd]),
            ("decoder.logits", span(self.logits.as_ref()), &[Kind::Detr]),
            ("decoder.activation", span(self.activation.as_ref()), &[Kind::Detr]),
        ]
    }

    fn check(self, input: &Input) -> Result<Decoder, Wrong> {
        let kind = *self.kind.get_ref();
        let kind_span = Some(self.kind.span());
        let stray = self.given().into_iter().find(|(_, span, kinds)| span.is_some() && !kinds.contains(&kind));
        if let Some((key, span, _)) = stray {
            let known = self.given().into_iter().filter(|(.., kinds)| kinds.contains(&kind));
            let known: Vec<&str> = known.map(|(key, ..)| key.trim_start_matches("decoder.")).collect();
            return Err(wrong(key, span, format!("does not apply to `{kind}`, which has {}", known.join(", "))));
        }
        let name = |value: Option<Spanned<Name>>| value.map(|name| name.into_inner().0);
        let needed = |key, value: Option<Spanned<Name>>| {
            name(value)
                .ok_or_else(|| wrong(key, kind_span.clone(), format!("missing: the name of an output of `{kind}`")))
        };
        Ok(match kind {
            Kind::Yolox => {
                let span = self.strides.as_ref().map(Spanned::span);
                let sides = [input.width, input.height];
                let strides = self.strides.map_or_else(|| vec![8, 16, 32], |strides| strides.into_inner().0);
                if let Some(stride) =
                    strides.iter().find(|stride| !sides.iter().all(|side| side.is_multiple_of(**stride)))
                {
                    let problem = format!("the input's sides are no multiples of {stride}");
                    return Err(wrong("decoder.strides", span, problem));
                }
                Decoder::Yolox { output: name(self.output), strides }
            }
            Kind::Yolov8 => Decoder::Yolov8 { output: name(self.output) },
            Kind::Ssd => Decoder::Ssd(Ssd {
                boxes: needed("decoder.boxes", self.boxes)?,
                scores: needed("decoder.scores", self.scores)?,
                classes: name(self.classes),
                order: self.order.map_or(Order::Xyxy, Spanned::into_inner),
                unit: self.unit.map_or(Unit::Fraction, Spanned::into_inner),
            }),
            Kind::Detr => Decoder::Detr {
                boxes: needed("decoder.boxes", self.boxes)?,
                logits: needed("decoder.logits", self.logits)?,
                activation: self.activation.map(Spanned::into_inner).ok_or_else(|| {
                    wrong("decoder.activation", kind_span.clone(), "missing: `softmax` (DETR) or `sigmoid` (RT-DETR)")
                })?,
            },
        })
    }
}

/// Text of 1 to 100 bytes without control characters.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Name(String);

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_good = (1..=NAME_LIMIT_BYTES).contains(&text.len()) && !text.chars().any(char::is_control);
        if is_good { Ok(Self(text)) } else { Err(format!("expected 1 to {NAME_LIMIT_BYTES} bytes of text")) }
    }
}

/// The name of a file in the same directory.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct FileName(String);

impl TryFrom<String> for FileName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if is_file_name(&text) {
            return Ok(Self(text));
        }
        Err("expected the name of a file in the same directory: letters, digits, `.`, `_` and `-`, not first a `.`"
            .into())
    }
}

/// Whether the text is a plain name: it leads nowhere else, and means the same in a bucket and in each file system.
pub(crate) fn is_file_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=NAME_LIMIT_BYTES).contains(&text.len()) && text.bytes().all(is_plain) && !text.starts_with('.')
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Digest(Sha256);

impl TryFrom<String> for Digest {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| "expected 64 hexadecimal digits".to_owned())
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "f32")]
struct Fraction(f32);

impl TryFrom<f32> for Fraction {
    type Error = String;

    fn try_from(value: f32) -> Result<Self, String> {
        if (0.0..=1.0).contains(&value) { Ok(Self(value)) } else { Err("expected a number from 0 to 1".to_owned()) }
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "f32")]
struct Finite(f32);

impl TryFrom<f32> for Finite {
    type Error = String;

    fn try_from(value: f32) -> Result<Self, String> {
        if value.is_finite() { Ok(Self(value)) } else { Err("expected a finite number".to_owned()) }
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "i64")]
struct Side(u32);

impl TryFrom<i64> for Side {
    type Error = String;

    fn try_from(value: i64) -> Result<Self, String> {
        let side = u32::try_from(value).ok().filter(|side| (8..=SIDE_MAX).contains(side));
        side.map(Self).ok_or_else(|| format!("expected 8 to {SIDE_MAX} pixels"))
    }
}

#[derive(Deserialize)]
#[serde(try_from = "Vec<i64>")]
struct Strides(Vec<u32>);

impl TryFrom<Vec<i64>> for Strides {
    type Error = String;

    fn try_from(values: Vec<i64>) -> Result<Self, String> {
        let strides: Option<Vec<u32>> = values
            .into_iter()
            .map(|value| u32::try_from(value).ok().filter(|value| (1..=256).contains(value)))
            .collect();
        let strides = strides.filter(|strides| (1..=8).contains(&strides.len()));
        strides.map(Self).ok_or_else(|| "expected 1 to 8 numbers from 1 to 256".to_owned())
    }
}

enum RawLabels {
    File(FileName),
    List(Vec<String>),
}

impl<'de> Deserialize<'de> for RawLabels {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = RawLabels;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a file, or a list of labels")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<RawLabels, E> {
                FileName::try_from(text.to_owned()).map(RawLabels::File).map_err(E::custom)
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<RawLabels, A::Error> {
                let mut labels = Vec::new();
                while let Some(label) = seq.next_element::<String>()? {
                    labels.push(label);
                }
                checked_labels(labels).map(RawLabels::List).map_err(A::Error::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// Reads labels, one a line. An empty line is a class that is not reported; those at the end are none.
pub(crate) fn labels_of(text: &str) -> Result<Vec<String>, String> {
    checked_labels(text.trim_end().lines().map(|line| line.trim().to_owned()).collect())
}

fn checked_labels(labels: Vec<String>) -> Result<Vec<String>, String> {
    if labels.len() > LABELS_MAX || labels.iter().all(String::is_empty) {
        return Err(format!("expected 1 to {LABELS_MAX} labels"));
    }
    let is_good = |label: &String| label.len() <= NAME_LIMIT_BYTES && !label.chars().any(char::is_control);
    match labels.iter().position(|label| !is_good(label)) {
        Some(index) => Err(format!("label {}: expected up to {NAME_LIMIT_BYTES} bytes of text", index + 1)),
        None => Ok(labels),
    }
}
