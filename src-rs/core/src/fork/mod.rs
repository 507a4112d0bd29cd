//! A fork that a process with other threads survives.
//!
//! `fork` copies one thread and all memory. A copy is sound only if no other thread was inside a critical section,
//! and a copy of V8 is complete only if its heap, which V8 keeps out of forks, comes along. Hence, in this order:
//!
//! 1. [`quiet`]: wait until every other thread sleeps in the kernel and has not run between two looks;
//! 2. [`inherit`]: let the child have the mappings that V8 marked "not for forks" (found by looking at a stub copy);
//! 3. fork, and put the marks back;
//! 4. look again. A thread that ran since the first look makes the copy worthless: the child, which waits at the
//!    [`gate`], is killed before it has run anything, and the whole begins again.
pub mod gate;
#[cfg(target_os = "linux")]
mod inherit;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod maps;
#[cfg(target_os = "linux")]
mod quiet;
pub mod stranded;

use crate::sys::signal::Blocked;

pub use gate::Gate;
#[cfg(target_os = "linux")]
pub use linux::safe_fork;

/// Nanoseconds that the parts of a fork took in the parent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timings {
    /// Waiting for the other threads to sleep, all looks together.
    pub quiet_ns: u64,
    /// Finding and changing the marks on mappings.
    pub mappings_ns: u64,
    /// The system call.
    pub fork_ns: u64,
    /// Monotonic time just before the system call.
    pub forked_at_ns: u64,
    /// Copies thrown away because a thread woke at the last moment.
    pub retries: u32,
}

/// Which side of the fork this is.
#[derive(Debug)]
pub enum Side {
    /// The caller; the child waits at the gate until it is opened.
    Parent {
        /// The child's process id.
        pid: i32,
        /// Where the child waits.
        gate: Gate,
        /// What the fork took.
        timings: Timings,
    },
    /// The copy: signals are blocked, and it must pass the gate before it does anything that shows.
    Child {
        /// Where it waits.
        gate: Gate,
        /// The signal mask to restore once the child is itself.
        signals: Blocked,
        /// The process it was copied from.
        parent: i32,
    },
}

/// Other systems do not show what a safe fork has to see.
#[cfg(not(target_os = "linux"))]
pub fn safe_fork(_: crate::sys::clock::Deadline) -> crate::Result<Side> {
    Err(crate::Error::Unsupported("fork is supported on Linux"))
}

/// Whether the other threads of this process can be looked at. Asked once.
pub fn threads_visible() -> crate::Result<()> {
    #[cfg(target_os = "linux")]
    {
        static VISIBLE: std::sync::OnceLock<crate::Result<()>> = std::sync::OnceLock::new();
        VISIBLE.get_or_init(quiet::check).clone()
    }
    #[cfg(not(target_os = "linux"))]
    Ok(())
}

/// Ends a copy that has not passed its gate.
pub fn discard(child: i32) {
    // SAFETY: `child` is our own unreaped child, so its number cannot have been reused.
    unsafe {
        libc::kill(child, libc::SIGKILL);
        while libc::waitpid(child, std::ptr::null_mut(), 0) < 0
            && nix::errno::Errno::last() == nix::errno::Errno::EINTR
        {}
    }
}
