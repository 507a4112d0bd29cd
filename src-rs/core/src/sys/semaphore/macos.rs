//! macOS: the kernel's wait on an address.

use std::ffi::{c_int, c_void};
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use nix::errno::Errno;

unsafe extern "C" {
    // What libc++ and os_unfair_lock are made of; os_sync_wait_on_address is its public name since macOS 14.4.
    fn __ulock_wait(operation: u32, address: *mut c_void, value: u64, timeout_us: u32) -> c_int;
    fn __ulock_wake(operation: u32, address: *mut c_void, value: u64) -> c_int;
}

/// `UL_COMPARE_AND_WAIT_SHARED`: the word may lie in memory shared by processes.
const COMPARE_AND_WAIT_SHARED: u32 = 3;

/// Longest sleep in microseconds: 0 would be for ever, and the caller sleeps again.
const LONGEST_US: u32 = 60_000_000;

/// How a sleep ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slept {
    /// In some way that is worth a look.
    Enough,
    /// A signal handler ran on this thread.
    Interrupted,
}

/// Wakes one that sleeps on `word`.
pub fn wake(word: &AtomicU32) {
    // SAFETY: the address is that of a live word.
    unsafe { __ulock_wake(COMPARE_AND_WAIT_SHARED, word.as_ptr().cast(), 0) };
}

/// Sleeps while `word` is 0, for `left` at most.
pub fn sleep(word: &AtomicU32, left: Option<Duration>) -> Slept {
    let micros = left.map_or(LONGEST_US, |left| {
        u32::try_from(left.as_micros())
            .unwrap_or(u32::MAX)
            .clamp(1, LONGEST_US)
    });
    // SAFETY: the address is that of a live word.
    let result = unsafe { __ulock_wait(COMPARE_AND_WAIT_SHARED, word.as_ptr().cast(), 0, micros) };
    if result < 0 && Errno::last() == Errno::EINTR {
        Slept::Interrupted
    } else {
        Slept::Enough
    }
}
