//! `onnx:`: models that run on this machine, by [RTen](https://docs.rs/rten).
//!
//! A model is loaded once. Calls run on threads that may block, as many at a time as there are cores; all share one pool of threads
//! of that number. Half-precision models run in single precision. A model can read nothing but its own weights and its input, and
//! write nothing but its outputs; memory and time beyond the limits here are for whoever runs the process to bound.

use crate::decode::decode;
use crate::prepare::{prepare, shape};
use crate::store::{Description, ModelDirectory};
use crate::tensor::{InputData, InputTensor, OutputTensor};
use async_trait::async_trait;
use framepost_events::detection::Detection;
use framepost_events::record::Model as Named;
use framepost_ports::{Detector, Error, ErrorKind, Picture, Result};
use rten::{Dimension, Model, ModelOptions, NodeId, RunOptions, ThreadPool, Value, ValueOrView};
use rten_tensor::{AsView as _, Layout as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// The time limit for one picture.
const PICTURE_TIMEOUT: Duration = Duration::from_mins(1);
/// The most elements of an output.
const OUTPUT_ELEMENTS_MAX: usize = 32 * 1024 * 1024;

/// Finds things in pictures with a model that it runs itself.
pub struct OnnxDetector {
    named: Named,
    runner: Arc<Runner>,
    /// One for each core.
    running: Arc<Semaphore>,
}

struct Runner {
    directory: ModelDirectory,
    description: Description,
    model: Model,
    input: NodeId,
    /// The outputs that the decoder needs, with their names.
    outputs: Vec<(NodeId, String)>,
    threads: Arc<ThreadPool>,
}

impl OnnxDetector {
    /// Loads the model in this directory. Fails with [`ErrorKind::Invalid`] where it is not what its `model.toml` says.
    pub async fn load(directory: ModelDirectory) -> Result<Self> {
        let description = directory.describe().await?;
        let manifest = &description.manifest;
        let Some(file) = manifest.file.clone() else {
            return Err(directory.invalid("load", "model.toml names no `file`"));
        };
        let bytes = directory.model(&file).await?;
        let named = Named {
            detector: "onnx".to_owned(),
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            digest: Some(file.sha256),
            arm: None,
        };
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let shown = directory.to_string();
        let runner = tokio::task::spawn_blocking(move || Runner::new(directory, description, bytes, cores))
            .await
            .map_err(|crashed| failed(&shown, format!("loading it crashed: {crashed}")))??;
        Ok(Self { named, runner: Arc::new(runner), running: Arc::new(Semaphore::new(cores)) })
    }

    async fn look(&self, picture: Picture) -> Result<Vec<Detection>> {
        let shown = self.runner.directory.to_string();
        let failed = |why: String| failed(&shown, why);
        let permit = self.running.clone().acquire_owned().await.map_err(|closed| failed(closed.to_string()))?;
        let runner = self.runner.clone();
        // The permit is given back when the work ends, not when nobody waits for it any more.
        let work = tokio::task::spawn_blocking(move || {
            let found = runner.look(&picture);
            drop(permit);
            found
        });
        match tokio::time::timeout(PICTURE_TIMEOUT, work).await {
            Ok(Ok(found)) => found,
            Ok(Err(crashed)) => Err(failed(format!("it crashed: {crashed}"))),
            Err(_) => Err(failed(format!("it took longer than {PICTURE_TIMEOUT:?} for a picture"))),
        }
    }
}

fn failed(shown: &str, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Invalid, "run", format!("the model in {shown}")).because(why)
}

#[async_trait]
impl Detector for OnnxDetector {
    fn model(&self) -> &Named {
        &self.named
    }

    fn input_size(&self) -> Option<(u32, u32)> {
        let input = &self.runner.description.manifest.input;
        Some((input.width, input.height))
    }

    async fn detect(&self, pictures: &[Picture]) -> Result<Vec<Vec<Detection>>> {
        let mut found = Vec::with_capacity(pictures.len());
        for picture in pictures {
            found.push(self.look(picture.clone()).await?);
        }
        Ok(found)
    }
}

impl Runner {
    fn new(directory: ModelDirectory, description: Description, bytes: Vec<u8>, cores: usize) -> Result<Self> {
        let model =
            ModelOptions::with_all_ops().prepack_weights(true).load(bytes).map_err(|e| directory.invalid("load", e))?;
        let name = |id: NodeId| model.node_info(id).and_then(|node| node.name()).unwrap_or_default().to_owned();
        let wanted = description.manifest.input.name.as_deref();
        let input = match (wanted, model.input_ids()) {
            (Some(wanted), ids) => ids.iter().copied().find(|id| name(*id) == wanted),
            (None, [only]) => Some(*only),
            (None, _) => None,
        };
        let input = input.filter(|_| model.input_ids().len() == 1).ok_or_else(|| {
            let inputs: Vec<String> = model.input_ids().iter().map(|id| name(*id)).collect();
            let wanted = wanted.map_or_else(String::new, |wanted| format!(" `{wanted}`"));
            directory.invalid("load", format!("it needs to have one input{wanted}; it has {}", inputs.join(", ")))
        })?;
        let dimensions = model.node_info(input).and_then(|node| node.shape());
        let shape = shape(&description.manifest.input);
        if dimensions.as_ref().is_some_and(|dimensions| !fits(dimensions, shape)) {
            let why = format!("its input has the shape {dimensions:?}; model.toml says {shape:?}");
            return Err(directory.invalid("load", why));
        }
        let needed = description.manifest.decoder.outputs();
        let all = model.output_ids().iter().map(|id| (*id, name(*id)));
        let outputs: Vec<(NodeId, String)> =
            all.filter(|(_, name)| needed.as_ref().is_none_or(|needed| needed.contains(&name.as_str()))).collect();
        // One that is missing is found by the decoder.
        let threads = Arc::new(ThreadPool::with_num_threads(cores));
        Ok(Self { directory, description, model, input, outputs, threads })
    }

    fn look(&self, picture: &Picture) -> Result<Vec<Detection>> {
        let Description { manifest, labels } = &self.description;
        let (input, placement) = prepare(picture, &manifest.input);
        let outputs = self.run(input)?;
        decode(manifest, labels, &outputs, &placement).map_err(|error| self.directory.invalid("read", error))
    }

    fn run(&self, input: InputTensor) -> Result<Vec<OutputTensor>> {
        let invalid = |error: String| self.directory.invalid("run", error);
        let shape = input.shape;
        let input = match input.data {
            InputData::U8(data) => Value::from_shape(shape, data).map_err(|error| error.to_string()),
            InputData::F32(data) => Value::from_shape(shape, data).map_err(|error| error.to_string()),
            InputData::F16(data) => {
                let data: Vec<f32> = data.into_iter().map(f32::from).collect();
                Value::from_shape(shape, data).map_err(|error| error.to_string())
            }
        };
        let input = ValueOrView::from(input.map_err(invalid)?);
        let ids: Vec<NodeId> = self.outputs.iter().map(|(id, _)| *id).collect();
        let options = RunOptions::default().with_thread_pool(Some(self.threads.clone()));
        let outputs = self
            .model
            .run(vec![(self.input, input)], &ids, Some(options))
            .map_err(|error| invalid(error.to_string()))?;
        let named = outputs.into_iter().zip(&self.outputs);
        named.map(|(value, (_, name))| output(name, value).map_err(invalid)).collect()
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
