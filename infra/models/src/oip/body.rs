//! Bodies of the Open Inference Protocol v2, without I/O: <https://github.com/kserve/open-inference-protocol>, and Triton's
//! [binary tensor data extension](https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md).
//!
//! A binary body is a JSON document followed by the tensors' bytes, little-endian, in the document's order. A header says how
//! long the document is.

use crate::manifest::Element;
use crate::tensor::{InputData, InputTensor, OutputTensor};
use half::f16;
use serde::de::{DeserializeSeed, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// How the elements of tensors travel: behind the JSON document (binary extension), or as numbers in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tensors {
    Binary,
    Json,
}

/// The body of an inference request.
#[derive(Debug, PartialEq)]
pub(super) struct RequestBody {
    pub(super) bytes: Vec<u8>,
    /// The length of the JSON document, where tensors follow it.
    pub(super) document_bytes: Option<usize>,
}

/// What a server says of a model.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Metadata {
    pub(super) inputs: Vec<TensorMetadata>,
    /// Empty where the server says nothing of them.
    #[serde(default)]
    pub(super) outputs: Vec<TensorMetadata>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct TensorMetadata {
    pub(super) name: String,
    #[serde(default)]
    pub(super) datatype: String,
    /// -1 is any length.
    #[serde(default)]
    pub(super) shape: Vec<i64>,
}

/// An answer that is not one of the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Malformed(pub(super) String);

/// The protocol's name of a type.
pub(super) fn datatype(element: Element) -> &'static str {
    match element {
        Element::U8 => "UINT8",
        Element::F32 => "FP32",
        Element::F16 => "FP16",
    }
}

#[derive(Serialize)]
struct Request<'a> {
    /// Not needed by the protocol, but KServe cannot answer without.
    id: &'static str,
    inputs: [RequestInput<'a>; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    outputs: Vec<RequestOutput<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<BinaryOutputs>,
}

#[derive(Serialize)]
struct RequestInput<'a> {
    name: &'a str,
    shape: [usize; 4],
    datatype: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<BinarySize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data<'a>>,
}

#[derive(Serialize)]
struct BinarySize {
    binary_data_size: usize,
}

/// Asks for outputs in binary form, whether or not they are named.
#[derive(Serialize)]
struct BinaryOutputs {
    binary_data_output: bool,
}

#[derive(Serialize)]
struct RequestOutput<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<BinaryOutput>,
}

#[derive(Serialize)]
struct BinaryOutput {
    binary_data: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    Bytes(&'a [u8]),
    Floats(&'a [f32]),
}

/// Writes a request for `outputs`; for all, where none is named. Half precision cannot be written as JSON.
pub(super) fn request(
    name: &str,
    input: &InputTensor,
    outputs: &[&str],
    tensors: Tensors,
) -> Result<RequestBody, Malformed> {
    let datatype = datatype(input.data.element());
    let is_binary = tensors == Tensors::Binary;
    let bytes = is_binary.then(|| bytes_of(&input.data));
    let data = match (&input.data, tensors) {
        (_, Tensors::Binary) => None,
        (InputData::U8(data), Tensors::Json) => Some(Data::Bytes(data)),
        (InputData::F32(data), Tensors::Json) => Some(Data::Floats(data)),
        (InputData::F16(_), Tensors::Json) => {
            return Err(Malformed("the protocol has FP16 in binary form only, which this server refuses".to_owned()));
        }
    };
    let parameters = bytes.as_ref().map(|bytes| BinarySize { binary_data_size: bytes.len() });
    let output = |name| RequestOutput { name, parameters: is_binary.then_some(BinaryOutput { binary_data: true }) };
    let request = Request {
        id: "0",
        inputs: [RequestInput { name, shape: input.shape, datatype, parameters, data }],
        outputs: outputs.iter().copied().map(output).collect(),
        parameters: is_binary.then_some(BinaryOutputs { binary_data_output: true }),
    };
    let mut body = serde_json::to_vec(&request).map_err(|error| Malformed(error.to_string()))?;
    let document_bytes = body.len();
    match bytes {
        Some(bytes) => {
            body.extend_from_slice(&bytes);
            Ok(RequestBody { bytes: body, document_bytes: Some(document_bytes) })
        }
        None => Ok(RequestBody { bytes: body, document_bytes: None }),
    }
}

pub(super) fn bytes_of(data: &InputData) -> Vec<u8> {
    match data {
        InputData::U8(data) => data.clone(),
        InputData::F32(data) => data.iter().flat_map(|value| value.to_le_bytes()).collect(),
        InputData::F16(data) => data.iter().flat_map(|value| value.to_le_bytes()).collect(),
    }
}

#[derive(Deserialize)]
struct Answer {
    outputs: Vec<AnswerOutput>,
}

#[derive(Deserialize)]
struct AnswerOutput {
    name: String,
    shape: Vec<usize>,
    datatype: String,
    /// Absent, or null as KServe writes it.
    parameters: Option<AnswerParameters>,
    data: Option<Flat>,
}

#[derive(Deserialize)]
struct AnswerParameters {
    binary_data_size: Option<usize>,
}

/// Numbers in lists in lists, or in one: the protocol allows both.
struct Flat(Vec<f32>);

impl<'de> Deserialize<'de> for Flat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut numbers = Vec::new();
        Into(&mut numbers).deserialize(deserializer)?;
        Ok(Self(numbers))
    }
}

