//! Linux: an unnamed POSIX semaphore, shared between processes.

use std::cell::UnsafeCell;
use std::ffi::c_int;
use std::sync::OnceLock;

use nix::errno::Errno;

use super::Woken;
use crate::sys::clock::Deadline;

/// A `sem_t`. Its memory may be zero-filled and is then initialised by [`Semaphore::reset`].
#[repr(transparent)]
pub struct Semaphore(UnsafeCell<libc::sem_t>);

// SAFETY: a semaphore is made for being used from several threads and processes at once.
unsafe impl Sync for Semaphore {}
// SAFETY: as above; it is never moved while somebody uses it, since it is only ever used behind a reference.
unsafe impl Send for Semaphore {}

impl std::fmt::Debug for Semaphore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Semaphore")
    }
}

type ClockWait = unsafe extern "C" fn(*mut libc::sem_t, c_int, *const libc::timespec) -> c_int;

/// `sem_clockwait` (glibc 2.30): waits by a clock that nobody sets. Without it a step of the wall clock can lengthen or
/// shorten one sleep, which callers keep short.
fn clock_wait() -> Option<ClockWait> {
    static FOUND: OnceLock<Option<ClockWait>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        // SAFETY: dlsym only looks the name up.
        let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"sem_clockwait".as_ptr()) };
        // SAFETY: the function of this name has this signature in every C library that has it.
        (!address.is_null()).then(|| unsafe { std::mem::transmute::<*mut libc::c_void, ClockWait>(address) })
    })
}

impl Semaphore {
    /// One that nobody has posted, in private memory.
    #[cfg(test)]
    #[allow(clippy::new_without_default, reason = "for tests only")]
    pub fn new() -> Self {
        // SAFETY: an all-zero sem_t is a valid value for `reset` to overwrite.
        let semaphore = Self(UnsafeCell::new(unsafe { std::mem::zeroed() }));
        semaphore.reset();
        semaphore
    }

    /// Nobody has posted. Nobody may be waiting.
    pub fn reset(&self) {
        // SAFETY: the memory is this semaphore's; sem_init overwrites it and cannot fail for 0.
        unsafe { libc::sem_init(self.0.get(), 1, 0) };
    }

    /// Wakes one sleeper, or the next one that comes.
    pub fn post(&self) {
        // SAFETY: a semaphore that was never reset is zero-filled, which sem_post takes as one for threads. The only
        // failure is an overflow, and then there are enough posts to wake anybody.
        unsafe { libc::sem_post(self.0.get()) };
    }

    /// Sleeps until somebody posts.
    pub fn wait(&self, deadline: Deadline) -> Woken {
        // SAFETY: as in `post`.
        if unsafe { libc::sem_trywait(self.0.get()) } == 0 {
            return Woken::Posted;
        }
        let Some(left) = deadline.left() else {
            // SAFETY: as in `post`.
            return outcome(unsafe { libc::sem_wait(self.0.get()) });
        };
        if left.is_zero() {
            return Woken::TimedOut;
        }
        let (clock, wait): (c_int, _) = match clock_wait() {
            Some(wait) => (libc::CLOCK_MONOTONIC, Some(wait)),
            None => (libc::CLOCK_REALTIME, None),
        };
        let mut until = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: `until` is a valid timespec for the call to fill; both clocks exist on every supported system.
        unsafe { libc::clock_gettime(clock, &raw mut until) };
        let nanoseconds = until.tv_nsec + i64::from(left.subsec_nanos());
        until.tv_sec = until
            .tv_sec
            .saturating_add(i64::try_from(left.as_secs()).unwrap_or(i64::MAX))
            .saturating_add(nanoseconds / 1_000_000_000);
        until.tv_nsec = nanoseconds % 1_000_000_000;
        // SAFETY: as in `post`; `until` is a valid moment.
        outcome(unsafe {
            match wait {
                Some(wait) => wait(self.0.get(), clock, &raw const until),
                None => libc::sem_timedwait(self.0.get(), &raw const until),
            }
        })
    }
}

fn outcome(result: c_int) -> Woken {
    if result == 0 {
        return Woken::Posted;
    }
    match Errno::last() {
        Errno::EINTR => Woken::Interrupted,
        _ => Woken::TimedOut,
    }
}
