//! A block's memory in this process.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;

use nix::errno::Errno;

use crate::error::{Error, Result};

/// A shared mapping of a whole file, unmapped when dropped.
#[derive(Debug)]
pub struct Mapping {
    base: NonNull<u8>,
    length: usize,
    /// Bytes at its beginning that are not the user's.
    head: usize,
}

// SAFETY: the range stays mapped while the object exists; what is read and written there is the users' affair, who share it
// with other processes anyway.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `length` bytes of `file`; the first `head` of them are not the user's.
    pub fn new(file: BorrowedFd<'_>, head: usize, length: u64) -> Result<Self> {
        let too_long = Error::System {
            syscall: "mmap",
            errno: Errno::ENOMEM,
        };
        let length = usize::try_from(length).map_err(|_| too_long)?;
        // SAFETY: a shared mapping at an address of the kernel's choice touches no existing memory.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(Error::last("mmap"));
        }
        let base = NonNull::new(base.cast()).ok_or_else(|| Error::last("mmap"))?;
        Ok(Self { base, length, head })
    }

    /// Where it begins, what is not the user's included.
    pub(super) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Where the user's bytes begin.
    #[must_use]
    pub fn data(&self) -> NonNull<u8> {
        // SAFETY: the head lies within the mapping.
        unsafe { self.base.add(self.head) }
    }

    /// How many they are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.length - self.head
    }

    /// Puts private zeros in place of the shared memory. A native call that is still at work on the range finds memory there,
    /// so that it can neither crash nor disturb others.
    pub fn blank(&self) {
        // SAFETY: the range is this object's own. Should the kernel refuse, it stays what it is, which is as safe.
        unsafe {
            libc::mmap(
                self.base.as_ptr().cast(),
                self.length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_NORESERVE | libc::MAP_FIXED,
                -1,
                0,
            );
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is this object's own, and whoever had a pointer into it kept the object alive.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.length) };
    }
}
