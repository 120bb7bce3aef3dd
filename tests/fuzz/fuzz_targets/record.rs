//! Any text as an event. What has to hold stands in `tests::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tests::fuzz::record(data));
