//! Random bytes from the kernel, which no two processes share.

use nix::errno::Errno;

use crate::error::{Error, Result};

/// Fills `bytes`.
pub fn fill(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|error| Error::System {
        syscall: "getrandom",
        errno: error.raw_os_error().map_or(Errno::EIO, Errno::from_raw),
    })
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
