//! Models of what processes do to each other, run by loom in every order that the memory model allows; see CONTRIBUTING.md.
//!
//! The code under test is that of the library: only the arena's tables, the futex and the queue's memory are stand-ins
//! (`src/loom`). Threads play the processes. No wait of theirs ends by itself here and nobody looks now and then, as they do
//! in earnest: so a wake-up that is lost is a deadlock, which loom reports.
#![cfg(loom)]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use loom::cell::UnsafeCell;
use loom::model::Builder;
use loom::sync::Arc;
use loom::thread::{self, JoinHandle};

use node_multiprocessing_core::atomic::{AtomicU32, Ordering::SeqCst};
use node_multiprocessing_core::process::blocking::{Interrupts, Outcome};
use node_multiprocessing_core::queue::queue::{Came, Queue};
use node_multiprocessing_core::queue::ring::{ReaderSide, Ring, WriterSide};
use node_multiprocessing_core::shared::arena::{self, Arena, Place};
use node_multiprocessing_core::shared::members::MemberId;
use node_multiprocessing_core::shared::records::Count;
use node_multiprocessing_core::sync::barrier::{Barrier, Party};
use node_multiprocessing_core::sync::condition::{self, Sleeper};
use node_multiprocessing_core::sync::event::Event;
use node_multiprocessing_core::sync::lock::{Lock, Released};
use node_multiprocessing_core::sync::semaphore::Semaphore;
use node_multiprocessing_core::sync::wait::{self, Taken, Want};
use node_multiprocessing_core::sys::clock::Deadline;
use node_multiprocessing_core::sys::semaphore::Semaphore as Bed;
use node_multiprocessing_core::sys::sparse::Sparse;

/// Runs a model in all orders with at most so many preemptions, the number of which it prints.
fn model(preemptions: usize, run: impl Fn(&'static Arena) + Send + Sync + 'static) {
    let orders = std::sync::Arc::new(AtomicUsize::new(0));
    let count = orders.clone();
    let mut builder = Builder::new();
    builder.max_branches = 100_000;
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    builder.check(move || {
        count.fetch_add(1, Relaxed);
        let arena = arena::begin();
        play(arena);
        run(arena);
    });
    println!("{} orders", orders.load(Relaxed));
}

/// This thread is a process of its own from here on.
fn play(arena: &Arena) -> MemberId {
    let me = arena.members().reserve().unwrap();
    arena::sit_down(me);
    me
}

/// Another process. Its seat is taken by this one, as before a fork.
fn fork<T: 'static>(arena: &'static Arena, run: impl FnOnce() -> T + 'static) -> JoinHandle<T> {
    let seat = arena.members().reserve().unwrap();
    thread::spawn(move || {
        arena::sit_down(seat);
        run()
    })
}

/// What a parent does that has reaped a child.
fn reap(arena: &Arena, seat: MemberId) {
    arena.members().note_end(seat, Some(9));
    arena.records().nudge_all();
}

fn obtain(want: impl Want) -> Taken {
    let never = Deadline::after_ms(f64::INFINITY);
    match wait::obtain(want, never, Interrupts::NONE).unwrap() {
        Outcome::Done(taken) => taken,
        other => unreachable!("{other:?}"),
    }
}

fn place() -> Place {
    arena::allocate(64, 64).unwrap().0
}

#[test]
fn a_post_wakes_a_sleeper_or_the_next_one_that_comes() {
    model(4, |arena| {
        let bed = Arc::new(Bed::default());
        let posts = bed.clone();
        let other = fork(arena, move || posts.post());
        bed.wait(Deadline::after_ms(f64::INFINITY));
        other.join().unwrap();
    });
}

