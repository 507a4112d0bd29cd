//! Signals: sending, holding back, and noticing one that should end a blocking wait.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};

use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};

use crate::error::{Context, Error, Result};

/// Sends `signal` (0 only asks whether it could) to `pid`, with the meaning of kill(2).
pub fn kill(pid: i32, signal: i32) -> Result<()> {
    // SAFETY: kill takes two numbers and touches no memory of ours.
    if unsafe { libc::kill(pid, signal) } < 0 {
        return Err(Error::last("kill"));
    }
    Ok(())
}

/// Every signal held back from this thread until dropped or released.
#[derive(Debug)]
pub struct Blocked {
    previous: SigSet,
}

impl Blocked {
    /// Blocks all signals that can be blocked.
    pub fn all() -> Result<Self> {
        let mut previous = SigSet::empty();
        pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut previous))
            .during("pthread_sigmask")?;
        Ok(Self { previous })
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // Cannot fail: the set came from the kernel.
        let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&self.previous), None);
    }
}

/// The signals by which a user or a supervisor asks a program to end.
pub const ENDING: [i32; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

// Written by `note`, which runs in signal context; all three are plain lock-free atomics.
static NOTED: AtomicI32 = AtomicI32::new(0);
/// Whether some wait is noting; a second one, on another thread, leaves the signals to the first.
static WATCHING: AtomicBool = AtomicBool::new(false);
static HANDLERS: [AtomicUsize; ENDING.len()] = [const { AtomicUsize::new(0) }; ENDING.len()];

extern "C" fn note(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    NOTED.store(signal, Ordering::Relaxed);
    let Some(slot) = ENDING.iter().position(|&ending| ending == signal) else {
        return;
    };
    let handler = HANDLERS[slot].load(Ordering::Relaxed);
    if handler > libc::SIG_IGN {
        // SAFETY: `watch` stored the address of the handler that was installed for this very signal; both the one- and
        // the three-argument form of a handler may be called with three arguments in the C ABI of these systems.
        let handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) =
            unsafe { std::mem::transmute(handler) };
        handler(signal, info, context);
    }
}

/// While it lives, a SIGINT, SIGTERM or SIGHUP *that the program handles itself* is noted before its handler runs.
///
/// A JavaScript listener cannot run while a native wait holds the thread, so the wait has to end for it. Signals in
/// their default disposition end the program on their own and need no noting.
#[derive(Debug)]
pub struct EndingSignals {
    saved: [Option<libc::sigaction>; ENDING.len()],
    /// Whether this is the wait that is noting.
    first: bool,
}

impl EndingSignals {
    /// Starts noting.
    #[must_use]
    pub fn watch() -> Self {
        let mut saved = [None; ENDING.len()];
        if WATCHING.swap(true, Ordering::Acquire) {
            return Self { saved, first: false };
        }
        NOTED.store(0, Ordering::Relaxed);
        for (slot, &signal) in ENDING.iter().enumerate() {
            // SAFETY: an all-zero sigaction is a valid value for the kernel to overwrite.
            let mut old: libc::sigaction = unsafe { std::mem::zeroed() };
            // SAFETY: a null new action only reads the current one into `old`.
            let read = unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut old) } == 0;
            // Node's own handler for a program without listeners resets itself and raises the signal again: it ends the
            // process and is not the program's.
            let of_program = old.sa_sigaction > libc::SIG_IGN && old.sa_flags & libc::SA_RESETHAND == 0;
            if !read || !of_program {
                continue;
            }
            HANDLERS[slot].store(old.sa_sigaction, Ordering::Relaxed);
            let mut ours = old;
            ours.sa_sigaction = note as *const () as usize;
            // Without SA_RESTART, so that the wait returns.
            ours.sa_flags = (old.sa_flags | libc::SA_SIGINFO) & !libc::SA_RESTART;
            // SAFETY: `ours` is the current action with an async-signal-safe handler put in front.
            if unsafe { libc::sigaction(signal, &raw const ours, std::ptr::null_mut()) } == 0 {
                saved[slot] = Some(old);
            }
        }
        Self { saved, first: true }
    }

    /// Whether the program handles any of them itself.
    #[must_use]
    pub fn any(&self) -> bool {
        self.saved.iter().any(Option::is_some)
    }

    /// Gives those that the program handles itself their default meaning again.
    pub fn restore_defaults() {
        for signal in ENDING {
            // SAFETY: an all-zero sigaction is a valid value for the kernel to overwrite.
            let mut current: libc::sigaction = unsafe { std::mem::zeroed() };
            // SAFETY: reads the current action, then sets the default one.
            unsafe {
                if libc::sigaction(signal, std::ptr::null(), &raw mut current) == 0
                    && current.sa_sigaction > libc::SIG_IGN
                {
                    libc::signal(signal, libc::SIG_DFL);
                }
            }
        }
    }

    /// The signal that came since `watch`, if any.
    #[must_use]
    pub fn noted(&self) -> Option<i32> {
        match NOTED.load(Ordering::Relaxed) {
            0 => None,
            signal => Some(signal),
        }
    }
}

impl Drop for EndingSignals {
    fn drop(&mut self) {
        if self.first {
            WATCHING.store(false, Ordering::Release);
        }
        for (saved, &signal) in self.saved.iter().zip(&ENDING) {
            if let Some(old) = saved {
                // SAFETY: puts back exactly the action that `watch` read.
                unsafe { libc::sigaction(signal, old, std::ptr::null_mut()) };
            }
        }
    }
}
