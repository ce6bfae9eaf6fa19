//! `index.html` of an export: the clips with their wall-clock times, from a directory and without a server.

use super::state::{Request, Written};
use std::fmt::Write as _;

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

/// The page. The same request gives the same page.
pub(super) fn html(request: &Request, written: &[Written]) -> String {
    let name = escaped(&request.name);
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>{name}</title><style>{STYLE}</style><h1>{name}</h1><p>Exported {}. All times are UTC.\
         <p>Whether these files are what the cameras sent is checked with <code>framepost verify DIRECTORY</code>.",
        request.created_at
    );
    for (file, written) in request.files.iter().zip(written) {
        let times: Vec<(u64, i64)> =
            written.times.iter().map(|(clip_ms, time)| (*clip_ms, time.as_millisecond())).collect();
        let times = serde_json::to_string(&times).unwrap_or_default();
        let range = &file.range;
        let _ = write!(
            page,
            "<section data-times=\"{times}\"><h2>{}/{}</h2><p>{} to {}<video controls preload=metadata src=\"{file_name}\"></video>\
             <p>Shown: <output></output><p><a href=\"{file_name}\">{file_name}</a>, {} bytes, SHA-256 <code>{}</code></section>",
            range.site,
            range.camera,
            range.from,
            range.to,
            written.clip.bytes,
            written.clip.sha256,
            file_name = escaped(&file.name),
        );
    }
    let _ = write!(page, "<script>{SCRIPT}</script>");
    page
}
