//! One word of memory shared by parent and child, at which the child waits until the parent vouches for the copy.
//!
//! The page also carries the child's time stamps back for the benchmark.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::error::{Error, Result};

const WAITING: u32 = 0;
const OPEN: u32 = 1;

/// What lies in the page.
#[derive(Debug)]
#[repr(C)]
struct Page {
    state: AtomicU32,
    stamps: [AtomicU64; 4],
}

/// Moments that a child reports.
#[derive(Debug, Clone, Copy)]
pub enum Stamp {
    /// The system call returned in the child.
    Forked = 0,
    /// Everything is set up and the target is called next.
    Running = 1,
    /// The target is over.
    Finished = 2,
    /// `_exit` is called next.
    Exiting = 3,
}

/// The shared page; unmapped when dropped.
#[derive(Debug)]
pub struct Gate(NonNull<Page>);

// SAFETY: the page holds only atomics, and the mapping lives as long as its one owner.
unsafe impl Send for Gate {}

impl Gate {
    /// Maps a closed gate that the next fork shares with its child.
    pub fn create() -> Result<Self> {
        // SAFETY: an anonymous mapping at an address of the kernel's choice touches no existing memory.
        let page = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                size_of::<Page>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANON,
                -1,
                0,
            )
        };
        if page == libc::MAP_FAILED {
            return Err(Error::last("mmap"));
        }
        // Fresh pages are zero, which is the closed state of every field.
        NonNull::new(page.cast())
            .map(Self)
            .ok_or_else(|| Error::last("mmap"))
    }

    fn page(&self) -> &Page {
        // SAFETY: the mapping lives as long as self, is large enough, aligned, zero-initialised, and all fields are
        // atomics, so that the other process's writes are no data race.
        unsafe { self.0.as_ref() }
    }

    /// Parent: lets the child pass.
    pub fn open(&self) {
        // Pairs with the acquire in `pass`.
        self.page().state.store(OPEN, Ordering::Release);
        futex_wake(&self.page().state);
    }

    /// Child: waits for the word of `parent`; ends this process if that died without giving it.
    pub fn pass(&self, parent: i32) {
        // The parent needs one more look at its threads, some 0.1 ms: shorter than a sleep and a wake-up.
        for _ in 0..2_000 {
            if self.page().state.load(Ordering::Acquire) == OPEN {
                return;
            }
            std::hint::spin_loop();
        }
        while self.page().state.load(Ordering::Acquire) != OPEN {
            futex_wait(&self.page().state, WAITING);
            // In this order: a parent that opened the gate did so before it died.
            // SAFETY: getppid and _exit take nothing that could be wrong.
            unsafe {
                if libc::getppid() != parent && self.page().state.load(Ordering::Acquire) != OPEN {
                    libc::_exit(128 + libc::SIGKILL);
                }
            }
        }
    }

    /// Child: records a moment.
    pub fn stamp(&self, which: Stamp) {
        self.page().stamps[which as usize].store(crate::sys::clock::monotonic_ns(), Ordering::Relaxed);
    }

    /// Parent: the moment the child recorded, 0 if it has not.
    #[must_use]
    pub fn stamped(&self, which: Stamp) -> u64 {
        self.page().stamps[which as usize].load(Ordering::Relaxed)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `create` with this size and nobody can refer to it any more.
        unsafe { libc::munmap(self.0.as_ptr().cast(), size_of::<Page>()) };
    }
}

#[cfg(target_os = "linux")]
fn futex_wait(word: &AtomicU32, expected: u32) {
    // The short timeout bounds a missed wake-up; the loop around it decides.
    let timeout = libc::timespec {
        tv_sec: 0,
        tv_nsec: 50_000_000,
    };
    // SAFETY: `word` is a valid aligned word in shared memory and `timeout` a valid duration.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT,
            expected,
            &raw const timeout,
        )
    };
}

#[cfg(target_os = "linux")]
fn futex_wake(word: &AtomicU32) {
    // SAFETY: `word` is a valid aligned word in shared memory.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, 1) };
}

#[cfg(not(target_os = "linux"))]
fn futex_wait(_: &AtomicU32, _: u32) {
    std::thread::yield_now();
}

#[cfg(not(target_os = "linux"))]
fn futex_wake(_: &AtomicU32) {}
