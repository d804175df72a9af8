#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sse_fuzz::play("hub", input));
