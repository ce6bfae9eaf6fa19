//! Files that are hashed together.

use super::sim_fs::SimFs;
use crate::spool::digest::{Digest, Hashing, Way};
use crate::spool::fs::{Fs as _, SpoolFile};
use std::io::Write as _;
use std::path::Path;

/// More than is read at a time, so that files end within a piece and at its border.
const LONGEST: usize = 200_000;

fn file(fs: &SimFs, name: &str, content: &[u8]) -> Box<dyn SpoolFile> {
    let mut file = fs.create(&Path::new("/").join(name)).unwrap();
    file.write_all(content).unwrap();
    file
}

#[test]
fn files_come_out_in_order_with_the_digests_that_each_has_alone() {
    let mut random = fastrand::Rng::with_seed(8);
    let fs = SimFs::new(1);
    for round in 0..60 {
        let way = if round % 3 == 0 { Way::OneByOne } else { Way::Together };
        let mut hashing = Hashing::new(way);
        let mut found = Vec::new();
        let mut expected = Vec::new();
        for number in 0..round % 21 {
            let length = if random.bool() { random.usize(0..LONGEST) } else { 65_536 * random.usize(0..3) };
            let content: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(length).collect();
            hashing.add(number, file(&fs, &format!("{round}-{number}"), &content)).unwrap();
            expected.push((number, Digest::of(&content)));
            match random.u8(0..8) {
                0..5 => hashing.advance().unwrap(),
                5 => hashing.finish().unwrap(),
                _ => {}
            }
            found.extend(std::iter::from_fn(|| hashing.next()));
        }
        hashing.finish().unwrap();
        found.extend(std::iter::from_fn(|| hashing.next()));
        assert_eq!(found, expected);
        assert_eq!(hashing.len(), 0);
    }
}
