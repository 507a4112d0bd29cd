//! The table of children that were started through us, and their reaping.
//!
//! Only these pids are ever waited for, never -1: children of `child_process` keep their exit events. A status is taken
//! from the kernel once and kept here until its owner is told; then the child is forgotten, and its number may come
//! again.

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;

use super::blocking::{self, Interrupts, Outcome, Wake};
use crate::error::{Error, Result};
use crate::shared::arena;
use crate::sys::clock::Deadline;
use crate::sys::exit_watch::{self, Watcher};
use crate::sys::fd::{Readiness, wait_readable};
use crate::sys::signal::{self, kill};
use crate::sys::wait;

#[derive(Debug)]
struct Child {
    /// Readable once the child has ended.
    sentinel: OwnedFd,
    daemon: bool,
    status: Option<Status>,
    /// Of a child of a helper's, which alone can wait for it: where that tells how the child has ended.
    relay: Option<OwnedFd>,
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The kernel's status word.
    Known(i32),
    /// Somebody else waited for it first.
    Lost,
}

#[derive(Debug, Default)]
struct Table {
    watcher: Option<Watcher>,
    children: HashMap<i32, Child>,
    /// Children that lead process groups, all of which are to end with this process. Whoever has put one here takes it away,
    /// as the group can outlive its leader.
    leaders: HashSet<i32>,
}

static TABLE: Mutex<Option<Table>> = Mutex::new(None);

fn lock() -> MutexGuard<'static, Option<Table>> {
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn with<T>(action: impl FnOnce(&mut Table) -> T) -> T {
    action(lock().get_or_insert_with(Table::default))
}

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
    enter(pid, exit_watch::open(pid)?, None, daemon)
}

/// Begins to look after `pid`, a child of a helper that has passed on its `sentinel` and tells of its end over `relay`.
pub fn adopt_relayed(pid: i32, sentinel: OwnedFd, relay: OwnedFd, daemon: bool) -> Result<()> {
    watch_fd()?;
    enter(pid, sentinel, Some(relay), daemon)
}

fn enter(pid: i32, sentinel: OwnedFd, relay: Option<OwnedFd>, daemon: bool) -> Result<()> {
    with(|table| {
        if let Some(watcher) = &table.watcher {
            watcher.add(sentinel.as_fd(), pid)?;
        }
        table.children.insert(
            pid,
            Child {
                sentinel,
                daemon,
                status: None,
                relay,
            },
        );
        Ok(())
    })
}

/// Takes note that child `pid` makes itself the leader of a process group, or (`false`) that nothing is left of that.
pub fn note_leader(pid: i32, leads: bool) {
    with(|table| {
        if leads {
            table.leaders.insert(pid);
        } else {
            table.leaders.remove(&pid);
        }
    });
}

/// How long a helper may take to tell how a child of its has ended, in milliseconds.
const RELAY_MS: f64 = 2000.0;

/// What a helper tells of a child, once that has ended; a helper that is no more tells nothing.
fn relayed(sentinel: BorrowedFd<'_>, relay: BorrowedFd<'_>) -> Result<Option<Status>> {
    if wait_readable(sentinel, Deadline::after_ms(0.0))? != Readiness::Ready {
        return Ok(None);
    }
    let deadline = Deadline::after_ms(RELAY_MS);
    loop {
        match wait_readable(relay, deadline)? {
            Readiness::Interrupted => {}
            Readiness::TimedOut => return Ok(Some(Status::Lost)),
            Readiness::Ready => break,
        }
    }
    let mut word = [0; 4];
    Ok(Some(match nix::unistd::read(relay, &mut word) {
        Ok(4) => Status::Known(i32::from_ne_bytes(word)),
        _ => Status::Lost,
    }))
}

