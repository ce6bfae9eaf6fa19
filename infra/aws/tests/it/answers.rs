//! The sink's result for each response that a put can get, tested against a bucket that lies.

use framepost_aws::{Credentials, Echo, S3Bucket, S3Options};
use framepost_ports::{Effect, ErrorKind, Likeness, ObjectSink as _, Put};
use framepost_tests::answers::{Room, object, put_fails};
use framepost_tests::lying_bucket::{self, Heard, Lie, Look, LyingBucket};

async fn connect(bucket: &LyingBucket, echo: Echo) -> S3Bucket {
    let options = S3Options {
        endpoint_url: Some(bucket.endpoint().parse().unwrap()),
        region: Some("us-east-1".to_owned()),
        credentials: Some(Credentials { access_key_id: "a".to_owned(), secret_access_key: "b".to_owned() }),
        echo,
    };
    S3Bucket::connect(&"s3://footage".parse().unwrap(), options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_answer_says_who_gave_it_and_what_may_have_come_of_the_put() {
    let bucket = LyingBucket::start(lying_bucket::Echo::Checksum);
    let sink = connect(&bucket, Echo::Detected).await;
    assert_eq!(sink.put(&object("taken")).await.unwrap(), Put::Created);
    let page = |status| Lie::nothing_kept(Heard::Page(status));
    for (name, lie, kind, effect) in [
        ("SlowDown", Lie::refused(503, "SlowDown"), ErrorKind::Busy, Effect::None),
        ("InternalError", Lie::refused(500, "InternalError"), ErrorKind::Busy, Effect::Unknown),
        ("stored InternalError", Lie::kept(Heard::Error(500, "InternalError")), ErrorKind::Busy, Effect::Unknown),
        ("NotImplemented", Lie::refused(501, "NotImplemented"), ErrorKind::Busy, Effect::None),
        ("conflict", Lie::refused(409, "ConditionalRequestConflict"), ErrorKind::Busy, Effect::None),
        ("AccessDenied", Lie::refused(403, "AccessDenied"), ErrorKind::Denied, Effect::None),
        ("skew", Lie::refused(403, "RequestTimeTooSkewed"), ErrorKind::ClockSkew, Effect::None),
        ("NoSuchBucket", Lie::refused(404, "NoSuchBucket"), ErrorKind::NotFound, Effect::None),
        ("InvalidArgument", Lie::refused(400, "InvalidArgument"), ErrorKind::Invalid, Effect::None),
        ("wrong region", Lie::refused(400, "AuthorizationHeaderMalformed"), ErrorKind::Denied, Effect::None),
        ("RequestTimeout", Lie::refused(400, "RequestTimeout"), ErrorKind::Transport, Effect::None),
        ("BadDigest", Lie::refused(400, "BadDigest"), ErrorKind::Corrupt, Effect::None),
        ("proxy 403", page(403), ErrorKind::Intercepted, Effect::None),
        ("proxy 400", page(400), ErrorKind::Intercepted, Effect::None),
        ("proxy 407", page(407), ErrorKind::Intercepted, Effect::None),
        ("proxy 412", page(412), ErrorKind::Intercepted, Effect::None),
        ("proxy 502", page(502), ErrorKind::Intercepted, Effect::Unknown),
        ("proxy 504", page(504), ErrorKind::Intercepted, Effect::Unknown),
        ("proxy 511", page(511), ErrorKind::Intercepted, Effect::Unknown),
        ("portal 200", page(200), ErrorKind::Intercepted, Effect::None),
        ("portal 307", Lie::nothing_kept(Heard::Redirect(307)), ErrorKind::Intercepted, Effect::None),
        ("portal 302", Lie::nothing_kept(Heard::Redirect(302)), ErrorKind::Intercepted, Effect::None),
        ("bare 200", Lie::nothing_kept(Heard::BareSuccess), ErrorKind::Intercepted, Effect::None),
        ("error as 200", Lie::nothing_kept(Heard::ErrorAsSuccess), ErrorKind::Busy, Effect::Unknown),
        ("wrong checksum", Lie::kept(Heard::WrongChecksum), ErrorKind::Corrupt, Effect::None),
        ("truncated", Lie::named("truncated-xml").unwrap(), ErrorKind::Intercepted, Effect::None),
        ("reset", Lie::kept(Heard::Reset), ErrorKind::Transport, Effect::Unknown),
        ("cut head", Lie::kept(Heard::CutHead), ErrorKind::Transport, Effect::Unknown),
        ("garbage", Lie::nothing_kept(Heard::Garbage), ErrorKind::Transport, Effect::Unknown),
    ] {
        bucket.script([lie]);
        put_fails(&sink, name, kind, effect).await;
    }
    assert_eq!(sink.put(&object("taken")).await.unwrap(), Put::AlreadyExists);
    assert_eq!(bucket.strayed(), [""; 0], "a redirect was followed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_success_is_worth_what_the_endpoint_is_known_for() {
    for (server, echo, expected) in [
        (lying_bucket::Echo::Checksum, Echo::Detected, Ok(Put::Created)),
        (lying_bucket::Echo::Nothing, Echo::Detected, Ok(Put::Unproven)),
        (lying_bucket::Echo::Nothing, Echo::Required, Err(ErrorKind::Intercepted)),
        (lying_bucket::Echo::Nothing, Echo::Absent, Ok(Put::Created)),
    ] {
        let bucket = LyingBucket::start(server);
        let sink = connect(&bucket, echo).await;
        let put = sink.put(&object("k")).await.map_err(|error| error.kind());
        assert_eq!(put, expected, "{server:?} {echo:?}");
        // A page must not count as a success even from an endpoint without checksums.
        bucket.script([Lie::nothing_kept(Heard::Page(200))]);
        assert_eq!(sink.put(&object("p")).await.unwrap_err().kind(), ErrorKind::Intercepted, "{server:?} {echo:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_longer_than_there_is_room_for() {
    let bucket = LyingBucket::start(lying_bucket::Echo::Checksum);
    let sink = connect(&bucket, Echo::Detected).await;
    sink.put(&object("first")).await.unwrap();
    let room = Room::begin();
    for lie in [
        Lie::nothing_kept(Heard::HugeError(500, 1 << 33)),
        Lie::nothing_kept(Heard::HugeError(403, 1 << 33)),
        Lie::nothing_kept(Heard::HugeError(200, 1 << 33)),
        Lie::nothing_kept(Heard::EndlessHead),
    ] {
        bucket.script([lie]);
        room.fails(&format!("{lie:?}"), sink.put(&object("huge"))).await;
    }
    room.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_shows_what_is_there_to_whoever_may_look() {
    let bucket = LyingBucket::start(lying_bucket::Echo::Checksum);
    let sink = connect(&bucket, Echo::Detected).await;
    let ours = object("k");
    sink.put(&ours).await.unwrap();
    assert_eq!(sink.look("k").await.unwrap_err().kind(), ErrorKind::Denied);
    bucket.look(Look::Allowed);
    assert_eq!(sink.look("k").await.unwrap().compare(100_000, ours.sha256, None), Likeness::Same);
    bucket.put_by_another("k", "theirs");
    assert_eq!(sink.look("k").await.unwrap().compare(100_000, ours.sha256, None), Likeness::Other);
    assert_eq!(sink.look("none").await.unwrap_err().kind(), ErrorKind::NotFound);
}
