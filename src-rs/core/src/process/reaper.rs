//! The table of children that were started through us, and their reaping.
//!
//! Only these pids are ever waited for, never -1: children of `child_process` keep their exit events. A status is taken
//! from the kernel once and kept here until its owner releases it.

use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;

use crate::error::{Error, Result};
use crate::sys::clock::Deadline;
use crate::sys::exit_watch::{self, Watcher};
use crate::sys::fd::{Readiness, pipe, wait_readable};
use crate::sys::signal::{EndingSignals, kill};
use crate::sys::wait;

#[derive(Debug)]
struct Child {
    /// Readable once the child has ended; dropped after that unless somebody was given its number.
    sentinel: Option<OwnedFd>,
    sentinel_given: bool,
    daemon: bool,
    status: Option<Status>,
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The kernel's status word.
    Known(i32),
    /// Somebody else waited for it first.
    Lost,
}

/// How a wait for a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It has ended.
    Ended(Status),
    /// The deadline passed first.
    TimedOut,
    /// A signal with a handler of the program's own asks it to end.
    Interrupted(i32),
}

#[derive(Debug, Default)]
struct Table {
    watcher: Option<Watcher>,
    children: HashMap<i32, Child>,
}

static TABLE: Mutex<Option<Table>> = Mutex::new(None);

fn lock() -> MutexGuard<'static, Option<Table>> {
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn with<T>(action: impl FnOnce(&mut Table) -> T) -> T {
    action(lock().get_or_insert_with(Table::default))
}

/// How often a blocking wait looks for a signal that the program handles itself, in milliseconds.
const SIGNAL_LOOK_MS: f64 = 100.0;

const STRANGER: Error = Error::System {
    syscall: "waitpid",
    errno: Errno::ECHILD,
};

/// The descriptor that is readable while some child has ended and was not reaped.
pub fn watch_fd() -> Result<RawFd> {
    with(|table| {
        if table.watcher.is_none() {
            table.watcher = Some(Watcher::new()?);
        }
        Ok(table
            .watcher
            .as_ref()
            .map_or(-1, |watcher| watcher.as_fd().as_raw_fd()))
    })
}

/// Begins to look after `pid`, a child just forked.
pub fn adopt(pid: i32, daemon: bool) -> Result<()> {
    watch_fd()?;
    let sentinel = exit_watch::open(pid)?;
    with(|table| {
        if let Some(watcher) = &table.watcher {
            watcher.add(sentinel.as_fd(), pid)?;
        }
        table.children.insert(
            pid,
            Child {
                sentinel: Some(sentinel),
                sentinel_given: false,
                daemon,
                status: None,
            },
        );
        Ok(())
    })
}

impl Table {
    /// Takes the status of `pid` from the kernel if it has ended.
    fn reap(&mut self, pid: i32) -> Result<Option<Status>> {
        let child = self.children.get_mut(&pid).ok_or(STRANGER)?;
        if child.status.is_some() {
            return Ok(child.status);
        }
        let status = match wait::try_wait(pid) {
            Ok(None) => return Ok(None),
            Ok(Some(status)) => Status::Known(status),
            Err(Error::System {
                errno: Errno::ECHILD, ..
            }) => Status::Lost,
            Err(error) => return Err(error),
        };
        child.status = Some(status);
        Ok(Some(status))
    }

    /// The status of `pid` is being told to its owner. Until then its sentinel stays watched, so that the event loop
    /// tells it if nobody else does.
    fn told(&mut self, pid: i32) {
        let Some(child) = self.children.get_mut(&pid) else {
            return;
        };
        // A copy of the descriptor in another process would keep it in the watch list: take it out explicitly.
        if let (Some(watcher), Some(sentinel)) = (&self.watcher, &child.sentinel) {
            watcher.remove(sentinel.as_fd());
        }
        if !child.sentinel_given {
            child.sentinel = None;
        }
    }
}

