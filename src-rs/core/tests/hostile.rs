//! Random input, and the corpus of the fuzz targets, for all that decodes what others have written. `HOSTILE_SEED` and
//! `HOSTILE_ROUNDS` choose another sequence and another length.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::time::{Duration, Instant};

use node_multiprocessing_core::shared::arena;
use node_multiprocessing_core::shared::members::Look;
use node_multiprocessing_core::sync::semaphore::{SIZE, Semaphore};
use node_multiprocessing_core::sync::wait::{Taken, Want};

#[path = "lib/hostile.rs"]
mod hostile;

/// One input may not take longer: a watchdog for endless loops, no measure of speed.
const LONG: Duration = Duration::from_secs(20);

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn run(name: &str, target: fn(&[u8]), rounds: u64, most: u64, shape: impl Fn(&mut Vec<u8>, &mut u64)) {
    let run = |bytes: &[u8], which: &str| {
        let started = Instant::now();
        target(bytes);
        assert!(
            started.elapsed() < LONG,
            "{name}, {which}: {:?}",
            started.elapsed()
        );
    };
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/");
    let mut files: Vec<_> = std::fs::read_dir(format!("{corpus}{name}"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        run(&std::fs::read(&file).unwrap(), &file.display().to_string());
    }
    let seed = number("HOSTILE_SEED", 1);
    for round in 0..number("HOSTILE_ROUNDS", rounds) {
        let mut state =
            seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ round.wrapping_mul(0xd134_2543_de82_ef95) | 1;
        let length = random(&mut state) % most;
        let mut bytes: Vec<u8> = (0..length).map(|_| (random(&mut state) >> 24) as u8).collect();
        shape(&mut bytes, &mut state);
        run(&bytes, &format!("seed {seed}, round {round}"));
    }
}

#[test]
fn streams() {
    run("stream", hostile::stream, 3000, 2000, |bytes, state| {
        // Most lengths are short.
        if bytes.len() > 4 && !random(state).is_multiple_of(4) {
            bytes[..2].fill(0);
        }
    });
}

#[test]
fn packets() {
    run("packets", hostile::packets, 3000, 4000, |bytes, state| {
        // Two packets with a header that could be one: the length of a message, and its number.
        if bytes.len() > 60 && !random(state).is_multiple_of(4) {
            let first = 16 + random(state) % 20;
            bytes[..2].copy_from_slice(&(first as u16).to_le_bytes());
            bytes[2..10].copy_from_slice(&(random(state) % 64).to_le_bytes());
            let next = 2 + first as usize;
            let (head, tail) = bytes.split_at_mut(next);
            tail[1] = 0;
            tail[2..10].copy_from_slice(&(1 << 63 | (first - 16)).to_le_bytes());
            tail[10..18].copy_from_slice(&head[10..18]);
        }
    });
}

#[test]
fn shared_memory() {
    run(
        "shared_memory",
        hostile::shared_memory,
        1500,
        600,
        |bytes, state| {
            for step in bytes.chunks_exact_mut(6) {
                if random(state).is_multiple_of(2) {
                    step[0] %= 20;
                }
            }
        },
    );
}

#[test]
fn a_semaphore_with_more_permits_than_it_may_have_is_taken_all_the_same() {
    let (place, address) = arena::allocate(SIZE, 32).unwrap();
    let semaphore = Semaphore::at(place, false).unwrap();
    semaphore.begin(1, 1);
    // SAFETY: the value is the word's first part, which nobody else uses now.
    unsafe { address.copy_from_nonoverlapping(9_u32.to_ne_bytes().as_ptr(), 4) };
    assert_eq!(semaphore.attempt(false, Look::Noted), Some(Taken::Yes));
    assert_eq!(semaphore.value(), 8);
    arena::free(place);
}
