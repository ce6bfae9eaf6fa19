//! The contract of [`ObjectRemoval`], and of [`ObjectListing`] where something was removed.

use super::Subject;
use crate::{ByteRange, ErrorKind, NewObject, ObjectListing, ObjectRemoval, Put, chain};

/// Checks the contract of [`ObjectRemoval`] beside the other ports of the same bucket.
///
/// # Panics
///
/// Panics if the bucket breaks its contract.
pub async fn removal(subject: &Subject, removal: &dyn ObjectRemoval, listing: &dyn ObjectListing) {
    let run = Run { subject, removal, listing, prefix: format!("contract-{:016x}/", fastrand::u64(..)) };
    run.removes_one_of_several().await;
    run.frees_the_key().await;
    run.takes_any_key().await;
    run.of_what_is_not_there().await;
}

struct Run<'a> {
    subject: &'a Subject,
    removal: &'a dyn ObjectRemoval,
    listing: &'a dyn ObjectListing,
    prefix: String,
}

impl Run<'_> {
    async fn put(&self, rest: &str, bytes: &str) -> String {
        let key = format!("{}{rest}", self.prefix);
        let object = NewObject::of_bytes(&key, "video/mp4", bytes.to_owned());
        assert_eq!(self.subject.sink.put(&object).await.expect(rest), Put::Created, "{rest}");
        key
    }

    async fn remove(&self, key: &str) {
        if let Err(error) = self.removal.remove(key).await {
            panic!("{key}: {}", chain(&error));
        }
    }

    async fn assert_absent(&self, key: &str) {
        let range = ByteRange { start: 0, len: 1 };
        let read = self.subject.source.read(&self.subject.bucket, key, None, range).await;
        assert_eq!(read.expect_err("it was removed").kind(), ErrorKind::NotFound, "{key}");
        let seen = self.subject.sink.look(key).await;
        assert_eq!(seen.expect_err("it was removed").kind(), ErrorKind::NotFound, "{key}");
    }

    async fn keys(&self) -> Vec<String> {
        let found = self.listing.list(&self.prefix, "", 100).await.expect("it can be listed");
        found.into_iter().map(|object| object.key).collect()
    }

    async fn removes_one_of_several(&self) {
        let gone = self.put("several/a.mp4", "1").await;
        // Keys that begin or end like it.
        let mut kept = vec![self.put("several/a.mp4_end", "2").await, self.put("several/a.mp", "3").await];
        kept.push(self.put("several/more/a.mp4", "4").await);
        kept.sort();
        self.remove(&gone).await;
        self.assert_absent(&gone).await;
        assert_eq!(self.keys().await, kept);
        for key in kept {
            self.remove(&key).await;
        }
        assert_eq!(self.keys().await, [""; 0]);
    }

    async fn frees_the_key(&self) {
        let key = self.put("again.mp4", "first").await;
        self.remove(&key).await;
        assert_eq!(self.put("again.mp4", "second, longer").await, key);
        let range = ByteRange { start: 0, len: 100 };
        let read = self.subject.source.read(&self.subject.bucket, &key, None, range).await.expect("it is there");
        assert_eq!(read.bytes, "second, longer");
        assert_eq!(self.keys().await, [key.as_str()]);
        self.remove(&key).await;
        self.assert_absent(&key).await;
    }

    async fn takes_any_key(&self) {
        let names = [
            "with space and+plus",
            "percent%41/%2F%25",
            "umlaut-äöü/漢字/🎥.mp4",
            "punctuation !\"#$&'()*,:;<=>?@[]^_`{|}~",
            "dots/.hidden/a..b/...",
            "Case",
        ];
        let others = [("with space and plus", "1"), ("percentA/%2F%25", "2"), ("case", "3")];
        for (rest, bytes) in others {
            self.put(rest, bytes).await;
        }
        for rest in names {
            let key = self.put(rest, rest).await;
            self.remove(&key).await;
            self.assert_absent(&key).await;
        }
        let mut kept: Vec<String> = others.iter().map(|(rest, _)| format!("{}{rest}", self.prefix)).collect();
        kept.sort();
        assert_eq!(self.keys().await, kept, "no two keys name the same object");
        for key in kept {
            self.remove(&key).await;
        }
    }

    async fn of_what_is_not_there(&self) {
        let key = format!("{}nothing", self.prefix);
        if let Err(error) = self.removal.remove(&key).await {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{}", chain(&error));
        }
        self.assert_absent(&key).await;
        assert_eq!(self.keys().await, [""; 0]);
    }
}
