//! Messages of the protocol's `inference.GRPCInferenceService`, as far as they are used here, without I/O:
//! <https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/open_inference_grpc.proto>.
//!
//! Fields that are not declared here are skipped. The protocol's field numbers are the contract, so no generated code is needed.

use crate::oip::body::{self, Malformed, Metadata, datatype, numbers};
use crate::tensor::{InputTensor, OutputTensor};
use bytes::{Buf as _, Bytes};
use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// The most outputs of an answer.
const OUTPUTS_MAX: usize = 64;
/// The most bytes of an answer that are not raw contents. In memory, a number may take eight times its encoded length.
const DESCRIBED_LIMIT_BYTES: usize = 16 * 1024 * 1024;
/// The field numbers of [`InferResponse`] that a look before decoding counts.
const OUTPUTS: u32 = 5;
const RAW_OUTPUT_CONTENTS: u32 = 6;

/// Asks what a model takes: `ModelMetadataRequest` of the protocol.
#[derive(Clone, PartialEq, Message)]
pub(super) struct MetadataRequest {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    /// The server chooses where it is empty.
    #[prost(string, tag = "2")]
    pub(super) version: String,
}

/// The inputs of a model: what is read of `ModelMetadataResponse`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct MetadataResponse {
    #[prost(message, repeated, tag = "4")]
    pub(super) inputs: Vec<TensorMetadata>,
}

/// Name, element type and shape of an input; -1 is a dimension of any length (`ModelMetadataResponse.TensorMetadata`).
#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorMetadata {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) datatype: String,
    #[prost(int64, repeated, tag = "3")]
    pub(super) shape: Vec<i64>,
}

/// Asks for the outputs to these inputs: `ModelInferRequest` of the protocol.
#[derive(Clone, PartialEq, Message)]
pub(super) struct InferRequest {
    #[prost(string, tag = "1")]
    pub(super) model_name: String,
    #[prost(string, tag = "2")]
    pub(super) model_version: String,
    #[prost(string, tag = "3")]
    pub(super) id: String,
    #[prost(message, repeated, tag = "5")]
    pub(super) inputs: Vec<InferInput>,
    #[prost(message, repeated, tag = "6")]
    pub(super) outputs: Vec<RequestedOutput>,
    /// The elements of each input, little-endian.
    #[prost(bytes = "bytes", repeated, tag = "7")]
    pub(super) raw_input_contents: Vec<Bytes>,
}

/// An input, whose elements are in [`InferRequest::raw_input_contents`] (`ModelInferRequest.InferInputTensor`).
#[derive(Clone, PartialEq, Message)]
pub(super) struct InferInput {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) datatype: String,
    #[prost(int64, repeated, tag = "3")]
    pub(super) shape: Vec<i64>,
}

/// An output that the answer is to have (`ModelInferRequest.InferRequestedOutputTensor`).
#[derive(Clone, PartialEq, Message)]
pub(super) struct RequestedOutput {
    #[prost(string, tag = "1")]
    pub(super) name: String,
}

/// The outputs that were asked for: `ModelInferResponse` of the protocol.
#[derive(Clone, PartialEq, Message)]
pub(super) struct InferResponse {
    #[prost(message, repeated, tag = "5")]
    pub(super) outputs: Vec<InferOutput>,
    /// The elements of each output, little-endian; empty where the outputs have contents.
    #[prost(bytes = "bytes", repeated, tag = "6")]
    pub(super) raw_output_contents: Vec<Bytes>,
}

/// An output, with its elements here or in [`InferResponse::raw_output_contents`] (`ModelInferResponse.InferOutputTensor`).
#[derive(Clone, PartialEq, Message)]
pub(super) struct InferOutput {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) datatype: String,
    #[prost(int64, repeated, tag = "3")]
    pub(super) shape: Vec<i64>,
    #[prost(message, optional, tag = "5")]
    pub(super) contents: Option<Contents>,
}

/// `InferTensorContents`, of which the tensor's type says which field it uses. Half precision is raw only.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Contents {
    #[prost(bool, repeated, tag = "1")]
    pub(super) bools: Vec<bool>,
    /// `INT8`, `INT16` and `INT32`.
    #[prost(int32, repeated, tag = "2")]
    pub(super) ints: Vec<i32>,
    #[prost(int64, repeated, tag = "3")]
    pub(super) int64s: Vec<i64>,
    /// `UINT8`, `UINT16` and `UINT32`.
    #[prost(uint32, repeated, tag = "4")]
    pub(super) uints: Vec<u32>,
    #[prost(uint64, repeated, tag = "5")]
    pub(super) uint64s: Vec<u64>,
    #[prost(float, repeated, tag = "6")]
    pub(super) fp32s: Vec<f32>,
    #[prost(double, repeated, tag = "7")]
    pub(super) fp64s: Vec<f64>,
}

