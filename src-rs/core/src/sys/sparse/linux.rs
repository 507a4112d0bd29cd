//! Linux: pages can be asked for and given back.

use std::ptr::NonNull;

use nix::errno::Errno;

use crate::error::{Error, Result};

/// Of kernel 5.14.
const MADV_POPULATE_WRITE: libc::c_int = 23;

pub fn populate(base: NonNull<u8>, length: usize) -> Result<()> {
    // SAFETY: the range is part of a mapping of the caller's; its contents stay.
    if unsafe { libc::madvise(base.as_ptr().cast(), length, MADV_POPULATE_WRITE) } == 0 {
        return Ok(());
    }
    match Errno::last() {
        // An older kernel: pages come when they are touched.
        Errno::EINVAL => Ok(()),
        // What would be SIGBUS.
        Errno::EFAULT => Err(Error::System {
            syscall: "madvise",
            errno: Errno::ENOMEM,
        }),
        _ => Err(Error::last("madvise")),
    }
}

pub fn give_back(base: NonNull<u8>, length: usize) {
    // SAFETY: the range is part of a mapping of the caller's, who needs its contents no more.
    unsafe { libc::madvise(base.as_ptr().cast(), length, libc::MADV_REMOVE) };
}
