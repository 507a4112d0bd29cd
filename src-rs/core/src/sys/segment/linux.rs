//! Linux: a memfd.

use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use crate::error::{Error, Result};
use crate::sys::fd::memfd;

/// An empty file without a name, close-on-exec.
pub fn open() -> Result<OwnedFd> {
    memfd(c"node-multiprocessing", libc::MFD_CLOEXEC)
}

/// Gives pages back.
pub fn punch(file: BorrowedFd<'_>, range: &Range<u64>) -> Result<()> {
    // SAFETY: fallocate takes numbers; what it clears belongs to the caller.
    let result = unsafe {
        libc::fallocate(
            file.as_raw_fd(),
            libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE,
            range.start as libc::off_t,
            (range.end - range.start) as libc::off_t,
        )
    };
    if result < 0 {
        return Err(Error::last("fallocate"));
    }
    Ok(())
}
