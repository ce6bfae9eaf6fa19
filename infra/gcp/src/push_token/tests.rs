use super::*;
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rsa::pkcs8::EncodePrivateKey as _;
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const AUDIENCE: &str = "https://probe.example.org/";
const EMAIL: &str = "pusher@example-project.iam.gserviceaccount.com";

/// A stand-in for Google: a key, tokens signed with it, and a page with the public key.
struct Google {
    key: RsaKeyPair,
    public: (String, String),
    page: Arc<Mutex<Option<String>>>,
    asked: Arc<AtomicUsize>,
    url: Url,
}

impl Google {
    async fn new() -> Self {
        let private = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap();
        let key = RsaKeyPair::from_pkcs8(private.to_pkcs8_der().unwrap().as_bytes()).unwrap();
        let number = |number: &rsa::BigUint| BASE64_URL_SAFE_NO_PAD.encode(number.to_bytes_be());
        let public = (number(private.n()), number(private.e()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/certs", listener.local_addr().unwrap()).parse().unwrap();
        let page = Arc::new(Mutex::new(None));
        let asked = Arc::new(AtomicUsize::new(0));
        let google = Self { key, public, page: page.clone(), asked: asked.clone(), url };
        google.publish("one");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                asked.fetch_add(1, Ordering::SeqCst);
                let page = page.lock().unwrap().clone();
                let (status, body) = page.map_or(("503 Service Unavailable", String::new()), |page| ("200 OK", page));
                let length = body.len();
                let answer =
                    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        google
    }

    fn publish(&self, key_id: &str) {
        let (n, e) = &self.public;
        let key = json!({ "kty": "RSA", "alg": "RS256", "use": "sig", "kid": key_id, "n": n, "e": e });
        // A key of an unknown type must not invalidate the others.
        let other = json!({ "kty": "LATTICE", "kid": "other", "q": "AQAB" });
        *self.page.lock().unwrap() = Some(json!({ "keys": [other, key] }).to_string());
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
        format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    /// Returns a token as Pub/Sub sends it, with some claims changed.
    fn token(&self, key_id: &str, changed: &Value) -> String {
        let now = jiff::Timestamp::now().as_second();
        let mut claims = json!({ "aud": AUDIENCE, "azp": "113774264463038321964", "email": EMAIL,
            "email_verified": true, "exp": now + 3600, "iat": now, "iss": "https://accounts.google.com",
            "sub": "113774264463038321964" });
        for (name, value) in changed.as_object().unwrap() {
            claims[name] = value.clone();
        }
        self.sign(&json!({ "alg": "RS256", "kid": key_id, "typ": "JWT" }), &claims)
    }

    fn tokens(&self, clock: Arc<TestClock>) -> PushTokens {
        let options = PushTokenOptions {
            audience: AUDIENCE.to_owned(),
            email: EMAIL.to_owned(),
            keys_url: Some(self.url.clone()),
        };
        PushTokens::with_clock(options, clock).unwrap()
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[derive(Default)]
struct TestClock(Mutex<Duration>);

impl TestClock {
    fn advance(&self, time: Duration) {
        *self.0.lock().unwrap() += time;
    }
}

impl Clock for TestClock {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }

    fn monotonic(&self) -> Duration {
        *self.0.lock().unwrap()
    }
}

async fn check(tokens: &PushTokens, token: &str) -> Result<()> {
    tokens.check(Some(&format!("Bearer {token}"))).await
}

#[tokio::test]
async fn only_the_senders_own_tokens_pass() {
    let google = Google::new().await;
    let tokens = google.tokens(Arc::default());
    let hour_ago = jiff::Timestamp::now().as_second() - 3600;
    check(&tokens, &google.token("one", &json!({}))).await.unwrap();
    check(&tokens, &google.token("one", &json!({ "iss": "accounts.google.com" }))).await.unwrap();
    for (changed, expected) in [
        (json!({ "aud": "https://other.example.org/" }), "InvalidAudience"),
        (json!({ "iss": "https://accounts.example.org" }), "InvalidIssuer"),
        (json!({ "exp": hour_ago }), "ExpiredSignature"),
        (json!({ "exp": null }), ""),
        (json!({ "email": "mallory@example-project.iam.gserviceaccount.com" }), "mallory@example-project"),
        (json!({ "email": null }), "holds no e-mail"),
        (json!({ "email_verified": false }), "not verified"),
        (json!({ "email_verified": null }), "not verified"),
    ] {
        let error = check(&tokens, &google.token("one", &changed)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{changed}");
        let text = framepost_ports::chain(&error);
        assert!(text.contains(expected), "{changed}: {text}");
    }
    assert_eq!(google.asked(), 1, "the keys are kept");
}

#[tokio::test]
async fn what_is_no_token_or_anothers_does_not_pass() {
    let google = Google::new().await;
    let mallory = Google::new().await;
    let tokens = google.tokens(Arc::default());
    let claims = json!({ "aud": AUDIENCE, "email": EMAIL, "email_verified": true, "exp": 9_999_999_999_u64,
        "iss": "https://accounts.google.com" });
    let with_header = |header: Value| google.sign(&header, &claims);
    let good = google.token("one", &json!({}));
    let (unsigned, _) = good.rsplit_once('.').unwrap();
    for token in [
        mallory.token("one", &json!({})),
        with_header(json!({ "alg": "none" })),
        with_header(json!({ "alg": "HS256", "kid": "one" })),
        with_header(json!({ "alg": "RS512", "kid": "one" })),
        with_header(json!({ "alg": "RS256" })),
        format!("{unsigned}."),
        unsigned.to_owned(),
        "x".repeat(1_000_000),
        "é".to_owned(),
        String::new(),
    ] {
        let error = check(&tokens, &token).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{token}");
    }
    for header in [None, Some(""), Some("Basic dXNlcjpwYXNz"), Some(good.as_str())] {
        assert_eq!(tokens.check(header).await.unwrap_err().kind(), ErrorKind::Denied, "{header:?}");
    }
    tokens.check(Some(&format!("bearer  {good} "))).await.unwrap();
}

#[tokio::test]
async fn keys_change_and_go_away() {
    let google = Google::new().await;
    let clock = Arc::new(TestClock::default());
    let tokens = google.tokens(clock.clone());
    check(&tokens, &google.token("one", &json!({}))).await.unwrap();

    google.publish("two");
    let made_up = check(&tokens, &google.token("two", &json!({}))).await.unwrap_err();
    assert_eq!((made_up.kind(), google.asked()), (ErrorKind::Denied, 1), "not asked again so soon");
    clock.advance(PAUSE_AND_MORE);
    check(&tokens, &google.token("two", &json!({}))).await.unwrap();
    let withdrawn = check(&tokens, &google.token("one", &json!({}))).await.unwrap_err();
    assert_eq!((withdrawn.kind(), google.asked()), (ErrorKind::Denied, 2));

    *google.page.lock().unwrap() = None;
    clock.advance(Duration::from_hours(2));
    check(&tokens, &google.token("two", &json!({}))).await.unwrap();
    check(&tokens, &google.token("two", &json!({}))).await.unwrap();
    assert_eq!(google.asked(), 3, "the old ones serve, and the page is asked now and then");
    clock.advance(Duration::from_hours(24));
    for _ in 0..2 {
        let error = check(&tokens, &google.token("two", &json!({}))).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transport, "nobody can say whether it is good");
    }
    assert_eq!(google.asked(), 4);
    google.publish("two");
    clock.advance(PAUSE_AND_MORE);
    check(&tokens, &google.token("two", &json!({}))).await.unwrap();
}

#[tokio::test]
async fn requests_that_come_together_fetch_once() {
    let google = Google::new().await;
    let tokens = google.tokens(Arc::default());
    let token = google.token("one", &json!({}));
    let all = futures::future::join_all((0..40).map(|_| check(&tokens, &token))).await;
    assert!(all.into_iter().all(|checked| checked.is_ok()));
    assert_eq!(google.asked(), 1);
}

const PAUSE_AND_MORE: Duration = Duration::from_secs(31);
