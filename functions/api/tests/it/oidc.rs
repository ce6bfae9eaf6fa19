//! Tokens of an issuer, and what is made to look like them.

use crate::support::Service;
use axum::Router;
use axum::http::Method;
use axum::routing::get;
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use framepost_api::{Access, Jwks, Oidc, OidcOptions, PathSigner, Tokens};
use framepost_ports::memory::SimulatedClock;
use framepost_ports::{Clock, ErrorKind, SystemClock};
use jiff::Timestamp;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const AUDIENCE: &str = "https://video.example.org";

/// An issuer with one key, that counts how often its keys are asked for.
struct Issuer {
    url: String,
    key: EcdsaKeyPair,
    asked: Arc<AtomicUsize>,
    /// The key set that it publishes, as JSON.
    keys: String,
    published: Arc<Mutex<String>>,
}

fn part(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

impl Issuer {
    async fn start() -> Self {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.as_ref(), &random).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let point = key.public_key().as_ref();
        let [x, y] = [&point[1..33], &point[33..]].map(|number| BASE64_URL_SAFE_NO_PAD.encode(number));
        let ec = json!({"kty": "EC", "crv": "P-256", "use": "sig", "kid": "one", "x": x, "y": y});
        let mut other_use = ec.clone();
        other_use["kid"] = json!("encrypts");
        other_use["use"] = json!("enc");
        // A secret that everybody knows, in case anybody takes it for one.
        let known = json!({"kty": "oct", "kid": "known", "alg": "HS256", "k": BASE64_URL_SAFE_NO_PAD.encode([7; 32])});
        let keys = json!({"keys": [ec, other_use, known]}).to_string();
        let metadata = json!({"issuer": url, "jwks_uri": format!("{url}/keys")}).to_string();
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        let published = Arc::new(Mutex::new(keys.clone()));
        let given = published.clone();
        let router = Router::new().route("/.well-known/openid-configuration", get(async move || metadata)).route(
            "/keys",
            get(async move || {
                counted.fetch_add(1, Ordering::SeqCst);
                given.lock().unwrap().clone()
            }),
        );
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, key, asked, keys, published }
    }

    fn claims(&self, changed: &Value) -> Value {
        let now = Timestamp::now().as_second();
        let mut claims = json!({"iss": self.url, "aud": AUDIENCE, "sub": "ada", "iat": now, "exp": now + 600,
            "framepost": ["read:site-0"]});
        for (name, value) in changed.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", part(header), part(claims));
        let signature = self.key.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    fn token(&self, changed: &Value) -> String {
        self.sign(&json!({"alg": "ES256", "kid": "one", "typ": "JWT"}), &self.claims(changed))
    }

    fn options(&self, claim: &str) -> OidcOptions {
        OidcOptions {
            issuer: self.url.clone(),
            audience: AUDIENCE.to_owned(),
            claim: claim.to_owned(),
            keys_url: None,
            jwks: None,
        }
    }

    async fn service(&self, claim: &str) -> Service {
        Self::service_with(self.options(claim)).await
    }

    async fn service_with(options: OidcOptions) -> Service {
        Self::service_at(options, Arc::new(SystemClock)).await
    }

    async fn service_at(options: OidcOptions, clock: Arc<dyn Clock>) -> Service {
        let oidc = Some(Arc::new(Oidc::new(options, clock).unwrap()));
        let tokens = Arc::new(Tokens::of("[]").unwrap());
        Service::with(Access::Tokens { tokens, oidc, signer: PathSigner::new(&[7; 32]) }).await
    }
}

/// The cameras that a token shows, or the status.
async fn seen(service: &Service, token: &str) -> Result<Vec<String>, u16> {
    let answer = service.ask(Method::GET, "/v1/cameras", &[("authorization", &format!("Bearer {token}"))]).await;
    if answer.status.as_u16() != 200 {
        return Err(answer.status.as_u16());
    }
    let cameras = answer.json()["cameras"].as_array().unwrap().clone();
    Ok(cameras.iter().map(|one| one["camera"].as_str().unwrap().to_owned()).collect())
}

#[tokio::test]
async fn a_claim_says_what_is_seen() {
    let issuer = Issuer::start().await;
    let service = issuer.service(OidcOptions::CLAIM).await;
    let both = vec!["cam-0".to_owned(), "cam-1".to_owned()];
    for (claim, expected) in [
        (json!(["read:site-0"]), vec!["cam-0".to_owned()]),
        (json!("openid read:site-1/cam-1 profile"), vec!["cam-1".to_owned()]),
        (json!(["read:*", "keep"]), both.clone()),
        (json!(["read:site-0", 7, "read:site-1", {"x": 1}]), both),
        (json!(["site-0", "read:", "read:../x", "read:site-0/cam-9", "Read:site-0", "write:*"]), vec![]),
        (json!(7), vec![]),
        (Value::Null, vec![]),
    ] {
        let token = issuer.token(&json!({"framepost": claim}));
        assert_eq!(seen(&service, &token).await, Ok(expected), "{claim}");
    }
    let nested = issuer.service("/resource_access/framepost/roles").await;
    let token = issuer.token(&json!({"resource_access": {"framepost": {"roles": ["read:site-1"]}}}));
    assert_eq!(seen(&nested, &token).await, Ok(vec!["cam-1".to_owned()]));
}

