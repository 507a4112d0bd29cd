//! A child that is a program of its own: nothing of this process is copied.

use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

use crate::error::{Error, Result};

/// The number that the child finds its end of the channel under.
pub const CHANNEL: i32 = 3;

/// What is to be run.
#[derive(Debug)]
pub struct Program {
    /// Its file; a path.
    pub file: CString,
    /// Its arguments, its own name among them.
    pub arguments: Vec<CString>,
    /// Its environment: `NAME=value`.
    pub environment: Vec<CString>,
}

fn checked(status: i32) -> Result<()> {
    if status == 0 {
        return Ok(());
    }
    Err(Error::System {
        syscall: "posix_spawn",
        errno: Errno::from_raw(status),
    })
}

/// What posix_spawn is told; destroyed in the end.
struct Plan {
    actions: libc::posix_spawn_file_actions_t,
    attributes: libc::posix_spawnattr_t,
}

impl Plan {
    fn new() -> Result<Box<Self>> {
        // SAFETY: both are initialised before they are used, as memory that does not move; all zeros until then.
        let mut plan: Box<Self> = unsafe { Box::new(std::mem::zeroed()) };
        // SAFETY: as above.
        unsafe {
            checked(libc::posix_spawn_file_actions_init(&raw mut plan.actions))?;
            checked(libc::posix_spawnattr_init(&raw mut plan.attributes))?;
        }
        Ok(plan)
    }
}

impl Drop for Plan {
    fn drop(&mut self) {
        // SAFETY: initialised in `new`.
        unsafe {
            libc::posix_spawn_file_actions_destroy(&raw mut self.actions);
            libc::posix_spawnattr_destroy(&raw mut self.attributes);
        }
    }
}

/// Starts a program that has standard output and error of this process, nothing to read, `channel`, no other descriptor that this
/// system lets us keep from it, and no signal blocked or ignored.
pub fn spawn(program: &Program, channel: BorrowedFd<'_>) -> Result<i32> {
    // Under a number from which it can be copied to its own.
    // SAFETY: fcntl takes numbers and returns a new descriptor.
    let high = unsafe { libc::fcntl(channel.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 16) };
    if high < 0 {
        return Err(Error::last("fcntl"));
    }
    // SAFETY: just made, and nobody else knows it.
    let high = unsafe { OwnedFd::from_raw_fd(high) };
    let mut plan = Plan::new()?;
    let pointers = |strings: &[CString]| -> Vec<*mut libc::c_char> {
        let all = strings.iter().map(|string| string.as_ptr().cast_mut());
        all.chain(std::iter::once(std::ptr::null_mut())).collect()
    };
    let (arguments, environment) = (pointers(&program.arguments), pointers(&program.environment));
    let mut pid = 0;
    // SAFETY: the plan is initialised; strings and lists live, and end with NUL and null, until the calls are over. Signal sets are
    // filled before they are read.
    unsafe {
        let actions = &raw mut plan.actions;
        checked(libc::posix_spawn_file_actions_addopen(
            actions,
            0,
            c"/dev/null".as_ptr(),
            libc::O_RDONLY,
            0,
        ))?;
        checked(libc::posix_spawn_file_actions_adddup2(
            actions,
            high.as_raw_fd(),
            CHANNEL,
        ))?;
        // Node marks these as not to be passed on; that goes with a copy to the same number.
        for output in [1, 2] {
            if libc::fcntl(output, libc::F_GETFD) >= 0 {
                checked(libc::posix_spawn_file_actions_adddup2(actions, output, output))?;
            }
        }
        close_others(actions)?;
        let attributes = &raw mut plan.attributes;
        let flags = libc::POSIX_SPAWN_SETSIGMASK | libc::POSIX_SPAWN_SETSIGDEF;
        checked(libc::posix_spawnattr_setflags(attributes, flags as libc::c_short))?;
        let mut signals: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut signals);
        checked(libc::posix_spawnattr_setsigmask(attributes, &raw const signals))?;
        libc::sigfillset(&raw mut signals);
        // These two cannot be anything else.
        libc::sigdelset(&raw mut signals, libc::SIGKILL);
        libc::sigdelset(&raw mut signals, libc::SIGSTOP);
        checked(libc::posix_spawnattr_setsigdefault(
            attributes,
            &raw const signals,
        ))?;
        checked(libc::posix_spawn(
            &raw mut pid,
            program.file.as_ptr(),
            actions,
            attributes,
            arguments.as_ptr(),
            environment.as_ptr(),
        ))?;
    }
    Ok(pid)
}

/// Descriptors that somebody has left open for programs are not for this one. glibc can close them from 2.34 on; Node itself
/// opens none.
///
/// # Safety
/// `actions` is initialised.
unsafe fn close_others(actions: *mut libc::posix_spawn_file_actions_t) -> Result<()> {
    type AddCloseFrom = unsafe extern "C" fn(*mut libc::posix_spawn_file_actions_t, i32) -> i32;
    // SAFETY: the name is that of a function of this type, where it exists.
    let add_close_from = unsafe {
        let symbol = libc::dlsym(
            libc::RTLD_DEFAULT,
            c"posix_spawn_file_actions_addclosefrom_np".as_ptr(),
        );
        std::mem::transmute::<*mut libc::c_void, Option<AddCloseFrom>>(symbol)
    };
    match add_close_from {
        // SAFETY: as the caller has promised.
        Some(add) => checked(unsafe { add(actions, CHANNEL + 1) }),
        None => Ok(()),
    }
}
