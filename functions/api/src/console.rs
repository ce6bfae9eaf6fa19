//! The console: a page that shows what the API knows. Its files are in `console/`, embedded as they are written and sent without
//! their comments and indentation; its types are for `tsc` alone.
//!
//! The page is the same for everybody and contains no data. It asks the API for what it shows, like any other client.
//!
//! The page's files have a version in their path, which is a digest of all of them. A browser keeps them and asks for none of them
//! again until the program changes. The page names all modules, so that a browser asks for them at once and not for each when it
//! has read the one that imports it.

use crate::answer::{self, Keep};
use axum::Router;
use axum::extract::Path;
use axum::http::HeaderMap;
use axum::routing::get;
use framepost_events::Sha256;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

macro_rules! modules {
    ($($name:literal),+ $(,)?) => {
        [$(($name, SCRIPT, include_bytes!(concat!("../console/", $name)).as_slice())),+]
    };
}

const HTML: &str = "text/html; charset=utf-8";
const PAGE: &str = include_str!("../console/index.html");

const OTHERS: [(&str, &str, &[u8]); 2] = [
    ("console.css", STYLE, include_bytes!("../console/console.css")),
    ("icon.svg", "image/svg+xml", include_bytes!("../console/icon.svg")),
];

const MODULES: [(&str, &str, &[u8]); 52] = modules![
    "api.js",
    "app.js",
    "boxes.js",
    "buffer.js",
    "calendar.js",
    "camera.js",
    "controls.js",
    "dom.js",
    "early.js",
    "emitter.js",
    "export.js",
    "exporting.js",
    "exports.js",
    "footage.js",
    "frames.js",
    "gestures.js",
    "happenings.js",
    "heading.js",
    "health.js",
    "hover.js",
    "keep.js",
    "kept.js",
    "keyframes.js",
    "keys.js",
    "lanes.js",
    "marks.js",
    "native.js",
    "notice.js",
    "outline.js",
    "overview.js",
    "palette.js",
    "pictures.js",
    "player.js",
    "proof.js",
    "search.js",
    "seen.js",
    "shell.js",
    "side.js",
    "stage.js",
    "start.js",
    "state.js",
    "strip.js",
    "strokes.js",
    "supply.js",
    "ticks.js",
    "time.js",
    "timeline.js",
    "times.js",
    "together.js",
    "travel.js",
    "wall.js",
    "words.js",
];

/// The routes of the page and its files. The page is asked for each time, and mostly not sent again. So is a file of another
/// version, which is what a page asks for whose other half is a program that is being replaced.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let files: Vec<_> = files().collect();
    let version = Arc::new(version(&files));
    let body = Arc::new(page(&version).into_bytes());
    let once = Arc::new(OnceLock::new());
    let page = async move |headers: HeaderMap| answer::file(&headers, Keep::Ask, HTML, &body, &once);
    files.into_iter().fold(Router::new().route("/", get(page)), |router, (name, content_type, bytes)| {
        let once = Arc::new(OnceLock::new());
        let bytes: Arc<[u8]> = bytes.into();
        let version = Arc::clone(&version);
        let file = async move |Path(asked): Path<String>, headers: HeaderMap| {
            let keep = if asked == *version { Keep::Forever } else { Keep::Ask };
            answer::file(&headers, keep, content_type, &bytes, &once)
        };
        router.route(&format!("/console/{{version}}/{name}"), get(file))
    })
}