#[tokio::test]
async fn what_is_no_token_of_the_issuer_is_refused() {
    let issuer = Issuer::start().await;
    let other = Issuer::start().await;
    let service = issuer.service(OidcOptions::CLAIM).await;
    let now = Timestamp::now().as_second();
    let good = issuer.token(&json!({}));
    assert!(seen(&service, &good).await.is_ok());
    let claims = issuer.claims(&json!({"framepost": ["read:*"]}));
    let es = json!({"alg": "ES256", "kid": "one"});
    let hmac_with = |secret: &[u8], key_id: &str| {
        let message = format!("{}.{}", part(&json!({"alg": "HS256", "kid": key_id})), part(&claims));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
        format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag))
    };
    let unsigned = |alg: &str| format!("{}.{}.", part(&json!({"alg": alg, "kid": "one"})), part(&claims));
    let (head, signature) = good.rsplit_once('.').unwrap();
    let body = part(&claims);
    let altered = format!("{}.{body}.{signature}", head.split('.').next().unwrap());
    let bad: Vec<(&str, String)> = vec![
        ("another issuer", issuer.token(&json!({"iss": "https://other.example"}))),
        ("another issuer's key", other.sign(&es, &claims)),
        ("no issuer", issuer.token(&json!({"iss": null}))),
        ("another audience", issuer.token(&json!({"aud": "https://other.example"}))),
        ("no audience", issuer.token(&json!({"aud": null}))),
        ("several audiences without this", issuer.token(&json!({"aud": ["a", "b"]}))),
        ("ended", issuer.token(&json!({"exp": now - 120}))),
        ("without an end", issuer.token(&json!({"exp": null}))),
        ("not yet", issuer.token(&json!({"nbf": now + 120}))),
        ("none", unsigned("none")),
        ("None", unsigned("None")),
        ("an empty signature", unsigned("ES256")),
        ("HMAC with the public key", hmac_with(issuer.key.public_key().as_ref(), "one")),
        ("HMAC with a secret of the set", hmac_with(&[7; 32], "known")),
        ("RS256 with a key of ES256", issuer.sign(&json!({"alg": "RS256", "kid": "one"}), &claims)),
        ("ES384", issuer.sign(&json!({"alg": "ES384", "kid": "one"}), &claims)),
        ("a key that is for something else", issuer.sign(&json!({"alg": "ES256", "kid": "encrypts"}), &claims)),
        ("no key", issuer.sign(&json!({"alg": "ES256"}), &claims)),
        (
            "a key of its own",
            issuer.sign(&json!({"alg": "ES256", "kid": "x", "jwk": {"kty": "EC"}, "jku": other.url}), &claims),
        ),
        ("other claims", altered),
        ("cut off", good[..good.len() - 3].to_owned()),
        ("too long", format!("{good}{}", "A".repeat(20_000))),
        ("two parts", head.to_owned()),
        ("nothing", String::new()),
        ("a static token", "fp_x_y".to_owned()),
    ];
    for (name, token) in bad {
        assert_eq!(seen(&service, &token).await, Err(401), "{name}");
    }
    // Clocks may differ a little.
    for changed in [json!({"exp": now - 20}), json!({"nbf": now + 20})] {
        assert!(seen(&service, &issuer.token(&changed)).await.is_ok(), "{changed}");
    }
    assert!(seen(&service, &issuer.token(&json!({"aud": ["a", AUDIENCE]}))).await.is_ok());
}

#[tokio::test]
async fn made_up_keys_do_not_make_it_ask_the_issuer_each_time() {
    let issuer = Issuer::start().await;
    let service = issuer.service(OidcOptions::CLAIM).await;
    for n in 0..50 {
        let token = issuer.sign(&json!({"alg": "ES256", "kid": format!("made-up-{n}")}), &issuer.claims(&json!({})));
        assert_eq!(seen(&service, &token).await, Err(401));
    }
    assert!(seen(&service, &issuer.token(&json!({}))).await.is_ok());
    assert_eq!(issuer.asked.load(Ordering::SeqCst), 1);
}

