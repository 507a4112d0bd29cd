//! Children that are no copies of this process, and what such a child gets of its parent: programs that are started here, and
//! copies of a helper.

use std::cell::RefCell;
use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use napi::{Env, Result};
use napi_derive::napi;

use node_multiprocessing_core::Error;
use node_multiprocessing_core::fork::discard;
use node_multiprocessing_core::process::reaper;
use node_multiprocessing_core::process::spawn::{self, Program};
use node_multiprocessing_core::shared::arena::{self, Arena, Seats, Share};
use node_multiprocessing_core::sys::clock::Deadline;
use node_multiprocessing_core::sys::fd::{ready_now, wait_any_readable};
use node_multiprocessing_core::sys::{death, signal};

use super::error::to_js;
use super::shared::Seat;

/// The number that a child finds its end of the channel under.
#[napi]
pub const SPAWN_CHANNEL: i32 = spawn::CHANNEL;

/// A child that was started.
#[napi(object)]
pub struct Spawned {
    /// Its process id.
    pub pid: i32,
    /// The files of this process's arenas: this process's descriptors.
    pub arenas: Vec<i32>,
    /// The child's seats in these.
    pub seats: Vec<Seat>,
}

/// Starts a program as a child that is reaped, and that shares this process's memory or does not.
#[napi(catch_unwind)]
pub fn spawn_program(
    env: Env,
    file: String,
    arguments: Vec<String>,
    environment: Vec<String>,
    channel: i32,
    daemon: bool,
    shares: bool,
) -> Result<Spawned> {
    let strings = |list: Vec<String>| -> Result<Vec<CString>> {
        let string =
            |text: String| CString::new(text).map_err(|error| napi::Error::from_reason(error.to_string()));
        list.into_iter().map(string).collect()
    };
    let program = Program {
        file: CString::new(file).map_err(|error| napi::Error::from_reason(error.to_string()))?,
        arguments: strings(arguments)?,
        environment: strings(environment)?,
    };
    let fail = |error: Error| to_js(env, &error);
    reaper::watch_fd().map_err(fail)?;
    let seats = if shares {
        Seats::reserve().map_err(fail)?
    } else {
        Seats::default()
    };
    // SAFETY: the number is only lent to calls that answer an error when it is not open.
    let lent = unsafe { BorrowedFd::borrow_raw(channel) };
    let started = spawn::spawn(&program, lent).and_then(|pid| {
        reaper::adopt(pid, daemon)
            .inspect_err(|_| discard(pid))
            .map(|()| pid)
    });
    let pid = started.map_err(|error| {
        seats.give_up();
        fail(error)
    })?;
    let (arenas, listed) = listed(&seats);
    seats.settle(pid);
    Ok(Spawned {
        pid,
        arenas,
        seats: listed,
    })
}

/// The files of arenas, and seats in these.
fn listed(seats: &Seats) -> (Vec<i32>, Vec<Seat>) {
    let of = |&(arena, id): &(&'static Arena, u32)| {
        let seat = Seat {
            arena: arena.number(),
            id,
        };
        (arena.file().as_raw_fd(), seat)
    };
    seats.list().iter().map(of).unzip()
}

thread_local! {
    static RESERVED: RefCell<Option<Seats>> = const { RefCell::new(None) };
}

/// What a child of this process's needs to share its memory.
#[napi(object)]
pub struct Reserved {
    /// The files of this process's arenas: this process's descriptors.
    pub arenas: Vec<i32>,
    /// The child's seats in these.
    pub seats: Vec<Seat>,
}

/// Takes seats for a child that a helper is asked for.
#[napi(catch_unwind)]
pub fn reserve_seats(env: Env) -> Result<Reserved> {
    give_up_seats();
    let seats = Seats::reserve().map_err(|error| to_js(env, &error))?;
    let (arenas, listed) = listed(&seats);
    RESERVED.set(Some(seats));
    Ok(Reserved {
        arenas,
        seats: listed,
    })
}

/// There will be no such child.
#[napi]
pub fn give_up_seats() {
    if let Some(seats) = RESERVED.take() {
        seats.give_up();
    }
}

/// The child that seats were reserved for is `pid`: it is looked after by its `sentinel`, and its helper tells how it has ended over
/// `relay`. Both are this process's own from now on.
#[napi(catch_unwind)]
pub fn adopt_relayed(env: Env, pid: i32, sentinel: i32, relay: i32, daemon: bool) -> Result<()> {
    // SAFETY: received just now, and given away by the caller.
    let [sentinel, relay] = [sentinel, relay].map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    reaper::adopt_relayed(pid, sentinel, relay, daemon).map_err(|error| to_js(env, &error))?;
    if let Some(seats) = RESERVED.take() {
        seats.settle(pid);
    }
    Ok(())
}

/// The number for the arena of a helper of this process's.
#[napi]
pub fn number_for_helper() -> u32 {
    arena::number_for_helper()
}

/// Helper: this process is one, and its arena is to have this number.
#[napi]
pub fn become_helper(number: u32) {
    arena::become_helper(number);
}

/// Helper: waits until its owner says something (true) or a child has ended.
#[napi(catch_unwind)]
pub fn await_request(env: Env, control: i32) -> Result<bool> {
    let fail = |error: Error| to_js(env, &error);
    let children = reaper::watch_fd().map_err(fail)?;
    loop {
        match ready_now(&[control, children], false).map_err(fail)?[..] {
            [] => {}
            [0, ..] => return Ok(true),
            _ => return Ok(false),
        }
        // SAFETY: both were found to be open just now.
        let lent = [control, children].map(|fd| unsafe { BorrowedFd::borrow_raw(fd) });
        wait_any_readable(&lent, Deadline::after_ms(f64::INFINITY)).map_err(fail)?;
    }
}

/// Helper: SIGINT does nothing to this process, or (child) what it does by default.
#[napi]
pub fn ignore_interrupt(ignore: bool) {
    signal::ignore_interrupt(ignore);
}

/// Child of a helper that is a daemon: ends when the process behind `sentinel` does, which is its own from now on.
#[napi(catch_unwind)]
pub fn end_with(env: Env, sentinel: i32) -> Result<()> {
    // SAFETY: opened just now, and given away by the caller.
    let sentinel = unsafe { OwnedFd::from_raw_fd(sentinel) };
    death::end_with(sentinel).map_err(|error| to_js(env, &error))
}

/// Child: leads a process group of its own from now on, all of which ends when the process behind `sentinel` does, which is its own
/// from now on.
#[napi(catch_unwind)]
pub fn lead_group(env: Env, sentinel: i32) -> Result<()> {
    // SAFETY: opened just now, and given away by the caller.
    let sentinel = unsafe { OwnedFd::from_raw_fd(sentinel) };
    death::end_group_with(sentinel).map_err(|error| to_js(env, &error))?;
    // The kernel would end this process alone.
    death::end_with_parent(false, 0);
    Ok(())
}

/// Child: gets the arenas of its parent, whose files are its own from now on.
#[napi(catch_unwind)]
pub fn adopt_arenas(env: Env, files: Vec<i32>, seats: Vec<Seat>) -> Result<()> {
    // SAFETY: received just now, and given away by the caller.
    let files = files.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    let share = |(file, Seat { arena, id }): (OwnedFd, Seat)| Share {
        file,
        number: arena,
        me: id,
    };
    arena::adopt(files.zip(seats).map(share).collect()).map_err(|error| to_js(env, &error))
}

/// Child that is a daemon: ends when its parent does, at once if that has ended.
#[napi]
pub fn end_with_parent(parent: i32) {
    death::end_with_parent(true, parent);
}
