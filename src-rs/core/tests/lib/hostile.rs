//! What others may have written, decoded: bytes of a peer, and shared memory that somebody has scribbled over. Anything may
//! come of it but a crash, an access out of bounds, an endless loop, or memory without measure. For `hostile.rs` and the fuzz
//! targets.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::io::{IoSlice, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use node_multiprocessing_core::Error;
use node_multiprocessing_core::connection::{Connection, HEADER, Intake, Place, Received, SCRATCH};
use node_multiprocessing_core::process::blocking::Interrupts;
use node_multiprocessing_core::queue::queue::{Queue, What};
use node_multiprocessing_core::shared::arena;
use node_multiprocessing_core::shared::members::{Look, Member, SEATS};
use node_multiprocessing_core::shared::records::{Count, Head, RECORDS};
use node_multiprocessing_core::sync::barrier::Barrier;
use node_multiprocessing_core::sync::event::Event;
use node_multiprocessing_core::sync::lock::Lock;
use node_multiprocessing_core::sync::semaphore::Semaphore;
use node_multiprocessing_core::sync::wait::{self, Want};
use node_multiprocessing_core::sys::clock::Deadline;
use node_multiprocessing_core::sys::socket;

/// A peer says how long its message is; nobody has to find that much.
const MOST: usize = 16 << 20;

#[derive(Debug)]
struct Bytes(Vec<u8>);

// SAFETY: the memory of a vector that is not resized.
unsafe impl Place for Bytes {
    fn start(&mut self) -> *mut u8 {
        self.0.as_mut_ptr()
    }
}

/// Receives all that there is, as long as nothing is wrong.
fn receive_all(fd: OwnedFd, limit: u64) {
    let mut connection = Connection::<Bytes>::open(fd).unwrap();
    let mut scratch = vec![0; SCRATCH];
    let mut allocate = |size: usize| {
        if size > MOST {
            return Err(Error::Exhausted("memory"));
        }
        Ok(Bytes(vec![0; size]))
    };
    loop {
        let mut intake = Intake {
            scratch: &mut scratch,
            limit,
            allocate: &mut allocate,
            process: std::process::id(),
        };
        match connection.receive(&mut intake, 1000) {
            Ok(Some(Received::Scratch(length))) => assert!(HEADER + length <= SCRATCH),
            Ok(Some(Received::Message(_))) => {}
            Ok(Some(Received::End { .. } | Received::TooLong(_)) | None) | Err(_) => return,
        }
    }
}

/// A stream of bytes, then its end.
pub fn stream(bytes: &[u8]) {
    let (mut one, other) = UnixStream::pair().unwrap();
    one.set_nonblocking(true).unwrap();
    // As much as there is room for.
    let _ = one.write(bytes);
    drop(one);
    receive_all(other.into(), u64::MAX);
}

/// Packets, each after its length in two bytes.
pub fn packets(bytes: &[u8]) {
    let (one, other) = socket::pair().unwrap();
    let mut rest = bytes;
    while let Some((&[low, high], after)) = rest.split_first_chunk() {
        let (packet, after) = after.split_at(after.len().min(usize::from(low) | usize::from(high) << 8));
        rest = after;
        if packet.is_empty()
            || !matches!(
                socket::send(one.as_fd(), &[IoSlice::new(packet)], &[]),
                Ok(Some(_))
            )
        {
            break;
        }
    }
    drop(one);
    receive_all(other, 1 << 20);
}

const SEATS_AT: usize = 4096;
const HEADS_AT: usize = SEATS_AT + SEATS * size_of::<Member>();
const BODIES_AT: usize = HEADS_AT + RECORDS * size_of::<Head>();
/// Bytes of the block in which everything lies, and of the arena's tables and the queue's memory, that are scribbled over.
const TABLE: usize = 512;
const MEMORY: usize = 4096;

/// Bytes that are put back as they were.
struct Scribbled {
    at: *mut u8,
    before: Vec<u8>,
}

impl Scribbled {
    /// Nobody else may use them: one thread, and no other process.
    fn new(at: *mut u8, length: usize) -> Self {
        // SAFETY: the callers': it is part of a mapping.
        let before = unsafe { std::slice::from_raw_parts(at, length) }.to_vec();
        Self { at, before }
    }

    fn put(&self, at: usize, bytes: &[u8]) {
        let at = at % (self.before.len() - bytes.len() + 1);
        // SAFETY: it is inside, and of a mapping that stays.
        unsafe {
            self.at
                .add(at)
                .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        };
    }
}