impl Table {
    /// Takes the status of `pid` from the kernel if it has ended.
    fn reap(&mut self, pid: i32) -> Result<Option<Status>> {
        let child = self.children.get_mut(&pid).ok_or(STRANGER)?;
        if child.status.is_some() {
            return Ok(child.status);
        }
        let status = match &child.relay {
            Some(relay) => match relayed(child.sentinel.as_fd(), relay.as_fd())? {
                Some(status) => status,
                None => return Ok(None),
            },
            None => match wait::try_wait(pid) {
                Ok(None) => return Ok(None),
                Ok(Some(status)) => Status::Known(status),
                Err(Error::System {
                    errno: Errno::ECHILD, ..
                }) => Status::Lost,
                Err(error) => return Err(error),
            },
        };
        child.status = Some(status);
        let word = match status {
            Status::Known(word) => Some(word),
            Status::Lost => None,
        };
        arena::note_end(pid, word);
        Ok(Some(status))
    }

    /// The status of `pid` is being told to its owner. Until then its sentinel stays watched, so that the event loop
    /// tells it if nobody else does.
    fn told(&mut self, pid: i32) {
        let Some(child) = self.children.remove(&pid) else {
            return;
        };
        // A copy of the descriptor in another process would keep it in the watch list: take it out explicitly.
        if let Some(watcher) = &self.watcher {
            watcher.remove(child.sentinel.as_fd());
        }
    }
}

/// Children that end while somebody waits for another one: reaped at once, told by the event loop after the wait.
#[derive(Debug, Default)]
pub(super) struct Aside(Vec<i32>);

