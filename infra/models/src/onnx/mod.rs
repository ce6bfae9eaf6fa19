//! `onnx:`: models that run on this machine, by [RTen](https://docs.rs/rten).
//!
//! A model runs in a [process of its own](Confinement), which is this program again: it can read nothing but its own weights and its
//! input, write nothing but its outputs, and has limits of memory and time. It is loaded once, and started again after a failure.
//! A process looks at one picture at a time, with [`THREADS_MAX`] threads. Where pictures wait and there are more cores, further
//! processes are started, each with its own limit of memory; pictures take their turns in the order in which they came. A process
//! that was killed costs the picture that it had another try, and the next picture starts another one. All end with the detector.
//! Half-precision models run in single precision.

mod child;
mod process;
mod session;
mod wire;

pub use child::run_if_asked;
pub use process::Confinement;

use crate::decode::decode;
use crate::manifest::{Manifest, ModelFile};
use crate::prepare::{prepare, shape};
use crate::store::{Description, ModelDirectory};
use crate::tensor::{InputTensor, OutputTensor};
use async_trait::async_trait;
use framepost_events::detection::Detection;
use framepost_events::record::Model as Named;
use framepost_ports::{Detector, Error, ErrorKind, Picture, Result};
use process::Process;
use session::{Session, Wanted};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

/// The time limit for loading a model, and for one picture.
pub(crate) const TIMEOUT: Duration = Duration::from_mins(1);

/// The most threads of a process: further cores are for other pictures.
const THREADS_MAX: usize = 2;
/// The most processes that run one model, unless its [`Confinement`] says otherwise.
const PROCESSES_MAX: usize = 8;

/// Finds things in pictures with a model that it runs itself.
pub struct OnnxDetector {
    named: Named,
    directory: ModelDirectory,
    description: Description,
    file: ModelFile,
    wanted: Wanted,
    place: Place,
}

/// Where the model runs.
enum Place {
    /// In this process: for models that are trusted.
    Here(Arc<Session>),
    /// In processes of its own, with limits: for models that may be anything.
    Apart(Box<Apart>),
}

struct Apart {
    confinement: Confinement,
    /// The processes that have nothing to do.
    idle: Mutex<Vec<Process>>,
    /// A permit for each process that may have something to do. It is never closed, and gives permits in the order of asking.
    places: Semaphore,
}

impl OnnxDetector {
    /// Loads the model in this directory into this process, without limits. Fails with [`ErrorKind::Invalid`] where it is not
    /// what its `model.toml` says.
    pub async fn load(directory: ModelDirectory) -> Result<Self> {
        Self::load_into(directory, None).await
    }

    /// Loads the model in this directory into a process of its own. Fails with [`ErrorKind::Invalid`] where it is not what its
    /// `model.toml` says, or takes more than it may.
    pub async fn load_confined(directory: ModelDirectory, confinement: Confinement) -> Result<Self> {
        Self::load_into(directory, Some(confinement)).await
    }

    pub(crate) async fn load_into(directory: ModelDirectory, confinement: Option<Confinement>) -> Result<Self> {
        let description = directory.describe().await?;
        let manifest = &description.manifest;
        let Some(file) = manifest.file.clone() else {
            return Err(directory.invalid("load", "model.toml names no `file`"));
        };
        let bytes = directory.model(&file).await?;
        let named = named(manifest, &file);
        let threads = if confinement.is_some() { cores().min(THREADS_MAX) } else { cores() };
        let wanted = wanted(manifest, threads);
        let shown = directory.to_string();
        let place = if let Some(confinement) = confinement {
            let process = Process::start(&confinement, &shown, &wanted, &bytes).await?;
            let places = Semaphore::new(confinement.processes.max(1));
            Place::Apart(Box::new(Apart { confinement, idle: Mutex::new(vec![process]), places }))
        } else {
            let wanted = wanted.clone();
            let session = tokio::task::spawn_blocking(move || Session::load(bytes, &wanted)).await;
            let session = session.map_err(|crashed| failed(&shown, format!("loading it crashed: {crashed}")))?;
            Place::Here(Arc::new(session.map_err(|why| directory.invalid("load", why))?))
        };
        Ok(Self { named, directory, description, file, wanted, place })
    }

    async fn look(&self, picture: Picture) -> Result<Vec<Detection>> {
        let input = self.description.manifest.input.clone();
        let prepared = tokio::task::spawn_blocking(move || prepare(&picture, &input)).await;
        let shown = self.directory.to_string();
        let (input, placement) = prepared.map_err(|crashed| failed(&shown, crashed.to_string()))?;
        let outputs = match &self.place {
            Place::Here(session) => here(session.clone(), &shown, input).await?,
            Place::Apart(apart) => self.apart(apart, &shown, input).await?,
        };
        let Description { manifest, labels } = &self.description;
        decode(manifest, labels, &outputs, &placement).map_err(|error| self.directory.invalid("read", error))
    }
}

impl OnnxDetector {
    async fn apart(&self, apart: &Apart, shown: &str, input: InputTensor) -> Result<Vec<OutputTensor>> {
        let Apart { confinement, idle, places } = apart;
        let _place = places.acquire().await;
        let waiting = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        // Whoever gives up in the middle drops the process, which has an answer left to give.
        let running = if let Some(running) = waiting {
            running
        } else {
            let bytes = self.directory.model(&self.file).await?;
            Process::start(confinement, shown, &self.wanted, &bytes).await?
        };
        let (running, outputs) = running.run(confinement, shown, input).await;
        idle.lock().unwrap_or_else(PoisonError::into_inner).extend(running);
        outputs
    }
}

fn named(manifest: &Manifest, file: &ModelFile) -> Named {
    Named {
        detector: "onnx".to_owned(),
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        digest: Some(file.sha256),
        arm: None,
    }
}

fn wanted(manifest: &Manifest, threads: usize) -> Wanted {
    Wanted {
        input: manifest.input.name.clone(),
        shape: shape(&manifest.input),
        outputs: manifest.decoder.outputs().map(|names| names.into_iter().map(str::to_owned).collect()),
        threads,
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

async fn here(session: Arc<Session>, shown: &str, input: InputTensor) -> Result<Vec<OutputTensor>> {
    let work = tokio::task::spawn_blocking(move || session.run(input));
    match tokio::time::timeout(TIMEOUT, work).await {
        Ok(Ok(outputs)) => outputs.map_err(|why| failed(shown, why)),
        Ok(Err(crashed)) => Err(failed(shown, format!("it crashed: {crashed}"))),
        Err(_) => Err(failed(shown, format!("it took longer than {TIMEOUT:?} for a picture"))),
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
        let input = &self.description.manifest.input;
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