#[test]
fn a_lock_is_one_holder_s_and_goes_to_whoever_sleeps_for_it() {
    model(2, |arena| {
        let (place, count) = (place(), Arc::new(UnsafeCell::new(0)));
        let lock = Lock::at(place, false).unwrap();
        let add = move |count: &UnsafeCell<u32>| {
            assert_eq!(obtain(lock), Taken::Yes);
            // SAFETY: loom checks that nobody else uses it.
            count.with_mut(|count| unsafe { *count += 1 });
            assert_eq!(lock.release(), Released::Yes);
        };
        let others: Vec<_> = (0..2)
            .map(|_| {
                let count = count.clone();
                fork(arena, move || add(&count))
            })
            .collect();
        add(&count);
        others.into_iter().for_each(|other| other.join().unwrap());
        // SAFETY: as above.
        count.with(|count| assert_eq!(unsafe { *count }, 3));
    });
}

#[test]
fn whoever_waits_for_a_lock_hears_of_its_holder_s_death_and_recovers_it_once() {
    model(2, |arena| {
        let lock = Lock::at(place(), false).unwrap();
        let seat = arena.members().reserve().unwrap();
        let holder = thread::spawn(move || {
            arena::sit_down(seat);
            assert_eq!(obtain(lock), Taken::Yes);
        });
        let waiter = fork(arena, move || match obtain(lock) {
            Taken::Yes => lock.release() == Released::Yes,
            Taken::Abandoned(_) => lock.recover(),
            other => unreachable!("{other:?}"),
        });
        holder.join().unwrap();
        reap(arena, seat);
        let recovered = waiter.join().unwrap();
        assert!(recovered);
        if lock.attempt(false, node_multiprocessing_core::shared::members::Look::Noted) != Some(Taken::Yes) {
            // It was taken and left after the other one had it.
            assert!(lock.recover());
        }
    });
}

#[test]
fn permits_are_neither_lost_nor_made() {
    model(2, |arena| {
        let (place, inside) = (place(), Arc::new(AtomicU32::new(0)));
        let semaphore = Semaphore::at(place, false).unwrap();
        semaphore.begin(1, 1);
        let turn = move |inside: &AtomicU32| {
            assert_eq!(obtain(semaphore), Taken::Yes);
            assert_eq!(inside.fetch_add(1, SeqCst), 0);
            inside.fetch_sub(1, SeqCst);
            assert!(semaphore.release(1).unwrap());
        };
        let count = inside.clone();
        let other = fork(arena, move || turn(&count));
        turn(&inside);
        other.join().unwrap();
        assert_eq!(semaphore.value(), 1);
        assert!(!semaphore.release(1).unwrap());
    });
}

#[test]
fn a_permit_of_a_dead_process_is_recovered_whatever_others_do() {
    model(2, |arena| {
        let semaphore = Semaphore::at(place(), true).unwrap();
        semaphore.begin(1, 1);
        let seat = arena.members().reserve().unwrap();
        let holder = thread::spawn(move || {
            arena::sit_down(seat);
            assert_eq!(obtain(semaphore), Taken::Yes);
        });
        holder.join().unwrap();
        let waiter = fork(arena, move || {
            assert!(matches!(obtain(semaphore), Taken::Yes | Taken::Recovered(_)));
            assert!(semaphore.release(1).unwrap());
        });
        reap(arena, seat);
        semaphore.recover();
        waiter.join().unwrap();
        assert_eq!(semaphore.value(), 1);
        assert_eq!(semaphore.recover(), 0);
    });
}

#[test]
fn an_event_is_seen_even_if_it_is_cleared_at_once() {
    model(3, |arena| {
        let place = place();
        let event = Event::at(place).unwrap();
        let waiters: Vec<_> = (0..2).map(|_| fork(arena, move || obtain(event))).collect();
        let setter = Event::at(place).unwrap();
        setter.set();
        setter.clear();
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), Taken::Yes);
        }
    });
}

#[test]
fn whoever_has_begun_to_sleep_at_a_condition_is_told() {
    model(3, |arena| {
        let (lock, place) = (Lock::at(place(), false).unwrap(), place());
        let ready = Arc::new(UnsafeCell::new(false));
        let flag = ready.clone();
        let sleeper = fork(arena, move || {
            assert_eq!(obtain(lock), Taken::Yes);
            // SAFETY: under the lock, as loom checks.
            while !flag.with(|flag| unsafe { *flag }) {
                let sleeper = Sleeper::begin(place, false).unwrap();
                lock.release();
                let never = Deadline::after_ms(f64::INFINITY);
                sleeper.sleep(never, Interrupts::NONE).unwrap();
                assert_eq!(obtain(lock), Taken::Yes);
            }
            lock.release();
        });
        assert_eq!(obtain(lock), Taken::Yes);
        // SAFETY: as above.
        ready.with_mut(|ready| unsafe { *ready = true });
        condition::notify(place, Count::AtMost(1)).unwrap();
        lock.release();
        sleeper.join().unwrap();
    });
}