impl Drop for Scribbled {
    fn drop(&mut self) {
        self.put(0, &self.before.clone());
    }
}

/// Shared memory: each step is six bytes, which say what is done or scribbled.
pub fn shared_memory(bytes: &[u8]) {
    let queue = Queue::create(0).unwrap();
    let (place, block) = arena::allocate(256, 64).unwrap();
    let own = arena::of(place).unwrap();
    let words = block.wrapping_sub(place.offset() as usize);
    // SAFETY: the queue's block lies in the same mapping.
    let of_queue = unsafe { words.add(queue.place().offset() as usize) };
    let areas = [
        Scribbled::new(of_queue, 256),
        Scribbled::new(block, 256),
        Scribbled::new(queue.memory().at(0, MEMORY as u64).as_ptr(), MEMORY),
        Scribbled::new(words, 16),
        Scribbled::new(words.wrapping_add(SEATS_AT), TABLE),
        Scribbled::new(words.wrapping_add(HEADS_AT), TABLE),
        Scribbled::new(words.wrapping_add(BODIES_AT), TABLE),
    ];
    let at = |offset: u64| {
        let number = place.to_number() + offset;
        arena::Place::from_number(number)
    };
    let lock = Lock::at(at(0), false).unwrap();
    let recovered = Lock::at(at(0), true).unwrap();
    let event = Event::at(at(4)).unwrap();
    let semaphore = Semaphore::at(at(64), true).unwrap();
    let barrier = Barrier::at(at(128)).unwrap();
    semaphore.begin(2, 5);
    barrier.begin(2);
    let mut into = vec![0; 3000];
    let mut waits = 0;
    let now = || Deadline::after_ms(1.0);
    for step in bytes.chunks_exact(6) {
        let &[what, low, high, a, b, c] = step else {
            continue;
        };
        let offset = usize::from(low) | usize::from(high) << 8;
        let length = usize::from(a) * 11;
        // These may wait for somebody who is said to be at work on the queue: a few are enough.
        if matches!(what, 2 | 3 | 5 | 18 | 19) {
            waits += 1;
            if waits > 2 {
                continue;
            }
        }
        match what {
            0 => drop(queue.put_at_once(&[&vec![b; length]], false)),
            1 => drop(queue.get_at_once(&mut into[..length], None, false)),
            2 => {
                let mut frames = u32::from(a).to_le_bytes().to_vec();
                frames.resize(4 + usize::from(b), c);
                drop(queue.put_many(&frames, Deadline::after_ms(0.0), Interrupts::NONE));
            }
            3 => drop(queue.get_many(&mut into, u32::from(a), Deadline::after_ms(0.0), Interrupts::NONE)),
            4 => {
                _ = (
                    queue.len(),
                    queue.is_full(),
                    queue.taken(),
                    queue.unfinished(),
                    queue.task_done(),
                );
            }
            5 => drop(queue.shut_down(a > 127, Interrupts::NONE)),
            6 => _ = [What::Items, What::Room, What::End].map(|what| queue.until(what).holds()),
            7 => drop(lock.attempt(true, Look::System)),
            8 => drop(lock.release()),
            9 => _ = (lock.recover(), recovered.attempt(false, Look::Noted)),
            10 => drop(semaphore.attempt(a > 127, Look::System)),
            11 => drop(semaphore.release(u32::from(a))),
            12 => _ = (semaphore.recover(), semaphore.value()),
            13 => _ = (event.set(), event.attempt(true, Look::Noted), event.clear()),
            14 => _ = (barrier.reset(), barrier.waiting(), barrier.complete(u32::from(a))),
            15 => _ = own.records().tell(place.offset(), Count::All, Look::System),
            16 => own.records().nudge_all(),
            17 => _ = own.members().youngest_alive_after(u32::from(a), 1),
            18 => drop(wait::obtain(lock, now(), Interrupts::NONE)),
            19 => drop(wait::obtain(semaphore, now(), Interrupts::NONE)),
            20..=90 => areas[usize::from(what) % areas.len()].put(offset, &[a, b, c]),
            91..=150 => areas[usize::from(what) % areas.len()].put(offset & !7, &[c; 8]),
            // A number that is nearly one that could be there.
            _ => {
                let value = u64::from(a) << (b % 64);
                areas[usize::from(what) % areas.len()].put(offset & !3, &value.to_le_bytes());
            }
        }
    }
    drop(areas);
    arena::free(place);
}
