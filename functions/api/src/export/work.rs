//! Making exports: one file after the other, until all are there.

use super::manifest::{ClipFile, ExportManifest, Listed, MANIFEST_FORMAT, MANIFEST_NAME, PAGE_NAME};
use super::state::{End, Entry, Id, Request, State, end_key};
use super::write::Failure;
use super::{Exports, Work, page, store};
use framepost_ports::{Error, ErrorKind, chain};
use std::collections::VecDeque;
use std::time::Duration;

/// How long it waits after something that may be over soon.
const PAUSE: Duration = Duration::from_secs(10);

/// What became of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// There is more to do.
    More,
    /// It ended, or is not there any more.
    Over,
}

impl Exports {
    /// Makes exports until it is dropped: first those that are there and not done. For [`Work::Background`].
    pub async fn run(&self) {
        let mut waiting: VecDeque<Id> = VecDeque::new();
        loop {
            let mut failed = false;
            match self.unfinished().await {
                Ok(found) => waiting = found,
                Err(error) => {
                    tracing::error!(error = chain(&error), "exports cannot be listed");
                    failed = true;
                }
            }
            while let Some(id) = waiting.pop_front() {
                loop {
                    match self.step(&id).await {
                        Ok(Step::More) => {}
                        Ok(Step::Over) => break,
                        Err(error) => {
                            tracing::warn!(
                                export = id.as_str(),
                                error = chain(&error),
                                "an export cannot go on now, it is tried again later"
                            );
                            failed = true;
                            break;
                        }
                    }
                }
            }
            let again = async {
                if failed {
                    tokio::time::sleep(PAUSE).await;
                } else {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = self.inner.wake.notified() => {}
                () = again => {}
            }
        }
    }

    /// Does one file of an export, where requests are who does it, and says whether it did something. Where another request does,
    /// it does nothing.
    pub(crate) async fn do_in_call(&self, state: &State) -> bool {
        if self.work() != Work::InCalls || state.end.is_some() {
            return false;
        }
        let Ok(_alone) = self.inner.writing.try_lock() else { return false };
        if let Err(error) = self.step_of(&state.request, state.written.len()).await {
            tracing::warn!(
                export = state.request.id.as_str(),
                error = chain(&error),
                "an export cannot go on now, it is tried again later"
            );
        }
        if let Err(error) = self.sweep_if_removed(&state.request.id).await {
            tracing::warn!(
                export = state.request.id.as_str(),
                error = chain(&error),
                "an export that was removed stays"
            );
        }
        true
    }

    /// Removes what was just written of an export that another process has removed meanwhile.
    async fn sweep_if_removed(&self, id: &Id) -> Result<(), Error> {
        match self.inner.store.get(&id.request_key()).await? {
            Some(_) => Ok(()),
            None => self.sweep(id).await,
        }
    }

    /// The exports that have not ended, the oldest first.
    async fn unfinished(&self) -> Result<VecDeque<Id>, Error> {
        let store = &self.inner.store;
        let mut found = VecDeque::new();
        let mut after = String::new();
        loop {
            let ids = self.ids(&after, 100).await?;
            let Some(last) = ids.last() else { return Ok(found) };
            after = last.request_key();
            for id in ids {
                if store.get(&end_key(&id)).await?.is_none() {
                    found.push_front(id);
                }
            }
        }
    }

    /// The ids of exports whose requests come behind this key, the newest first.
    async fn ids(&self, after: &str, max: usize) -> Result<Vec<Id>, Error> {
        let keys = self.inner.store.keys(Id::REQUESTS, after, max).await?;
        let name = |key: String| {
            let name = key.strip_prefix(Id::REQUESTS)?.strip_suffix(".json")?.to_owned();
            Id::try_from(name).ok()
        };
        Ok(keys.into_iter().filter_map(name).collect())
    }

    /// The newest exports behind this one, and how far each is.
    pub(crate) async fn page(&self, after: Option<&Id>, max: usize) -> Result<Vec<State>, Error> {
        let mut states = Vec::new();
        for id in self.ids(&after.map(Id::request_key).unwrap_or_default(), max).await? {
            states.extend(self.state(&id).await?);
        }
        Ok(states)
    }

    /// Does the next thing that an export needs.
    async fn step(&self, id: &Id) -> Result<Step, Error> {
        let _alone = self.inner.writing.lock().await;
        let store = &self.inner.store;
        // It may have been removed in the meantime.
        let Some(request): Option<Request> = store.json(&id.request_key()).await? else {
            self.sweep(id).await?;
            return Ok(Step::Over);
        };
        if store.get(&end_key(id)).await?.is_some() {
            return Ok(Step::Over);
        }
        let n = self.written(&request).await?.len();
        self.step_of(&request, n).await
    }

    /// Writes the `n`th file of an export, or what stands behind all files.
    async fn step_of(&self, request: &Request, n: usize) -> Result<Step, Error> {
        if n == request.files.len() {
            return self.finish(request).await.map(|()| Step::Over);
        }
        let (error, said) = match self.write_file(request, n).await {
            Ok(()) => return Ok(Step::More),
            Err(Failure::Later(error)) => return Err(error),
            Err(Failure::Refused(error)) => (error, "the bucket refuses it"),
            Err(Failure::Footage(error)) if error.kind() == ErrorKind::NotFound => {
                (error, "some of its footage no longer exists")
            }
            Err(Failure::Footage(error)) => {
                (error, "some of its footage is damaged, or changed since the export was requested")
            }
        };
        tracing::error!(export = request.id.as_str(), error = chain(&error), "an export failed");
        // A caller is told nothing of the inside.
        self.end(request, &End::Failed(said.to_owned())).await?;
        Ok(Step::Over)
    }

    /// Writes the page, the manifest, and that all is there.
    async fn finish(&self, request: &Request) -> Result<(), Error> {
        let store = &self.inner.store;
        let written = self.written(request).await?;
        let shown = request.files.iter().zip(&written).map(|(planned, written)| page::Shown {
            name: &planned.name,
            range: &planned.range,
            bytes: written.clip.bytes,
            sha256: written.clip.sha256,
            times: &written.times,
        });
        let page = page::html(&request.name, request.created_at, &shown.collect::<Vec<_>>());
        let page_entry = Entry::of(PAGE_NAME, page.as_bytes());
        let listed = |entry: &Entry| Listed { name: entry.name.clone(), bytes: entry.bytes, sha256: entry.sha256 };
        let files = request.files.iter().zip(&written).map(|(planned, written)| ClipFile {
            file: listed(&written.clip),
            range: planned.range.clone(),
            duration_ms: planned.duration_ms,
            proof: listed(&written.proof),
        });
        let manifest = ExportManifest {
            format: MANIFEST_FORMAT.to_owned(),
            id: request.id.as_str().to_owned(),
            name: request.name.clone(),
            created_at: request.created_at,
            created_by: request.created_by.clone(),
            ranges: request.ranges.clone(),
            files: files.collect(),
            page: listed(&page_entry),
            public_keys: self.inner.parts.public_keys.iter().map(ToString::to_string).collect(),
        };
        let manifest = store::json_bytes(MANIFEST_NAME, &manifest)?;
        let manifest_entry = Entry::of(MANIFEST_NAME, &manifest);
        let key = |name| request.id.file_key(name);
        store.put(&store::document(key(PAGE_NAME), "text/html; charset=utf-8", page)).await?;
        store.put(&store::document(key(MANIFEST_NAME), "application/json", manifest)).await?;
        let end = End::Complete { manifest: manifest_entry, page: page_entry, files: written };
        self.end(request, &end).await?;
        tracing::info!(event = "export-complete", export = request.id.as_str(), "an export is complete");
        self.forget(&request.id);
        Ok(())
    }

    async fn end(&self, request: &Request, end: &End) -> Result<(), Error> {
        let key = end_key(&request.id);
        let bytes = store::json_bytes(&key, end)?;
        self.inner.store.put_first(&store::document(key, "application/json", bytes)).await
    }

    /// Removes an export. What is being written of it at this moment is removed by whoever writes it, or by asking again.
    pub(crate) async fn remove(&self, id: &Id) -> Result<(), Error> {
        // Without its request it does not exist any more.
        self.inner.store.remove(&id.request_key()).await?;
        self.inner.wake.notify_one();
        let _alone = self.inner.writing.lock().await;
        self.sweep(id).await
    }

    /// Removes what is left of an export whose request is gone.
    async fn sweep(&self, id: &Id) -> Result<(), Error> {
        self.inner.store.remove_all(&id.prefix()).await
    }
}
