//! `/v1/events`

use super::Api;
use crate::auth::Sight;
use crate::parameters::{self, Asked};
use crate::problem::Problem;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use framepost_events::record::{Data, Record};
use framepost_events::{Camera, Site};
use framepost_ports::catalog::{CameraName, Happening};
use framepost_ports::{Result as PortResult, chain};
use futures::Stream;
use serde::Deserialize;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::watch;
use utoipa::IntoParams;

/// How often it is looked for something new that another process wrote. What this one writes is told.
const EVERY: Duration = Duration::from_millis(50);
/// When a reader whose answer has ended is to ask again.
const AGAIN: Duration = Duration::from_secs(2);
/// The longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Happenings that are read at a time.
const PAGE: usize = 256;

/// How long a reader of events is told of them in one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    /// As long as it listens.
    AsItHappens,
    /// Up to what there is. A reader that follows the standard then asks again by itself, after a while and from there on.
    InTurns,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// Only records of this site; of all sites without it.
    site: Option<String>,
    /// Only records of this camera of the site.
    camera: Option<String>,
}

/// Records as they are written, as server-sent events: `event` is the record's type, `data` the record, and `id` a number that a
/// reader sends back as `Last-Event-ID` to continue after it. A record may come twice. In a Lambda the answer ends with what there is,
/// and says by `retry` when to ask again, as browsers' `EventSource` does.
#[utoipa::path(get, path = "/v1/events", tag = "find", params(Parameters),
    responses((status = 200, content_type = "text/event-stream", body = String),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn events(
    State(api): State<Api>,
    sight: Sight,
    headers: HeaderMap,
    Asked(asked): Asked<Parameters>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let name = |text: &str, parameter| text.parse().map_err(|_| Problem::parameter(parameter, "no name"));
    let site: Option<Site> = asked.site.as_deref().map(|site| name(site, "site")).transpose()?;
    let camera: Option<Camera> = match asked.camera.as_deref() {
        Some(camera) => Some(parameters::camera(asked.site.as_deref().unwrap_or_default(), camera)?.camera),
        None => None,
    };
    let given = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse::<i64>().ok());
    let after = match given {
        Some(number) => number.max(0),
        None => api.catalog.last_happening().await?,
    };
    let wanted = Wanted { sight, site, camera };
    let written = api.catalog.written();
    let mut reading = Reading { api, wanted, written, after, ready: VecDeque::new(), is_over: false, pause: EVERY };
    if reading.api.telling == Telling::InTurns {
        // Without an id a reader that was told of nothing would ask for what comes after its next question.
        reading.ready.push_back(Event::default().id(after.to_string()).retry(AGAIN));
        reading.is_over = reading.read().await?;
    }
    let stream = futures::stream::unfold(reading, |mut reading| async move {
        loop {
            if let Some(event) = reading.ready.pop_front() {
                return Some((Ok(event), reading));
            }
            if reading.is_over {
                return None;
            }
            reading.look().await;
        }
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

/// The records that a reader asked for and may see.
struct Wanted {
    sight: Sight,
    site: Option<Site>,
    camera: Option<Camera>,
}

/// The camera of a record.
fn camera_of(data: &Data) -> Option<&Camera> {
    match data {
        Data::ChunkProbed(chunk) => chunk.camera.as_ref(),
        Data::SpanEnded(end) => end.camera.as_ref(),
        Data::GapRecorded(gap) => Some(&gap.gap.camera),
        Data::ObjectRejected(rejected) => rejected.camera.as_ref(),
        Data::GatewayReported(_) => None,
        Data::ChunkInferred(inferred) => inferred.camera.as_ref(),
    }
}

impl Wanted {
    fn has(&self, record: &Record) -> bool {
        let site = record.data.site();
        let camera = camera_of(&record.data);
        let may_see = match CameraName::of(site, camera) {
            Some(camera) => self.sight.has(&camera),
            None => match site {
                Some(site) => self.sight.has_site(site.as_str()),
                None => self.sight == Sight::Everything,
            },
        };
        may_see
            && (self.site.is_none() || self.site.as_ref() == site)
            && (self.camera.is_none() || self.camera.as_ref() == camera)
    }
}

/// The state of one reader's stream of events.
struct Reading {
    api: Api,
    wanted: Wanted,
    /// Changes when this process has written something.
    written: Option<watch::Receiver<u64>>,
    after: i64,
    ready: VecDeque<Event>,
    /// Whether the answer ends here.
    is_over: bool,
    pause: Duration,
}

impl Reading {
    /// Looks for something new, and waits where there is nothing, or ends there.
    async fn look(&mut self) {
        if self.api.telling == Telling::InTurns {
            self.is_over = self.read().await.unwrap_or_else(|error| {
                tracing::warn!(error = chain(&error), "cannot query for new events");
                true
            });
            return;
        }
        if let Some(written) = &mut self.written {
            // What is written from here on ends the pause.
            written.borrow_and_update();
        }
        match self.read().await {
            Ok(is_all) => {
                self.pause = EVERY;
                if self.ready.is_empty() && is_all {
                    self.pause_or_written().await;
                }
            }
            Err(error) => {
                tracing::warn!(error = chain(&error), "cannot query for new events");
                tokio::time::sleep(self.pause).await;
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            }
        }
    }

    /// Reads what comes next. Returns whether that is all there is.
    async fn read(&mut self) -> PortResult<bool> {
        let happened = self.api.catalog.happenings(self.after, PAGE).await?;
        let is_all = happened.len() < PAGE;
        for Happening { number, record } in happened {
            self.after = number;
            if self.wanted.has(&record) {
                let data = serde_json::to_string(&record).unwrap_or_default();
                self.ready.push_back(Event::default().id(number.to_string()).event(record.event_type).data(data));
            }
        }
        Ok(is_all)
    }

    /// Waits for the pause, or until there may be something new.
    async fn pause_or_written(&mut self) {
        let pause = tokio::time::sleep(self.pause);
        let Some(written) = &mut self.written else { return pause.await };
        tokio::select! {
            () = pause => {}
            // Where nothing more is told, the pause is waited for.
            Ok(()) = written.changed() => {}
        }
    }
}
