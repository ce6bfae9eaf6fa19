//! Numbers that go into a model and come out of it.

use crate::manifest::Element;
use half::f16;

/// What a model is given: one picture, `[1, 3, height, width]` or `[1, height, width, 3]`.
#[derive(Debug, Clone, PartialEq)]
pub struct InputTensor {
    /// The length of each dimension.
    pub shape: [usize; 4],
    /// As many elements as `shape` says, the last dimension running fastest.
    pub data: InputData,
}

/// The elements of an input.
#[derive(Debug, Clone, PartialEq)]
pub enum InputData {
    U8(Vec<u8>),
    F32(Vec<f32>),
    F16(Vec<f16>),
}

impl InputData {
    /// The type of the elements.
    pub fn element(&self) -> Element {
        match self {
            Self::U8(_) => Element::U8,
            Self::F32(_) => Element::F32,
            Self::F16(_) => Element::F16,
        }
    }
}

/// What a model returns: one of its outputs.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputTensor {
    /// The output's name in the model; a `model.toml` may choose an output by it.
    pub name: String,
    /// The length of each dimension.
    pub shape: Vec<usize>,
    /// The elements, the last dimension running fastest. Nobody has checked that there are as many as `shape` says.
    pub values: Vec<f32>,
}
