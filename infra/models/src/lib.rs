//! Detectors that are models: run on this machine (`onnx:`), or by a model server (`oip+http(s):`, `oip+grpc(s):`).
//!
//! A model is a [directory](ModelDirectory) with a [`model.toml`](manifest), which says how a [picture becomes the model's
//! input](prepare) and what its [answer means](decode()). Neither of these does any I/O. `functions/infer/README.md` describes models for
//! users.

mod cloud;
mod decode;
pub mod manifest;
#[cfg(feature = "oip")]
pub mod oip;
#[cfg(feature = "onnx")]
mod onnx;
mod prepare;
mod store;
mod tensor;

pub use cloud::{MODELS, ModelCloud, Variables};
pub use decode::{DecodeError, decode};
pub use manifest::Manifest;
#[cfg(feature = "oip")]
pub use oip::OipDetector;
#[cfg(feature = "onnx")]
pub use onnx::{Confinement, OnnxDetector, run_if_asked};
pub use prepare::{Placement, prepare, shape};
pub use store::{Buckets, Description, MODEL_LIMIT_BYTES, ModelDirectory};
pub use tensor::{InputData, InputTensor, OutputTensor};