/// Takes the status of every child that has ended; returns those whose owner was not told yet.
#[must_use]
pub fn reap_ended() -> Vec<(i32, Status)> {
    let mut reaped = Vec::new();
    with(|table| {
        loop {
            let ended = table.watcher.as_ref().map(Watcher::ended).unwrap_or_default();
            let before = reaped.len();
            for pid in ended {
                if let Ok(Some(status)) = table.reap(pid) {
                    table.told(pid);
                    reaped.push((pid, status));
                }
            }
            if reaped.len() == before {
                break;
            }
        }
    });
    reaped
}

/// The status of `pid` if it has ended, without waiting, for its owner to know.
pub fn poll(pid: i32) -> Result<Option<Status>> {
    with(|table| {
        let status = table.reap(pid)?;
        if status.is_some() {
            table.told(pid);
        }
        Ok(status)
    })
}

/// Whether `pid` has ended, without telling its owner.
fn has_ended(pid: i32) -> Result<bool> {
    with(|table| Ok(table.reap(pid)?.is_some()))
}

/// Waits until `pid` has ended.
pub fn join(pid: i32, deadline: Deadline) -> Result<Outcome> {
    if let Some(status) = poll(pid)? {
        return Ok(Outcome::Ended(status));
    }
    let signals = EndingSignals::watch();
    loop {
        // The wait itself holds no lock; the sentinel stays open because only this thread reaps.
        let sentinel = with(|table| {
            let child = table.children.get(&pid).ok_or(STRANGER)?;
            child.sentinel.as_ref().map(AsRawFd::as_raw_fd).ok_or(STRANGER)
        })?;
        // SAFETY: only the thread that waits here tells of ends, and only telling closes the sentinel.
        let sentinel = unsafe { BorrowedFd::borrow_raw(sentinel) };
        // A signal may come just before the wait, or be handled on another thread: look for it now and then.
        let turn = if signals.any() {
            deadline.at_most_ms(SIGNAL_LOOK_MS)
        } else {
            deadline
        };
        let readiness = wait_readable(sentinel, turn)?;
        if let Some(status) = poll(pid)? {
            return Ok(Outcome::Ended(status));
        }
        if let Some(signal) = signals.noted() {
            return Ok(Outcome::Interrupted(signal));
        }
        if readiness == Readiness::TimedOut && deadline.passed() {
            return Ok(Outcome::TimedOut);
        }
    }
}

/// Sends `signal` to `pid` unless it has ended. The number cannot have been reused: only we reap it.
pub fn signal(pid: i32, signal: i32) -> Result<()> {
    if has_ended(pid)? {
        return Ok(());
    }
    kill(pid, signal)
}

/// A descriptor that is readable once `pid` has ended. It stays the table's and is closed by [`release`].
pub fn sentinel(pid: i32) -> Result<RawFd> {
    has_ended(pid)?;
    with(|table| {
        let child = table.children.get_mut(&pid).ok_or(STRANGER)?;
        child.sentinel_given = true;
        if child.sentinel.is_none() {
            // It has ended and its descriptor is closed: a pipe without a writer is as readable.
            child.sentinel = Some(pipe()?.0);
        }
        Ok(child.sentinel.as_ref().map_or(-1, AsRawFd::as_raw_fd))
    })
}

/// Forgets a child that has ended, its status and its descriptor.
pub fn release(pid: i32) {
    with(|table| {
        if table
            .children
            .get(&pid)
            .is_some_and(|child| child.status.is_some())
        {
            table.children.remove(&pid);
        }
    });
}

/// Takes note of a status that a raw wait by the program itself has consumed.
pub fn note(pid: i32, status: i32) {
    with(|table| {
        if let Some(child) = table.children.get_mut(&pid) {
            child.status.get_or_insert(Status::Known(status));
        }
    });
}

/// In a forked child: the table is the parent's business; its descriptors are closed here.
pub fn forget_all() {
    *lock() = None;
}