/// Writes a request for `outputs`; for all, where none is named.
pub(super) fn request(
    (model, version): (&str, &str),
    name: &str,
    input: &InputTensor,
    outputs: &[&str],
) -> InferRequest {
    // A side has at most as many pixels as a model's input.
    let shape = input.shape.iter().map(|side| i64::try_from(*side).unwrap_or(i64::MAX)).collect();
    InferRequest {
        model_name: model.to_owned(),
        model_version: version.to_owned(),
        id: "0".to_owned(),
        inputs: vec![InferInput { name: name.to_owned(), datatype: datatype(input.data.element()).to_owned(), shape }],
        outputs: outputs.iter().map(|name| RequestedOutput { name: (*name).to_owned() }).collect(),
        raw_input_contents: vec![body::bytes_of(&input.data).into()],
    }
}

/// Reads what a server says of a model.
pub(super) fn metadata(message: Bytes) -> Result<Metadata, Malformed> {
    let response = MetadataResponse::decode(message).map_err(|error| Malformed(error.to_string()))?;
    let input = |TensorMetadata { name, datatype, shape }| body::TensorMetadata { name, datatype, shape };
    // Contents are raw for all outputs, whichever are asked for.
    Ok(Metadata { inputs: response.inputs.into_iter().map(input).collect(), outputs: vec![] })
}

/// Reads an answer, whose parts other than raw contents are limited before they are decoded.
pub(super) fn answer(message: Bytes) -> Result<Vec<OutputTensor>, Malformed> {
    bounded(&message)?;
    let response = InferResponse::decode(message).map_err(|error| Malformed(error.to_string()))?;
    let InferResponse { outputs, raw_output_contents: raw } = response;
    if !raw.is_empty() && raw.len() != outputs.len() {
        return Err(Malformed(format!("the answer has {} outputs and {} raw contents", outputs.len(), raw.len())));
    }
    let mut raw = raw.into_iter();
    outputs.into_iter().map(|output| tensor(output, raw.next())).collect()
}

/// Refuses an answer that would take much more memory than it has bytes.
fn bounded(mut message: &[u8]) -> Result<(), Malformed> {
    let malformed = |error: prost::DecodeError| Malformed(error.to_string());
    let mut outputs = 0;
    let mut raw = 0;
    let mut described_bytes = 0;
    while !message.is_empty() {
        let before = message.len();
        let (tag, wire) = decode_key(&mut message).map_err(malformed)?;
        if tag == RAW_OUTPUT_CONTENTS && wire == WireType::LengthDelimited {
            raw += 1;
            let length = decode_varint(&mut message).map_err(malformed)?;
            let length = usize::try_from(length).ok().filter(|length| *length <= message.len());
            message.advance(length.ok_or_else(|| Malformed("the answer ends in raw contents".to_owned()))?);
            continue;
        }
        outputs += usize::from(tag == OUTPUTS);
        skip_field(wire, tag, &mut message, DecodeContext::default()).map_err(malformed)?;
        described_bytes += before - message.len();
    }
    if outputs.max(raw) > OUTPUTS_MAX || described_bytes > DESCRIBED_LIMIT_BYTES {
        let why = format!("the answer has {outputs} outputs in {described_bytes} bytes, and {raw} raw contents");
        return Err(Malformed(format!("{why}; {OUTPUTS_MAX} outputs and {DESCRIBED_LIMIT_BYTES} bytes are read")));
    }
    Ok(())
}

fn tensor(output: InferOutput, raw: Option<Bytes>) -> Result<OutputTensor, Malformed> {
    let InferOutput { name, datatype, shape, contents } = output;
    let shape: Option<Vec<usize>> = shape.iter().map(|length| usize::try_from(*length).ok()).collect();
    let shape = shape.ok_or_else(|| Malformed(format!("output {name} has a negative length")))?;
    let values = match (raw, contents) {
        (Some(bytes), _) => numbers(&bytes, &datatype)
            .ok_or_else(|| Malformed(format!("output {name} is {} bytes of {datatype}", bytes.len())))?,
        (None, Some(contents)) => {
            typed(contents, &datatype).ok_or_else(|| Malformed(format!("output {name} has contents of {datatype}")))?
        }
        (None, None) => return Err(Malformed(format!("output {name} has no data"))),
    };
    Ok(OutputTensor { name, shape, values })
}

