//! On AWS: the root is applied to a moto server with its catalogue, Lambda is played by the harness, and Aurora is a PostgreSQL
//! server of the test's own. Queues, rules, roles and settings are those that Terraform makes, the api's function URL included.

use super::asked::{Asked, Page, Token};
use super::{Cloud, follow};
use crate::inferred::has_ffmpeg;
use framepost_tests::aws::REGION;
use framepost_tests::aws::deployment::{Deployment, Outputs};
use framepost_tests::aws::lambda::{Function, FunctionUrl, Mapping};
use framepost_tests::aws::queue::{Messages, Queue};
use framepost_tests::binaries::Program;
use framepost_tests::media::Clip;
use framepost_tests::postgres::Server;
use serde_json::json;
use std::time::Duration;

/// As many questions as a browser has at a time, and as many again that it had and does not wait for any more.
const SANDBOXES: usize = 12;

struct Aws {
    deployment: Deployment,
    outputs: Outputs,
    bucket: String,
    mappings: Vec<Mapping>,
    api: FunctionUrl,
}

impl Cloud for Aws {
    fn keys(&self) -> Vec<String> {
        self.deployment.account.keys(&self.bucket)
    }

    fn bytes(&self, key: &str) -> Vec<u8> {
        self.deployment.account.s3("GET", &format!("/{}/{key}", self.bucket), &[], b"").expect(key).body
    }

    fn expire(&mut self, key: &str) {
        self.deployment.moto.expire(&self.bucket, key);
    }

    fn deliver(&mut self) {
        for mapping in &mut self.mappings {
            let failed = mapping.drain(1).iter().any(|delivery| !delivery.failures.is_empty());
            if failed {
                let hidden = Duration::from_secs(mapping.queue.number("VisibilityTimeout") + 1);
                self.deployment.moto.advance(hidden);
            }
        }
    }

    fn why(&self) -> String {
        let logs: Vec<String> = self.mappings.iter().flat_map(|mapping| mapping.log().to_vec()).collect();
        let moto = self.deployment.moto.log();
        format!("{}\n{}\n{moto}", logs.join("\n"), self.api.log().join("\n"))
    }
}

/// A setting that Terraform made for Aurora, with the address of another server.
fn at_home(function: Function, server: &str) -> Function {
    let url = function.variable("FRAMEPOST_CATALOG").expect("Terraform sets it").to_owned();
    let (user, rest) = url.split_once('@').expect("a user");
    let (_, database) = rest.split_once('/').expect("a database");
    function.with_variable("FRAMEPOST_CATALOG", &format!("{user}@{server}/{database}"))
}

#[test]
fn on_aws_a_clip_is_found_played_exported_and_gone_when_its_objects_are() {
    if !has_ffmpeg() {
        return;
    }
    let Some(database) = Server::start() else { return };
    if database.certificate().is_none() {
        framepost_tests::skip("the server does not encrypt, which Terraform's settings ask for");
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let token = Token::make(&directory.path().join("operator"));
    let image = format!("123456789012.dkr.ecr.{REGION}.amazonaws.com/framepost/infer:test");
    let functions = json!({ "images": image, "overrides": { "infer": {} } });
    let besides =
        json!({ "catalogue": { "enabled": true, "keep": false, "tokens": token.stored, "media_from_bucket": true } });
    let deployment = Deployment::apply_all(&functions, &besides, &[Program::Catalog, Program::Api]);
    let Some(deployment) = deployment else { return };
    let outputs = deployment.outputs();
    let moto = &deployment.moto;
    let name = |function: &str| outputs.text(&format!("/functions/{function}/name"));

    // As Terraform names them: one who makes the tables, and one who reads them.
    let url = database.database("framepost");
    database.make_user("framepost_reader");
    let server = url.split_once('@').and_then(|(_, rest)| rest.split_once('/')).expect("an address").0;
    let function = at_home(Function::deployed_as(moto, &name("api"), Program::Api), server);
    let api = FunctionUrl::serve(&function);
    // Terraform names the bucket's origin in AWS. A browser is sent to where the bucket is here, by a few sandboxes.
    let sending = function.with_variable("FRAMEPOST_API_MEDIA_ORIGINS", &moto.url());
    let page = FunctionUrl::of_at_most(&sending, SANDBOXES);
    let shown = Page { address: page.address(), media: Some(moto.url()) };
    let asked = Asked::new(api.address(), Some(shown), &token);
    assert_eq!(asked.status("/v1/cameras"), 503, "nobody has made the tables: {}", api.log().join("\n"));

    let infer = Function::of_image(moto, &name("infer"), &image, Program::Infer);
    let catalog = at_home(Function::deployed_as(moto, &name("catalog"), Program::Catalog), server);
    let mut mappings = vec![deployment.probe(&outputs)];
    mappings.extend([infer, catalog].map(|function| Mapping::deployed(moto, function)));
    let mut aws = Aws { bucket: outputs.bucket(), deployment, outputs, mappings, api };
    aws.deployment.backfill(&aws.outputs, "gate", &Clip::H264.path(), 3);
    follow(&mut aws, &asked, Clip::H264, directory.path());
    for function in ["probe", "infer", "catalog"] {
        let arn = aws.outputs.text(&format!("/events/{function}/dead_letters/arn"));
        assert_eq!(Queue::at(&aws.deployment.account, &arn).count(Messages::Visible), 0, "{function}: {}", aws.why());
    }
    assert_eq!(aws.deployment.moto.refusals(), Vec::<serde_json::Value>::new());
}
