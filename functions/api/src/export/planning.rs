//! Plans the files of an export, and their lengths.

use super::state::{Id, PlannedFile, Range, Request, StoredGaps};
use super::{Exports, store};
use crate::clip::{BEFORE, CHUNKS_MAX, Clip, Gaps, Plan, Refusal, Timing};
use crate::hls::is_playable;
use crate::problem::Problem;
use framepost_ports::Error;
use framepost_ports::catalog::{ChunkBrief, Interval};
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::{SignedDuration, Timestamp};

/// The longest part of a range that is planned at once.
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// The most files of an export.
const FILES_MAX: usize = 500;
/// The most bytes of an export: 1 TiB.
const BYTES_MAX: u64 = 1 << 40;
/// Objects whose beginning is read at the same time.
const READS: usize = 8;

/// An export that a caller asks for, checked but not yet planned.
pub(crate) struct Asked {
    pub(crate) name: String,
    pub(crate) ranges: Vec<Range>,
    pub(crate) gaps: StoredGaps,
    /// Who asks, as the log calls the caller.
    pub(crate) by: Option<String>,
}

/// A plan that can be carried out.
pub(crate) struct Made(pub(crate) Request);

impl Exports {
    /// Plans an export. Nothing is written.
    pub(crate) async fn plan(&self, asked: Asked) -> Result<Made, Problem> {
        let gaps = asked.gaps.into();
        let parts = &self.inner.parts;
        let mut plans = Vec::new();
        for range in &asked.ranges {
            let before = plans.len();
            let mut from = range.from;
            while from < range.to {
                let to = from.checked_add(DAY).map_or(range.to, |end| end.min(range.to));
                let looked_at = Interval { from: from.checked_sub(BEFORE).unwrap_or(from), to };
                let chunks = parts.catalog.briefs(&range.camera(), looked_at, CHUNKS_MAX).await?;
                let found = stretches(Interval { from, to }, gaps, &chunks, self.work().file_bytes_max());
                for plan in found.map_err(|refusal| refused(range, refusal))? {
                    let Interval { from, to } = plan.within();
                    plans.push(Range { from, to, ..range.clone() });
                }
                if plans.len() > FILES_MAX {
                    return Err(Problem::body(format!("it makes more than {FILES_MAX} files: export a shorter time")));
                }
                from = to;
            }
            if plans.len() == before {
                return Err(refused(range, Refusal::Nothing));
            }
        }
        let files = futures::stream::iter(plans.into_iter().enumerate())
            .map(|(n, range)| self.planned(n, range, gaps))
            .buffered(READS);
        let files: Vec<PlannedFile> = files.try_collect().await?;
        let created_at = parts.clock.now();
        let id = Id::make(&*parts.clock)?;
        let Asked { name, ranges, gaps, by } = asked;
        let request = Request { id, name, created_at, created_by: by, gaps, ranges, files };
        if request.bytes() > BYTES_MAX {
            return Err(Problem::body(format!("it has more than {BYTES_MAX} bytes: export a shorter time")));
        }
        Ok(Made(request))
    }

    async fn planned(&self, n: usize, range: Range, gaps: Gaps) -> Result<PlannedFile, Problem> {
        let plan = self.plan_of(&range, gaps).await?.ok_or_else(|| refused(&range, Refusal::Nothing))?;
        let Timing { starts_at, played, .. } = plan.timing();
        let duration_ms = milliseconds(played);
        let clip = Clip::open(&*self.inner.parts.source, plan, None).await.map_err(Problem::of_footage)?;
        let bytes = clip.size();
        let name = file_name(n, &range, starts_at);
        Ok(PlannedFile { name, range, bytes, duration_ms })
    }

    /// Returns the plan of one file's clip, as it is now; `None` if there is none any more.
    pub(super) async fn plan_of(&self, range: &Range, gaps: Gaps) -> Result<Option<Plan>, Error> {
        let within = range.within();
        let asked = Interval { from: within.from.checked_sub(BEFORE).unwrap_or(within.from), to: within.to };
        let chunks = self.inner.parts.catalog.briefs(&range.camera(), asked, CHUNKS_MAX).await?;
        let plans = stretches(within, gaps, &chunks, u64::MAX).unwrap_or_default();
        Ok(<[Plan; 1]>::try_from(plans).ok().map(|[plan]| plan))
    }

