//! `/v1/playlists/{site}/{camera}.m3u8`

use super::Api;
use crate::answer::{self, Keep};
use crate::auth::Sight;
use crate::hls::{self, Kind, Timeline, Variants};
use crate::keyframes::KeyFrames;
use crate::parameters::{self, Asked};
use crate::problem::Problem;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Redirect, Response};
use framepost_ports::catalog::{CameraName, ChunkBrief, Interval};
use framepost_ports::url_path;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

/// Longest stretch of time in one playlist, in seconds: a day with the hour that it may be longer.
const LONGEST_S: i64 = 25 * 3_600;
const CHUNKS_MAX: usize = 50_000;
/// What a live playlist holds.
const WINDOW: SignedDuration = SignedDuration::from_secs(30);
/// How far back a live playlist looks for its first chunks.
const BEHIND: SignedDuration = SignedDuration::from_mins(10);
/// For how long one live playlist goes on counting. After that it begins anew.
const SESSION: SignedDuration = SignedDuration::from_hours(6);

/// Pictures in a playlist of key frames where it is not said how many, and the most of them.
const PICTURES: i64 = 1_800;
const PICTURES_MAX: i64 = 3_600;
const EVERY_MAX_S: i64 = 3_600;
/// Of how many seconds there is a picture where it is not said: the first of these with which there are not too many.
const EVERY_S: [i64; 6] = [1, 2, 5, 10, 30, 60];

const CONTENT_TYPE: &str = "application/vnd.apple.mpegurl";

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// The start of the interval. Without it and without `to`, the playlist is live.
    from: Option<Timestamp>,
    /// The end of the interval, at most 25 hours after `from`.
    to: Option<Timestamp>,
    /// With `keyframes`, the playlist has single pictures that decode by themselves (`EXT-X-I-FRAMES-ONLY`), for scrubbing. With `both`,
    /// it is a multivariant playlist that names the one of all frames and the one of key frames, so that players scrub by themselves.
    /// Both need `from` and `to`.
    #[param(inline)]
    frames: Option<FramesWord>,
    /// With `continuous`, the times of a segment begin where the one before it ends, and only the end of a span is a discontinuity. With
    /// `chunks`, the default, they begin at 0 in each segment, as they do in the bucket.
    #[param(inline)]
    timeline: Option<TimelineWord>,
    /// One picture of how many seconds: 1 to 3600, and at most 3600 in the playlist. Without it, there are at most 1800: one a minute of a day. Only with
    /// `frames=keyframes`.
    every: Option<u32>,
    /// Set by the server when it redirects to a live playlist: the time from which it counts.
    since: Option<Timestamp>,
}

/// Which frames a playlist has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum FramesWord {
    All,
    Keyframes,
    Both,
}

/// Where the times of segments begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum TimelineWord {
    Chunks,
    Continuous,
}