/// Appends the numbers that it finds, so that an answer takes little more memory than they do.
struct Into<'a>(&'a mut Vec<f32>);

impl<'de> DeserializeSeed<'de> for Into<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

// The precision of the model is single.
#[expect(clippy::cast_possible_truncation, reason = "see above")]
impl<'de> Visitor<'de> for Into<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("numbers")
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.0.push(number as f32);
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.0.push(number as f32);
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.0.push(number as f32);
        Ok(())
    }

    fn visit_bool<E>(self, truth: bool) -> Result<(), E> {
        self.0.push(f32::from(u8::from(truth)));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Into(self.0))?.is_some() {}
        Ok(())
    }
}

/// Reads an answer. `document_bytes` is the length of its document, where a header gives one.
pub(super) fn answer(body: &[u8], document_bytes: Option<usize>) -> Result<Vec<OutputTensor>, Malformed> {
    let (document, mut tensors) = match document_bytes {
        Some(length) => body.split_at_checked(length).ok_or_else(|| {
            Malformed(format!("the answer has {} bytes, and its document alone would have {length}", body.len()))
        })?,
        None => (body, &[][..]),
    };
    let answer: Answer = serde_json::from_slice(document).map_err(|error| Malformed(error.to_string()))?;
    let mut outputs = Vec::with_capacity(answer.outputs.len().min(64));
    for AnswerOutput { name, shape, datatype, parameters, data } in answer.outputs {
        let values = match (parameters.and_then(|parameters| parameters.binary_data_size), data) {
            (Some(size), _) => {
                let (bytes, rest) = tensors.split_at_checked(size).ok_or_else(|| {
                    Malformed(format!("{size} bytes of output {name} should follow, and {} do", tensors.len()))
                })?;
                tensors = rest;
                numbers(bytes, &datatype)
                    .ok_or_else(|| Malformed(format!("output {name} is {} bytes of {datatype}", bytes.len())))?
            }
            (None, Some(Flat(values))) => values,
            (None, None) => return Err(Malformed(format!("output {name} has no data"))),
        };
        outputs.push(OutputTensor { name, shape, values });
    }
    Ok(outputs)
}

