//! Calls to the account's services, signed with Signature Version 4, and the calls that the tests need.

use super::REGION;
use super::moto::Moto;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4::SigningParams;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::process::Command;
use std::time::SystemTime;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The id of the access key, as requests are signed with it: `AKIA…`, or `ASIA…` for a role's.
    pub access_key_id: String,
    pub secret_access_key: String,
    /// The session token of a role that was assumed.
    pub session_token: Option<String>,
}

impl Identity {
    /// The identity that applies Terraform. Only the bucket's policy applies to it.
    pub fn administrator() -> Self {
        Self { access_key_id: "administrator".to_owned(), secret_access_key: "any".to_owned(), session_token: None }
    }

    /// Puts the credentials into the environment of a program, under AWS's names.
    pub fn give_to(&self, command: &mut Command) {
        command.env("AWS_ACCESS_KEY_ID", &self.access_key_id).env("AWS_SECRET_ACCESS_KEY", &self.secret_access_key);
        if let Some(token) = &self.session_token {
            command.env("AWS_SESSION_TOKEN", token);
        }
    }
}

#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns the texts of all XML elements with that name, in order. Resolves the
    /// entities that occur in keys.
    pub fn elements(&self, name: &str) -> Vec<String> {
        let open = format!("<{name}>");
        let close = format!("</{name}>");
        let text = self.text();
        let found = text.split(&open).skip(1).filter_map(|rest| rest.split(&close).next());
        found.map(|text| text.replace("&quot;", "\"").replace("&lt;", "<").replace("&amp;", "&")).collect()
    }

    /// Itself. Panics unless it is a success; `what` was asked for.
    #[expect(clippy::return_self_not_must_use, reason = "a request is also made for what it does")]
    pub fn expect(self, what: &str) -> Self {
        assert!((200..300).contains(&self.status), "{what}: {} {}", self.status, self.text());
        self
    }
}

/// A request before it is signed.
#[derive(Debug, Clone, Default)]
pub struct Request<'a> {
    /// The service's name in signatures.
    pub service: &'a str,
    pub method: &'a str,
    /// Path and query, as they are sent.
    pub path: &'a str,
    /// Headers beside those that signing adds.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Access to the account with one identity.
#[derive(Debug, Clone)]
pub struct Account {
    endpoint: String,
    identity: Identity,
}

impl Account {
    pub fn of(moto: &Moto) -> Self {
        Self { endpoint: moto.url(), identity: Identity::administrator() }
    }

    /// The services at another endpoint, such as the S3 endpoint of `framepost up`.
    pub fn at(endpoint: impl Into<String>, identity: Identity) -> Self {
        Self { endpoint: endpoint.into(), identity }
    }

    /// Accesses the same account with another identity.
    #[must_use]
    pub fn with(&self, identity: Identity) -> Self {
        Self { endpoint: self.endpoint.clone(), identity }
    }

