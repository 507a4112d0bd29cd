//! macOS, which has no memfd: shared memory whose name is removed at once.

use std::ops::Range;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

use crate::error::{Error, Result};
use crate::sys::entropy;

/// An empty file without a name, close-on-exec.
pub fn open() -> Result<OwnedFd> {
    let mut random = [0_u8; 8];
    entropy::fill(&mut random)?;
    // Names have 31 bytes at most.
    let name = format!("/nmp_{:016x}\0", u64::from_ne_bytes(random));
    // SAFETY: the name is NUL-terminated; the calls take numbers beside it.
    let fd = unsafe {
        let fd = libc::shm_open(
            name.as_ptr().cast(),
            libc::O_RDWR | libc::O_CREAT | libc::O_EXCL,
            0o600 as libc::c_uint,
        );
        if fd >= 0 {
            libc::shm_unlink(name.as_ptr().cast());
            libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
        }
        fd
    };
    if fd < 0 {
        return Err(Error::last("shm_open"));
    }
    // SAFETY: shm_open has just returned this descriptor and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Shared memory of this system cannot give pages back.
pub fn punch(_: BorrowedFd<'_>, _: &Range<u64>) -> Result<()> {
    Err(Error::System {
        syscall: "fallocate",
        errno: Errno::ENOTSUP,
    })
}
