//! Object keys: any text gives an answer, and what is read is written and read again as the same key.

#![no_main]

use framepost_events::ObjectKey;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(key) = text.parse::<ObjectKey>() {
        let written = key.to_string();
        assert_eq!(written.parse::<ObjectKey>().as_ref(), Ok(&key), "{text:?} was written as {written:?}");
    }
});
