//! Stands in for `sys/sparse` under Miri, which knows no memory that processes share. It watches every access to what is
//! memory of this process instead.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ops::Range;
use std::ptr::NonNull;

use crate::atomic::AtomicU64;
use crate::error::{Error, Result};

const SIZE: usize = 32 << 20;
const LAYOUT: Layout = match Layout::from_size_align(SIZE, 64) {
    Ok(layout) => layout,
    Err(_) => panic!("a size that is one"),
};

/// The memory.
#[derive(Debug)]
pub struct Sparse(NonNull<u8>);

// SAFETY: whoever reads or writes the memory owns the range or uses atomics; see the users.
unsafe impl Send for Sparse {}
// SAFETY: as above.
unsafe impl Sync for Sparse {}

impl Sparse {
    /// Zero-filled memory.
    pub fn create() -> Result<Self> {
        // SAFETY: the size is not zero.
        let base = unsafe { alloc_zeroed(LAYOUT) };
        NonNull::new(base).map(Self).ok_or(Error::Exhausted("memory"))
    }

    /// Its length in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        SIZE as u64
    }

    fn at(&self, offset: u64, length: usize) -> NonNull<u8> {
        assert!(
            offset as usize <= SIZE && length <= SIZE - offset as usize,
            "a range of the memory"
        );
        // SAFETY: it lies in the memory, as was just checked.
        unsafe { self.0.add(offset as usize) }
    }

    /// The two words at `offset`; `None` unless they are part of it and lie at a multiple of their size.
    #[must_use]
    pub fn words(&self, offset: u64) -> Option<&[AtomicU64; 2]> {
        const LENGTH: usize = size_of::<[AtomicU64; 2]>();
        if offset > (SIZE - LENGTH) as u64 || !offset.is_multiple_of(LENGTH as u64) {
            return None;
        }
        // SAFETY: it lies in the memory, aligned. Whoever uses the range for bytes has it for himself.
        Some(unsafe { self.at(offset, LENGTH).cast().as_ref() })
    }

    /// Puts `bytes` at `offset`.
    ///
    /// # Safety
    /// Nobody else uses the range meanwhile.
    pub unsafe fn write(&self, offset: u64, bytes: &[u8]) {
        let to = self.at(offset, bytes.len()).as_ptr();
        // SAFETY: it lies in the memory, as was checked, and nobody else uses it.
        unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    }

    /// Copies the bytes at `offset`.
    ///
    /// # Safety
    /// Nobody writes to the range meanwhile.
    pub unsafe fn read(&self, offset: u64, into: &mut [u8]) {
        let from = self.at(offset, into.len()).as_ptr();
        // SAFETY: as in `write`.
        unsafe { into.as_mut_ptr().copy_from_nonoverlapping(from, into.len()) };
    }

    /// There always are pages.
    pub fn populate(&self, range: Range<u64>) -> Result<()> {
        self.at(range.start, (range.end - range.start) as usize);
        Ok(())
    }

    /// What is given back is gone.
    pub fn give_back(&self, range: Range<u64>) {
        let length = (range.end - range.start) as usize;
        // SAFETY: the caller needs the range no more.
        unsafe { self.at(range.start, length).as_ptr().write_bytes(0, length) };
    }
}

impl Drop for Sparse {
    fn drop(&mut self) {
        // SAFETY: allocated in `create`, and nobody has the memory any more.
        unsafe { dealloc(self.0.as_ptr(), LAYOUT) };
    }
}
