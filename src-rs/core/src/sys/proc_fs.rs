//! Reading small files of `/proc` with few system calls and no allocation per read.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;

use crate::error::{Error, Result};

/// Opens a file or directory of `/proc` for reading; `None` when it is not there (any more) or may not be seen.
pub fn open(directory: Option<&OwnedFd>, path: &CStr, flags: i32) -> Result<Option<OwnedFd>> {
    let at: RawFd = directory.map_or(libc::AT_FDCWD, AsRawFd::as_raw_fd);
    // SAFETY: `path` is NUL-terminated and `at` is an open directory or AT_FDCWD.
    let fd = unsafe { libc::openat(at, path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC | flags) };
    if fd >= 0 {
        // SAFETY: openat has just returned this descriptor and nobody else knows it.
        return Ok(Some(unsafe { OwnedFd::from_raw_fd(fd) }));
    }
    match Errno::last() {
        Errno::ENOENT | Errno::ESRCH | Errno::EACCES | Errno::EPERM | Errno::ENOTDIR => Ok(None),
        errno => Err(Error::System {
            syscall: "open",
            errno,
        }),
    }
}

/// Appends everything that `fd` has to `into`.
pub fn read_to_end(fd: &OwnedFd, into: &mut Vec<u8>) -> Result<()> {
    const STEP: usize = 64 * 1024;
    loop {
        let have = into.len();
        into.reserve(STEP);
        let room = into.capacity() - have;
        // SAFETY: the reserved tail of `into` has `room` writable bytes.
        let got = unsafe { libc::read(fd.as_raw_fd(), into.as_mut_ptr().add(have).cast(), room) };
        match got {
            0 => return Ok(()),
            n if n > 0 => {
                // SAFETY: the kernel has initialised the first `n` bytes of the tail.
                unsafe { into.set_len(have + n as usize) };
            }
            _ if nix::errno::Errno::last() == nix::errno::Errno::EINTR => {}
            _ => return Err(Error::last("read")),
        }
    }
}
