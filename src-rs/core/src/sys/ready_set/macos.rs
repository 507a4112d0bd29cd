//! macOS: kqueue.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

use super::Interest;
use crate::error::{Error, Result};

/// One descriptor that is readable while any of those watched is ready.
#[derive(Debug)]
pub struct ReadySet(OwnedFd);

impl ReadySet {
    /// Watches nothing yet.
    pub fn new() -> Result<Self> {
        // SAFETY: kqueue takes nothing and returns a new descriptor, which is not inherited by fork.
        let fd = unsafe { libc::kqueue() };
        if fd < 0 {
            return Err(Error::last("kqueue"));
        }
        // SAFETY: kqueue has just returned this descriptor and nobody else knows it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Watches `fd` for `interest` until it is told as ready once, or no more if that is nothing. False if it is of a kind that is always
    /// ready and so is not watched.
    pub fn set(&self, fd: BorrowedFd<'_>, interest: Interest) -> Result<bool> {
        let read = self.change(fd, libc::EVFILT_READ, interest.read)?;
        let write = self.change(fd, libc::EVFILT_WRITE, interest.write)?;
        Ok(read && write)
    }

    fn change(&self, fd: BorrowedFd<'_>, filter: i16, watch: bool) -> Result<bool> {
        let change = libc::kevent {
            ident: fd.as_raw_fd() as usize,
            filter,
            flags: if watch {
                libc::EV_ADD | libc::EV_ONESHOT
            } else {
                libc::EV_DELETE
            },
            fflags: 0,
            data: 0,
            udata: std::ptr::null_mut(),
        };
        // SAFETY: one valid change is passed in and no event is asked for.
        let status = unsafe {
            libc::kevent(
                self.0.as_raw_fd(),
                &raw const change,
                1,
                std::ptr::null_mut(),
                0,
                std::ptr::null(),
            )
        };
        if status == 0 || !watch {
            return Ok(true);
        }
        match Errno::last() {
            Errno::EINVAL => Ok(false),
            errno => Err(Error::System {
                syscall: "kevent",
                errno,
            }),
        }
    }

    /// Those that are ready, without waiting.
    #[must_use]
    pub fn ready(&self) -> Vec<(i32, Interest)> {
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
        let ready = |event: &libc::kevent| {
            let interest = Interest {
                read: event.filter == libc::EVFILT_READ,
                write: event.filter == libc::EVFILT_WRITE,
            };
            (event.ident as i32, interest)
        };
        events.iter().take(count.max(0) as usize).map(ready).collect()
    }

    /// The descriptor to hand to an event loop.
    #[must_use]
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
