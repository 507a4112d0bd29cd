//! Linux: a pidfd per process, one epoll over all of them.

use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::error::{Context, Error, Result};

/// A descriptor that becomes readable when process `pid` has ended (Linux 5.3).
pub fn open(pid: i32) -> Result<OwnedFd> {
    // SAFETY: pidfd_open takes two numbers and returns a new close-on-exec descriptor.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if fd < 0 {
        return Err(Error::last("pidfd_open"));
    }
    // SAFETY: the call has just returned this descriptor and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Sends `signal` to the process behind `fd`.
pub fn signal(fd: BorrowedFd<'_>, signal: i32) -> Result<()> {
    use std::os::fd::AsRawFd;
    // SAFETY: the call takes numbers and a null pointer, which stands for what kill(2) would tell.
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            fd.as_raw_fd(),
            signal,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    if result < 0 {
        return Err(Error::last("pidfd_send_signal"));
    }
    Ok(())
}

/// One descriptor that is readable while any watched process has ended and is still watched.
#[derive(Debug)]
pub struct Watcher(Epoll);

impl Watcher {
    /// Watches nothing yet.
    pub fn new() -> Result<Self> {
        Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)
            .map(Self)
            .during("epoll_create1")
    }

    /// Watches the process behind `fd`, reported as `pid`. Closing `fd` ends it.
    pub fn add(&self, fd: BorrowedFd<'_>, pid: i32) -> Result<()> {
        self.0
            .add(fd, EpollEvent::new(EpollFlags::EPOLLIN, pid as u64))
            .during("epoll_ctl")
    }

    /// Stops watching the process behind `fd`.
    pub fn remove(&self, fd: BorrowedFd<'_>) {
        let _ = self.0.delete(fd);
    }

    /// The watched processes that have ended, without waiting.
    #[must_use]
    pub fn ended(&self) -> Vec<i32> {
        let mut events = [EpollEvent::empty(); 256];
        let count = self.0.wait(&mut events, EpollTimeout::ZERO).unwrap_or(0);
        events
            .iter()
            .take(count)
            .map(|event| event.data() as i32)
            .collect()
    }

    /// The descriptor to hand to an event loop.
    #[must_use]
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.0.as_fd()
    }
}
