//! macOS: a kqueue per process, one kqueue over all of them.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::error::{Error, Result};

/// This system cannot; it has no helpers, whose children alone need it.
pub fn signal(_: BorrowedFd<'_>, _: i32) -> Result<()> {
    Err(Error::Unsupported("signals by descriptor"))
}

fn kqueue() -> Result<OwnedFd> {
    // SAFETY: kqueue takes nothing and returns a new descriptor, which is not inherited by fork.
    let fd = unsafe { libc::kqueue() };
    if fd < 0 {
        return Err(Error::last("kqueue"));
    }
    // SAFETY: kqueue has just returned this descriptor and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn change(queue: BorrowedFd<'_>, ident: usize, filter: i16, flags: u16, note: u32, data: i32) -> Result<()> {
    let change = libc::kevent {
        ident,
        filter,
        flags,
        fflags: note,
        data: 0,
        udata: data as usize as *mut libc::c_void,
    };
    // SAFETY: one valid change is passed in and no event is asked for.
    if unsafe {
        libc::kevent(
            queue.as_raw_fd(),
            &raw const change,
            1,
            std::ptr::null_mut(),
            0,
            std::ptr::null(),
        )
    } < 0
    {
        return Err(Error::last("kevent"));
    }
    Ok(())
}

/// A descriptor that becomes readable when process `pid` has ended.
pub fn open(pid: i32) -> Result<OwnedFd> {
    let queue = kqueue()?;
    change(
        queue.as_fd(),
        pid as usize,
        libc::EVFILT_PROC,
        libc::EV_ADD,
        libc::NOTE_EXIT,
        pid,
    )?;
    Ok(queue)
}

/// One descriptor that is readable while any watched process has ended and is still watched.
#[derive(Debug)]
pub struct Watcher(OwnedFd);

impl Watcher {
    /// Watches nothing yet.
    pub fn new() -> Result<Self> {
        kqueue().map(Self)
    }

    /// Watches the process behind `fd`, reported as `pid`. Closing `fd` ends it.
    pub fn add(&self, fd: BorrowedFd<'_>, pid: i32) -> Result<()> {
        change(
            self.0.as_fd(),
            fd.as_raw_fd() as usize,
            libc::EVFILT_READ,
            libc::EV_ADD,
            0,
            pid,
        )
    }

    /// Stops watching the process behind `fd`.
    pub fn remove(&self, fd: BorrowedFd<'_>) {
        let _ = change(
            self.0.as_fd(),
            fd.as_raw_fd() as usize,
            libc::EVFILT_READ,
            libc::EV_DELETE,
            0,
            0,
        );
    }

    /// The watched processes that have ended, without waiting.
    #[must_use]
    pub fn ended(&self) -> Vec<i32> {
        // SAFETY: an all-zero kevent is a valid value for the kernel to overwrite.
        let mut events: [libc::kevent; 256] = unsafe { std::mem::zeroed() };
        let now = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: `events` has room for 256 events and `now` is a valid timeout.
        let count = unsafe {
            libc::kevent(
                self.0.as_raw_fd(),
                std::ptr::null(),
                0,
                events.as_mut_ptr(),
                256,
                &raw const now,
            )
        };
        events
            .iter()
            .take(count.max(0) as usize)
            .map(|event| event.udata as usize as i32)
            .collect()
    }

    /// The descriptor to hand to an event loop.
    #[must_use]
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
