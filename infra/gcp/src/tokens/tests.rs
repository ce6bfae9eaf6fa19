use super::*;
use framepost_tests::lying_server::{Answer, LyingServer};

fn said(text: &str) -> Answer {
    Answer::Whole(200, text.as_bytes().to_vec())
}

const TOKEN: &str = r#"{"access_token":"ya29.a","expires_in":3599,"token_type":"Bearer"}"#;

fn tokens(source: Source) -> Tokens {
    drop(rustls::crypto::ring::default_provider().install_default());
    Tokens::new(source, Some("a-project".to_owned())).unwrap()
}

fn metadata_server(server: &LyingServer) -> Source {
    Source::Metadata(server.address().to_string())
}

fn refresh(server: &LyingServer) -> Source {
    let stored = json!({ "type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "r",
        "token_uri": format!("{}/token", server.url()) });
    Source::of(Some(&stored)).unwrap()
}

fn federation(server: &LyingServer, impersonates: bool) -> Value {
    let mut stored = json!({ "type": "external_account", "audience": "//iam/pool", "subject_token_type": "jwt",
        "token_url": format!("{}/sts", server.url()),
        "credential_source": { "url": format!("{}/subject", server.url()), "headers": { "Metadata": "True" },
            "format": { "type": "json", "subject_token_field_name": "id" } } });
    if impersonates {
        stored["service_account_impersonation_url"] = json!(format!("{}/impersonate", server.url()));
    }
    stored
}

async fn headers(tokens: &Tokens) -> Asked<HeaderMap> {
    match tokens.headers(http::Extensions::new()).await? {
        CacheableResource::New { data, .. } => Ok(data),
        CacheableResource::NotModified => panic!("nothing was said of what is known"),
    }
}

