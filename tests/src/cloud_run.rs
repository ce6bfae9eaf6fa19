//! A function on Cloud Run: its program behind HTTP, with Pub/Sub pushing messages to it, each with an OIDC
//! token. Or as a worker that pulls.

use crate::binaries::{Output, Program, Running};
use crate::google_emulators::{GoogleEmulators, Message};
use crate::http;
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rsa::pkcs8::EncodePrivateKey as _;
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::time::{Duration, Instant};

const AUDIENCE: &str = "https://probe.example.org/";
const PUSHER: &str = "pusher@framepost-test.iam.gserviceaccount.com";
const START: Duration = Duration::from_mins(1);

/// Issues push tokens: a key, and a page with its public half.
pub struct Vouching {
    key: RsaKeyPair,
    page: String,
}

impl Vouching {
    /// Creates a key and serves its page for as long as this process runs.
    pub fn start() -> Self {
        let private = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).expect("a key");
        let number = |number: &rsa::BigUint| BASE64_URL_SAFE_NO_PAD.encode(number.to_bytes_be());
        let page = json!({ "keys": [{ "kty": "RSA", "alg": "RS256", "use": "sig", "kid": "one",
            "n": number(private.n()), "e": number(private.e()) }] });
        let key = RsaKeyPair::from_pkcs8(private.to_pkcs8_der().expect("PKCS#8").as_bytes()).expect("a key");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on loopback");
        let address = listener.local_addr().expect("a bound listener has an address");
        std::thread::spawn(move || {
            for mut connection in listener.incoming().flatten() {
                let mut reading = BufReader::new(connection.try_clone().expect("a second handle"));
                if let Ok(Some(_)) = http::Head::read(&mut reading) {
                    let body = page.to_string();
                    let head =
                        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length";
                    let _ = write!(connection, "{head}: {}\r\n\r\n{body}", body.len());
                }
            }
        });
        Self { key, page: format!("http://{address}/certs") }
    }

    /// Returns a token for `audience`, as Pub/Sub adds it to a push.
    fn token(&self, audience: &str) -> String {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let now = jiff::Timestamp::now().as_second();
        let claims = json!({ "iss": "https://accounts.google.com", "aud": audience, "email": PUSHER,
            "email_verified": true, "iat": now, "exp": now + 3600, "sub": "113774264463038321964" });
        let message = format!("{}.{}", part(&json!({ "alg": "RS256", "kid": "one", "typ": "JWT" })), part(&claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).expect("signed");
        format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}

/// A function, and the services that it uses.
#[derive(Debug, Clone)]
pub struct Wiring {
    pub program: Program,
    /// Endpoint of Cloud Storage for the function; may be a proxy.
    pub storage: String,
    pub pubsub: String,
    /// The topic for records.
    pub records: String,
    /// The topic for messages that can never be handled.
    pub dead_letters: String,
    /// Environment variables of this function besides those that every function gets.
    pub variables: BTreeMap<&'static str, String>,
}

impl Wiring {
    fn command(&self) -> Command {
        let mut command = self.program.command();
        command
            .env("FRAMEPOST_GCS_ENDPOINT", &self.storage)
            .env("FRAMEPOST_PUBSUB_ENDPOINT", &self.pubsub)
            .env("FRAMEPOST_RECORDS", format!("pubsub:{}", self.records))
            .env("FRAMEPOST_DEAD_LETTERS", format!("pubsub:{}", self.dead_letters))
            .env("GOOGLE_CLOUD_PROJECT", "framepost-test")
            .envs(&self.variables);
        command
    }

    /// Starts the function as a worker that pulls `subscription`.
    pub fn worker(&self, subscription: &str) -> Running {
        Running::start(self.command().env("FRAMEPOST_EVENTS", format!("pubsub:{subscription}")))
    }

    /// Starts the function behind HTTP. It accepts pushes with tokens from `vouching`.
    pub fn service(&self, vouching: &Vouching) -> Service {
        let mut command = self.command();
        command
            .env("K_SERVICE", self.program.name())
            .env("PORT", "0")
            .env("FRAMEPOST_ADDRESS", "127.0.0.1")
            .env("FRAMEPOST_PUSH_AUDIENCE", AUDIENCE)
            .env("FRAMEPOST_PUSH_EMAIL", PUSHER)
            .env("FRAMEPOST_PUSH_KEYS", &vouching.page);
        let running = Running::start(&mut command);
        let address = running.wait_for(Output::Stdout, START, |lines| {
            let mut lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            lines.find_map(|line| line["address"].as_str().map(str::to_owned))
        });
        Service { running, url: format!("http://{address}/") }
    }
}

/// The function behind HTTP.
#[derive(Debug)]
pub struct Service {
    pub running: Running,
    url: String,
}

/// One push and its answer.
#[derive(Debug, Clone)]
pub struct Pushed {
    pub message: Message,
    /// The answer's status; 0 if there was no answer.
    pub status: u16,
}

impl Service {
    /// Returns where the service listens, as `http://host:port/`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Pushes one message, wrapped as Pub/Sub does. Returns the status, or 0 if there was no answer.
    pub fn push(&self, subscription: &str, message: &Message, vouching: &Vouching) -> u16 {
        let body = json!({ "message": message.json, "subscription": subscription });
        self.post(&body.to_string(), Some(&vouching.token(AUDIENCE)))
    }

    /// Pushes with a token for another audience.
    pub fn push_with_token_for(&self, audience: &str, message: &Message, vouching: &Vouching) -> u16 {
        self.post(&json!({ "message": message.json }).to_string(), Some(&vouching.token(audience)))
    }

    pub fn post(&self, body: &str, token: Option<&str>) -> u16 {
        let authorization = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("content-type", "application/json")];
        if let Some(authorization) = &authorization {
            headers.push(("authorization", authorization));
        }
        http::request("POST", &self.url, &headers, body.as_bytes()).map_or(0, |answer| answer.status)
    }
}

