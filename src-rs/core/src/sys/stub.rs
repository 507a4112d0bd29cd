//! A process that only exists, to see what a fork of this one would inherit.

use crate::error::{Error, Result};

/// A sleeping copy of this process; killed and reaped when dropped.
#[derive(Debug)]
pub struct Stub {
    pid: i32,
}

impl Stub {
    /// Makes the copy. Signals must be blocked: the copy keeps this process's handlers and descriptors.
    pub fn create() -> Result<Self> {
        // SAFETY: getpid has no precondition.
        let parent = unsafe { libc::getpid() };
        // Exit signal 0 keeps SIGCHLD from the program's own handlers; a shared descriptor table need not be copied.
        // SAFETY: a raw clone without CLONE_VM copies this thread; below, the copy makes system calls and nothing else,
        // so that no lock held by a thread which it lacks can matter.
        let pid = unsafe { libc::syscall(libc::SYS_clone, libc::CLONE_FILES, 0, 0, 0, 0) } as i32;
        if pid == 0 {
            // SAFETY: prctl, getppid, pause and _exit are plain system calls on numbers.
            unsafe {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                // A program that has given up root may not be looked at; the copy may allow it for itself.
                libc::prctl(libc::PR_SET_DUMPABLE, 1);
                while libc::syscall(libc::SYS_getppid) as i32 == parent {
                    libc::pause();
                }
                libc::_exit(0);
            }
        }
        if pid < 0 {
            return Err(Error::last("clone"));
        }
        Ok(Self { pid })
    }

    /// The copy's process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        // SAFETY: the pid is our own unreaped child, so it cannot have been reused; __WALL waits for it although its
        // exit signal is not SIGCHLD.
        unsafe {
            libc::kill(self.pid, libc::SIGKILL);
            while libc::waitpid(self.pid, std::ptr::null_mut(), libc::__WALL) < 0
                && nix::errno::Errno::last() == nix::errno::Errno::EINTR
            {}
        }
    }
}
