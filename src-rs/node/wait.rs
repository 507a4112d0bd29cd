//! Python's `os.wait` family.

use napi::{Env, Result};
use napi_derive::napi;

use node_multiprocessing_core::process::blocking::Outcome;
use node_multiprocessing_core::process::{raw, reaper};
use node_multiprocessing_core::sys::wait;

use super::children::{about_to_block, with_interrupts};
use super::error::to_js;

/// A child and its status word.
#[napi(object)]
pub struct Waited {
    /// 0 when `WNOHANG` was given and nothing had changed.
    pub pid: i32,
    /// The kernel's status word.
    pub status: i32,
    /// The signal that interrupted the wait; pid is 0 then.
    pub interrupted_by: Option<i32>,
}

/// waitpid(2).
#[napi]
pub fn waitpid(env: Env, pid: i32, options: i32) -> Result<Waited> {
    let outcome = if options & libc::WNOHANG == 0 {
        about_to_block()?;
        with_interrupts(env, |interrupts| raw::wait(pid, options, interrupts))?
    } else {
        wait::waitpid(pid, options).map(Outcome::Done)
    };
    match outcome.map_err(|error| to_js(env, &error))? {
        Outcome::Done(waited) => {
            if waited.pid > 0 && (libc::WIFEXITED(waited.status) || libc::WIFSIGNALED(waited.status)) {
                reaper::note(waited.pid, waited.status);
            }
            Ok(Waited {
                pid: waited.pid,
                status: waited.status,
                interrupted_by: None,
            })
        }
        Outcome::Interrupted(signal) => Ok(Waited {
            pid: 0,
            status: 0,
            interrupted_by: Some(signal),
        }),
        // There is no deadline; if there were, nothing has changed.
        Outcome::TimedOut => Ok(Waited {
            pid: 0,
            status: 0,
            interrupted_by: None,
        }),
    }
}

/// What a status word says.
#[napi(object)]
pub struct StatusFacts {
    /// `WIFEXITED`.
    pub exited: bool,
    /// `WEXITSTATUS`.
    pub exit_status: i32,
    /// `WIFSIGNALED`.
    pub signaled: bool,
    /// `WTERMSIG`.
    pub term_signal: i32,
    /// `WCOREDUMP`.
    pub core_dumped: bool,
    /// `WIFSTOPPED`.
    pub stopped: bool,
    /// `WSTOPSIG`.
    pub stop_signal: i32,
    /// `WIFCONTINUED`.
    pub continued: bool,
}

/// Takes a status word apart with this system's macros.
#[napi]
pub fn status_facts(status: i32) -> StatusFacts {
    StatusFacts {
        exited: libc::WIFEXITED(status),
        exit_status: libc::WEXITSTATUS(status),
        signaled: libc::WIFSIGNALED(status),
        term_signal: libc::WTERMSIG(status),
        core_dumped: libc::WCOREDUMP(status),
        stopped: libc::WIFSTOPPED(status),
        stop_signal: libc::WSTOPSIG(status),
        continued: libc::WIFCONTINUED(status),
    }
}

/// Numbers that waitpid takes.
#[napi(object)]
pub struct WaitOptions {
    /// `WNOHANG`.
    pub nohang: i32,
    /// `WUNTRACED`.
    pub untraced: i32,
    /// `WCONTINUED`.
    pub continued: i32,
}

/// This system's numbers of the options.
#[napi]
pub fn wait_options() -> WaitOptions {
    WaitOptions {
        nohang: libc::WNOHANG,
        untraced: libc::WUNTRACED,
        continued: libc::WCONTINUED,
    }
}

/// CPUs of the machine that are online.
#[napi]
pub fn cpu_count() -> i32 {
    // SAFETY: sysconf has no precondition.
    (unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) } as i32).max(1)
}
