//! Object metadata, as lines of `Name: value`: any gives an answer; what is read and can be written is read again, and
//! is then written the same.

#![no_main]

use framepost_events::attributes::{Attributes, METADATA_LIMIT_BYTES, Metadata, metadata_bytes};
use libfuzzer_sys::fuzz_target;

fn read(metadata: &Metadata) -> Attributes {
    Attributes::from_metadata(metadata.iter().map(|(name, value)| (name.as_str(), value.as_str())))
        .unwrap_or_else(|error| panic!("{error}: {metadata:?}"))
}

fuzz_target!(|text: &str| {
    let Ok(attributes) = Attributes::from_metadata(text.lines().filter_map(|line| line.split_once(": "))) else {
        return;
    };
    let Ok(written) = attributes.to_metadata() else { return };
    assert!(metadata_bytes(&written) <= METADATA_LIMIT_BYTES);
    assert_eq!(read(&written).to_metadata().as_ref(), Ok(&written));
});
