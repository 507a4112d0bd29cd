//! Stands in for `sys/sparse` under loom, which watches that nobody reads bytes while they are written.

use std::ops::Range;

use loom::cell::UnsafeCell;

use crate::atomic::AtomicU64;
use crate::error::Result;

const UNIT: u64 = 16;
const SIZE: u64 = 1024;

/// The memory.
#[derive(Debug)]
pub struct Sparse {
    words: Vec<[AtomicU64; 2]>,
    bytes: Vec<UnsafeCell<u8>>,
}

impl Sparse {
    /// Zero-filled memory.
    pub fn create() -> Result<Self> {
        Ok(Self {
            words: (0..SIZE / UNIT).map(|_| <[AtomicU64; 2]>::default()).collect(),
            bytes: (0..SIZE).map(|_| UnsafeCell::new(0)).collect(),
        })
    }

    /// Its length in bytes.
    pub fn size(&self) -> u64 {
        SIZE
    }

    /// The words at `offset`.
    pub fn words(&self, offset: u64) -> Option<&[AtomicU64; 2]> {
        self.words.get((offset / UNIT) as usize)
    }

    /// # Safety
    /// None: loom checks it.
    pub unsafe fn write(&self, offset: u64, bytes: &[u8]) {
        for (cell, &byte) in self.bytes[offset as usize..].iter().zip(bytes) {
            // SAFETY: loom has just checked that nobody else uses it.
            cell.with_mut(|place| unsafe { place.write(byte) });
        }
    }

    /// # Safety
    /// None: loom checks it.
    pub unsafe fn read(&self, offset: u64, into: &mut [u8]) {
        for (cell, byte) in self.bytes[offset as usize..].iter().zip(into) {
            // SAFETY: loom has just checked that nobody writes to it.
            *byte = cell.with(|place| unsafe { place.read() });
        }
    }

    /// There always are pages.
    pub fn populate(&self, _: Range<u64>) -> Result<()> {
        Ok(())
    }

    /// What is given back is gone.
    pub fn give_back(&self, range: Range<u64>) {
        // SAFETY: as in `write`.
        unsafe { self.write(range.start, &vec![0; (range.end - range.start) as usize]) };
    }
}
