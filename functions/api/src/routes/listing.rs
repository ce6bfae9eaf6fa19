//! What all lists have in common: of which cameras, of which time, and a page at a time.

use super::Api;
use crate::auth::Sight;
use crate::parameters;
use crate::problem::Problem;
use framepost_ports::catalog::{CameraName, Interval};
use jiff::Timestamp;

/// Longest stretch of time that is asked for at once, in seconds: 400 days.
const LONGEST_S: i64 = 400 * 86_400;

/// The cameras of the catalogue that are asked for and that the caller may see.
pub(super) async fn cameras(
    api: &Api,
    sight: &Sight,
    site: Option<&str>,
    camera: Option<&str>,
) -> Result<Option<Vec<CameraName>>, Problem> {
    match (site, camera) {
        (Some(site), Some(camera)) => {
            let name = parameters::camera(site, camera)?;
            Ok(Some(if sight.has(&name) { vec![name] } else { vec![] }))
        }
        (None, Some(_)) => Err(Problem::parameter("camera", "say of which `site`")),
        (None, None) if *sight == Sight::Everything => Ok(None),
        (site, None) => {
            let site: Option<framepost_events::Site> = site
                .map(|site| site.parse().map_err(|_| Problem::parameter("site", "no name of a site")))
                .transpose()?;
            let known = api.catalog.cameras().await?.into_iter().map(|known| known.name);
            let is_wanted = |name: &CameraName| site.as_ref().is_none_or(|site| *site == name.site) && sight.has(name);
            Ok(Some(known.filter(is_wanted).collect()))
        }
    }
}

/// The stretch of time; everything where neither end is said.
pub(super) fn within(from: Option<Timestamp>, to: Option<Timestamp>) -> Result<Interval, Problem> {
    match (from, to) {
        (Some(from), Some(to)) => parameters::within(from, to, LONGEST_S),
        (from, to) => {
            Ok(Interval { from: from.unwrap_or(Interval::ALWAYS.from), to: to.unwrap_or(Interval::ALWAYS.to) })
        }
    }
}

/// The rows of a page out of those that were found, of which one more than `limit` was asked for, and where the next page begins.
pub(super) fn page<T>(mut found: Vec<T>, limit: usize, place: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
    let is_more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| is_more).map(place);
    (found, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_not_the_last_says_where_the_next_begins() {
        let of = |found: &[u8], limit| page(found.to_vec(), limit, ToString::to_string);
        assert_eq!(of(&[], 2), (vec![], None));
        assert_eq!(of(&[1, 2], 2), (vec![1, 2], None));
        assert_eq!(of(&[1, 2, 3], 2), (vec![1, 2], Some("2".to_owned())));
    }
}