/// The numbers of a type; `None` for another type.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "the precision of the model")]
fn typed(contents: Contents, datatype: &str) -> Option<Vec<f32>> {
    Some(match datatype {
        "FP32" => contents.fp32s,
        "FP64" => contents.fp64s.into_iter().map(|value| value as f32).collect(),
        "BOOL" => contents.bools.into_iter().map(|value| f32::from(u8::from(value))).collect(),
        "INT8" | "INT16" | "INT32" => contents.ints.into_iter().map(|value| value as f32).collect(),
        "UINT8" | "UINT16" | "UINT32" => contents.uints.into_iter().map(|value| value as f32).collect(),
        "INT64" => contents.int64s.into_iter().map(|value| value as f32).collect(),
        "UINT64" => contents.uint64s.into_iter().map(|value| value as f32).collect(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::InputData;
    use proptest::prelude::*;

    #[test]
    fn a_request_has_the_fields_of_the_published_protocol() {
        let input = InputTensor { shape: [1, 1, 1, 2], data: InputData::U8(vec![7, 9]) };
        let message = request(("m", "3"), "images", &input, &["boxes"]).encode_to_vec();
        // As `protoc --encode=inference.ModelInferRequest` writes it.
        let inputs = b"\x0a\x06images\x12\x05UINT8\x1a\x04\x01\x01\x01\x02";
        let expected = [
            &b"\x0a\x01m\x12\x013\x1a\x010\x2a"[..],
            &[u8::try_from(inputs.len()).unwrap()],
            inputs,
            b"\x32\x07\x0a\x05boxes\x3a\x02\x07\x09",
        ];
        assert_eq!(message, expected.concat());
    }

    fn one(datatype: &str, contents: Option<Contents>, raw: Vec<Bytes>) -> Bytes {
        let output = InferOutput { name: "o".to_owned(), datatype: datatype.to_owned(), shape: vec![1, 2], contents };
        InferResponse { outputs: vec![output], raw_output_contents: raw }.encode_to_vec().into()
    }

    #[test]
    fn an_answer_is_read_in_each_form() {
        let expected = vec![OutputTensor { name: "o".into(), shape: vec![1, 2], values: vec![1.0, 2.0] }];
        let floats = [1.0_f32.to_le_bytes(), 2.0_f32.to_le_bytes()].concat();
        let raw = one("FP32", None, vec![floats.into()]);
        assert_eq!(answer(raw.clone()).unwrap(), expected);
        assert_eq!(answer(one("FP16", None, vec![Bytes::from_static(&[0, 0x3c, 0, 0x40])])).unwrap(), expected);
        for (datatype, contents) in [
            ("FP32", Contents { fp32s: vec![1.0, 2.0], ..Contents::default() }),
            ("FP64", Contents { fp64s: vec![1.0, 2.0], ..Contents::default() }),
            ("INT8", Contents { ints: vec![1, 2], ..Contents::default() }),
            ("INT64", Contents { int64s: vec![1, 2], ..Contents::default() }),
            ("UINT8", Contents { uints: vec![1, 2], ..Contents::default() }),
            ("UINT64", Contents { uint64s: vec![1, 2], ..Contents::default() }),
        ] {
            assert_eq!(answer(one(datatype, Some(contents), vec![])).unwrap(), expected, "{datatype}");
        }
        for cut in 1..raw.len() {
            assert!(answer(raw.slice(..cut)).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn an_answer_of_another_kind_is_refused() {
        let pair = || Bytes::from_static(&[0; 8]);
        let negative =
            InferOutput { name: "o".to_owned(), datatype: "FP32".to_owned(), shape: vec![-1], contents: None };
        let negative = InferResponse { outputs: vec![negative], raw_output_contents: vec![pair()] };
        for (message, why) in [
            (one("FP32", None, vec![]), "has no data"),
            (one("FP32", None, vec![pair(), pair()]), "1 outputs and 2 raw contents"),
            (one("FP32", None, vec![Bytes::from_static(&[0; 7])]), "7 bytes of FP32"),
            (one("BYTES", None, vec![pair()]), "8 bytes of BYTES"),
            (one("FP16", Some(Contents::default()), vec![]), "contents of FP16"),
            (negative.encode_to_vec().into(), "a negative length"),
            // Two bytes each, and more than a hundred in memory.
            (Bytes::from([OUTPUTS_KEY, 0].repeat(1 << 20)), "1048576 outputs"),
            (Bytes::from([RAW_KEY, 0].repeat(1 << 20)), "1048576 raw contents"),
        ] {
            let error = answer(message).unwrap_err();
            assert!(error.0.contains(why), "{error}, and not {why}");
        }
        // As numbers of a byte each they would take eight times as much.
        let mut message = vec![OUTPUTS_KEY];
        prost::encoding::encode_varint(DESCRIBED_LIMIT_BYTES as u64, &mut message);
        message.resize(message.len() + DESCRIBED_LIMIT_BYTES, 0);
        let error = answer(message.into()).unwrap_err();
        assert!(error.0.contains("bytes are read"), "{error}");
    }

    /// The keys of these fields, as the wire has them: the number and "length delimited".
    const OUTPUTS_KEY: u8 = 5 << 3 | 2;
    const RAW_KEY: u8 = 6 << 3 | 2;

    proptest! {
        #[test]
        fn any_message_is_read_or_refused(message: Vec<u8>) {
            let _ = metadata(message.clone().into());
            let _ = answer(message.into());
        }
    }
}
