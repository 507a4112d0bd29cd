//! A POSIX semaphore that processes find by its name.

use std::ffi::{CString, c_int};
use std::ptr::NonNull;

use nix::errno::Errno;

use crate::error::{Error, Result};

unsafe extern "C" {
    /// Every C library has it; the `libc` crate does not for musl.
    fn sem_getvalue(semaphore: *mut libc::sem_t, value: *mut c_int) -> c_int;
}

/// One that this process has opened.
#[derive(Debug)]
pub struct NamedSemaphore(NonNull<libc::sem_t>);

// SAFETY: a semaphore is made for being used from several threads at once.
unsafe impl Send for NamedSemaphore {}
// SAFETY: as above.
unsafe impl Sync for NamedSemaphore {}

fn failed(syscall: &'static str) -> Error {
    Error::last(syscall)
}

/// Semaphores have names with one slash, at the beginning.
fn path(name: &str) -> Result<CString> {
    CString::new(format!("/{name}")).map_err(|_| Error::System {
        syscall: "sem_open",
        errno: Errno::EINVAL,
    })
}

impl NamedSemaphore {
    fn check(semaphore: *mut libc::sem_t) -> Result<Self> {
        match NonNull::new(semaphore) {
            Some(semaphore) if semaphore.as_ptr() != libc::SEM_FAILED => Ok(Self(semaphore)),
            _ => Err(failed("sem_open")),
        }
    }

    /// A new one, for this user alone; the name must be free.
    pub fn create(name: &str, value: u32) -> Result<Self> {
        let path = path(name)?;
        let (flags, mode): (c_int, libc::c_uint) = (libc::O_CREAT | libc::O_EXCL, 0o600);
        // SAFETY: the name ends with a NUL; with O_CREAT mode and value follow.
        Self::check(unsafe { libc::sem_open(path.as_ptr(), flags, mode, value) })
    }

    /// The one of that name.
    pub fn attach(name: &str) -> Result<Self> {
        // SAFETY: as above.
        Self::check(unsafe { libc::sem_open(path(name)?.as_ptr(), 0) })
    }

    /// Takes a permit if there is one.
    pub fn try_wait(&self) -> Result<bool> {
        loop {
            // SAFETY: open until this is dropped.
            if unsafe { libc::sem_trywait(self.0.as_ptr()) } == 0 {
                return Ok(true);
            }
            match Errno::last() {
                Errno::EAGAIN => return Ok(false),
                Errno::EINTR => {}
                _ => return Err(failed("sem_trywait")),
            }
        }
    }

    /// Gives a permit back.
    pub fn post(&self) -> Result<()> {
        // SAFETY: as in `try_wait`.
        match unsafe { libc::sem_post(self.0.as_ptr()) } {
            0 => Ok(()),
            _ => Err(failed("sem_post")),
        }
    }

    /// How many permits there are, where the system says so: macOS does not.
    pub fn value(&self) -> Result<i32> {
        let mut value = 0;
        // SAFETY: as in `try_wait`; there is room for the value.
        match unsafe { sem_getvalue(self.0.as_ptr(), &raw mut value) } {
            0 => Ok(value),
            _ => Err(failed("sem_getvalue")),
        }
    }
}

impl Drop for NamedSemaphore {
    fn drop(&mut self) {
        // SAFETY: opened by sem_open, closed once.
        unsafe { libc::sem_close(self.0.as_ptr()) };
    }
}

/// Removes a name; those who have the semaphore open keep it.
pub fn unlink(name: &str) -> Result<()> {
    // SAFETY: the name ends with a NUL.
    match unsafe { libc::sem_unlink(path(name)?.as_ptr()) } {
        0 => Ok(()),
        _ => Err(failed("sem_unlink")),
    }
}
