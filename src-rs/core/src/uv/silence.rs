//! Descriptors on which nothing ever happens, to be put in the place of the parent's in a forked child.
//!
//! The child's copy of a socket handle must neither read, accept nor send on the parent's connection, and must not
//! report an end or an error either, since that would wake the parent's code.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::error::{Error, Result};

/// One silent stream and one silent listener.
#[derive(Debug)]
pub struct Silent {
    stream: OwnedFd,
    listener: OwnedFd,
    /// Open for as long as the stream is to stay without an end.
    peer: OwnedFd,
}

impl Silent {
    /// Makes both.
    pub fn create() -> Result<Self> {
        let mut pair = [0; 2];
        // SAFETY: `pair` has room for the two descriptors.
        if unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, pair.as_mut_ptr()) } < 0 {
            return Err(Error::last("socketpair"));
        }
        // SAFETY: socketpair has just returned both and nobody else knows them.
        let (stream, peer) = unsafe { (OwnedFd::from_raw_fd(pair[0]), OwnedFd::from_raw_fd(pair[1])) };
        // SAFETY: socket takes numbers and returns a new descriptor.
        let listener = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0) };
        if listener < 0 {
            return Err(Error::last("socket"));
        }
        // SAFETY: socket has just returned this descriptor.
        let listener = unsafe { OwnedFd::from_raw_fd(listener) };
        for fd in [&stream, &peer, &listener] {
            // SAFETY: these only set flags of our own descriptors.
            unsafe {
                libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC);
                libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK);
            }
        }
        fill(&stream);
        listen(&listener)?;
        Ok(Self {
            stream,
            listener,
            peer,
        })
    }

    /// Keeps the covered descriptors silent for the life of the process: the copies that `cover` made do the work, only
    /// the stream's peer has to stay open.
    pub fn stay(self) {
        std::mem::forget(self.peer);
    }

    /// Puts a silent descriptor in the place of `target`, of the kind that `target` is.
    pub fn cover(&self, target: i32) -> Result<()> {
        let mut listening: libc::c_int = 0;
        let mut size = size_of::<libc::c_int>() as libc::socklen_t;
        // SAFETY: `listening` is a valid place of the given size; for a descriptor that is no socket the call fails.
        unsafe {
            libc::getsockopt(
                target,
                libc::SOL_SOCKET,
                libc::SO_ACCEPTCONN,
                (&raw mut listening).cast(),
                &raw mut size,
            );
        }
        crate::sys::fd::replace(
            if listening == 0 {
                &self.stream
            } else {
                &self.listener
            },
            target,
        )
    }
}

/// Silences every socket of this process that is bound to TCP port `port`, in whichever loop it is used.
pub fn cover_port(port: u16) -> Result<()> {
    let Ok(descriptors) = std::fs::read_dir("/proc/self/fd") else {
        return Err(Error::NoProc("/proc/self/fd"));
    };
    let descriptors: Vec<i32> = descriptors
        .flatten()
        .filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok()))
        .collect();
    let silent = Silent::create()?;
    for fd in descriptors {
        if local_port(fd) == Some(port) {
            silent.cover(fd)?;
        }
    }
    silent.stay();
    Ok(())
}

fn local_port(fd: i32) -> Option<u16> {
    // SAFETY: an all-zero address is a valid value for the kernel to overwrite.
    let mut address: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let mut size = size_of_val(&address) as libc::socklen_t;
    // SAFETY: `address` has room for every kind of address; a descriptor that is no socket is answered by an error.
    if unsafe { libc::getsockname(fd, (&raw mut address).cast(), &raw mut size) } != 0 {
        return None;
    }
    match i32::from(address.ss_family) {
        // SAFETY: the family says which structure lies there.
        libc::AF_INET => Some(u16::from_be(unsafe {
            (*(&raw const address).cast::<libc::sockaddr_in>()).sin_port
        })),
        // SAFETY: as above.
        libc::AF_INET6 => Some(u16::from_be(unsafe {
            (*(&raw const address).cast::<libc::sockaddr_in6>()).sin6_port
        })),
        _ => None,
    }
}

/// Fills the stream's buffer, so that a write never succeeds and never ends.
fn fill(stream: &OwnedFd) {
    let chunk = [0_u8; 4096];
    let small: libc::c_int = 1;
    // SAFETY: setsockopt reads the given integer; send reads `chunk` and, being non-blocking, ends with EAGAIN.
    unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_SNDBUF,
            (&raw const small).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        );
        for size in [chunk.len(), 256, 1] {
            while libc::send(stream.as_raw_fd(), chunk.as_ptr().cast(), size, 0) > 0 {}
        }
    }
}

/// Listens under a name that the kernel chooses and nobody is told (Linux "autobind").
fn listen(socket: &OwnedFd) -> Result<()> {
    let family = libc::AF_UNIX as libc::sa_family_t;
    // SAFETY: an address of just the family is valid for an AF_UNIX socket.
    if unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const family).cast(),
            size_of_val(&family) as libc::socklen_t,
        )
    } < 0
    {
        return Err(Error::last("bind"));
    }
    // SAFETY: listen takes numbers.
    if unsafe { libc::listen(socket.as_raw_fd(), 1) } < 0 {
        return Err(Error::last("listen"));
    }
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::sys::clock::Deadline;
    use crate::sys::fd::{Readiness, pipe, wait_readable};
    use std::os::fd::AsFd;

    #[test]
    fn nothing_can_be_read_accepted_or_sent() {
        let silent = Silent::create().unwrap();
        let mut byte = 0_u8;
        // SAFETY: all calls are non-blocking and use our own descriptors and buffers.
        unsafe {
            assert_eq!(
                libc::recv(silent.stream.as_raw_fd(), (&raw mut byte).cast(), 1, 0),
                -1
            );
            assert_eq!(nix::errno::Errno::last(), nix::errno::Errno::EAGAIN);
            assert_eq!(
                libc::send(silent.stream.as_raw_fd(), (&raw const byte).cast(), 1, 0),
                -1
            );
            assert_eq!(nix::errno::Errno::last(), nix::errno::Errno::EAGAIN);
            assert_eq!(
                libc::accept(
                    silent.listener.as_raw_fd(),
                    std::ptr::null_mut(),
                    std::ptr::null_mut()
                ),
                -1
            );
            assert_eq!(nix::errno::Errno::last(), nix::errno::Errno::EAGAIN);
        }
    }

    #[test]
    fn a_covered_descriptor_reports_no_end() {
        let silent = Silent::create().unwrap();
        let (read, write) = pipe().unwrap();
        silent.cover(read.as_raw_fd()).unwrap();
        drop(write);
        assert_eq!(
            wait_readable(read.as_fd(), Deadline::after_ms(5.0)).unwrap(),
            Readiness::TimedOut
        );
    }
}