#[test]
fn a_barrier_opens_for_all_or_none() {
    model(2, |arena| {
        let barrier = Barrier::at(place()).unwrap();
        barrier.begin(2);
        let pass = move || {
            let never = Deadline::after_ms(f64::INFINITY);
            let party = Party::begin(barrier, false).unwrap();
            match party.wait(never, Interrupts::NONE).unwrap() {
                Outcome::Done(Taken::Passed { index, round }) => {
                    // The last one to come lets the others go.
                    if index == 1 {
                        assert!(barrier.complete(round));
                    }
                    index
                }
                other => unreachable!("{other:?}"),
            }
        };
        let other = fork(arena, pass);
        let mine = pass();
        assert_eq!(mine + other.join().unwrap(), 1);
        assert_eq!((barrier.waiting(), barrier.is_broken()), (0, false));
    });
}

#[test]
fn messages_of_a_ring_come_whole_and_in_order_while_it_wraps() {
    struct Parts {
        memory: Sparse,
        writer: WriterSide,
        reader: ReaderSide,
    }
    impl Parts {
        fn ring(&self) -> Ring<'_> {
            Ring {
                memory: &self.memory,
                writer: &self.writer,
                reader: &self.reader,
            }
        }
    }
    const MESSAGES: u8 = 6;
    model(3, |_| {
        let parts = Arc::new(Parts {
            memory: Sparse::create().unwrap(),
            writer: WriterSide::default(),
            reader: ReaderSide::default(),
        });
        let writers = parts.clone();
        let length = |number: u8| 1 + usize::from(number % 3) * 8;
        let other = thread::spawn(move || {
            for number in 0..MESSAGES {
                writers.ring().write(&[&vec![number; length(number)]]).unwrap();
            }
        });
        let mut number = 0;
        let mut into = [0; 32];
        let mut read = |most: u8| {
            for _ in 0..most {
                match parts.ring().read(&mut into).unwrap() {
                    None => thread::yield_now(),
                    Some(got) => {
                        assert_eq!(&into[..got as usize], vec![number; length(number)]);
                        number += 1;
                    }
                }
            }
        };
        read(MESSAGES);
        other.join().unwrap();
        read(MESSAGES);
        assert_eq!(number, MESSAGES);
        assert!(parts.ring().is_empty());
    });
}

fn put(queue: &Queue, byte: u8) {
    let never = Deadline::after_ms(f64::INFINITY);
    assert_eq!(
        queue.put(&[&[byte]], never, Interrupts::NONE).unwrap(),
        Came::Done(1)
    );
}

fn get(queue: &Queue) -> u8 {
    let never = Deadline::after_ms(f64::INFINITY);
    let mut into = [0; 8];
    assert_eq!(
        queue.get(&mut into, None, never, Interrupts::NONE).unwrap(),
        Came::Done(1)
    );
    into[0]
}

#[test]
fn a_queue_with_room_for_one_wakes_both_sides() {
    model(2, |arena| {
        let queue = Arc::new(Queue::create(1).unwrap());
        let writers = queue.clone();
        let writer = fork(arena, move || (1..=2).for_each(|byte| put(&writers, byte)));
        assert_eq!((get(&queue), get(&queue)), (1, 2));
        writer.join().unwrap();
    });
}

#[test]
fn two_that_wait_for_a_queue_get_one_message_each() {
    model(1, |arena| {
        let queue = Arc::new(Queue::create(0).unwrap());
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let queue = queue.clone();
                fork(arena, move || get(&queue))
            })
            .collect();
        put(&queue, 1);
        put(&queue, 2);
        let sum: u8 = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
        assert_eq!(sum, 3);
    });
}
