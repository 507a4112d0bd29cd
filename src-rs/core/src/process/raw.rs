//! waitpid(2) for whoever calls it directly, as long as it takes.

use std::os::fd::AsFd;

use nix::errno::Errno;

use super::blocking::{self, Interrupts, Outcome, Wake};
use crate::error::{Error, Result};
use crate::sys::clock::Deadline;
use crate::sys::exit_watch;
use crate::sys::wait::{Waited, waitpid};

/// Longest time between two questions where nothing wakes the wait, in milliseconds.
const ASK_MS: f64 = 20.0;

/// Blocks until waitpid(2) has something to report for `pid` and `options`.
pub fn wait(pid: i32, options: i32, interrupts: Interrupts<'_>) -> Result<Outcome<Waited>> {
    let ask = || match waitpid(pid, options | libc::WNOHANG) {
        Ok(Waited { pid: 0, .. }) => Ok(None),
        Ok(waited) => Ok(Some(waited)),
        Err(error) => Err(error),
    };
    // Before anything is opened for a process that is no child of ours.
    if let Some(waited) = ask()? {
        return Ok(Outcome::Done(waited));
    }
    let never = Deadline::after_ms(f64::INFINITY);
    // A descriptor tells of one process's end, not of its being stopped, nor of any of several.
    let ends_only = pid > 0 && options & (libc::WUNTRACED | libc::WCONTINUED) == 0;
    let watch = ends_only.then(|| exit_watch::open(pid)).and_then(Result::ok);
    if let Some(watch) = &watch {
        let wake = Wake::Readable(Some(watch.as_fd()), Some(pid));
        return blocking::wait(wake, never, interrupts, ask);
    }
    if interrupts.listens {
        return blocking::wait(Wake::Asking(ASK_MS), never, interrupts, ask);
    }
    loop {
        match waitpid(pid, options) {
            Err(Error::System {
                errno: Errno::EINTR, ..
            }) => {}
            result => return result.map(Outcome::Done),
        }
    }
}