/// Issuers sign with a new key after a while, and take the old one away.
#[tokio::test]
async fn an_issuer_changes_its_keys() {
    let issuer = Issuer::start().await;
    let clock = Arc::new(SimulatedClock::new(Timestamp::now()));
    let service = Issuer::service_at(issuer.options(OidcOptions::CLAIM), clock.clone()).await;
    let sees = Ok(vec!["cam-0".to_owned()]);
    let old = issuer.token(&json!({}));
    assert_eq!(seen(&service, &old).await, sees);
    // Signed by another key, which the issuer publishes under another name.
    let next = Issuer::start().await;
    let claims = issuer.claims(&json!({}));
    let new = next.sign(&json!({"alg": "ES256", "kid": "two"}), &claims);
    let both = |first: &str, second: &str| {
        let keys = |text: &str| serde_json::from_str::<Value>(text).unwrap()["keys"].as_array().unwrap().clone();
        let all = [keys(first), keys(second)].concat();
        json!({"keys": all}).to_string()
    };
    let renamed = next.keys.replace("\"one\"", "\"two\"");
    *issuer.published.lock().unwrap() = both(&issuer.keys, &renamed);
    assert_eq!(seen(&service, &new).await, Err(401), "an unknown key is asked for every half minute at most");
    clock.advance(Duration::from_secs(31));
    assert_eq!(seen(&service, &new).await, sees);
    assert_eq!(seen(&service, &old).await, sees, "the old key is still published");
    // The old one is withdrawn: what it signed is good for an hour at most.
    *issuer.published.lock().unwrap() = renamed;
    clock.advance(Duration::from_secs(3_601));
    assert_eq!(seen(&service, &old).await, Err(401));
    assert_eq!(seen(&service, &new).await, sees);
    assert_eq!(issuer.asked.load(Ordering::SeqCst), 3);
    // An issuer that does not answer with keys: those that are known are good for a day.
    *issuer.published.lock().unwrap() = "Bad gateway".to_owned();
    clock.advance(Duration::from_hours(2));
    assert_eq!(seen(&service, &new).await, sees);
    clock.advance(Duration::from_hours(24));
    assert_eq!(seen(&service, &new).await, Err(503));
}

#[tokio::test]
async fn without_the_issuer_nobody_can_say_whether_a_token_is_good() {
    let mut issuer = Issuer::start().await;
    // Metadata of another issuer are as good as none.
    issuer.url = issuer.url.replace("127.0.0.1", "localhost");
    let service = issuer.service(OidcOptions::CLAIM).await;
    assert_eq!(seen(&service, &issuer.token(&json!({}))).await, Err(503));
}

#[tokio::test]
async fn given_keys_check_tokens_of_an_issuer_that_nobody_can_reach() {
    let issuer = Issuer::start().await;
    let other = Issuer::start().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("keys.json");
    std::fs::write(&file, &issuer.keys).unwrap();
    for jwks in [Jwks::Text(issuer.keys.clone()), Jwks::File(file)] {
        let mut options = issuer.options(OidcOptions::CLAIM);
        options.issuer = "https://nowhere.invalid/".to_owned();
        options.jwks = Some(jwks);
        let service = Issuer::service_with(options).await;
        let iss = json!({"iss": "https://nowhere.invalid/"});
        assert_eq!(seen(&service, &issuer.token(&iss)).await, Ok(vec!["cam-0".to_owned()]));
        assert_eq!(seen(&service, &issuer.token(&json!({}))).await, Err(401), "of another issuer");
        assert_eq!(seen(&service, &other.token(&iss)).await, Err(401), "with another key");
        let made_up = issuer.sign(&json!({"alg": "ES256", "kid": "made-up"}), &issuer.claims(&iss));
        assert_eq!(seen(&service, &made_up).await, Err(401), "with a key that is not there");
        assert_eq!(seen(&service, &issuer.token(&iss)).await, Ok(vec!["cam-0".to_owned()]));
    }
    assert_eq!(issuer.asked.load(Ordering::SeqCst), 0, "nothing is fetched");
    let given = |jwks| OidcOptions { jwks: Some(jwks), ..issuer.options(OidcOptions::CLAIM) };
    for text in ["{}", "{\"keys\": []}", "{\"keys\": [{\"kty\": \"oct\", \"kid\": \"x\", \"k\": \"AAAA\"}]}", "{"] {
        let error = Oidc::new(given(Jwks::Text(text.to_owned())), Arc::new(SystemClock)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{text}");
    }
    let missing = Issuer::service_with(given(Jwks::File(directory.path().join("none")))).await;
    assert_eq!(seen(&missing, &issuer.token(&json!({}))).await, Err(503), "nobody can say");
}

#[test]
fn keys_are_given_as_a_set_or_as_a_file() {
    let of = |keys: &str, jwks: &str| {
        let options = OidcOptions::of_variables(|name| match name {
            "FRAMEPOST_API_OIDC_ISSUER" => Some("https://login.example.org/".to_owned()),
            "FRAMEPOST_API_OIDC_AUDIENCE" => Some("video".to_owned()),
            "FRAMEPOST_API_OIDC_KEYS" => Some(keys.to_owned()),
            "FRAMEPOST_API_OIDC_JWKS" => Some(jwks.to_owned()),
            _ => None,
        });
        options.map(|options| options.unwrap().jwks)
    };
    assert_eq!(of("", ""), Ok(None));
    assert_eq!(of("", "file:///etc/keys.json"), Ok(Some(Jwks::File("/etc/keys.json".into()))));
    assert_eq!(of("", " {\"keys\": []}\n"), Ok(Some(Jwks::Text("{\"keys\": []}".to_owned()))));
    for jwks in ["https://login.example.org/keys", "keys.json", "/etc/keys.json", "[]", "file://other/keys.json"] {
        assert!(of("", jwks).unwrap_err().contains("JWKS"), "{jwks}");
    }
    assert!(of("https://login.example.org/keys", "{}").unwrap_err().contains("only one"));
}
