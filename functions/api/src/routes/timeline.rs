//! `/v1/timeline`

use super::Api;
use crate::answer::{self, Keep};
use crate::auth::Sight;
use crate::json::{
    ActivityJson, Count, Gap, IntegrityStretch, NotLookedAt, Reason, Recorded, RemovedStretch, Segment, SightingJson,
    Timeline,
};
use crate::parameters::{self, Asked};
use crate::problem::Problem;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use framepost_events::record::ChainState;
use framepost_ports::Error;
use framepost_ports::catalog::{
    CameraName, Catalog, ChunkBrief, ChunkOutline, Interval, Looked, RemovedChunk, SightingRow,
};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use std::collections::BTreeMap;
use utoipa::IntoParams;

/// Longest stretch of time that is asked for at once, in seconds.
const LONGEST_S: i64 = 8 * 86_400;
/// Most chunks that are read for an answer.
const CHUNKS_MAX: usize = 250_000;
/// Most sightings, segments and pieces of activity in an answer.
const LISTED_MAX: usize = 2000;
/// Chunks that are closer than this follow each other, since clocks and rounding move their borders a little.
const TOUCHING: SignedDuration = SignedDuration::from_millis(500);

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    site: String,
    camera: String,
    from: Timestamp,
    /// At most 8 days after `from`.
    to: Timestamp,
    /// Stretches that are closer to each other than this many seconds are joined: 0 to 86400, 0 by default.
    #[param(minimum = 0, maximum = 86400)]
    resolution: Option<f64>,
    /// Counts the sightings that begin in each bin of this many seconds, 1 to 86400.
    #[param(minimum = 1, maximum = 86400)]
    count_seconds: Option<u32>,
}

