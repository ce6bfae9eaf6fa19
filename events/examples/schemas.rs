//! `schemas --write` writes `events/schemas/<type>.json` and the tables `events/schemas/{bigquery,glue}/records.json`;
//! without it they are compared, and the stale ones named.

use anyhow::Context as _;
use std::path::Path;
use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    let write = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--write") => true,
        Some(other) => anyhow::bail!("unknown argument {other:?}; there is --write"),
    };
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let mut code = ExitCode::SUCCESS;
    let mut files = vec![];
    for (event_type, schema) in framepost_events::schema::schemas() {
        files.push((format!("{event_type}.json"), serde_json::to_string_pretty(&schema)?));
    }
    let table = framepost_events::bigquery::columns();
    files.push(("bigquery/records.json".to_owned(), serde_json::to_string_pretty(&table)?));
    let table = framepost_events::glue::columns();
    files.push(("glue/records.json".to_owned(), serde_json::to_string_pretty(&table)?));
    for (name, text) in files {
        let path = directory.join(name);
        let text = format!("{text}\n");
        if write {
            let directory = path.parent().context("a file lies in a directory")?;
            std::fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
            std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        } else if std::fs::read_to_string(&path).ok().as_ref() != Some(&text) {
            eprintln!("stale: {}; write it anew with --write", path.display());
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}