/// How long a daemon may take over SIGTERM before SIGKILL, in milliseconds.
const GRACE_MS: f64 = 1000.0;

/// What Python does when a process ends: ends its daemons, then waits for the other children.
pub fn end_children() {
    // Nobody is left to handle a Ctrl-C: let it do what it does by default.
    EndingSignals::restore_defaults();
    let running = |daemons: bool| -> Vec<i32> {
        with(|table| {
            let of_kind = table
                .children
                .iter()
                .filter(|(_, child)| child.status.is_none() && child.daemon == daemons);
            of_kind.map(|(&pid, _)| pid).collect()
        })
    };
    let daemons = running(true);
    for &pid in &daemons {
        let _ = signal(pid, libc::SIGTERM);
    }
    let grace = Deadline::after_ms(GRACE_MS);
    for &pid in &daemons {
        if !matches!(join_to_the_end(pid, grace), Outcome::Ended(_)) {
            let _ = signal(pid, libc::SIGKILL);
            join_to_the_end(pid, Deadline::after_ms(f64::INFINITY));
        }
    }
    for pid in running(false) {
        join_to_the_end(pid, Deadline::after_ms(f64::INFINITY));
    }
}

/// `join` that nothing interrupts: at the end of a process nobody is left to handle a signal or an error.
fn join_to_the_end(pid: i32, deadline: Deadline) -> Outcome {
    loop {
        match join(pid, deadline) {
            Ok(Outcome::Interrupted(_)) => {}
            Ok(outcome) => return outcome,
            Err(_) => match wait::waitpid(pid, 0) {
                Err(Error::System {
                    errno: Errno::EINTR, ..
                }) => {}
                _ => return Outcome::Ended(Status::Lost),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_refused() {
        assert_eq!(poll(1), Err(STRANGER));
        assert_eq!(join(1, Deadline::after_ms(0.0)), Err(STRANGER));
        assert_eq!(sentinel(1), Err(STRANGER));
    }

    /// Starts a real child that the table does not know yet.
    #[allow(clippy::zombie_processes, reason = "waiting for it is what is tested")]
    fn child(script: &str) -> i32 {
        let child = std::process::Command::new("sh")
            .args(["-c", script])
            .spawn()
            .unwrap();
        child.id() as i32
    }

    #[test]
    fn a_child_is_reaped_once_and_its_status_kept() {
        let pid = child("exit 7");
        adopt(pid, false).unwrap();
        let outcome = join(pid, Deadline::after_ms(10_000.0)).unwrap();
        assert_eq!(outcome, Outcome::Ended(Status::Known(7 << 8)));
        assert_eq!(poll(pid).unwrap(), Some(Status::Known(7 << 8)));
        assert!(signal(pid, libc::SIGKILL).is_ok());
        release(pid);
        assert_eq!(poll(pid), Err(STRANGER));
    }

    #[test]
    fn a_timeout_leaves_the_child_alone() {
        let pid = child("sleep 30");
        adopt(pid, true).unwrap();
        assert_eq!(join(pid, Deadline::after_ms(5.0)).unwrap(), Outcome::TimedOut);
        let sentinel = sentinel(pid).unwrap();
        signal(pid, libc::SIGKILL).unwrap();
        assert_eq!(
            join(pid, Deadline::after_ms(10_000.0)).unwrap(),
            Outcome::Ended(Status::Known(9))
        );
        // SAFETY: F_GETFD only asks whether the number is open.
        assert!(unsafe { libc::fcntl(sentinel, libc::F_GETFD) } >= 0);
        release(pid);
    }

    #[test]
    fn a_status_taken_by_somebody_else_is_lost_not_waited_for() {
        let pid = child("exit 3");
        adopt(pid, false).unwrap();
        // SAFETY: an ordinary waitpid on our own child.
        unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
        assert_eq!(
            join(pid, Deadline::after_ms(10_000.0)).unwrap(),
            Outcome::Ended(Status::Lost)
        );
        release(pid);
    }
}
