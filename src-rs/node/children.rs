//! The table of children, and the event loop's interest in it.

use std::cell::{Cell, RefCell};
use std::os::fd::{BorrowedFd, IntoRawFd};

use napi::bindgen_prelude::Function;
use napi::{Env, Result};
use napi_derive::napi;

use node_multiprocessing_core::process::blocking::{self, Interrupts, Outcome, Wake};
use node_multiprocessing_core::process::reaper::{self, Status};
use node_multiprocessing_core::sys::clock::Deadline;
use node_multiprocessing_core::sys::exit_watch;
use node_multiprocessing_core::sys::fd::{Readiness, wait_readable};
use node_multiprocessing_core::uv::child_loop::{self, free};
use node_multiprocessing_core::uv::ffi::{Handle, HandleMemory, Loop, uv};
use node_multiprocessing_core::{Error, sys};

use super::callback::Callback;
use super::error::to_js;
use super::fork::stamp_reaped;

thread_local! {
    static WATCH: RefCell<Option<Watch>> = const { RefCell::new(None) };
}

struct Watch {
    handle: *mut Handle,
    on_exit: Callback,
}

/// A child that has ended.
#[napi(object)]
pub struct Ended {
    /// Its process id.
    pub pid: i32,
    /// The kernel's status word; absent when somebody else has waited for it.
    pub status: Option<i32>,
}

fn ended(pid: i32, status: Status) -> Ended {
    stamp_reaped(pid);
    match status {
        Status::Known(status) => Ended {
            pid,
            status: Some(status),
        },
        Status::Lost => Ended { pid, status: None },
    }
}

/// Has `on_exit` called from the event loop when children have ended, with those that were reaped then. Does not keep
/// the loop alive. Once per process; a forked child starts afresh.
#[napi]
pub fn watch_children(env: Env, on_exit: Function<'_, Vec<Ended>, ()>) -> Result<()> {
    if WATCH.with_borrow(Option::is_some) {
        return Ok(());
    }
    let fail = |error: Error| to_js(env, &error);
    let event_loop: *mut Loop = env.get_uv_event_loop()?.cast();
    let fd = reaper::watch_fd().map_err(fail)?;
    let uv = uv().map_err(fail)?;
    let on_exit = Callback::new(env, &on_exit)?;
    let handle: *mut Handle = Box::into_raw(Box::<HandleMemory>::default()).cast();
    // SAFETY: the memory is large enough and lives until the handle is closed; this is the loop's thread.
    unsafe {
        let failure = (uv.poll_init)(event_loop, handle, fd);
        if failure != 0 {
            drop(Box::from_raw(handle.cast::<HandleMemory>()));
            return Err(fail(Error::System {
                syscall: "uv_poll_init",
                errno: nix_errno(failure),
            }));
        }
        (uv.poll_start)(handle, READABLE, Some(on_readable));
        (uv.unreference)(handle);
    }
    WATCH.set(Some(Watch { handle, on_exit }));
    Ok(())
}

const READABLE: i32 = 1;

fn nix_errno(uv_error: i32) -> nix::errno::Errno {
    nix::errno::Errno::from_raw(-uv_error)
}

unsafe extern "C" fn on_readable(_: *mut Handle, _: i32, _: i32) {
    let reaped: Vec<_> = reaper::reap_ended()
        .into_iter()
        .map(|(pid, status)| ended(pid, status))
        .collect();
    if reaped.is_empty() {
        return;
    }
    if let Some(on_exit) = WATCH.with_borrow(|watch| watch.as_ref().map(|watch| watch.on_exit)) {
        on_exit.call(Some(reaped));
    }
}

/// Whether the event loop stays alive while children run.
#[napi]
pub fn keep_loop_for_children(keep: bool) {
    let handle = WATCH.with_borrow(|watch| watch.as_ref().map(|watch| watch.handle));
    if let (Some(handle), Ok(uv)) = (handle, uv()) {
        // SAFETY: the handle lives until the process ends or forks.
        unsafe {
            if keep {
                (uv.reference)(handle);
            } else {
                (uv.unreference)(handle);
            }
        };
    }
}

/// The descriptor by which the event loop watches children.
pub fn watched_fd() -> Option<i32> {
    let watching = WATCH.with_borrow(Option::is_some);
    watching.then(|| reaper::watch_fd().ok()).flatten()
}

/// Child: the table is the parent's.
pub fn forget_parents() {
    if let (Some(watch), Ok(uv)) = (WATCH.take(), uv()) {
        // SAFETY: initialised in `watch_children`, closed once, freed by the callback; the loop's kernel queue is the
        // child's own by now, so the parent's is not touched.
        unsafe { (uv.close)(watch.handle, Some(free)) };
    }
    reaper::forget_all();
}

/// Reaps what has ended and returns it.
#[napi]
pub fn reap_ended() -> Vec<Ended> {
    reaper::reap_ended()
        .into_iter()
        .map(|(pid, status)| ended(pid, status))
        .collect()
}

/// The end of child `pid`; null while it runs.
#[napi]
pub fn poll_child(env: Env, pid: i32) -> Result<Option<Ended>> {
    let status = reaper::poll(pid).map_err(|error| to_js(env, &error))?;
    Ok(status.map(|status| ended(pid, status)))
}

thread_local! {
    static BEFORE_BLOCKING: Cell<Option<Callback>> = const { Cell::new(None) };
    static IS_ASKED_FOR: Cell<bool> = const { Cell::new(false) };
}

