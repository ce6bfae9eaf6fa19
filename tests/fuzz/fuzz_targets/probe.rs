//! Objects of any kind, as the probe reads them: each gets an answer, within the runner's limits of time and memory.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let answer = framepost_probe::inspect_bytes(data);
    assert_eq!(answer, framepost_probe::inspect_bytes(data), "the answer is not a function of the bytes");
});