#[tokio::test]
async fn each_source_gives_a_token_that_is_kept() {
    let server = LyingServer::start();
    let impersonated = r#"{"accessToken":"ya29.a","expireTime":"2026-11-27T05:00:00Z"}"#;
    let subject = r#"{"id":"theirs"}"#;
    for (source, answers, expected) in [
        (
            metadata_server(&server),
            vec![said(TOKEN)],
            vec!["GET /computeMetadata/v1/instance/service-accounts/default/token "],
        ),
        (refresh(&server), vec![said(TOKEN)], vec!["POST /token "]),
        (
            Source::of(Some(&federation(&server, false))).unwrap(),
            vec![said(subject), said(TOKEN)],
            vec!["GET /subject ", "POST /sts "],
        ),
        (
            Source::of(Some(&federation(&server, true))).unwrap(),
            vec![said(subject), said(r#"{"access_token":"first"}"#), said(impersonated)],
            vec!["GET /subject ", "POST /sts ", "POST /impersonate "],
        ),
    ] {
        let before = server.requests().len();
        server.script(answers);
        let tokens = tokens(source);
        for _ in 0..3 {
            let headers = headers(&tokens).await.unwrap();
            assert_eq!(headers[AUTHORIZATION], "Bearer ya29.a");
            assert_eq!(headers["x-goog-user-project"], "a-project");
            assert!(!format!("{tokens:?} {headers:?}").contains("ya29"));
        }
        let asked = &server.requests()[before..];
        assert_eq!(asked.len(), expected.len());
        assert!(asked.iter().zip(&expected).all(|(asked, expected)| asked.head.starts_with(expected)), "{asked:?}");
    }
    let requests = server.requests();
    assert!(requests[0].head.contains("metadata-flavor: Google"), "{}", requests[0].head);
    let form = String::from_utf8_lossy(&requests[3].body);
    assert!(form.contains("&audience=%2F%2Fiam%2Fpool&") && form.ends_with("&subject_token=theirs"), "{form}");
    assert!(requests[6].head.contains("authorization: Bearer first"), "{}", requests[6].head);
}

#[tokio::test]
async fn a_token_of_a_file_needs_no_field() {
    let server = LyingServer::start();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "theirs\n").unwrap();
    let mut stored = federation(&server, false);
    stored["credential_source"] = json!({ "file": file.path() });
    server.script([said(TOKEN)]);
    headers(&tokens(Source::of(Some(&stored)).unwrap())).await.unwrap();
    assert!(server.requests()[0].body.ends_with(b"&subject_token=theirs"));
}

/// An endpoint that refuses, answers nonsense or does not end, and afterwards well: nothing is given up for good.
#[tokio::test]
async fn what_is_no_token_is_an_error_and_is_asked_for_again() {
    let server = LyingServer::start();
    let refused = |status: u16, body: &str| Answer::Whole(status, body.as_bytes().to_vec());
    for (answer, transient) in [
        (refused(400, r#"{"error":"invalid_grant","error_description":"Bad Request"}"#), false),
        (refused(403, r#"{"error":{"code":403,"message":"denied"}}"#), false),
        (refused(429, r#"{"error":"slow_down"}"#), true),
        (refused(503, r#"{"error":"unavailable"}"#), true),
        (refused(403, "<html>Welcome</html>"), true),
        (refused(200, "<html>Welcome</html>"), true),
        (refused(200, "{}"), true),
        (refused(200, "{\"access_token\":\"a\\nb\"}"), true),
        (Answer::Redirect(302), true),
        (Answer::Reset, true),
        (Answer::Cut(200, TOKEN.into()), true),
        (Answer::Endless(400), true),
        (Answer::Endless(200), true),
        (Answer::EndlessChunks(500), true),
        (Answer::EndlessHead, true),
    ] {
        for source in [metadata_server(&server), refresh(&server)] {
            let tokens = tokens(source);
            server.script([answer.clone(), said(TOKEN)]);
            let error = headers(&tokens).await.unwrap_err();
            assert_eq!(error.is_transient(), transient, "{answer:?}: {error:?}");
            assert!(framepost_ports::chain(&error).len() < 1000, "{answer:?}");
            headers(&tokens).await.unwrap();
        }
    }
    assert_eq!(server.strayed(), 0);
}

#[tokio::test]
async fn a_token_is_renewed_before_its_end_and_used_to_it() {
    let server = LyingServer::start();
    let tokens = tokens(metadata_server(&server));
    let given = |token: &str, lives: u64| said(&json!({ "access_token": token, "expires_in": lives }).to_string());
    let bearer = async |answers: Vec<Answer>| {
        server.script(answers);
        headers(&tokens).await.map(|headers| headers[AUTHORIZATION].to_str().unwrap().to_owned()).ok()
    };
    assert_eq!(bearer(vec![given("first", 200)]).await.as_deref(), Some("Bearer first"));
    // Within the last minutes it is renewed, or kept if there is no other.
    assert_eq!(bearer(vec![Answer::Reset]).await.as_deref(), Some("Bearer first"));
    tokens.last.lock().await.as_mut().unwrap().renewed = Instant::now();
    assert_eq!(bearer(vec![given("second", 3600)]).await.as_deref(), Some("Bearer second"));
    assert_eq!(bearer(vec![given("third", 3600)]).await.as_deref(), Some("Bearer second"));
    let mut last = tokens.last.lock().await;
    let held = last.as_mut().unwrap();
    held.renewed = Instant::now();
    held.ends = Instant::now();
    drop(last);
    assert_eq!(bearer(vec![Answer::Reset]).await, None);
}

#[tokio::test]
async fn no_token_is_used_for_ever() {
    let server = LyingServer::start();
    for lives in ["18446744073709551615", "9223372036854775807", "0"] {
        let tokens = tokens(metadata_server(&server));
        server.script([said(&format!(r#"{{"access_token":"ya29.a","expires_in":{lives}}}"#))]);
        headers(&tokens).await.unwrap();
        let last = tokens.last.lock().await;
        assert!(last.as_ref().unwrap().ends <= Instant::now() + LIFE_MAX, "{lives}");
    }
}

#[test]
fn what_is_rare_is_left_to_the_sdk() {
    let server = LyingServer::start();
    let federation = federation(&server, false);
    let with = |path: &str, value: Value| {
        let mut changed = federation.clone();
        match path.split_once('.') {
            Some((outer, inner)) => changed[outer][inner] = value,
            None => changed[path] = value,
        }
        changed
    };
    for other in [
        json!({ "type": "service_account", "client_email": "a" }),
        json!({ "type": "impersonated_service_account" }),
        json!({ "type": "authorized_user" }),
        json!({}),
        with("credential_source.environment_id", json!("aws1")),
        with("credential_source.executable", json!({ "command": "x" })),
        with("credential_source.certificate", json!({})),
        with("credential_source.file", json!("both")),
        with("workforce_pool_user_project", json!("p")),
        with("universe_domain", json!("example.com")),
    ] {
        assert!(Source::of(Some(&other)).is_none(), "{other}");
    }
    assert!(Source::of(Some(&with("universe_domain", json!("googleapis.com")))).is_some());
    assert!(matches!(Source::of(None), Some(Source::Metadata(_))));
}
