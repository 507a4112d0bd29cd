//! Waiting without blocking: one thread for all waits of this process in an arena. It sleeps on the semaphore that other
//! processes post for this one, and has the event loop look.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::shared::arena::Arena;
use crate::sys::clock::Deadline;
use crate::sys::signal::Blocked;

/// Waits look by themselves so often, in milliseconds, since a process that is killed rings no bell.
const LOOK_MS: f64 = 200.0;

/// Enough for a thread that only sleeps and calls one function.
const STACK: usize = 128 << 10;

/// Indexes of the arenas whose bell is listened to.
static HEARD: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// Waits under way.
static PENDING: AtomicUsize = AtomicUsize::new(0);

/// Where a call waits that holds up the event loop.
static BLOCKED: Mutex<Option<OwnedFd>> = Mutex::new(None);

/// Has a byte written to `fd`, which does not block, whenever the bell is rung, or no more.
pub fn ring_also(fd: Option<OwnedFd>) {
    *BLOCKED.lock().unwrap_or_else(PoisonError::into_inner) = fd;
}

/// One wait more.
pub fn begin(arena: &'static Arena, look: impl Fn() + Send + 'static) -> Result<()> {
    let mut heard = HEARD.lock().unwrap_or_else(PoisonError::into_inner);
    if !heard.contains(&arena.number()) {
        // Signals are the main thread's.
        let _blocked = Blocked::all()?;
        let me = arena.me();
        std::thread::Builder::new()
            .name("mp-doorbell".into())
            .stack_size(STACK)
            .spawn(move || listen(arena, me, look))
            .map_err(|_| Error::last("pthread_create"))?;
        heard.push(arena.number());
    }
    if PENDING.fetch_add(1, SeqCst) == 0
        && let Some(member) = arena.members().get(arena.me())
    {
        // It may be sleeping for ever.
        member.doorbell.post();
    }
    Ok(())
}

/// One wait less.
pub fn end() {
    PENDING.fetch_sub(1, SeqCst);
}

/// Child: the threads are the parent's.
pub fn forget() {
    HEARD.lock().unwrap_or_else(PoisonError::into_inner).clear();
    PENDING.store(0, SeqCst);
}

fn listen(arena: &'static Arena, me: u32, look: impl Fn()) {
    while let Some(member) = arena.members().get(me) {
        let patience = if PENDING.load(SeqCst) > 0 {
            LOOK_MS
        } else {
            f64::INFINITY
        };
        member.doorbell.wait(Deadline::after_ms(patience));
        if PENDING.load(SeqCst) > 0 {
            look();
            if let Some(fd) = &*BLOCKED.lock().unwrap_or_else(PoisonError::into_inner) {
                // If it is full, it is readable as well.
                let _ = nix::unistd::write(fd, &[0]);
            }
        }
    }
}
