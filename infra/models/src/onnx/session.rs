//! A model in RTen.

use crate::tensor::{InputData, InputTensor, OutputTensor};
use rten::{Dimension, Model, ModelOptions, NodeId, RunOptions, ThreadPool, Value, ValueOrView};
use rten_tensor::{AsView as _, Layout as _};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The most elements of an output.
pub(super) const OUTPUT_ELEMENTS_MAX: usize = 32 * 1024 * 1024;

/// What is wanted of a model.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Wanted {
    /// Its input's name; `None` where it has only one.
    pub(super) input: Option<String>,
    /// The lengths of the input's dimensions.
    pub(super) shape: [usize; 4],
    /// The names of the outputs that are read; `None` where it has only one.
    pub(super) outputs: Option<Vec<String>>,
    /// How many threads run it.
    pub(super) threads: usize,
}

/// A model that is loaded and checked, with the threads that run it.
pub(super) struct Session {
    model: Model,
    input: NodeId,
    outputs: Vec<(NodeId, String)>,
    threads: Arc<ThreadPool>,
}

impl Session {
    /// Loads a model. The error says why it cannot be used.
    pub(super) fn load(bytes: Vec<u8>, wanted: &Wanted) -> Result<Self, String> {
        let model =
            ModelOptions::with_all_ops().prepack_weights(true).load(bytes).map_err(|error| error.to_string())?;
        let name = |id: NodeId| model.node_info(id).and_then(|node| node.name()).unwrap_or_default().to_owned();
        let input = match (&wanted.input, model.input_ids()) {
            (Some(wanted), ids) => ids.iter().copied().find(|id| name(*id) == *wanted),
            (None, [only]) => Some(*only),
            (None, _) => None,
        };
        let input = input.filter(|_| model.input_ids().len() == 1).ok_or_else(|| {
            let inputs: Vec<String> = model.input_ids().iter().map(|id| name(*id)).collect();
            let wanted = wanted.input.as_ref().map_or_else(String::new, |wanted| format!(" `{wanted}`"));
            format!("it needs to have one input{wanted}; it has {}", inputs.join(", "))
        })?;
        let dimensions = model.node_info(input).and_then(|node| node.shape());
        let shape = wanted.shape;
        if dimensions.as_ref().is_some_and(|dimensions| !fits(dimensions, shape)) {
            return Err(format!("its input has the shape {dimensions:?}; model.toml says {shape:?}"));
        }
        let is_needed = |name: &String| wanted.outputs.as_ref().is_none_or(|needed| needed.contains(name));
        // One that is missing is found by the decoder.
        let outputs: Vec<(NodeId, String)> =
            model.output_ids().iter().map(|id| (*id, name(*id))).filter(|(_, name)| is_needed(name)).collect();
        let threads = Arc::new(ThreadPool::with_num_threads(wanted.threads.max(1)));
        Ok(Self { model, input, outputs, threads })
    }

    /// Runs it on one picture.
    pub(super) fn run(&self, input: InputTensor) -> Result<Vec<OutputTensor>, String> {
        let shape = input.shape;
        let input = match input.data {
            InputData::U8(data) => Value::from_shape(shape, data).map_err(|error| error.to_string()),
            InputData::F32(data) => Value::from_shape(shape, data).map_err(|error| error.to_string()),
            InputData::F16(data) => {
                let data: Vec<f32> = data.into_iter().map(f32::from).collect();
                Value::from_shape(shape, data).map_err(|error| error.to_string())
            }
        };
        let input = ValueOrView::from(input?);
        let ids: Vec<NodeId> = self.outputs.iter().map(|(id, _)| *id).collect();
        let options = RunOptions::default().with_thread_pool(Some(self.threads.clone()));
        let outputs = self.model.run(vec![(self.input, input)], &ids, Some(options));
        let named = outputs.map_err(|error| error.to_string())?.into_iter().zip(&self.outputs);
        named.map(|(value, (_, name))| output(name, value)).collect()
    }
}

/// Whether the dimensions that a model declares can have these lengths.
fn fits(dimensions: &[Dimension], shape: [usize; 4]) -> bool {
    let fits = |(dimension, length): (&Dimension, usize)| match dimension {
        Dimension::Fixed(fixed) => *fixed == length,
        Dimension::Symbolic(_) => true,
    };
    dimensions.len() == shape.len() && dimensions.iter().zip(shape).all(fits)
}

fn output(name: &str, value: Value) -> Result<OutputTensor, String> {
    let (shape, elements) = match &value {
        Value::FloatTensor(tensor) => (tensor.shape().to_vec(), tensor.len()),
        Value::Int32Tensor(tensor) => (tensor.shape().to_vec(), tensor.len()),
        Value::Int8Tensor(tensor) => (tensor.shape().to_vec(), tensor.len()),
        Value::UInt8Tensor(tensor) => (tensor.shape().to_vec(), tensor.len()),
        _ => return Err(format!("its output {name} is not a tensor")),
    };
    if elements > OUTPUT_ELEMENTS_MAX {
        return Err(format!("its output {name} has {elements} elements; allowed are {OUTPUT_ELEMENTS_MAX}"));
    }
    let values = match value {
        Value::FloatTensor(tensor) => tensor.to_vec(),
        // A class or a number of boxes, which single precision holds.
        Value::Int32Tensor(tensor) => tensor.iter().map(|value| *value as f32).collect(),
        Value::Int8Tensor(tensor) => tensor.iter().map(|value| f32::from(*value)).collect(),
        Value::UInt8Tensor(tensor) => tensor.iter().map(|value| f32::from(*value)).collect(),
        _ => Vec::new(),
    };
    Ok(OutputTensor { name: name.to_owned(), shape, values })
}
