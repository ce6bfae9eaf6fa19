//! What is said between this program and the process that runs a model.
//!
//! A message is the length of its head (4 bytes), that of its body (8 bytes), both little-endian, the head as JSON, and the body.
//! Each request has one answer. The process is not trusted: no length of it is believed beyond what was asked for.

use super::session::{OUTPUT_ELEMENTS_MAX, Wanted};
use crate::tensor::{InputData, InputTensor, OutputTensor};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};

/// The longest head, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Bytes before a message's head.
pub(super) const LENGTHS_BYTES: usize = 12;
/// The longest body of an answer, in bytes.
pub(super) const ANSWER_BYTES_MAX: usize = OUTPUT_ELEMENTS_MAX * 4;

/// The head of a request.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// The body is the model.
    Load(Wanted),
    /// The body is the input.
    Run { shape: [usize; 4], element: Element },
}

/// The type of an input's elements. Half precision travels, and runs, as single.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) enum Element {
    U8,
    F32,
}

/// The head of an answer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Loaded,
    /// The body has the elements of all outputs, one after the other, as f32.
    Outputs(Vec<Shape>),
    Refused(String),
}

/// An output without its elements.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Shape {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    /// How many elements it has.
    pub(super) elements: usize,
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// The head of a message, with the lengths before it.
pub(super) fn head(head: &impl Serialize, body_bytes: usize) -> io::Result<Vec<u8>> {
    let head = serde_json::to_vec(head)?;
    let length = u32::try_from(head.len()).map_err(|_| invalid("a head that is too long"))?;
    let mut bytes = length.to_le_bytes().to_vec();
    bytes.extend((body_bytes as u64).to_le_bytes());
    bytes.extend(head);
    Ok(bytes)
}

/// The lengths of head and body, which may have `body_max` bytes.
pub(super) fn lengths(bytes: [u8; LENGTHS_BYTES], body_max: usize) -> io::Result<(usize, usize)> {
    let [a, b, c, d, body @ ..] = bytes;
    let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    let body = usize::try_from(u64::from_le_bytes(body)).unwrap_or(usize::MAX);
    if length > HEAD_BYTES_MAX || body > body_max {
        return Err(invalid("a message that is too long"));
    }
    Ok((length, body))
}

/// Reads a message; `None` at the end of the stream.
pub(super) fn read<H: DeserializeOwned>(from: &mut impl Read, body_max: usize) -> io::Result<Option<(H, Vec<u8>)>> {
    let mut bytes = [0; LENGTHS_BYTES];
    if let Err(error) = from.read_exact(&mut bytes) {
        return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
    }
    let (length, body_bytes) = lengths(bytes, body_max)?;
    let mut head = vec![0; length];
    from.read_exact(&mut head)?;
    let mut body = vec![0; body_bytes];
    from.read_exact(&mut body)?;
    Ok(Some((serde_json::from_slice(&head)?, body)))
}

/// Writes a message: the lengths, `message` as JSON, and `body`.
pub(super) fn write(to: &mut impl Write, message: &impl Serialize, body: &[u8]) -> io::Result<()> {
    to.write_all(&head(message, body.len())?)?;
    to.write_all(body)?;
    to.flush()
}

/// An input as a request and its body.
pub(super) fn of_input(input: InputTensor) -> (Request, Vec<u8>) {
    let shape = input.shape;
    let floats = |data: &[f32]| (Request::Run { shape, element: Element::F32 }, bytes(&[data]));
    match input.data {
        InputData::U8(data) => (Request::Run { shape, element: Element::U8 }, data),
        InputData::F32(data) => floats(&data),
        InputData::F16(data) => floats(&data.into_iter().map(f32::from).collect::<Vec<f32>>()),
    }
}

/// Numbers, one after the other, little-endian. Megabytes of them for each picture: written into their places they are a copy, and
/// pushed one by one they take milliseconds.
fn bytes(floats: &[&[f32]]) -> Vec<u8> {
    let mut bytes = vec![0; 4 * floats.iter().map(|floats| floats.len()).sum::<usize>()];
    let mut places = bytes.as_chunks_mut().0.iter_mut();
    for floats in floats {
        for (float, place) in floats.iter().zip(places.by_ref()) {
            *place = float.to_le_bytes();
        }
    }
    bytes
}

/// The input of a request.
pub(super) fn to_input(shape: [usize; 4], element: Element, body: Vec<u8>) -> InputTensor {
    let data = match element {
        Element::U8 => InputData::U8(body),
        Element::F32 => InputData::F32(floats(&body)),
    };
    InputTensor { shape, data }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// Outputs as an answer and its body.
pub(super) fn of_outputs(outputs: Vec<OutputTensor>) -> (Answer, Vec<u8>) {
    let body = bytes(&outputs.iter().map(|output| &output.values[..]).collect::<Vec<_>>());
    let shape = |output: OutputTensor| Shape { name: output.name, shape: output.shape, elements: output.values.len() };
    (Answer::Outputs(outputs.into_iter().map(shape).collect()), body)
}

/// The outputs of an answer.
pub(super) fn to_outputs(shapes: Vec<Shape>, body: &[u8]) -> io::Result<Vec<OutputTensor>> {
    let mut left = floats(body).into_iter();
    let all: usize = shapes.iter().map(|shape| shape.elements).fold(0, usize::saturating_add);
    if all != left.len() {
        return Err(invalid("an answer with other outputs than it says"));
    }
    let outputs = shapes.into_iter().map(|Shape { name, shape, elements }| {
        let values = left.by_ref().take(elements).collect();
        OutputTensor { name, shape, values }
    });
    Ok(outputs.collect())
}
