//! The lying bucket keeps S3's rules whatever it answers.

use super::{Echo, Heard, Kept, Lie, Look, LyingBucket};
use crate::http::request;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use framepost_events::Sha256;

fn put(bucket: &LyingBucket, key: &str, body: &[u8]) -> std::io::Result<u16> {
    let checksum = BASE64_STANDARD.encode(Sha256::of(body).0);
    let headers = [("if-none-match", "*"), ("x-amz-checksum-sha256", &*checksum)];
    request("PUT", &format!("{}/footage/{key}", bucket.endpoint()), &headers, body).map(|answer| answer.status)
}

#[test]
fn it_creates_once_and_tells_the_truth_until_it_is_told_otherwise() {
    let bucket = LyingBucket::start(Echo::Checksum);
    assert_eq!(put(&bucket, "a/b%20c", b"one").unwrap(), 200);
    assert_eq!(put(&bucket, "a/b%20c", b"two").unwrap(), 412);
    assert_eq!(bucket.objects()["a/b c"], b"one");
    let wrong = [("if-none-match", "*"), ("x-amz-checksum-sha256", "AAAA")];
    assert_eq!(request("PUT", &format!("{}/footage/x", bucket.endpoint()), &wrong, b"one").unwrap().status, 400);
    let without = request("PUT", &format!("{}/footage/x", bucket.endpoint()), &[], b"one").unwrap();
    assert_eq!(without.status, 403, "the policy asks for the condition");
    let kept: Vec<_> = bucket.puts().iter().map(|put| put.kept).collect();
    assert_eq!(kept, [Some(Kept::Stored), Some(Kept::OtherThere), Some(Kept::No), Some(Kept::No)]);
}

#[test]
fn what_is_said_and_what_is_kept_are_two_things() {
    let bucket = LyingBucket::start(Echo::Checksum);
    let lies = ["lost", "503", "kept500", "fake200", "redirect", "html-proxy", "nobody"];
    bucket.script(lies.map(|name| Lie::named(name).unwrap()));
    let heard: Vec<_> = lies.iter().map(|name| put(&bucket, name, b"x").ok()).collect();
    assert_eq!(heard, [None, Some(503), Some(500), Some(200), Some(307), Some(403), None]);
    assert_eq!(bucket.objects().into_keys().collect::<Vec<_>>(), ["kept500", "lost", "nobody"]);
    assert_eq!(put(&bucket, "then", b"x").unwrap(), 200);
    assert_eq!(Lie::named("hugeerr"), Some(Lie::nothing_kept(Heard::HugeError(500, 1 << 33))));
}

#[test]
fn only_who_may_look_sees() {
    let bucket = LyingBucket::start(Echo::Checksum);
    bucket.put_by_another("k", "theirs");
    let look = |key: &str| request("HEAD", &format!("{}/footage/{key}", bucket.endpoint()), &[], b"").unwrap().status;
    assert_eq!(look("k"), 403);
    bucket.look(Look::Allowed);
    assert_eq!((look("k"), look("none")), (200, 404));
}