/// What happened at one camera: stretches with video, gaps with their causes, sightings, and integrity.
#[utoipa::path(get, path = "/v1/timeline", tag = "find", params(Parameters),
    responses((status = 200, body = Timeline),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn timeline(
    State(api): State<Api>,
    sight: Sight,
    headers: HeaderMap,
    Asked(asked): Asked<Parameters>,
) -> Result<Response, Problem> {
    let camera = parameters::camera(&asked.site, &asked.camera)?;
    let within = parameters::within(asked.from, asked.to, LONGEST_S)?;
    let resolution_seconds = asked.resolution.unwrap_or(0.0);
    if !(0.0..=86_400.0).contains(&resolution_seconds) {
        return Err(Problem::parameter("resolution", "0 to 86400 seconds"));
    }
    if asked.count_seconds.is_some_and(|seconds| !(1..=86_400).contains(&seconds)) {
        return Err(Problem::parameter("countSeconds", "1 to 86400 seconds"));
    }
    if !sight.has(&camera) {
        return Err(Problem::not_found());
    }
    // All of them are counted; otherwise one more than is listed says that there are more.
    let seen_max = if asked.count_seconds.is_some() { CHUNKS_MAX } else { LISTED_MAX + 1 };
    let ((chunks, segments), gaps, gone, looked, seen) = tokio::try_join!(
        chunks(&*api.catalog, &camera, within),
        api.catalog.gaps(&camera, within, CHUNKS_MAX),
        api.catalog.removed(&camera, within, CHUNKS_MAX),
        api.catalog.looked(&camera, within, CHUNKS_MAX),
        api.catalog.seen(&camera, within, seen_max),
    )?;
    let resolution = SignedDuration::try_from_secs_f64(resolution_seconds).unwrap_or_default().max(TOUCHING);
    let counts = asked.count_seconds.map(|seconds| counts(&seen, within, seconds)).unwrap_or_default();
    let sightings_truncated = seen.len() > LISTED_MAX;
    let mut sightings: Vec<SightingJson> = seen.into_iter().take(LISTED_MAX).map(SightingJson::from).collect();
    sightings.reverse();
    let timeline = Timeline {
        site: camera.site,
        camera: camera.camera,
        from: within.from,
        to: within.to,
        now: api.clock.now(),
        resolution_seconds: resolution.as_secs_f64(),
        size_bytes: chunks.iter().map(|chunk| chunk.size_bytes).sum(),
        chunks: chunks.len() as u64,
        recorded: recorded(&chunks, resolution),
        gaps: gaps.into_iter().map(Gap::from).collect(),
        removed: removed(&gone, resolution),
        activity: activity(&chunks, within),
        integrity: integrity(&chunks, resolution),
        sightings,
        sightings_truncated,
        counts,
        not_looked_at: not_looked_at(&chunks, &looked, resolution),
        segments,
    };
    answer::json(&headers, Keep::Ask, &timeline)
}

/// Returns the chunks in outline, and as segments if there are few enough to list. Of many chunks only the outline is read.
async fn chunks(
    catalog: &dyn Catalog,
    camera: &CameraName,
    within: Interval,
) -> Result<(Vec<ChunkOutline>, Vec<Segment>), Error> {
    let outlines = catalog.outlines(camera, within, CHUNKS_MAX).await?;
    if outlines.len() > LISTED_MAX {
        return Ok((outlines, vec![]));
    }
    // Chunks may have come meanwhile: the outline is that of what is listed.
    let briefs = catalog.briefs(camera, within, LISTED_MAX).await?;
    Ok((briefs.iter().map(ChunkBrief::outline).collect(), briefs.iter().map(Segment::of).collect()))
}

fn follows(end: Timestamp, start: Timestamp, resolution: SignedDuration) -> bool {
    start.duration_since(end) <= resolution
}

/// Returns the stretches with video.
fn recorded(chunks: &[ChunkOutline], resolution: SignedDuration) -> Vec<Recorded> {
    let mut stretches: Vec<Recorded> = Vec::new();
    for chunk in chunks {
        match stretches.last_mut() {
            Some(last) if follows(last.to, chunk.from, resolution) => {
                last.to = last.to.max(chunk.to);
                last.chunks += 1;
            }
            _ => stretches.push(Recorded { from: chunk.from, to: chunk.to, chunks: 1 }),
        }
    }
    stretches
}

/// Returns the stretches that were removed for the same reason.
fn removed(chunks: &[RemovedChunk], resolution: SignedDuration) -> Vec<RemovedStretch> {
    let mut stretches: Vec<RemovedStretch> = Vec::new();
    for chunk in chunks {
        match stretches.last_mut() {
            Some(last) if last.cause == chunk.cause && follows(last.to, chunk.from, resolution) => {
                last.to = last.to.max(chunk.to);
                last.chunks += 1;
                last.removed_at = last.removed_at.max(chunk.at);
            }
            _ => stretches.push(RemovedStretch {
                from: chunk.from,
                to: chunk.to,
                chunks: 1,
                removed_at: chunk.at,
                cause: chunk.cause,
            }),
        }
    }
    stretches
}

/// Returns stretches with the same integrity. A chunk with another result is never joined with them.
fn integrity(chunks: &[ChunkOutline], resolution: SignedDuration) -> Vec<IntegrityStretch> {
    let mut stretches: Vec<IntegrityStretch> = Vec::new();
    for chunk in chunks {
        let chain = if chunk.chain == ChainState::First { ChainState::Linked } else { chunk.chain };
        let from = chunk.from;
        let to = chunk.to;
        let here = IntegrityStretch { from, to, signature: chunk.signature, content: chunk.content, chain };
        match stretches.last_mut() {
            Some(last)
                if (last.signature, last.content, last.chain) == (here.signature, here.content, here.chain)
                    && follows(last.to, from, resolution) =>
            {
                last.to = last.to.max(to);
            }
            _ => stretches.push(here),
        }
    }
    stretches
}

/// Returns how much happens: for each chunk, or for bins if there are too many.
fn activity(chunks: &[ChunkOutline], within: Interval) -> Vec<ActivityJson> {
    let levels = chunks.iter().filter_map(|chunk| Some((chunk, chunk.activity?)));
    if chunks.len() <= LISTED_MAX {
        return levels.map(|(chunk, level)| ActivityJson { from: chunk.from, to: chunk.to, level }).collect();
    }
    let length_us = within.to.as_microsecond() - within.from.as_microsecond();
    let bin_us = length_us / i64::try_from(LISTED_MAX).unwrap_or(i64::MAX) + 1;
    let mut bins = BTreeMap::<i64, f64>::new();
    for (chunk, level) in levels {
        let bin = (chunk.from.as_microsecond() - within.from.as_microsecond()).div_euclid(bin_us);
        let most = bins.entry(bin).or_default();
        *most = most.max(level);
    }
    let at = |bin: i64| Timestamp::from_microsecond(within.from.as_microsecond() + bin * bin_us).unwrap_or(within.to);
    bins.into_iter().map(|(bin, level)| ActivityJson { from: at(bin), to: at(bin + 1).min(within.to), level }).collect()
}

/// Returns the number of sightings that begin in each bin.
fn counts(seen: &[SightingRow], within: Interval, seconds: u32) -> Vec<Count> {
    let bin_us = i64::from(seconds) * 1_000_000;
    let start = within.from.as_microsecond();
    let mut bins = BTreeMap::<(i64, &str), u64>::new();
    for row in seen {
        let bin = (row.sighting.from.as_microsecond() - start).max(0).div_euclid(bin_us);
        *bins.entry((bin, &row.sighting.label)).or_default() += 1;
    }
    let at = |bin: i64| Timestamp::from_microsecond(start + bin * bin_us).unwrap_or(within.to);
    bins.into_iter().map(|((bin, label), count)| Count { from: at(bin), label: label.to_owned(), count }).collect()
}

/// Returns the stretches with video that no detector looked at.
fn not_looked_at(chunks: &[ChunkOutline], looked: &[Looked], resolution: SignedDuration) -> Vec<NotLookedAt> {
    let mut stretches: Vec<NotLookedAt> = Vec::new();
    let mut looks = looked.iter().peekable();
    for chunk in chunks {
        while looks.next_if(|look| look.from < chunk.from).is_some() {}
        let reason = match looks.peek().filter(|look| look.from == chunk.from) {
            Some(Looked { skipped: None, .. }) => continue,
            Some(Looked { skipped: Some(why), .. }) => Reason::from(*why),
            None => Reason::NotAsked,
        };
        match stretches.last_mut() {
            Some(last) if last.reason == reason && follows(last.to, chunk.from, resolution) => {
                last.to = last.to.max(chunk.to);
            }
            _ => stretches.push(NotLookedAt { from: chunk.from, to: chunk.to, reason }),
        }
    }
    stretches
}