/// Has `action`, the same each time, called once before this thread next blocks in a call of this package.
#[napi]
pub fn before_blocking(env: Env, action: Function<'_, (), ()>) -> Result<()> {
    if BEFORE_BLOCKING.get().is_none() {
        BEFORE_BLOCKING.set(Some(Callback::new(env, &action)?));
    }
    IS_ASKED_FOR.set(true);
    Ok(())
}

/// Does what is to be done before this thread blocks; to be called before anything is held. An error is to be passed on at
/// once: this may be a child by now that abandons its stack.
pub fn about_to_block() -> Result<()> {
    if !IS_ASKED_FOR.replace(false) {
        return Ok(());
    }
    BEFORE_BLOCKING.get().map_or(Ok(()), Callback::call_within)
}

/// Calls `action` with what ends a blocking wait of this program.
pub fn with_interrupts<T>(env: Env, action: impl FnOnce(Interrupts<'_>) -> T) -> Result<T> {
    let event_loop: *mut Loop = env.get_uv_event_loop()?.cast();
    // SAFETY: this is the thread of the loop.
    let listens = unsafe { child_loop::listens_for(event_loop, &sys::signal::ENDING) };
    // SAFETY: as above.
    let undelivered = || unsafe { child_loop::undelivered_signal(event_loop, &sys::signal::ENDING) };
    Ok(action(Interrupts {
        listens,
        undelivered: &undelivered,
    }))
}

/// A descriptor that is readable at once, like the sentinel of a process that has ended. The caller closes it.
#[napi]
pub fn ended_sentinel(env: Env) -> Result<i32> {
    let (read, _) = sys::fd::pipe().map_err(|error| to_js(env, &error))?;
    Ok(read.into_raw_fd())
}

/// How a blocking wait ended.
#[napi(object)]
pub struct Joined {
    /// The child's end, when it has ended.
    pub ended: Option<Ended>,
    /// The signal that interrupted the wait.
    pub interrupted_by: Option<i32>,
}

/// Blocks until child `pid` has ended, the timeout (milliseconds, Infinity for none) has passed, or a signal that the
/// program handles asks it to end.
#[napi]
pub fn join_child(env: Env, pid: i32, timeout_ms: f64) -> Result<Joined> {
    about_to_block()?;
    let outcome = with_interrupts(env, |interrupts| {
        reaper::join(pid, Deadline::after_ms(timeout_ms), interrupts)
    })?;
    let mut joined = Joined {
        ended: None,
        interrupted_by: None,
    };
    match outcome.map_err(|error| to_js(env, &error))? {
        Outcome::Done(status) => joined.ended = Some(ended(pid, status)),
        Outcome::Interrupted(signal) => joined.interrupted_by = Some(signal),
        Outcome::TimedOut => {}
    }
    Ok(joined)
}

/// Sends a signal to child `pid` unless it has ended.
#[napi]
pub fn signal_child(env: Env, pid: i32, signal: i32) -> Result<()> {
    reaper::send(pid, signal).map_err(|error| to_js(env, &error))
}

/// A descriptor that is readable once child `pid` has ended. The caller closes it.
#[napi]
pub fn child_sentinel(env: Env, pid: i32) -> Result<i32> {
    reaper::sentinel(pid)
        .map(IntoRawFd::into_raw_fd)
        .map_err(|error| to_js(env, &error))
}

/// Takes note that child `pid` leads a process group of its own, all of which ends with this process; `false`: no longer.
#[napi]
pub fn note_leader(pid: i32, leads: bool) {
    reaper::note_leader(pid, leads);
}

/// Ends daemons and waits for the others, as a process does at its end.
#[napi]
pub fn end_children() {
    reaper::end_children();
}

/// Does so when this process exits, after everything that JavaScript does at exit.
#[napi]
pub fn end_children_at_exit() {
    extern "C" fn at_exit() {
        reaper::end_children();
    }
    static ONCE: std::sync::Once = std::sync::Once::new();
    // SAFETY: `at_exit` is a plain function in a library that is never unloaded.
    ONCE.call_once(|| unsafe {
        libc::atexit(at_exit);
    });
}

/// Opens a descriptor that is readable once process `pid` (any process) has ended.
#[napi]
pub fn open_exit_watch(env: Env, pid: i32) -> Result<i32> {
    exit_watch::open(pid)
        .map(IntoRawFd::into_raw_fd)
        .map_err(|error| to_js(env, &error))
}

/// How a wait for a descriptor ended.
#[napi(object)]
pub struct Readable {
    /// Whether it is readable.
    pub readable: bool,
    /// The signal that interrupted the wait.
    pub interrupted_by: Option<i32>,
}

/// Blocks until `fd` is readable, the timeout has passed, or a signal that the program handles asks it to end.
#[napi]
pub fn wait_fd(env: Env, fd: i32, timeout_ms: f64) -> Result<Readable> {
    if timeout_ms > 0.0 {
        about_to_block()?;
    }
    // SAFETY: the number is only lent to poll, which reports one that is not open.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let is_readable = || {
        let now = wait_readable(fd, Deadline::after_ms(0.0))?;
        Ok((now == Readiness::Ready).then_some(()))
    };
    let outcome = with_interrupts(env, |interrupts| {
        let wake = Wake::Readable(Some(fd), None);
        blocking::wait(wake, Deadline::after_ms(timeout_ms), interrupts, is_readable)
    })?;
    let outcome = outcome.map_err(|error| to_js(env, &error))?;
    Ok(Readable {
        readable: outcome == Outcome::Done(()),
        interrupted_by: match outcome {
            Outcome::Interrupted(signal) => Some(signal),
            _ => None,
        },
    })
}
