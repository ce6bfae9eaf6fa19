//! `/v1/clips/{site}/{camera}.mp4`, and what it would be as `.json`

use super::Api;
use crate::answer::{self, Keep};
use crate::auth::Sight;
use crate::clip::{BEFORE, CHUNKS_MAX, Clip, Gaps, Plan, Refusal, Timing, WallClockText};
use crate::parameters::{self, Asked};
use crate::problem::Problem;
use crate::ranged::{self, Representation};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use framepost_ports::catalog::{CameraName, Interval};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Longest clip, in seconds. More is an export.
const LONGEST_S: i64 = 25 * 3_600;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// The time at which the clip starts, to the millisecond.
    from: Timestamp,
    /// The time at which the clip ends; at most 25 hours after `from`.
    to: Timestamp,
    /// What to do with a stretch without video. `fail`, the default, answers 409. `skip` leaves it out.
    #[param(inline)]
    gaps: Option<GapsWord>,
    /// A track of timed text (`tx3g`) that players show as subtitles. `time` is the wall clock's time in UTC at each second.
    #[param(inline)]
    text: Option<TextWord>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum TextWord {
    Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum GapsWord {
    Skip,
    Fail,
}

/// The properties of a clip.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClipPlan {
    from: Timestamp,
    to: Timestamp,
    /// Size of the clip's MP4 in bytes.
    size_bytes: u64,
    /// Seconds that it plays.
    seconds: f64,
    /// Number of stretches without video that are left out.
    gaps_skipped: usize,
    /// The path of the clip on this server.
    media: String,
}

/// A clip of any interval, exact to the millisecond, in the quality of the recording, with length and ranges. The name ends
/// with `.mp4`; with `.json`, the answer is the size that the clip would have.
#[utoipa::path(get, path = "/v1/clips/{site}/{name}", tag = "play",
    params(("site" = String, Path), ("name" = String, Path, description = "The camera's name, and `.mp4` or `.json`."), Parameters),
    responses((status = 200, content((Vec<u8> = "video/mp4"), (ClipPlan = "application/json"))), (status = 206, content_type = "video/mp4", body = Vec<u8>),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "There is no one clip of it: `ranges` says of what there is.", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn clip(
    State(api): State<Api>,
    sight: Sight,
    method: Method,
    headers: HeaderMap,
    Path((site, name)): Path<(String, String)>,
    Asked(asked): Asked<Parameters>,
) -> Result<Response, Problem> {
    let split = name.rsplit_once('.').and_then(|(name, form)| Some((parameters::camera(&site, name).ok()?, form)));
    let (camera, form) = split.filter(|(camera, _)| sight.has(camera)).ok_or_else(Problem::not_found)?;
    let within = parameters::within(asked.from, asked.to, LONGEST_S)?;
    let gaps = if asked.gaps == Some(GapsWord::Skip) { Gaps::Skip } else { Gaps::Refuse };
    let plan = plan(&api, &camera, within, gaps).await?;
    let Timing { starts_at, played: seconds, .. } = plan.timing();
    let gaps_skipped = plan.skipped_gaps();
    let mut identity = plan.identity();
    let text = asked.text.map(|TextWord::Time| WallClockText::of(&plan).ok_or_else(too_long)).transpose()?;
    let mut words = if gaps == Gaps::Skip { "&gaps=skip" } else { "" }.to_owned();
    if text.is_some() {
        identity.push_str(" text=time");
        words.push_str("&text=time");
    }
    let clip = Clip::open(&*api.source, plan, text.as_ref()).await.map_err(Problem::of_footage)?;
    match form {
        "mp4" => {}
        "json" => {
            let media = format!("/v1/clips/{site}/{}.mp4?from={}&to={}{words}", camera.camera, within.from, within.to);
            let Interval { from, to } = within;
            let answer = ClipPlan { from, to, size_bytes: clip.size(), seconds, gaps_skipped, media };
            return answer::json(&headers, Keep::Ask, &answer);
        }
        _ => return Err(Problem::not_found()),
    }
    let of = Representation {
        size: clip.size(),
        identity,
        content_type: "video/mp4",
        file_name: Some(format!("{site}-{}-{}.mp4", camera.camera, starts_at.strftime("%Y-%m-%dT%H-%M-%S.%3fZ"))),
    };
    let source = api.source.clone();
    let read = move |start, end| {
        let clip = clip.clone();
        let source = source.clone();
        async move { clip.read(&*source, start, end).await }
    };
    ranged::answer(&method, &headers, of, read).await
}

async fn plan(api: &Api, camera: &CameraName, within: Interval, gaps: Gaps) -> Result<Plan, Problem> {
    let asked = Interval { from: within.from.checked_sub(BEFORE).unwrap_or(within.from), to: within.to };
    let chunks = api.catalog.briefs(camera, asked, CHUNKS_MAX).await?;
    Plan::new(within, gaps, &chunks).map_err(|refusal| match refusal {
        Refusal::Nothing => Problem::not_found().detail("no footage of this time can be played"),
        Refusal::Gaps(ranges) => Problem::conflict("/problems/gaps", "There are stretches without video")
            .detail("ask for one of `ranges`, or with gaps=skip")
            .ranges(ranges),
        Refusal::Changes(ranges) => {
            Problem::conflict("/problems/change", "The picture or the sound changes in between")
                .detail("ask for one of `ranges`")
                .ranges(ranges)
        }
        Refusal::TooLarge => Problem::conflict("/problems/too-large", "An object is too large for clips"),
    })
}

fn too_long() -> Problem {
    Problem::parameter("text", "of a clip that plays for at most 50 hours")
}
