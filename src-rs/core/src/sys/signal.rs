//! Signals: sending, holding back, giving back their default meaning.

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

/// Gives those that the program handles itself their default meaning again.
pub fn restore_defaults() {
    for signal in ENDING {
        if handler_of(signal).is_some() {
            set_default(signal);
        }
    }
}

/// Gives signals that node itself catches, for the process that it started in, their default meaning in a child: what
/// node does on SIGINT and SIGTERM is to reset the terminal, which is the parent's, and on SIGUSR1 to wake a thread that
/// a child lacks.
pub fn drop_nodes_own() {
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // Node's handler for a program without a listener resets itself; libuv's, for one with a listener, does not.
        if handler_of(signal).is_some_and(|action| action.sa_flags & libc::SA_RESETHAND != 0) {
            set_default(signal);
        }
    }
    if handler_of(libc::SIGUSR1).is_some() {
        set_default(libc::SIGUSR1);
    }
}

/// What a function that is called for `signal` was installed with; `None` if there is no such function.
fn handler_of(signal: i32) -> Option<libc::sigaction> {
    // SAFETY: an all-zero sigaction is a valid value for the kernel to overwrite.
    let mut current: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: a null new action only reads the current one.
    let known = unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut current) } == 0;
    (known && current.sa_sigaction > libc::SIG_IGN).then_some(current)
}

/// Has SIGINT, which a terminal sends to all its processes, do nothing to this one, or what it does by default.
pub fn ignore_interrupt(ignore: bool) {
    let action = if ignore { libc::SIG_IGN } else { libc::SIG_DFL };
    // SAFETY: both actions are always valid.
    unsafe { libc::signal(libc::SIGINT, action) };
}

fn set_default(signal: i32) {
    // SAFETY: the default action is always valid; without this no function of ours or node's is called any more.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}
