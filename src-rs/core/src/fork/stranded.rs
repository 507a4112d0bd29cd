//! A child that cannot leave the frames of its parent.
//!
//! A call of `start()` may have come through native code that holds a lock in this thread's name (SQLite does while it
//! calls a function of the program's) or that joins a thread on its way out. The child lacks both, and its way to an
//! empty stack leads through that code. Nobody can tell such code from the rest in advance, so an alarm bounds the way.

use crate::sys::fd::write_all;

/// How long leaving the frames may take, in seconds; it takes microseconds.
const LIMIT_S: u32 = 5;

const MESSAGE: &str = "node-multiprocessing: this child could not leave the native code that start() was called from \
                       (a callback of SQLite or of another addon, or node:vm with a timeout): call start() from a \
                       callback of the event loop instead, such as setImmediate(() => p.start())\n";

/// Ends this process with a message unless dropped in time.
#[derive(Debug)]
pub struct Alarm(());

impl Alarm {
    /// Begins to count.
    #[must_use]
    pub fn set() -> Self {
        // SAFETY: `end` makes system calls only; the child has no listener for SIGALRM yet.
        unsafe {
            libc::signal(libc::SIGALRM, end as *const () as libc::sighandler_t);
            libc::alarm(LIMIT_S);
        }
        Self(())
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        // SAFETY: takes a pending alarm back and gives the signal its default meaning.
        unsafe {
            libc::alarm(0);
            libc::signal(libc::SIGALRM, libc::SIG_DFL);
        }
    }
}

extern "C" fn end(_: i32) {
    let _ = write_all(2, MESSAGE.as_bytes());
    // SAFETY: _exit has no precondition.
    unsafe { libc::_exit(1) }
}
