//! macOS: pages come when they are touched, and shared ones stay until the mapping goes.

use std::ptr::NonNull;

use crate::error::Result;

#[allow(clippy::unnecessary_wraps, reason = "as on Linux, where it can fail")]
pub fn populate(_base: NonNull<u8>, _length: usize) -> Result<()> {
    Ok(())
}

pub fn give_back(_base: NonNull<u8>, _length: usize) {}
