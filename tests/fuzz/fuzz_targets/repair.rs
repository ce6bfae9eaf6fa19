//! Part files as a crash or a bad disk leaves them: each gets an answer, and what is kept of it is whole.

#![no_main]

use edge_uploader::segment::{RepairError, repair};
use framepost_events::attributes::Attributes;
use libfuzzer_sys::fuzz_target;
use std::io::Cursor;

fuzz_target!(|data: &[u8]| {
    let draft = Attributes { from: Some(jiff::Timestamp::UNIX_EPOCH), ..Attributes::default() };
    let repaired = match repair(Cursor::new(data), &draft) {
        Ok(repaired) => repaired,
        Err(RepairError::Io(error)) => panic!("bytes in memory can be read: {error}"),
        Err(_) => return,
    };
    let keep = usize::try_from(repaired.keep_bytes).expect("no more than there are");
    assert!(repaired.init.len() <= keep && keep <= data.len(), "{keep} of {} bytes", data.len());
    // A repair that was cut short is repeated, so what it makes must come out the same again.
    let mut whole = data[..keep].to_vec();
    whole[..repaired.init.len()].copy_from_slice(&repaired.init);
    whole.extend_from_slice(&repaired.tail);
    let again = repair(Cursor::new(&whole), &draft).expect("what was repaired is whole");
    assert_eq!(again, repaired);
});
