//! The sequence described in the module above.

use super::{Gate, Side, Timings, discard, inherit, quiet};
use crate::error::{Error, Result};
use crate::sys::clock::{Deadline, monotonic_ns};
use crate::sys::signal::Blocked;

/// Forks as soon as it is safe; gives up at the deadline with the reason.
///
/// # Errors
/// [`Error::ThreadBusy`] when some thread did not come to rest, [`Error::NotMainThread`], [`Error::NoProc`], or the
/// failed system call. In all of these no process was made.
pub fn safe_fork(deadline: Deadline) -> Result<Side> {
    // SAFETY: both calls have no precondition.
    let (pid, tid) = unsafe { (libc::getpid(), libc::syscall(libc::SYS_gettid) as i32) };
    if pid != tid {
        return Err(Error::NotMainThread);
    }
    super::threads_visible()?;
    let signals = Blocked::all()?;
    let mut timings = Timings::default();
    let mut mappings = inherit::Mappings::new();
    loop {
        let mut clock = Stopwatch::start();
        let threads = quiet::wait(tid, deadline)?;
        timings.quiet_ns += clock.lap();
        let gate = Gate::create()?;
        let opened = mappings.open()?;
        timings.mappings_ns += clock.lap();
        timings.forked_at_ns = monotonic_ns();
        // SAFETY: no other thread is inside a critical section (checked above), so the copy's memory is consistent;
        // libc's fork also runs the handlers by which malloc, libuv and OpenSSL prepare the copy.
        let child = unsafe { libc::fork() };
        if child == 0 {
            inherit::restore(&opened);
            // Freeing would only touch pages that the child has no other use for.
            threads.close();
            std::mem::forget((opened, mappings));
            return Ok(Side::Child {
                gate,
                signals,
                parent: pid,
            });
        }
        timings.fork_ns = clock.lap();
        let failure = (child < 0).then(|| Error::last("fork"));
        inherit::restore(&opened);
        timings.mappings_ns += clock.lap();
        if let Some(error) = failure {
            return Err(error);
        }
        let undisturbed = threads.still_quiet();
        timings.quiet_ns += clock.lap();
        if matches!(undisturbed, Ok(true)) {
            return Ok(Side::Parent {
                pid: child,
                gate,
                timings,
            });
        }
        discard(child);
        undisturbed?;
        timings.retries += 1;
        if deadline.passed() {
            return Err(threads.restless());
        }
    }
}

struct Stopwatch(u64);

impl Stopwatch {
    fn start() -> Self {
        Self(monotonic_ns())
    }

    fn lap(&mut self) -> u64 {
        let now = monotonic_ns();
        now - std::mem::replace(&mut self.0, now)
    }
}