/// A file's name, its type, and what is sent.
type File = (&'static str, &'static str, Cow<'static, [u8]>);

/// The files of the page, as they are sent.
fn files() -> impl Iterator<Item = File> {
    OTHERS.into_iter().chain(MODULES).map(|(name, content_type, bytes)| {
        let shorter: fn(&str) -> String = match content_type {
            SCRIPT => without_comments,
            STYLE => plain_style,
            _ => return (name, content_type, Cow::Borrowed(bytes)),
        };
        let text = std::str::from_utf8(bytes).map(shorter);
        (name, content_type, text.map_or(Cow::Borrowed(bytes), |text| Cow::Owned(text.into_bytes())))
    })
}

/// Returns 16 hexadecimal digits that change with any of the files.
fn version(files: &[File]) -> String {
    let digests: Vec<_> = files.iter().map(|(name, _, bytes)| format!("{name} {}\n", Sha256::of(bytes))).collect();
    Sha256::of(digests.concat().as_bytes()).to_string()[..16].to_owned()
}

/// Returns the page with the version in the paths of its files, and with the modules that its first one imports.
fn page(version: &str) -> String {
    let page = PAGE.replace("\"console/", &format!("\"console/{version}/"));
    let mut imported = String::new();
    for (name, ..) in MODULES.iter().filter(|(name, ..)| !matches!(*name, "app.js" | "early.js")) {
        let _ = writeln!(imported, "<link rel=\"modulepreload\" href=\"console/{version}/{name}\">");
    }
    page.replace("<body>", &format!("{imported}<body>"))
}

/// Empties the lines of a module that have nothing but a comment, which are a sixth of what is sent, and takes the indentation and the
/// types of the others. Lines keep their numbers, so that an error tells its place in the source. Any other comment on a line with
/// code stays, and so do strings, as no string of these modules goes over several lines or has `/** @` in it.
fn without_comments(module: &str) -> String {
    let mut is_inside = false;
    let mut sent = String::with_capacity(module.len());
    for line in module.lines() {
        let text = line.trim();
        let begins = text.starts_with("/*") && (text.ends_with("*/") || !text.contains("*/"));
        let is_comment = is_inside || begins || text.starts_with("//");
        is_inside = (is_inside || begins) && !text.ends_with("*/");
        if !is_comment {
            sent.push_str(&without(text, "/** @"));
        }
        sent.push('\n');
    }
    sent
}

/// A text without the comments that begin like this one, and a space behind each.
fn without(text: &str, comment: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once(comment) {
        kept.push_str(before);
        rest = inside.split_once("*/").map_or("", |(_, after)| after.strip_prefix(' ').unwrap_or(after));
    }
    kept.push_str(rest);
    kept
}

/// A style sheet without its comments and its indentation. None of its strings has the signs of a comment in it.
fn plain_style(sheet: &str) -> String {
    let plain = without(sheet, "/*");
    let lines = plain.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// Its length as it is sent.
    fn packed(bytes: &[u8]) -> usize {
        answer::packed(bytes, Compression::best()).unwrap().len()
    }

    /// All files of the directory are served, all imports are there, and the whole is as small as was agreed.
    #[test]
    fn every_file_is_served_and_all_of_them_are_small() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/console");
        let files: BTreeSet<String> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "index.html" && !name.ends_with(".d.ts"))
            .collect();
        let served = OTHERS.iter().chain(&MODULES);
        let names: BTreeSet<String> = served.clone().map(|(name, ..)| (*name).to_owned()).collect();
        assert_eq!(names, files);
        let version = version(&super::files().collect::<Vec<_>>());
        let sent =
            packed(page(&version).as_bytes()) + super::files().map(|(_, _, bytes)| packed(&bytes)).sum::<usize>();
        assert!(sent <= 80 * 1024, "{sent} bytes");
        for (path, _, bytes) in
            served.filter(|(path, ..)| Path::new(path).extension().is_some_and(|extension| extension == "js"))
        {
            let text = std::str::from_utf8(bytes).unwrap();
            for forbidden in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "new Function",
                "http://",
                "https://",
            ] {
                let allowed = forbidden == "http://"
                    && text.matches(forbidden).count() == text.matches("\"http://www.w3.org/2000/svg\"").count();
                assert!(allowed || !text.contains(forbidden), "{path}: {forbidden}");
            }
            // A type on a line with code ends on that line, and is in no string.
            for line in text.lines().filter(|line| !line.trim().starts_with("/**") || line.contains("*/")) {
                let code = without(line, "/** @");
                assert_eq!(
                    line.matches("/** @").count(),
                    line.matches("*/").count() - code.matches("*/").count(),
                    "{path}: {line}"
                );
                assert!(code == line || code.matches('"').count().is_multiple_of(2), "{path}: {line}");
            }
            // A line within a string over several lines may look like a comment.
            assert!(text.lines().all(|line| line.matches('`').count() % 2 == 0), "{path}: a string over several lines");
            assert!(text.lines().count() <= 300, "{path}: longer than 300 lines");
        }
    }

    #[test]
    fn lines_of_comments_are_not_sent() {
        let module = "// A module.\nimport \"./x.js\";\n\n/** One line. */\n/**\n * Several.\n */\nlet a = /** @type {A} */ (1); // why\n  /* in */ f();\n  // more\nlet b = \"/*\";\n";
        let sent = "\nimport \"./x.js\";\n\n\n\n\n\nlet a = (1); // why\n/* in */ f();\n\nlet b = \"/*\";\n";
        assert_eq!(without_comments(module), sent);
    }

    #[test]
    fn style_is_sent_without_comments() {
        let sheet = "/* Several\n   lines. */\n:root {\n  --a: 1px; /* why */\n}\n\n.b { color: red; }\n";
        assert_eq!(plain_style(sheet), ":root {\n--a: 1px;\n}\n.b { color: red; }\n");
    }
}
