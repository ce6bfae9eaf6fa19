//! What the API says of itself is true: schemathesis makes requests of the description, and judges each answer by it.

use crate::exports::Place;
use framepost_api::export::Work;
use framepost_api::{Access, PathSigner, Right, Scope, StoredToken, Tokens};
use framepost_ports::contract::Footage;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::process::Command;

/// How long each of the two runs may take, in seconds.
const RUN_S: &str = "15";
/// No failure of the server, and no status, header or body that the description does not have.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,\
     response_headers_conformance";

/// The program, in the environment that `tests/run setup` makes.
fn schemathesis() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    Some(cache.join("framepost/venv-api/bin/schemathesis")).filter(|program| program.is_file())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_outside_of_the_description() {
    let Some(program) = schemathesis() else {
        println!("skipped: schemathesis is missing: `tests/run setup` installs it");
        return;
    };
    let place = Place::new().await;
    let directory = tempfile::tempdir().unwrap();
    // Texts that are made up at random mostly find nothing, so that in a second run the names are those of footage.
    let config = directory.path().join("schemathesis.toml");
    let camera = Footage::camera(0);
    let from = crate::made::Gateway::start();
    let to = from + jiff::SignedDuration::from_secs(60);
    let key = &place.bucket.keys()[0];
    let name = &camera.camera;
    let of = |path: &str, name: &str| {
        format!("[[operations]]\ninclude-path = \"{path}\"\nparameters = {{ \"path.name\" = \"{name}\" }}\n")
    };
    let text = [
        format!("[parameters]\n\"path.site\" = \"{}\"\n\"path.key\" = \"{key}\"\n", camera.site),
        format!("\"query.site\" = \"{}\"\n\"query.camera\" = \"{name}\"\n", camera.site),
        format!("\"query.from\" = \"{from}\"\n\"query.to\" = \"{to}\"\n"),
        of("/v1/playlists/{site}/{name}", &format!("{name}.m3u8")),
        of("/v1/clips/{site}/{name}", &format!("{name}.json")),
    ];
    std::fs::write(&config, text.concat()).unwrap();
    // Once for everybody on this machine, and once for the holder of a token.
    let (token, stored) = StoredToken::make(vec![Scope::try_from("*".to_owned()).unwrap()], None).unwrap();
    let stored = stored.with(vec![Right::Keep]);
    for with in [None, Some(&config)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let access = if with.is_some() {
            let tokens = Arc::new(Tokens::of(&serde_json::to_string(&[&stored]).unwrap()).unwrap());
            Access::Tokens { tokens, oidc: None, signer: PathSigner::new(&[7; 32]) }
        } else {
            Access::on_loopback(address)
        };
        let service = place.service(access, Work::Background);
        let exports = service.exports.clone();
        tokio::spawn(async move { exports.run().await });
        tokio::spawn(async move { axum::serve(listener, service.router).await });
        let mut command = Command::new(&program);
        if let Some(config) = with {
            command.arg("--config-file").arg(config);
        }
        // Records as they are written have no end.
        command.args(["run", "--exclude-path", "/v1/events", "--phases", "coverage,fuzzing", "--seed", "14"]);
        command.args(["--max-time", RUN_S, "-n", "20", "--checks", CHECKS, "--continue-on-failure", "--no-color"]);
        command.args(["--suppress-health-check", "all", "--request-timeout", "20", "--warnings", "off"]);
        if with.is_some() {
            command.arg("--header").arg(format!("Authorization: Bearer {token}"));
        }
        command.arg(format!("http://{address}/openapi.json")).current_dir(directory.path()).stdin(Stdio::null());
        let output = command.output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains("Test cases:"), "{said}");
    }
}
