//! A service outside Cloud Run takes the pushes of its own subscription and no others.

#![cfg(feature = "gcp")]

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use framepost_events::ObjectFinalized;
use framepost_gcp::{PushTokenOptions, PushTokens};
use framepost_host::Handler;
use framepost_host::http::{HttpLimits, Senders, run};
use framepost_ports::{Function, Outcome};
use reqwest::Client;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rsa::pkcs8::EncodePrivateKey as _;
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;

const AUDIENCE: &str = "https://probe.example.org/";
const EMAIL: &str = "pusher@example-project.iam.gserviceaccount.com";
const EVENT: &str = r#"{"kind":"storage#object","bucket":"footage","name":"a.mp4","generation":"1","metageneration":"1",
    "timeCreated":"2026-11-20T15:08:27.130Z"}"#;

#[derive(Default)]
struct Counting(AtomicUsize);

#[async_trait::async_trait]
impl Function<ObjectFinalized> for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }

    async fn handle(&self, _event: ObjectFinalized) -> Outcome {
        self.0.fetch_add(1, Ordering::SeqCst);
        Outcome::Done
    }
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    (listener, url)
}

/// A service that takes tokens signed with the keys at this URL.
async fn start(function: Arc<Counting>, keys_url: &str) -> String {
    let options = PushTokenOptions {
        audience: AUDIENCE.to_owned(),
        email: EMAIL.to_owned(),
        keys_url: Some(keys_url.parse().unwrap()),
    };
    let senders = Senders::Checked(Box::new(PushTokens::new(options).unwrap()));
    let (listener, url) = listen().await;
    tokio::spawn(run(Handler::new(function, None), senders, HttpLimits::default(), listener, std::future::pending()));
    url
}

fn signed(key: &RsaKeyPair, email: &str) -> String {
    let now = jiff::Timestamp::now().as_second();
    let claims = json!({ "aud": AUDIENCE, "email": email, "email_verified": true, "exp": now + 3600, "iat": now,
        "iss": "https://accounts.google.com" });
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(&json!({ "alg": "RS256", "kid": "one", "typ": "JWT" })), part(&claims));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
    format!("Bearer {message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

#[tokio::test]
async fn a_push_needs_its_subscriptions_token() {
    let private = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap();
    let key = RsaKeyPair::from_pkcs8(private.to_pkcs8_der().unwrap().as_bytes()).unwrap();
    let number = |number: &rsa::BigUint| BASE64_URL_SAFE_NO_PAD.encode(number.to_bytes_be());
    let public =
        json!({ "kty": "RSA", "alg": "RS256", "kid": "one", "n": number(private.n()), "e": number(private.e()) });
    let page = json!({ "keys": [public] }).to_string();
    let (listener, keys_url) = listen().await;
    let router = axum::Router::new().fallback(async move || page);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let function = Arc::new(Counting::default());
    let url = start(function.clone(), &keys_url).await;
    // Fails where another test of this process was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::new();
    let push = async |url: &str, token: Option<&str>| {
        let mut request = client.post(url).body(EVENT);
        if let Some(token) = token {
            request = request.header("authorization", token);
        }
        request.send().await.unwrap()
    };

    assert_eq!(push(&url, Some(&signed(&key, EMAIL))).await.status(), 204);
    assert_eq!(function.0.load(Ordering::SeqCst), 1);
    let none = push(&url, None).await;
    assert_eq!((none.status().as_u16(), &none.headers()["www-authenticate"]), (401, &"Bearer".parse().unwrap()));
    assert_eq!(push(&url, Some(&signed(&key, "mallory@example-project.iam.gserviceaccount.com"))).await.status(), 403);
    assert_eq!(push(&url, Some("Bearer junk")).await.status(), 403);
    assert_eq!(client.get(format!("{url}health")).send().await.unwrap().status(), 200, "for a load balancer");

    // Nobody listens where the keys should be: the message has to come again, whoever sent it.
    let (closed, keys_url) = listen().await;
    drop(closed);
    let url = start(function.clone(), &keys_url).await;
    assert_eq!(push(&url, Some(&signed(&key, EMAIL))).await.status(), 503);
    assert_eq!(function.0.load(Ordering::SeqCst), 1);
}
