//! A process that ends when its parent does, or another one.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use crate::error::{Error, Result};
use crate::sys::clock::Deadline;
use crate::sys::fd::{Readiness, wait_readable};
use crate::sys::signal::Blocked;

/// Enough for a thread that only sleeps and sends a signal.
const STACK: usize = 128 << 10;

/// This process leads a group that is to end with it, whichever thread is the first to see to that.
static LEADS: AtomicBool = AtomicBool::new(false);

/// Makes this process, with what it will start, a group of its own, and has a thread end that once the process behind `sentinel`
/// has ended.
pub fn end_group_with(sentinel: OwnedFd) -> Result<()> {
    // SAFETY: setpgid takes two numbers and touches no memory of ours.
    if unsafe { libc::setpgid(0, 0) } != 0 {
        return Err(Error::last("setpgid"));
    }
    LEADS.store(true, SeqCst);
    kill_after(sentinel)
}

/// Has a thread end this process, whatever that does, once the process behind `sentinel` has ended.
pub fn end_with(sentinel: OwnedFd) -> Result<()> {
    kill_after(sentinel)
}

fn kill_after(sentinel: OwnedFd) -> Result<()> {
    use std::os::fd::AsFd;
    // Signals are the main thread's.
    let _blocked = Blocked::all()?;
    std::thread::Builder::new()
        .name("mp-owner".into())
        .stack_size(STACK)
        .spawn(move || {
            while let Ok(Readiness::Interrupted | Readiness::TimedOut) =
                wait_readable(sentinel.as_fd(), Deadline::after_ms(f64::INFINITY))
            {}
            // SAFETY: all take numbers, if anything, and touch no memory of ours.
            unsafe {
                let own = libc::getpid();
                // A forked child may have the mark of its parent.
                let leads = LEADS.load(SeqCst) && libc::getpgrp() == own;
                libc::kill(if leads { 0 } else { own }, libc::SIGKILL);
            }
        })
        .map(drop)
        .map_err(|_| Error::last("pthread_create"))
}

/// Linux: has the kernel send SIGKILL to this process when the thread that forked it ends, or (`false`) no longer.
/// Ends at once if the parent is gone already.
#[cfg(target_os = "linux")]
pub fn end_with_parent(end: bool, parent: i32) {
    let signal = if end { libc::SIGKILL } else { 0 };
    // SAFETY: prctl, getppid and _exit take numbers and touch no memory of ours.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, signal);
        if end && libc::getppid() != parent {
            libc::_exit(128 + libc::SIGKILL);
        }
    }
}

/// Elsewhere the kernel has no such service, and fork is refused before this is reached.
#[cfg(not(target_os = "linux"))]
pub fn end_with_parent(_: bool, _: i32) {}
