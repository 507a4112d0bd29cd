//! Starting programs as children, and what such a child gets of its parent.

use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use napi::{Env, Result};
use napi_derive::napi;

use node_multiprocessing_core::Error;
use node_multiprocessing_core::fork::discard;
use node_multiprocessing_core::process::reaper;
use node_multiprocessing_core::process::spawn::{self, Program};
use node_multiprocessing_core::shared::arena::{self, Seats};
use node_multiprocessing_core::sys::death;

use super::error::to_js;

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
    pub seats: Vec<u32>,
}

/// Starts a program as a child that is reaped.
#[napi(catch_unwind)]
pub fn spawn_program(
    env: Env,
    file: String,
    arguments: Vec<String>,
    environment: Vec<String>,
    channel: i32,
    daemon: bool,
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
    let seats = Seats::reserve().map_err(fail)?;
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
    let list = seats.list();
    let arenas = list.iter().map(|(arena, _)| arena.file().as_raw_fd()).collect();
    let ids = list.iter().map(|&(_, id)| id).collect();
    seats.settle(pid);
    Ok(Spawned {
        pid,
        arenas,
        seats: ids,
    })
}

/// Child: gets the arenas of its parent, whose files are its own from now on.
#[napi(catch_unwind)]
pub fn adopt_arenas(env: Env, files: Vec<i32>, seats: Vec<u32>) -> Result<()> {
    // SAFETY: received just now, and given away by the caller.
    let files = files.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    arena::adopt(files.zip(seats).collect()).map_err(|error| to_js(env, &error))
}

/// Child that is a daemon: ends when its parent does, at once if that has ended.
#[napi]
pub fn end_with_parent(parent: i32) {
    death::end_with_parent(true, parent);
}
