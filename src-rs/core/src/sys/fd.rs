//! Descriptors: readiness, whole writes, replacing what a number stands for.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};

use crate::error::{Error, Result};
use crate::sys::clock::Deadline;

/// How a wait for readiness ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// Readable, or at end of file, or in error: a read returns at once.
    Ready,
    /// The deadline passed first.
    TimedOut,
    /// A signal handler ran on this thread.
    Interrupted,
}

/// Waits until `fd` is readable. A signal ends the wait: whether to go on is the caller's decision.
pub fn wait_readable(fd: BorrowedFd<'_>, deadline: Deadline) -> Result<Readiness> {
    wait_for(&mut [PollFd::new(fd, PollFlags::POLLIN)], deadline)
}

/// As `wait_readable`, for whichever of `fds` comes first.
pub fn wait_any_readable(fds: &[BorrowedFd<'_>], deadline: Deadline) -> Result<Readiness> {
    let mut polled: Vec<_> = fds.iter().map(|&fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
    wait_for(&mut polled, deadline)
}

/// What to wait for at a descriptor: that it can be read, or written.
#[derive(Debug, Clone, Copy)]
pub enum Wanted<'a> {
    /// Something to read, or the end.
    Read(BorrowedFd<'a>),
    /// Room to write, or nobody who would read it.
    Write(BorrowedFd<'a>),
}

/// As `wait_readable`, for whichever of `wanted` comes first.
pub fn wait_any(wanted: &[Wanted<'_>], deadline: Deadline) -> Result<Readiness> {
    let polled = wanted.iter().map(|&wanted| match wanted {
        Wanted::Read(fd) => PollFd::new(fd, PollFlags::POLLIN),
        Wanted::Write(fd) => PollFd::new(fd, PollFlags::POLLOUT),
    });
    wait_for(&mut polled.collect::<Vec<_>>(), deadline)
}

/// The indexes of those of `fds` that can be read, or written, now. A number that is not open is an error, `EBADF`.
pub fn ready_now(fds: &[RawFd], write: bool) -> Result<Vec<u32>> {
    let entry = |&fd: &RawFd| libc::pollfd {
        fd,
        events: if write { libc::POLLOUT } else { libc::POLLIN },
        revents: 0,
    };
    let mut polled: Vec<_> = fds.iter().map(entry).collect();
    // SAFETY: the vector has as many entries as are told; numbers that are not open are answered as such.
    if unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, 0) } < 0 {
        return match Errno::last() {
            Errno::EINTR => Ok(Vec::new()),
            errno => Err(Error::System {
                syscall: "poll",
                errno,
            }),
        };
    }
    // poll passes over negative numbers.
    if polled
        .iter()
        .any(|entry| entry.fd < 0 || entry.revents & libc::POLLNVAL != 0)
    {
        return Err(Error::System {
            syscall: "poll",
            errno: Errno::EBADF,
        });
    }
    let ready = polled.iter().enumerate().filter(|(_, entry)| entry.revents != 0);
    Ok(ready.map(|(index, _)| index as u32).collect())
}

fn wait_for(fds: &mut [PollFd<'_>], deadline: Deadline) -> Result<Readiness> {
    loop {
        let timeout =
            nix::poll::PollTimeout::try_from(deadline.poll_timeout()).unwrap_or(nix::poll::PollTimeout::MAX);
        match poll(fds, timeout) {
            Ok(0) if deadline.passed() => return Ok(Readiness::TimedOut),
            Ok(0) => {}
            Ok(_) => return Ok(Readiness::Ready),
            Err(Errno::EINTR) => return Ok(Readiness::Interrupted),
            Err(errno) => {
                return Err(Error::System {
                    syscall: "poll",
                    errno,
                });
            }
        }
    }
}

/// Writes all of `bytes`, waiting where the descriptor is non-blocking and full.
pub fn write_all(fd: RawFd, mut bytes: &[u8]) -> Result<()> {
    // SAFETY: the number is only lent to calls that answer EBADF when it is not open; nothing is closed through it.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    while !bytes.is_empty() {
        match nix::unistd::write(fd, bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => {
                wait_for(
                    &mut [PollFd::new(fd, PollFlags::POLLOUT)],
                    Deadline::after_ms(f64::INFINITY),
                )?;
            }
            Err(errno) => {
                return Err(Error::System {
                    syscall: "write",
                    errno,
                });
            }
        }
    }
    Ok(())
}

/// Makes the number `target` stand for what `source` is, close-on-exec.
pub fn replace(source: &OwnedFd, target: RawFd) -> Result<()> {
    // SAFETY: dup2 takes numbers, checks them, and touches no memory of ours.
    if unsafe { libc::dup2(source.as_raw_fd(), target) } < 0 {
        return Err(Error::last("dup2"));
    }
    // SAFETY: as above; F_SETFD only sets a flag of `target`.
    unsafe { libc::fcntl(target, libc::F_SETFD, libc::FD_CLOEXEC) };
    Ok(())
}

/// An empty file in memory, with a name for `/proc`. The C library's function came later than the oldest glibc that we run on.
#[cfg(target_os = "linux")]
pub fn memfd(name: &std::ffi::CStr, flags: libc::c_uint) -> Result<OwnedFd> {
    // SAFETY: the name ends with a NUL; the call returns a new descriptor.
    let fd = unsafe { libc::syscall(libc::SYS_memfd_create, name.as_ptr(), flags) };
    if fd < 0 {
        return Err(Error::last("memfd_create"));
    }
    // SAFETY: the call has just returned this descriptor and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// Makes the number `target` stand for a file watcher that watches nothing, close-on-exec and non-blocking.
#[cfg(target_os = "linux")]
pub fn replace_with_inotify(target: RawFd) -> Result<()> {
    // SAFETY: the call takes flags and returns a new descriptor.
    let fd = unsafe { libc::inotify_init1(libc::IN_NONBLOCK | libc::IN_CLOEXEC) };
    if fd < 0 {
        return Err(Error::last("inotify_init1"));
    }
    // SAFETY: the call has just returned this descriptor and nobody else knows it.
    replace(&unsafe { OwnedFd::from_raw_fd(fd) }, target)
}

/// Only Linux watches files by inotify.
#[cfg(not(target_os = "linux"))]
pub fn replace_with_inotify(_: RawFd) -> Result<()> {
    Ok(())
}

/// Puts `/dev/null` on `target` (not close-on-exec: it is a standard stream); where there is none, a pipe at its end.
pub fn replace_with_null(target: RawFd) -> Result<()> {
    // SAFETY: the path is a NUL-terminated literal.
    let null = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC) };
    let null = if null < 0 {
        pipe()?.0
    } else {
        // SAFETY: open has just returned this descriptor and nobody else knows it.
        unsafe { OwnedFd::from_raw_fd(null) }
    };
    // SAFETY: dup2 takes numbers, checks them, and touches no memory of ours.
    if unsafe { libc::dup2(null.as_raw_fd(), target) } < 0 {
        return Err(Error::last("dup2"));
    }
    Ok(())
}

/// A close-on-exec pipe: (read end, write end).
pub fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for the two descriptors.
    if unsafe { libc::pipe(ends.as_mut_ptr()) } < 0 {
        return Err(Error::last("pipe"));
    }
    for end in ends {
        // SAFETY: F_SETFD only sets a flag of a descriptor that pipe has just returned.
        unsafe { libc::fcntl(end, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    // SAFETY: pipe has just returned both and nobody else knows them.
    Ok(unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) })
}

/// A pipe whose ends do not block: what is written to the one makes the other readable until it is emptied.
pub fn bell() -> Result<(OwnedFd, OwnedFd)> {
    let (read, write) = pipe()?;
    for end in [&read, &write] {
        // SAFETY: F_SETFL only sets flags of a descriptor that is open.
        if unsafe { libc::fcntl(end.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) } < 0 {
            return Err(Error::last("fcntl"));
        }
    }
    Ok((read, write))
}

/// Reads all that is there to be read from one that does not block.
pub fn drain(fd: BorrowedFd<'_>) {
    let mut bytes = [0; 64];
    while nix::unistd::read(fd, &mut bytes).is_ok_and(|count| count == bytes.len()) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn an_empty_pipe_times_out_and_a_closed_one_is_ready() {
        let (read, write) = pipe().unwrap();
        assert_eq!(
            wait_readable(read.as_fd(), Deadline::after_ms(1.0)).unwrap(),
            Readiness::TimedOut
        );
        drop(write);
        assert_eq!(
            wait_readable(read.as_fd(), Deadline::after_ms(1000.0)).unwrap(),
            Readiness::Ready
        );
    }

    #[test]
    fn write_all_outlasts_a_full_non_blocking_pipe() {
        let (read, write) = pipe().unwrap();
        // SAFETY: F_SETFL only sets flags of our own pipe.
        unsafe { libc::fcntl(write.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
        let reader = std::thread::spawn(move || {
            let mut file = std::fs::File::from(read);
            let mut all = Vec::new();
            std::io::Read::read_to_end(&mut file, &mut all).unwrap();
            all.len()
        });
        write_all(write.as_raw_fd(), &vec![7; 1_000_000]).unwrap();
        drop(write);
        assert_eq!(reader.join().unwrap(), 1_000_000);
    }

    #[test]
    fn writing_to_a_closed_number_is_an_error() {
        assert_eq!(
            write_all(987_654, b"x"),
            Err(Error::System {
                syscall: "write",
                errno: Errno::EBADF
            })
        );
    }
}