    /// The endpoint of every service.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Signs and sends a request. Panics if there is no response; accepts a response with any status.
    pub fn send(&self, request: &Request<'_>) -> Answer {
        let Request { service, method, path, headers, body } = request;
        let uri = format!("{}{path}", self.endpoint);
        let Identity { access_key_id, secret_access_key, session_token } = self.identity.clone();
        let credentials = Credentials::new(access_key_id, secret_access_key, session_token, None, "test").into();
        let mut settings = SigningSettings::default();
        if *service == "s3" {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        let params = SigningParams::builder().identity(&credentials).region(REGION).name(service);
        let params = params.time(SystemTime::now()).settings(settings).build().expect("everything is given").into();
        let pairs = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let signable =
            SignableRequest::new(method, &uri, pairs, SignableBody::Bytes(body)).expect("a request can be signed");
        let (instructions, _) = sign(signable, &params).expect("a request can be signed").into_parts();
        let (signed, _) = instructions.into_parts();
        let mut builder = ureq::http::Request::builder().method(*method).uri(&uri);
        for (name, value) in headers {
            builder = builder.header(name, value);
        }
        for header in signed {
            builder = builder.header(header.name(), header.value());
        }
        let built = builder.body(body.clone()).expect("a request");
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).allow_non_standard_methods(true).build().into();
        let mut answer = agent.run(built).unwrap_or_else(|error| panic!("{service}: {method} {path}: {error}"));
        let headers = answer.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()));
        Answer {
            status: answer.status().as_u16(),
            headers: headers.collect(),
            body: answer.body_mut().with_config().limit(u64::MAX).read_to_vec().expect("the answer's body"),
        }
    }

    /// Calls a service with a JSON protocol. Panics unless it succeeds.
    pub fn json(&self, service: &str, target: &str, call: &Value) -> Value {
        let answer = self.try_json(service, target, call).expect(&format!("{target} {call}"));
        if answer.body.is_empty() { Value::Null } else { serde_json::from_slice(&answer.body).expect("JSON") }
    }

    /// Calls a service with a JSON protocol and returns any response.
    pub fn try_json(&self, service: &str, target: &str, call: &Value) -> Answer {
        let version = if service == "sqs" { "1.0" } else { "1.1" };
        let headers = vec![
            ("content-type".to_owned(), format!("application/x-amz-json-{version}")),
            ("x-amz-target".to_owned(), target.to_owned()),
        ];
        self.send(&Request { service, method: "POST", path: "/", headers, body: call.to_string().into_bytes() })
    }

    /// Calls a service with form requests and XML responses (IAM, STS). Panics unless it succeeds.
    pub fn form(&self, service: &str, version: &str, fields: &[(&str, &str)]) -> Answer {
        let mut body = format!("Version={version}");
        for (name, value) in fields {
            let _ = write!(body, "&{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC));
        }
        let headers = vec![("content-type".to_owned(), "application/x-www-form-urlencoded; charset=utf-8".to_owned())];
        let request = Request { service, method: "POST", path: "/", headers, body: body.into_bytes() };
        self.send(&request).expect(&format!("{service} {fields:?}"))
    }

    /// A resource of Lambda's API.
    pub fn lambda(&self, path: &str) -> Value {
        let request = Request { service: "lambda", method: "GET", path, ..Request::default() };
        serde_json::from_slice(&self.send(&request).expect(path).body).expect("JSON")
    }

    /// Assumes a role and returns the session's credentials.
    pub fn assume_role(&self, role_arn: &str, session: &str) -> Identity {
        let fields = [("Action", "AssumeRole"), ("RoleArn", role_arn), ("RoleSessionName", session)];
        let answer = self.form("sts", "2011-06-15", &fields);
        let one = |name| answer.elements(name).pop().unwrap_or_else(|| panic!("{name} in {}", answer.text()));
        Identity {
            access_key_id: one("AccessKeyId"),
            secret_access_key: one("SecretAccessKey"),
            session_token: Some(one("SessionToken")),
        }
    }

    /// Puts an inline policy on a role. It takes effect with the next request.
    pub fn put_role_policy(&self, role: &str, name: &str, document: &Value) {
        let document = document.to_string();
        let fields = [("Action", "PutRolePolicy"), ("RoleName", role), ("PolicyName", name)];
        self.form("iam", "2010-05-08", &[&fields[..], &[("PolicyDocument", &document)]].concat());
    }

    /// Removes the inline policy.
    pub fn delete_role_policy(&self, role: &str, name: &str) {
        self.form("iam", "2010-05-08", &[("Action", "DeleteRolePolicy"), ("RoleName", role), ("PolicyName", name)]);
    }

    /// Sends an S3 request. `path` is `/BUCKET/KEY` and may include a query.
    pub fn s3(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.send(&Request { service: "s3", method, path, headers, body: body.to_vec() })
    }

    /// Puts a new object. Panics unless it is new and allowed.
    pub fn put_new(&self, bucket: &str, key: &str, body: &[u8]) {
        let path = format!("/{bucket}/{key}");
        self.s3("PUT", &path, &[("if-none-match", "*"), ("content-type", "video/mp4")], body).expect(&path);
    }

    /// The keys of all objects, in order.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        let answer = self.s3("GET", &format!("/{bucket}?list-type=2&max-keys=1000"), &[], b"").expect("a list");
        assert_eq!(answer.elements("IsTruncated"), ["false"], "more objects than one list has");
        answer.elements("Key")
    }

    /// Copies all objects to `root` with their metadata, in the layout of a local bucket, so that
    /// the judge can read them.
    pub fn mirror(&self, bucket: &str, root: &std::path::Path) {
        for key in self.keys(bucket) {
            let object = self.s3("GET", &format!("/{bucket}/{key}"), &[], b"").expect(&key);
            let place = root.join(&key);
            std::fs::create_dir_all(place.parent().expect("a key has a site")).expect("a place for the mirror");
            std::fs::write(&place, &object.body).expect("the mirror is written");
            let metadata: Vec<(&str, &str)> = object
                .headers
                .iter()
                .filter_map(|(name, value)| Some((name.strip_prefix("x-amz-meta-")?, value.as_str())))
                .collect();
            let digest = framepost_events::Sha256::of(key.as_bytes()).to_string();
            let notes = root.join(".framepost/meta").join(&digest[..2]);
            std::fs::create_dir_all(&notes).expect("a place for the notes");
            let note = json!({ "metadata": metadata }).to_string();
            std::fs::write(notes.join(format!("{digest}.json")), note).expect("the note is written");
        }
    }
}
