//! macOS, which has no unnamed semaphores and no `sem_timedwait`: a count, and the kernel's wait on an address.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::errno::Errno;

use super::Woken;
use crate::sys::clock::Deadline;

unsafe extern "C" {
    // What libc++ and os_unfair_lock are made of; os_sync_wait_on_address is its public name since macOS 14.4.
    fn __ulock_wait(operation: u32, address: *mut c_void, value: u64, timeout_us: u32) -> c_int;
    fn __ulock_wake(operation: u32, address: *mut c_void, value: u64) -> c_int;
}

/// `UL_COMPARE_AND_WAIT_SHARED`: the word may lie in memory shared by processes.
const COMPARE_AND_WAIT_SHARED: u32 = 3;

/// Posts that nobody has taken, and sleepers.
#[derive(Debug)]
#[repr(C, align(8))]
pub struct Semaphore {
    posts: AtomicU32,
    sleepers: AtomicU32,
    _reserved: [u32; 6],
}

impl Semaphore {
    /// One that nobody has posted, in private memory.
    #[cfg(test)]
    #[allow(clippy::new_without_default, reason = "for tests only")]
    pub fn new() -> Self {
        Self {
            posts: AtomicU32::new(0),
            sleepers: AtomicU32::new(0),
            _reserved: [0; 6],
        }
    }

    /// Nobody has posted. Nobody may be waiting.
    pub fn reset(&self) {
        self.posts.store(0, Ordering::SeqCst);
        self.sleepers.store(0, Ordering::SeqCst);
    }

    /// Wakes one sleeper, or the next one that comes.
    pub fn post(&self) {
        self.posts.fetch_add(1, Ordering::SeqCst);
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            // SAFETY: the address is that of a live word.
            unsafe { __ulock_wake(COMPARE_AND_WAIT_SHARED, self.posts.as_ptr().cast(), 0) };
        }
    }

    fn take(&self) -> bool {
        self.posts
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |posts| posts.checked_sub(1))
            .is_ok()
    }

    /// Sleeps until somebody posts.
    pub fn wait(&self, deadline: Deadline) -> Woken {
        loop {
            if self.take() {
                return Woken::Posted;
            }
            // 0 means for ever to the kernel; a minute is checked again above.
            let micros = match deadline.left() {
                Some(left) if left.is_zero() => return Woken::TimedOut,
                Some(left) => u32::try_from(left.as_micros())
                    .unwrap_or(u32::MAX)
                    .clamp(1, 60_000_000),
                None => 60_000_000,
            };
            self.sleepers.fetch_add(1, Ordering::SeqCst);
            // SAFETY: the address is that of a live word.
            let result =
                unsafe { __ulock_wait(COMPARE_AND_WAIT_SHARED, self.posts.as_ptr().cast(), 0, micros) };
            let interrupted = result < 0 && Errno::last() == Errno::EINTR;
            self.sleepers.fetch_sub(1, Ordering::SeqCst);
            if interrupted {
                return if self.take() {
                    Woken::Posted
                } else {
                    Woken::Interrupted
                };
            }
        }
    }
}
