//! Fuzzes packets of a peer.
#![no_main]
#![allow(dead_code, reason = "the other targets' part")]

#[path = "../../src-rs/core/tests/lib/hostile.rs"]
mod hostile;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hostile::packets(bytes));