/// How the simulated Pub/Sub delivers. Both are within its guarantees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manners {
    /// Each message once, in order.
    Plain,
    /// Each message twice, the second time in random order with others in between.
    TwiceShuffled,
}

/// So many pulls in a row that find nothing mean that there is nothing.
const EMPTY_PULLS: u32 = 3;

/// Pushes all messages of `subscription` until each is acknowledged and no more arrive. Messages that are not
/// answered with 2xx are returned and pushed again. Panics after `within`.
pub fn push_all(
    google: &GoogleEmulators,
    subscription: &str,
    service: &Service,
    vouching: &Vouching,
    manners: Manners,
    within: Duration,
) -> Vec<Pushed> {
    let deadline = Instant::now() + within;
    let mut chance = fastrand::Rng::new();
    let mut pushed = Vec::new();
    let mut acknowledged = BTreeSet::new();
    let mut given_back = BTreeSet::new();
    let mut empty = 0;
    loop {
        let mut messages = google.pull(subscription);
        // Returned messages may take a moment to be available again, and one pull may find none although there are some.
        empty = if messages.is_empty() { empty + 1 } else { 0 };
        if empty >= EMPTY_PULLS && given_back.is_subset(&acknowledged) {
            return pushed;
        }
        assert!(Instant::now() < deadline, "messages come again and again: {pushed:#?}\n{}", service.running.log());
        if manners == Manners::TwiceShuffled {
            messages.extend(messages.clone());
            chance.shuffle(&mut messages);
        }
        for message in messages {
            let status = service.push(subscription, &message, vouching);
            if (200..300).contains(&status) {
                google.acknowledge(subscription, &message);
                acknowledged.insert(message.id.clone());
            } else {
                google.give_back(subscription, &message);
                given_back.insert(message.id.clone());
            }
            pushed.push(Pushed { message, status });
        }
    }
}
