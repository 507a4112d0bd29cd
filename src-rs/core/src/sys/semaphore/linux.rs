//! Linux: a futex, between processes.

use std::ptr::null;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use nix::errno::Errno;

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
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, 1) };
}

/// Sleeps while `word` is 0, for `left` at most.
pub fn sleep(word: &AtomicU32, left: Option<Duration>) -> Slept {
    let left = left.map(|left| libc::timespec {
        tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: left.subsec_nanos().into(),
    });
    let timeout = left.as_ref().map_or(null(), std::ptr::from_ref);
    // SAFETY: the address is that of a live word; the timeout is null or a valid duration, on the monotonic clock.
    let result = unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, 0, timeout) };
    if result < 0 && Errno::last() == Errno::EINTR {
        Slept::Interrupted
    } else {
        Slept::Enough
    }
}
