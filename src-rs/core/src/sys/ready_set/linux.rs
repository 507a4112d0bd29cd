//! Linux: epoll.

use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::Interest;
use crate::error::{Context, Result};

/// One descriptor that is readable while any of those watched is ready.
#[derive(Debug)]
pub struct ReadySet(Epoll);

impl ReadySet {
    /// Watches nothing yet.
    pub fn new() -> Result<Self> {
        Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)
            .map(Self)
            .during("epoll_create1")
    }

    /// Watches `fd` for `interest` until it is told as ready once, or no more if that is nothing. False if it is of a kind that is always
    /// ready, a file for instance, and so is not watched.
    pub fn set(&self, fd: BorrowedFd<'_>, interest: Interest) -> Result<bool> {
        if interest == Interest::default() {
            let _ = self.0.delete(fd);
            return Ok(true);
        }
        // What its owner has closed while another process has it cannot be taken out any more: it is told once.
        let mut flags = EpollFlags::EPOLLONESHOT;
        flags.set(EpollFlags::EPOLLIN, interest.read);
        flags.set(EpollFlags::EPOLLOUT, interest.write);
        let mut event = EpollEvent::new(flags, std::os::fd::AsRawFd::as_raw_fd(&fd) as u64);
        match self.0.modify(fd, &mut event) {
            Err(Errno::ENOENT) => match self.0.add(fd, event) {
                Err(Errno::EPERM) => Ok(false),
                other => other.during("epoll_ctl").map(|()| true),
            },
            Err(Errno::EPERM) => Ok(false),
            other => other.during("epoll_ctl").map(|()| true),
        }
    }

    /// Those that are ready, without waiting. What has failed or come to its end is ready for everything.
    #[must_use]
    pub fn ready(&self) -> Vec<(i32, Interest)> {
        let mut events = [EpollEvent::empty(); 256];
        let count = self.0.wait(&mut events, EpollTimeout::ZERO).unwrap_or(0);
        let ended = EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP;
        let ready = |event: &EpollEvent| {
            let flags = event.events();
            let interest = Interest {
                read: flags.intersects(EpollFlags::EPOLLIN | ended),
                write: flags.intersects(EpollFlags::EPOLLOUT | ended),
            };
            (event.data() as i32, interest)
        };
        events.iter().take(count).map(ready).collect()
    }

    /// The descriptor to hand to an event loop.
    #[must_use]
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.0.as_fd()
    }
}