    /// Stores the request of an export, whose files are then written. On return, the export is known.
    pub(crate) async fn begin(&self, made: &Made) -> Result<(), Problem> {
        let key = made.0.id.request_key();
        let bytes = store::json_bytes(&key, &made.0)?;
        self.inner.store.put(&store::document(key, "application/json", bytes)).await?;
        self.inner.wake.notify_one();
        Ok(())
    }
}

/// The name of the `n`th file, which shows `starts_at` first.
pub(super) fn file_name(n: usize, range: &Range, starts_at: Timestamp) -> String {
    let start = starts_at.strftime("%Y-%m-%dT%H-%M-%S.%3fZ");
    format!("{:03}-{}-{}-{start}.mp4", n + 1, range.site, range.camera)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a clip is far shorter than 2^64 ms")]
pub(super) fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1000.0).round().max(0.0) as u64
}

fn refused(range: &Range, refusal: Refusal) -> Problem {
    let of = format!("{}/{}", range.site, range.camera);
    match refusal {
        Refusal::Nothing => Problem::not_found().detail(format!("{of}: no footage of this time can be played")),
        Refusal::Gaps(ranges) => Problem::conflict("/problems/gaps", "There are stretches without video")
            .detail(format!("{of}: ask for `ranges`, or with \"gaps\": \"skip\""))
            .ranges(ranges),
        // Each stretch between changes has a file of its own.
        Refusal::Changes(ranges) => {
            Problem::conflict("/problems/change", "The picture or the sound changes in between").ranges(ranges)
        }
        Refusal::TooLarge => Problem::conflict("/problems/too-large", "An object is too large for clips").detail(of),
    }
}

/// Returns the clips of a range: a new one begins where the parameters change, and before one would exceed `bytes_max`.
fn stretches(within: Interval, gaps: Gaps, chunks: &[ChunkBrief], bytes_max: u64) -> Result<Vec<Plan>, Refusal> {
    let playable: Vec<ChunkBrief> = chunks.iter().filter(|chunk| is_playable(chunk)).cloned().collect();
    if !playable.iter().any(|chunk| within.meets(chunk.from, chunk.to)) {
        return if gaps == Gaps::Refuse { Err(Refusal::Gaps(vec![])) } else { Ok(vec![]) };
    }
    let mut bytes = 0;
    let mut same = |before: &ChunkBrief, here: &ChunkBrief| {
        let media = media_bytes(before);
        bytes += media;
        let changes = (before.sample_entry_digest, before.timescale) != (here.sample_entry_digest, here.timescale);
        // Only where a new file can be decoded from its first chunk on.
        let is_full = bytes + media_bytes(here) > bytes_max && here.starts_with_random_access != Some(false);
        if changes || is_full {
            bytes = 0;
        }
        !changes && !is_full
    };
    let runs: Vec<&[ChunkBrief]> = playable.chunk_by(|before, here| same(before, here)).collect();
    let mut plans = Vec::new();
    for (n, run) in runs.iter().enumerate() {
        let from = if n == 0 { within.from } else { within.from.max(run[0].from) };
        let to = runs.get(n + 1).map_or(within.to, |next| within.to.min(next[0].from));
        // A run may end before the stretch begins: its chunks were asked for only because others may need them.
        if from >= to || !run.iter().any(|chunk| Interval { from, to }.meets(chunk.from, chunk.to)) {
            continue;
        }
        plans.push(Plan::new(Interval { from, to }, gaps, run)?);
    }
    Ok(plans)
}

fn media_bytes(chunk: &ChunkBrief) -> u64 {
    chunk.media_end.unwrap_or_default().saturating_sub(chunk.init_bytes.unwrap_or_default())
}
