//! Parameters of a query: read strictly, each with its limit.

use crate::problem::Problem;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use framepost_ports::catalog::{CameraName, Interval};
use jiff::Timestamp;
use serde::de::DeserializeOwned;

/// A query as a struct that refuses what it does not know.
pub(crate) struct Asked<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let read = Query::<T>::try_from_uri(&parts.uri);
        read.map(|Query(asked)| Self(asked)).map_err(|rejected| Problem::query(rejected.body_text()))
    }
}

/// A camera by its two names.
pub(crate) fn camera(site: &str, camera: &str) -> Result<CameraName, Problem> {
    let site = site.parse().map_err(|_| Problem::parameter("site", "no name of a site"))?;
    let camera = camera.parse().map_err(|_| Problem::parameter("camera", "no name of a camera"))?;
    Ok(CameraName { site, camera })
}

/// A stretch of time that is not longer than `longest_s` seconds.
pub(crate) fn within(from: Timestamp, to: Timestamp, longest_s: i64) -> Result<Interval, Problem> {
    if to <= from {
        return Err(Problem::parameter("to", "after `from`"));
    }
    if to.as_second().saturating_sub(from.as_second()) > longest_s {
        let days = longest_s / 86_400;
        let most = if days > 0 { format!("{days} days") } else { format!("{} hours", longest_s / 3_600) };
        return Err(Problem::parameter("to", format!("at most {most} after `from`")));
    }
    Ok(Interval { from, to })
}

/// How many are wanted, between 1 and `most`.
pub(crate) fn limit(asked: Option<u32>, usual: usize, most: usize) -> Result<usize, Problem> {
    let Some(asked) = asked else { return Ok(usual) };
    let asked = usize::try_from(asked).unwrap_or(usize::MAX);
    if asked == 0 || asked > most { Err(Problem::parameter("limit", format!("1 to {most}"))) } else { Ok(asked) }
}

/// The parts of a list that is separated by commas, `most` at most.
pub(crate) fn list(name: &'static str, asked: Option<&str>, most: usize) -> Result<Vec<String>, Problem> {
    let parts: Vec<String> =
        asked.unwrap_or_default().split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    if parts.len() > most || parts.iter().any(|part| part.len() > 256) {
        return Err(Problem::parameter(
            name,
            format!("at most {most}, separated by commas, each of 256 bytes at most"),
        ));
    }
    Ok(parts)
}