/// The numbers in little-endian bytes; `None` for another type, or where a part of a number is left.
pub(super) fn numbers(bytes: &[u8], datatype: &str) -> Option<Vec<f32>> {
    fn each<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f32) -> Option<Vec<f32>> {
        let (numbers, rest) = bytes.as_chunks::<N>();
        rest.is_empty().then(|| numbers.iter().map(|bytes| number(*bytes)).collect())
    }
    // A class or a number of boxes, which single precision holds.
    #[expect(clippy::cast_possible_truncation, reason = "the precision of the model")]
    match datatype {
        "FP32" => each(bytes, f32::from_le_bytes),
        "FP16" => each(bytes, |bytes| f16::from_le_bytes(bytes).to_f32()),
        "FP64" => each(bytes, |bytes| f64::from_le_bytes(bytes) as f32),
        "UINT8" | "BOOL" => each(bytes, |[byte]: [u8; 1]| f32::from(byte)),
        "INT8" => each(bytes, |bytes| f32::from(i8::from_le_bytes(bytes))),
        "INT16" => each(bytes, |bytes| f32::from(i16::from_le_bytes(bytes))),
        "UINT16" => each(bytes, |bytes| f32::from(u16::from_le_bytes(bytes))),
        "INT32" => each(bytes, |bytes| i32::from_le_bytes(bytes) as f32),
        "UINT32" => each(bytes, |bytes| u32::from_le_bytes(bytes) as f32),
        "INT64" => each(bytes, |bytes| i64::from_le_bytes(bytes) as f32),
        "UINT64" => each(bytes, |bytes| u64::from_le_bytes(bytes) as f32),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn input(data: InputData) -> InputTensor {
        InputTensor { shape: [1, 1, 1, 2], data }
    }

    #[test]
    fn a_request_is_written_in_both_forms() {
        let json = request("images", &input(InputData::F32(vec![0.5, 114.0])), &["boxes"], Tensors::Json).unwrap();
        assert_eq!(json.document_bytes, None);
        assert_eq!(
            String::from_utf8(json.bytes).unwrap(),
            r#"{"id":"0","inputs":[{"name":"images","shape":[1,1,1,2],"datatype":"FP32","data":[0.5,114.0]}],"outputs":[{"name":"boxes"}]}"#
        );
        let binary = request("images", &input(InputData::U8(vec![7, 9])), &[], Tensors::Binary).unwrap();
        let (document, bytes) = binary.bytes.split_at(binary.document_bytes.unwrap());
        assert_eq!(bytes, [7, 9]);
        assert_eq!(
            std::str::from_utf8(document).unwrap(),
            r#"{"id":"0","inputs":[{"name":"images","shape":[1,1,1,2],"datatype":"UINT8","parameters":{"binary_data_size":2}}],"parameters":{"binary_data_output":true}}"#
        );
        let half = input(InputData::F16(vec![f16::ONE, f16::ZERO]));
        assert!(request("images", &half, &[], Tensors::Json).is_err(), "it has no such form");
        let binary = request("images", &half, &[], Tensors::Binary).unwrap();
        assert_eq!(binary.bytes[binary.document_bytes.unwrap()..], [0, 0x3c, 0, 0]);
    }

    #[test]
    fn an_answer_is_read_in_each_form() {
        let expected = vec![OutputTensor { name: "o".into(), shape: vec![1, 2], values: vec![1.0, -2.0] }];
        for (data, datatype) in [("[1,-2]", "FP32"), ("[[1],[-2]]", "INT64"), ("[[1.0,-2.0]]", "FP16")] {
            let body = format!(
                r#"{{"model_name":"m","outputs":[{{"name":"o","shape":[1,2],"datatype":"{datatype}","parameters":null,"data":{data}}}]}}"#
            );
            assert_eq!(answer(body.as_bytes(), None).unwrap(), expected, "{body}");
        }
        for (datatype, bytes) in [
            ("FP32", [1.0_f32.to_le_bytes(), (-2.0_f32).to_le_bytes()].concat()),
            ("FP64", [1.0_f64.to_le_bytes(), (-2.0_f64).to_le_bytes()].concat()),
            ("INT64", [1_i64.to_le_bytes(), (-2_i64).to_le_bytes()].concat()),
            ("INT8", vec![1, 254]),
            ("FP16", vec![0, 0x3c, 0, 0xc0]),
        ] {
            let document = format!(
                r#"{{"outputs":[{{"name":"o","shape":[1,2],"datatype":"{datatype}","parameters":{{"binary_data_size":{}}}}}]}}"#,
                bytes.len()
            );
            let body = [document.as_bytes(), &bytes].concat();
            assert_eq!(answer(&body, Some(document.len())).unwrap(), expected, "{datatype}");
            for cut in 0..body.len() {
                assert!(answer(&body[..cut], Some(document.len())).is_err(), "cut at {cut}");
            }
        }
        assert!(answer(b"{}", None).is_err());
        assert!(answer(br#"{"outputs":[{"name":"o","shape":[1],"datatype":"BYTES","data":["x"]}]}"#, None).is_err());
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_refused(body: Vec<u8>, document in proptest::option::of(0_usize..100)) {
            let _ = answer(&body, document);
        }
    }
}
