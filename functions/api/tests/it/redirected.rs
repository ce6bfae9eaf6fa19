//! Media that the bucket sends: the function as a program, in front of moto, with the rights of its role.

#![cfg(feature = "aws")]

use crate::in_aws::{Installed, Sender, exchange};
use crate::judged::{FRAMES_PER_S, Recording, SECONDS, SPAN, run};
use framepost_events::manifest::ManifestSigner;
use jiff::SignedDuration;
use std::collections::BTreeMap;
use url::Url;

/// The value of a header in the head of an answer.
fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let value = |line: &'a str| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name));
    head.lines().find_map(value).map_or("", |(_, value)| value)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bucket_sends_what_is_played() {
    let Some(recording) = Recording::make(&SPAN, "0").await else { return };
    let public_key = ManifestSigner::from_secret(&[5; 32]).public_key();
    let records = recording.records.clone();
    let Some(installed) = Installed::with(&recording.bucket, records, public_key, Sender::Bucket).await else { return };
    let key = recording.bucket.keys()[1].clone();
    let bytes = recording.bucket.bytes(&key).unwrap();
    let path = format!("/v1/media/{key}");
    let endpoint = installed.account.endpoint();

    let (status, head, body) = installed.asked("GET", &path, &[("Range", "bytes=100-299")], "");
    assert_eq!((status, body.len()), (302, 0), "{head}");
    assert_eq!(header(&head, "cache-control"), "private, max-age=600", "{head}");
    let policy = header(&head, "content-security-policy");
    assert!(policy.contains(&format!("connect-src 'self' {endpoint};")), "{policy}");
    let url: Url = header(&head, "location").parse().unwrap();
    assert!(url.as_str().starts_with(&format!("{endpoint}/footage/{key}?")), "{url}");
    let query: BTreeMap<_, _> = url.query_pairs().collect();
    assert_eq!(query["X-Amz-Expires"], "900", "{url}");
    // moto does not check signatures. S3 refuses a URL with a signature that also comes with a token.
    assert!(query.contains_key("X-Amz-Signature") && query["X-Amz-SignedHeaders"] == "host", "{url}");
    let address = url.socket_addrs(|| None).unwrap()[0];
    let get = format!("GET {}?{}", url.path(), url.query().unwrap());
    let (status, head, body) = exchange(address, &get, &[("Range", "bytes=100-299")], "");
    assert_eq!((status, header(&head, "content-type")), (206, "video/mp4"), "{head}");
    assert_eq!(header(&head, "content-disposition"), "attachment", "{head}");
    assert!(body == bytes[100..300], "{} bytes", body.len());

    // What the bucket cannot answer, the API does.
    let (status, head, _) = installed.asked("HEAD", &path, &[], "");
    assert_eq!((status, header(&head, "content-length")), (200, bytes.len().to_string().as_str()), "{head}");
    let (status, head, _) = installed.asked("GET", &format!("{path}?start=3000000"), &[], "");
    assert_eq!(status, 200, "{head}");
    assert_eq!(installed.asked("GET", "/v1/media/site-0/none.mp4", &[], "").0, 404);
    assert_eq!(exchange(installed.address, &format!("GET {path}"), &[], "").0, 401, "without a token");

    // ffmpeg has a signed playlist, and no token to send.
    let [from, to] = [0, 60].map(|seconds| recording.start + SignedDuration::from_secs(seconds));
    let playlist = format!("/v1/playlists/site-0/cam-0.m3u8?from={from}&to={to}");
    let asked: String = url::form_urlencoded::byte_serialize(playlist.as_bytes()).collect();
    let signed = installed.json(&format!("/v1/sign?path={asked}"))["path"].as_str().unwrap().to_owned();
    let url = format!("http://{}{signed}", installed.address);
    let entries = "stream=nb_read_packets";
    let count = ["-v", "error", "-count_packets", "-select_streams", "v:0", "-show_entries", entries, "-of", "csv=p=0"];
    let packets = run("ffprobe", &[&count[..], &[&url]].concat()).await.unwrap();
    let expected = SPAN.len() * usize::try_from(SECONDS).unwrap() * FRAMES_PER_S as usize;
    assert!(packets.lines().any(|line| line.trim() == expected.to_string()), "{packets} of {expected}");
}
