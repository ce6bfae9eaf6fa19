//! `index.html` of an export: the clips with their wall-clock times, from a directory and without a server.

use super::planning::milliseconds;
use super::state::Range;
use framepost_events::Sha256;
use jiff::{SignedDuration, Timestamp};
use std::fmt::Write as _;

/// A jump of the wall clock against the clip that is shown as a new time.
const JUMP: SignedDuration = SignedDuration::from_millis(500);

/// A clip as the page shows it.
pub(super) struct Shown<'a> {
    pub(super) name: &'a str,
    pub(super) range: &'a Range,
    pub(super) bytes: u64,
    pub(super) sha256: Sha256,
    /// The wall-clock times at milliseconds of the clip: at its start, and after each gap.
    pub(super) times: &'a [(u64, Timestamp)],
}

/// Finds the wall-clock times of a clip: at its start, and after each gap.
pub(super) struct Times {
    /// By milliseconds of the clip.
    found: Vec<(u64, Timestamp)>,
    from: Timestamp,
    /// The end of the chunk before.
    before: Option<Timestamp>,
    /// Seconds of the first chunk that are not shown.
    skipped: f64,
}

impl Times {
    /// Of a clip that was to begin at `from`.
    pub(super) fn new(from: Timestamp) -> Self {
        Self { found: vec![(0, from)], from, before: None, skipped: 0.0 }
    }

    /// Takes the next chunk, with its place in the clip in seconds.
    pub(super) fn take(&mut self, from: Timestamp, to: Timestamp, begins_at: f64) {
        if let Some(before) = self.before {
            if from.duration_since(before) > JUMP {
                self.found.push((milliseconds(begins_at - self.skipped), from));
            }
        } else {
            let starts_at = self.from.max(from);
            self.skipped = starts_at.duration_since(from).as_secs_f64();
            self.found = vec![(0, starts_at)];
        }
        self.before = Some(to);
    }

    pub(super) fn found(self) -> Vec<(u64, Timestamp)> {
        self.found
    }
}

/// The time of what is shown, as the clip goes on. `data-times` has pairs of the clip's and the wall clock's milliseconds.
const SCRIPT: &str = "for(const s of document.querySelectorAll('section')){const v=s.querySelector('video'),\
o=s.querySelector('output'),t=JSON.parse(s.dataset.times);const show=()=>{const m=v.currentTime*1000;\
let p=t[0];for(const q of t)if(q[0]<=m)p=q;o.textContent=new Date(p[1]+m-p[0]).toISOString()};\
v.addEventListener('timeupdate',show);show()}";

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
video{width:100%;background:#000}output{font-variant-numeric:tabular-nums}code{font-size:.85em;overflow-wrap:anywhere}\
section{margin:2rem 0}@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#16181a}a{color:#8ab4f8}}";

/// A text as HTML shows it, also in an attribute.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

/// The page. The same clips give the same page, which is how it is checked.
pub(super) fn html(name: &str, created_at: Timestamp, clips: &[Shown]) -> String {
    let name = escaped(name);
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>{name}</title><style>{STYLE}</style><h1>{name}</h1><p>Exported {created_at}. All times are UTC.\
         <p>Whether these files are what the cameras sent is checked with <code>framepost verify DIRECTORY</code>."
    );
    for Shown { name, range, bytes, sha256, times } in clips {
        let times: Vec<(u64, i64)> = times.iter().map(|(clip_ms, time)| (*clip_ms, time.as_millisecond())).collect();
        let times = serde_json::to_string(&times).unwrap_or_default();
        let _ = write!(
            page,
            "<section data-times=\"{times}\"><h2>{}/{}</h2><p>{} to {}<video controls preload=metadata src=\"{file_name}\"></video>\
             <p>Shown: <output></output><p><a href=\"{file_name}\">{file_name}</a>, {bytes} bytes, SHA-256 <code>{sha256}</code></section>",
            range.site,
            range.camera,
            range.from,
            range.to,
            file_name = escaped(name),
        );
    }
    let _ = write!(page, "<script>{SCRIPT}</script>");
    page
}