/// A playlist for HLS players, of an interval or live. Media are byte ranges of chunks as they are in the bucket.
#[utoipa::path(get, path = "/v1/playlists/{site}/{name}", tag = "play",
    params(("site" = String, Path), ("name" = String, Path, description = "The camera's name, and `.m3u8`."), Parameters),
    responses((status = 200, content_type = "application/vnd.apple.mpegurl", body = String),
        (status = 303, description = "The live playlist that begins now."),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn playlist(
    State(api): State<Api>,
    Extension(keyframes): Extension<KeyFrames>,
    sight: Sight,
    headers: HeaderMap,
    Path((site, name)): Path<(String, String)>,
    Asked(asked): Asked<Parameters>,
) -> Result<Response, Problem> {
    let camera = name.strip_suffix(".m3u8").and_then(|name| parameters::camera(&site, name).ok());
    let camera = camera.filter(|camera| sight.has(camera)).ok_or_else(Problem::not_found)?;
    let is_of_keyframes = asked.frames == Some(FramesWord::Keyframes);
    let is_of_both = asked.frames == Some(FramesWord::Both);
    if asked.every.is_some() && !is_of_keyframes && !is_of_both {
        return Err(Problem::parameter("every", "only with frames=keyframes or frames=both"));
    }
    let timeline = match asked.timeline {
        Some(TimelineWord::Continuous) if is_of_keyframes => {
            return Err(Problem::parameter("timeline", "not with frames=keyframes"));
        }
        Some(TimelineWord::Continuous) => Timeline::Continuous,
        Some(TimelineWord::Chunks) | None => Timeline::OfChunks,
    };
    let text = match (asked.from, asked.to, asked.since) {
        (Some(from), Some(to), None) if is_of_keyframes => {
            let within = parameters::within(from, to, LONGEST_S)?;
            of_keyframes(&api, &keyframes, &camera, within, every(within, asked.every)?).await?
        }
        (Some(from), Some(to), None) if is_of_both => {
            let within = parameters::within(from, to, LONGEST_S)?;
            both(&api, &camera, &name, timeline, within, every(within, asked.every)?).await?
        }
        _ if is_of_keyframes || is_of_both => {
            return Err(Problem::parameter("frames", "keyframes and both with `from` and `to`"));
        }
        (Some(from), Some(to), None) => {
            whole(&api, &camera, timeline, parameters::within(from, to, LONGEST_S)?).await?
        }
        (None, None, Some(since)) => match live(&api, &camera, timeline, since).await? {
            Some(text) => text,
            None => return begin(&api, &camera, timeline, &name).await,
        },
        (None, None, None) => return begin(&api, &camera, timeline, &name).await,
        _ => return Err(Problem::parameter("to", "give `from` and `to`, or neither for a live playlist")),
    };
    Ok(answer::bytes(&headers, Keep::Ask, CONTENT_TYPE, text.into_bytes()))
}

/// Returns the URL of a chunk's bytes for a playlist. It is relative, for servers behind a path of a proxy, and signed if a
/// player would need a token otherwise.
fn media(api: &Api) -> impl Fn(&str, Option<u64>) -> String {
    let access = api.access.clone();
    let now = api.clock.now();
    move |key, start_us| {
        let query = start_us.map(|start_us| format!("?start={start_us}")).unwrap_or_default();
        let path = format!("/v1/media/{}{query}", url_path(key));
        let path = access.sign(&path, now).map_or(path, |(signed, _)| signed);
        format!("../..{}", &path["/v1".len()..])
    }
}

async fn whole(api: &Api, camera: &CameraName, timeline: Timeline, within: Interval) -> Result<String, Problem> {
    let chunks = api.catalog.briefs(camera, within, CHUNKS_MAX).await?;
    if !chunks.iter().any(hls::is_playable) {
        return Err(Problem::not_found().detail("no footage of this time can be played"));
    }
    Ok(hls::playlist(Kind::Whole, timeline, &media(api), &chunks))
}

/// Returns of how many seconds of the interval there is one picture.
fn every(within: Interval, asked: Option<u32>) -> Result<i64, Problem> {
    let seconds = within.to.duration_since(within.from).as_secs();
    let Some(asked) = asked.map(i64::from) else {
        let is_enough = |every: &&i64| seconds <= **every * PICTURES;
        return Ok(EVERY_S.iter().find(is_enough).copied().unwrap_or(EVERY_MAX_S));
    };
    let least = seconds / PICTURES_MAX + 1;
    if (least..=EVERY_MAX_S).contains(&asked) {
        Ok(asked)
    } else {
        Err(Problem::parameter("every", format!("{least} to {EVERY_MAX_S} for this interval")))
    }
}

async fn of_keyframes(
    api: &Api,
    keyframes: &KeyFrames,
    camera: &CameraName,
    within: Interval,
    every_s: i64,
) -> Result<String, Problem> {
    let chunks = api.catalog.briefs(camera, within, CHUNKS_MAX).await?;
    let chunks: Vec<&ChunkBrief> = chunks.iter().filter(|chunk| hls::is_playable(chunk)).collect();
    let pictures = keyframes.pictures(&*api.source, &chunks, within, every_s).await?;
    if pictures.is_empty() {
        return Err(Problem::not_found().detail("no footage of this time can be played"));
    }
    Ok(hls::pictures(&media(api), &chunks, &pictures))
}

/// Returns the playlist that names the one of all frames and the one of key frames.
async fn both(
    api: &Api,
    camera: &CameraName,
    name: &str,
    timeline: Timeline,
    within: Interval,
    every_s: i64,
) -> Result<String, Problem> {
    let chunks = api.catalog.briefs(camera, within, CHUNKS_MAX).await?;
    let chunks: Vec<&ChunkBrief> = chunks.iter().filter(|chunk| hls::is_playable(chunk)).collect();
    if chunks.is_empty() {
        return Err(Problem::not_found().detail("no footage of this time can be played"));
    }
    let range = format!("from={}&to={}", within.from, within.to);
    let words = if timeline == Timeline::Continuous { "&timeline=continuous" } else { "" };
    let all = beside(api, camera, name, &format!("{range}{words}"));
    let keyframes = beside(api, camera, name, &format!("{range}&frames=keyframes&every={every_s}"));
    Ok(hls::variants(&Variants { all: &all, keyframes: &keyframes, every_s }, &chunks))
}

/// Returns the URL of another playlist of the camera, from the name on, as the reader of one sees it.
fn beside(api: &Api, camera: &CameraName, name: &str, query: &str) -> String {
    let path = format!("/v1/playlists/{}/{name}?{query}", camera.site);
    let start = path.len() - query.len() - name.len() - 1;
    let path = api.access.sign(&path, api.clock.now()).map_or(path, |(signed, _)| signed);
    path[start..].to_owned()
}

/// Returns the newest chunks, counted from `since`; `None` if that is too long ago, or no chunk has arrived since.
async fn live(api: &Api, camera: &CameraName, timeline: Timeline, since: Timestamp) -> Result<Option<String>, Problem> {
    let now = api.clock.now();
    if now.duration_since(since) > SESSION {
        return Ok(None);
    }
    let mut chunks = api.catalog.briefs(camera, Interval { from: since, to: Timestamp::MAX }, CHUNKS_MAX).await?;
    chunks.retain(hls::is_playable);
    let Some(last) = chunks.last() else { return Ok(None) };
    let edge = last.to.checked_sub(WINDOW).unwrap_or(since);
    let gone = chunks.iter().take_while(|chunk| chunk.to <= edge).count();
    Ok(Some(hls::playlist(Kind::Live { gone }, timeline, &media(api), &chunks)))
}

/// Redirects the reader to the live playlist that begins now.
async fn begin(api: &Api, camera: &CameraName, timeline: Timeline, name: &str) -> Result<Response, Problem> {
    let now = api.clock.now();
    let from = now.checked_sub(BEHIND).unwrap_or(now);
    let chunks = api.catalog.briefs(camera, Interval { from, to: Timestamp::MAX }, CHUNKS_MAX).await?;
    let last = chunks.iter().rev().find(|chunk| hls::is_playable(chunk));
    let last = last.ok_or_else(|| Problem::not_found().detail("nothing was recorded in the last 10 minutes"))?;
    let edge = last.to.checked_sub(WINDOW).unwrap_or(from);
    let first = chunks.iter().find(|chunk| hls::is_playable(chunk) && chunk.to > edge).unwrap_or(last);
    let words = if timeline == Timeline::Continuous { "&timeline=continuous" } else { "" };
    Ok(Redirect::to(&beside(api, camera, name, &format!("since={}{words}", first.from))).into_response())
}
