//! A large sparse piece of memory that forked children share. It has no name, so that the kernel frees it with the last
//! process that has it.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;

use nix::errno::Errno;

use crate::error::{Error, Result};

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as system;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
use macos as system;

/// Sizes to try, in bytes. Nothing of it is taken before it is touched, but address space or file size may be limited.
const SIZES: [u64; 5] = [64 << 30, 8 << 30, 1 << 30, 256 << 20, 64 << 20];

/// The memory, mapped for as long as the process lives.
#[derive(Debug)]
pub struct Segment {
    base: NonNull<u8>,
    size: u64,
    file: OwnedFd,
}

// SAFETY: the mapping is never removed, and whoever reads or writes it does so with atomics or owns the range.
unsafe impl Send for Segment {}
// SAFETY: as above.
unsafe impl Sync for Segment {}

impl Segment {
    /// Zero-filled memory, as much of it as this system allows.
    pub fn create() -> Result<Self> {
        let file = system::open()?;
        let mut failure = None;
        for size in SIZES.into_iter().filter(|&size| size <= file_size_limit()) {
            match resize(file.as_fd(), size).and_then(|()| map(file.as_fd(), size)) {
                Ok(base) => return Ok(Self { base, size, file }),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or(Error::System {
            syscall: "ftruncate",
            errno: Errno::EFBIG,
        }))
    }

    /// That of another process, which has passed on its file.
    pub fn open(file: OwnedFd) -> Result<Self> {
        let size = size_of_file(file.as_fd())?;
        let base = map(file.as_fd(), size)?;
        Ok(Self { base, size, file })
    }

    /// Its file.
    #[must_use]
    pub fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Where it begins.
    #[must_use]
    pub fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Its length in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Gives the pages of a range, whole ones only, back to the system: it reads as zeros again. Where the system cannot,
    /// it is filled with zeros.
    ///
    /// # Panics
    /// If the range is not part of the segment.
    pub fn give_back(&self, range: std::ops::Range<u64>) {
        assert!(
            range.start <= range.end && range.end <= self.size,
            "a range of the segment"
        );
        if system::punch(self.file.as_fd(), &range).is_err() {
            // SAFETY: the range lies in the mapping and belongs to the caller.
            unsafe {
                self.base
                    .add(range.start as usize)
                    .write_bytes(0, (range.end - range.start) as usize);
            }
        }
    }
}

/// A file without a name, for memory that processes share: empty, close-on-exec.
#[cfg_attr(loom, allow(dead_code, reason = "for queues"))]
pub(crate) fn unnamed_file() -> Result<OwnedFd> {
    system::open()
}

/// Gives a file a length. Nothing of it is taken yet.
pub(crate) fn resize(file: BorrowedFd<'_>, size: u64) -> Result<()> {
    // SAFETY: ftruncate takes numbers and touches no memory.
    if unsafe { libc::ftruncate(file.as_raw_fd(), size as libc::off_t) } < 0 {
        return Err(Error::last("ftruncate"));
    }
    Ok(())
}

/// The length of a file.
pub(crate) fn size_of_file(file: BorrowedFd<'_>) -> Result<u64> {
    // SAFETY: an all-zero stat is a valid value for the kernel to overwrite.
    let mut status: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: `status` is valid for the call to fill.
    if unsafe { libc::fstat(file.as_raw_fd(), &raw mut status) } < 0 {
        return Err(Error::last("fstat"));
    }
    Ok(status.st_size as u64)
}

/// Maps a file, shared, at an address of the kernel's choice.
pub(crate) fn map(file: BorrowedFd<'_>, size: u64) -> Result<NonNull<u8>> {
    // SAFETY: a new mapping touches no existing memory.
    let base = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            size as usize,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_NORESERVE,
            file.as_raw_fd(),
            0,
        )
    };
    if base == libc::MAP_FAILED {
        return Err(Error::last("mmap"));
    }
    NonNull::new(base.cast()).ok_or_else(|| Error::last("mmap"))
}

/// Making a file longer than this would end the process with SIGXFSZ.
pub(crate) fn file_size_limit() -> u64 {
    // SAFETY: an all-zero rlimit is a valid value for the kernel to overwrite.
    let mut limit: libc::rlimit = unsafe { std::mem::zeroed() };
    // SAFETY: `limit` is valid for the call to fill.
    if unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) } < 0 {
        return u64::MAX;
    }
    limit.rlim_cur
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As large as pages are on any system.
    const PAGE: u64 = 64 << 10;

    #[test]
    fn pages_given_back_are_zero_again() {
        let segment = Segment::create().unwrap();
        // SAFETY: the page lies in the mapping and nobody else knows it.
        unsafe {
            let page = segment.base().add(PAGE as usize);
            page.write(7);
            segment.give_back(PAGE..2 * PAGE);
            assert_eq!(page.read(), 0);
        }
    }
}