impl Aside {
    /// The descriptor that is readable while a child has ended that was not set aside.
    pub(super) fn watched() -> Option<BorrowedFd<'static>> {
        let fd = with(|table| table.watcher.as_ref().map(|watcher| watcher.as_fd().as_raw_fd()))?;
        // SAFETY: the watcher is open for the life of this process, and a forked child does not return into a wait.
        Some(unsafe { BorrowedFd::borrow_raw(fd) })
    }

    /// Reaps those that have ended, but for the one waited for.
    pub(super) fn reap(&mut self, awaited: Option<i32>) {
        with(|table| {
            for pid in table.watcher.as_ref().map(Watcher::ended).unwrap_or_default() {
                if Some(pid) == awaited || !matches!(table.reap(pid), Ok(Some(_))) {
                    continue;
                }
                if let (Some(watcher), Some(child)) = (&table.watcher, table.children.get(&pid)) {
                    watcher.remove(child.sentinel.as_fd());
                }
                self.0.push(pid);
            }
        });
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        with(|table| {
            for pid in self.0.drain(..) {
                if let (Some(watcher), Some(child)) = (&table.watcher, table.children.get(&pid)) {
                    // Without memory for it the child's owner learns of the end when it asks.
                    let _ = watcher.add(child.sentinel.as_fd(), pid);
                }
            }
        });
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
pub fn join(pid: i32, deadline: Deadline, interrupts: Interrupts<'_>) -> Result<Outcome<Status>> {
    blocking::wait(Wake::Readable(None, Some(pid)), deadline, interrupts, || {
        poll(pid)
    })
}

/// Sends `signal` to `pid` unless it has ended. The number cannot have been reused: only we reap it, or it is not by that
/// number that it is reached.
pub fn send(pid: i32, signal: i32) -> Result<()> {
    if has_ended(pid)? {
        return Ok(());
    }
    let is_ours = with(|table| table.children.get(&pid).is_none_or(|child| child.relay.is_none()));
    if is_ours {
        return kill(pid, signal);
    }
    match exit_watch::signal(sentinel(pid)?.as_fd(), signal) {
        Err(Error::System {
            errno: Errno::ESRCH, ..
        }) => Ok(()),
        sent => sent,
    }
}

/// A descriptor of the caller's own that is readable once `pid` has ended.
pub fn sentinel(pid: i32) -> Result<OwnedFd> {
    with(|table| {
        let child = table.children.get(&pid).ok_or(STRANGER)?;
        child.sentinel.try_clone().map_err(|_| Error::last("fcntl"))
    })
}

/// Takes note of a status that a raw wait by the program itself has consumed.
pub fn note(pid: i32, status: i32) {
    arena::note_end(pid, Some(status));
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
    signal::restore_defaults();
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
    let leaders: Vec<i32> = with(|table| table.leaders.drain().collect());
    for &pid in &daemons {
        let _ = send(pid, libc::SIGTERM);
    }
    for &pid in &leaders {
        let _ = kill(-pid, libc::SIGTERM);
    }
    let grace = Deadline::after_ms(GRACE_MS);
    for &pid in &daemons {
        if !join_to_the_end(pid, grace) {
            let _ = send(pid, libc::SIGKILL);
            join_to_the_end(pid, Deadline::after_ms(f64::INFINITY));
        }
    }
    for pid in leaders {
        let _ = kill(-pid, libc::SIGKILL);
    }
    for pid in running(false) {
        join_to_the_end(pid, Deadline::after_ms(f64::INFINITY));
    }
}

/// `join` that nothing interrupts, nor an error: at the end of a process nobody is left to handle them. Whether `pid` has
/// ended.
fn join_to_the_end(pid: i32, deadline: Deadline) -> bool {
    match join(pid, deadline, Interrupts::NONE) {
        Ok(outcome) => matches!(outcome, Outcome::Done(_)),
        Err(_) => loop {
            match wait::waitpid(pid, 0) {
                Err(Error::System {
                    errno: Errno::EINTR, ..
                }) => {}
                _ => return true,
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::fd::{Readiness, wait_any_readable};

    #[test]
    fn strangers_are_refused() {
        assert_eq!(poll(1), Err(STRANGER));
        assert_eq!(join(1, Deadline::after_ms(0.0), Interrupts::NONE), Err(STRANGER));
        assert_eq!(sentinel(1).unwrap_err(), STRANGER);
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
    fn a_child_is_reaped_once_and_forgotten_when_told() {
        let pid = child("exit 7");
        adopt(pid, false).unwrap();
        let outcome = join(pid, Deadline::after_ms(10_000.0), Interrupts::NONE).unwrap();
        assert_eq!(outcome, Outcome::Done(Status::Known(7 << 8)));
        assert_eq!(poll(pid), Err(STRANGER));
    }

    #[test]
    fn a_timeout_leaves_the_child_alone() {
        let pid = child("sleep 30");
        adopt(pid, true).unwrap();
        assert_eq!(
            join(pid, Deadline::after_ms(5.0), Interrupts::NONE).unwrap(),
            Outcome::TimedOut
        );
        let sentinel = sentinel(pid).unwrap();
        send(pid, libc::SIGKILL).unwrap();
        assert_eq!(
            join(pid, Deadline::after_ms(10_000.0), Interrupts::NONE).unwrap(),
            Outcome::Done(Status::Known(9))
        );
        let readiness = wait_any_readable(&[sentinel.as_fd()], Deadline::after_ms(0.0));
        assert_eq!(readiness.unwrap(), Readiness::Ready);
    }

    #[test]
    fn a_status_taken_by_somebody_else_is_lost_not_waited_for() {
        let pid = child("exit 3");
        adopt(pid, false).unwrap();
        // SAFETY: an ordinary waitpid on our own child.
        unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
        assert_eq!(
            join(pid, Deadline::after_ms(10_000.0), Interrupts::NONE).unwrap(),
            Outcome::Done(Status::Lost)
        );
    }

    #[test]
    fn others_that_end_during_a_wait_are_reaped_and_told_after_it() {
        let (first, second) = (child("exit 1"), child("sleep 0.3"));
        adopt(first, false).unwrap();
        adopt(second, false).unwrap();
        join(second, Deadline::after_ms(10_000.0), Interrupts::NONE).unwrap();
        // The kernel has nothing more of the first.
        // SAFETY: an ordinary waitpid on our own child.
        let left = unsafe { libc::waitpid(first, std::ptr::null_mut(), libc::WNOHANG) };
        assert_eq!(left, -1);
        assert!(reap_ended().contains(&(first, Status::Known(1 << 8))));
    }
}
