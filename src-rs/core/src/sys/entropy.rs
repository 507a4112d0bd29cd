//! Random bytes from the kernel, which no two processes share.

use crate::error::{Error, Result};

/// Fills `bytes`.
pub fn fill(bytes: &mut [u8]) -> Result<()> {
    // getentropy gives at most 256 bytes a call.
    for block in bytes.chunks_mut(256) {
        // SAFETY: `block` is writable for its whole length.
        if unsafe { libc::getentropy(block.as_mut_ptr().cast(), block.len()) } != 0 {
            return Err(Error::last("getentropy"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn long_buffers_are_filled_to_the_end() {
        let mut bytes = [0; 4000];
        super::fill(&mut bytes).unwrap();
        assert!(bytes.rchunks(200).next().unwrap().iter().any(|&byte| byte != 0));
    }
}
