//! waitpid(2) and what its status word means.

use nix::errno::Errno;

use crate::error::{Error, Result};

/// A child and the status word that the kernel reported for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waited {
    /// The child; 0 when `WNOHANG` was given and nothing had changed.
    pub pid: i32,
    /// The raw status word.
    pub status: i32,
}

/// waitpid(2), once: `Err(EINTR)` when a signal handler ran.
pub fn waitpid(pid: i32, options: i32) -> Result<Waited> {
    let mut status = 0;
    // SAFETY: `status` is a valid place for the status word.
    match unsafe { libc::waitpid(pid, &raw mut status, options) } {
        -1 => Err(Error::last("waitpid")),
        pid => Ok(Waited { pid, status }),
    }
}

/// The status of a child that has ended, without waiting; `None` while it runs.
pub fn try_wait(pid: i32) -> Result<Option<i32>> {
    loop {
        match waitpid(pid, libc::WNOHANG) {
            Ok(Waited { pid: 0, .. }) => return Ok(None),
            Ok(waited) => return Ok(Some(waited.status)),
            Err(Error::System {
                errno: Errno::EINTR, ..
            }) => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_cannot_be_waited_for() {
        assert_eq!(
            try_wait(1),
            Err(Error::System {
                syscall: "waitpid",
                errno: Errno::ECHILD
            })
        );
    }
}
