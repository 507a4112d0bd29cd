//! Memory of a size that nobody will need, to be shared with children: it takes nothing before it is touched, has no name, and
//! the kernel frees it with the last process that has it.

use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;

use crate::atomic::AtomicU64;
use crate::error::{Error, Result};
use crate::sys::segment::{file_size_limit, map, resize, size_of_file, unnamed_file};

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as system;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
use macos as system;

/// Sizes to try, in bytes: address space may be limited.
const SIZES: [u64; 5] = [64 << 30, 16 << 30, 4 << 30, 1 << 30, 128 << 20];

/// The memory.
#[derive(Debug)]
pub struct Sparse {
    base: NonNull<u8>,
    size: u64,
    file: OwnedFd,
}

// SAFETY: whoever reads or writes the memory owns the range or uses atomics; see the users.
unsafe impl Send for Sparse {}
// SAFETY: as above.
unsafe impl Sync for Sparse {}

impl Sparse {
    /// Zero-filled memory, as much of it as this system allows.
    pub fn create() -> Result<Self> {
        let file = unnamed_file()?;
        let mut failure = Error::Exhausted("address space");
        for size in SIZES.into_iter().filter(|&size| size <= file_size_limit()) {
            match resize(file.as_fd(), size).and_then(|()| map(file.as_fd(), size)) {
                Ok(base) => return Ok(Self { base, size, file }),
                Err(error) => failure = error,
            }
        }
        Err(failure)
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

    /// Its length in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The address of `offset`.
    ///
    /// # Panics
    /// If `length` bytes from there are not part of it.
    #[must_use]
    pub fn at(&self, offset: u64, length: u64) -> NonNull<u8> {
        assert!(
            offset <= self.size && length <= self.size - offset,
            "a range of the memory"
        );
        // SAFETY: it lies in the mapping, as was just checked.
        unsafe { self.base.add(offset as usize) }
    }

    /// The two words at `offset`; `None` unless they are part of it and lie at a multiple of their size.
    #[must_use]
    pub fn words(&self, offset: u64) -> Option<&[AtomicU64; 2]> {
        const SIZE: u64 = size_of::<[AtomicU64; 2]>() as u64;
        if offset > self.size.checked_sub(SIZE)? || !offset.is_multiple_of(SIZE) {
            return None;
        }
        let address = self.at(offset, SIZE).cast();
        // SAFETY: it lies in the mapping, aligned. Whoever uses the range for bytes has it for himself.
        Some(unsafe { address.as_ref() })
    }

    /// Puts `bytes` at `offset`.
    ///
    /// # Safety
    /// Nobody else uses the range meanwhile.
    ///
    /// # Panics
    /// If it is not part of the memory.
    pub unsafe fn write(&self, offset: u64, bytes: &[u8]) {
        let to = self.at(offset, bytes.len() as u64);
        // SAFETY: it lies in the mapping, as was checked, and nobody else uses it.
        unsafe { to.as_ptr().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    }

    /// Copies the bytes at `offset`.
    ///
    /// # Safety
    /// Nobody writes to the range meanwhile, but for a process that breaks the rules: these are bytes, whichever.
    ///
    /// # Panics
    /// If it is not part of the memory.
    pub unsafe fn read(&self, offset: u64, into: &mut [u8]) {
        let from = self.at(offset, into.len() as u64);
        // SAFETY: as in `write`.
        unsafe {
            into.as_mut_ptr()
                .copy_from_nonoverlapping(from.as_ptr(), into.len());
        };
    }

    /// Sees to it that there are pages for a range: touching what the system has no room for would end the process.
    pub fn populate(&self, range: Range<u64>) -> Result<()> {
        let length = range.end - range.start;
        system::populate(self.at(range.start, length), length as usize)
    }

    /// Gives the pages of a range, whole ones only, back to the system, where it takes them.
    pub fn give_back(&self, range: Range<u64>) {
        let length = range.end - range.start;
        system::give_back(self.at(range.start, length), length as usize);
    }
}

impl Drop for Sparse {
    fn drop(&mut self) {
        // SAFETY: mapped in `create`, and nobody has the memory any more.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.size as usize) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As large as pages are on any system.
    const PAGE: u64 = 64 << 10;

    #[test]
    fn memory_is_there_when_asked_for_and_goes_when_given_back() {
        let memory = Sparse::create().unwrap();
        memory.populate(0..1 << 20).unwrap();
        let byte = memory.at(PAGE, 1).as_ptr();
        // SAFETY: the byte lies in the mapping and nobody else knows it.
        unsafe {
            byte.write(7);
            memory.give_back(PAGE..2 * PAGE);
            assert_eq!(byte.read(), if cfg!(target_os = "linux") { 0 } else { 7 });
        }
        assert!(std::panic::catch_unwind(|| memory.at(memory.size(), 1)).is_err());
    }
}
