//! The one error type of the core: a failed system call, or a named condition that a safe fork needs.

use nix::errno::Errno;

/// What can go wrong below Node-API.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A system call failed.
    #[error("{syscall}: {errno}")]
    System {
        /// The call, as its manual page is named.
        syscall: &'static str,
        /// What the kernel answered.
        errno: Errno,
    },
    /// A thread did not stop running in time, so a fork could copy a lock that it holds.
    #[error("thread {tid} ({name}) is in state {state}")]
    ThreadBusy {
        /// Kernel thread id.
        tid: i32,
        /// The thread's name.
        name: String,
        /// What `/proc` says of it.
        state: &'static str,
    },
    /// The caller is not the process's main thread.
    #[error("called from a thread other than the main one")]
    NotMainThread,
    /// `/proc` does not show what is needed.
    #[error("{0} cannot be read")]
    NoProc(&'static str),
    /// A function or table of node, V8 or libuv is not exported by this binary.
    #[error("{0} is not exported by this node binary")]
    MissingSymbol(&'static str),
    /// This operating system, C library or libuv is not one that was studied.
    #[error("{0}")]
    Unsupported(&'static str),
    /// A table in shared memory is full.
    #[error("too many {0}")]
    Exhausted(&'static str),
    /// What has arrived is no message.
    #[error("{0} has arrived")]
    Corrupt(&'static str),
    /// Part of a message has arrived whose beginning somebody else has received.
    #[error("part of a message has arrived whose beginning another reader has taken")]
    Torn,
    /// The new process could not set itself up.
    #[error("the child's event loop could not be made: {0}")]
    ChildSetup(Errno),
}

/// Shorthand for the core's results.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The error of the system call that has just failed on this thread.
    #[must_use]
    pub fn last(syscall: &'static str) -> Self {
        Self::System {
            syscall,
            errno: Errno::last(),
        }
    }

    /// Stable name of the condition; system errors carry the name of their errno.
    #[must_use]
    pub fn code(&self) -> String {
        match self {
            Self::System { errno, .. } | Self::ChildSetup(errno) => format!("{errno:?}"),
            Self::ThreadBusy { .. } => "ERR_MP_FORK_THREAD_BUSY".into(),
            Self::NotMainThread => "ERR_MP_FORK_WORKER_THREAD".into(),
            Self::NoProc(_) => "ERR_MP_FORK_NO_PROC".into(),
            Self::MissingSymbol(_) => "ERR_MP_FORK_MISSING_SYMBOL".into(),
            Self::Unsupported(_) => "ERR_MP_FORK_UNSUPPORTED".into(),
            Self::Corrupt(_) | Self::Torn => "ERR_MP_CORRUPT".into(),
            Self::Exhausted(_) => "ERR_MP_EXHAUSTED".into(),
        }
    }
}

/// Attaches a system call's name to nix's bare errno.
pub(crate) trait Context<T> {
    fn during(self, syscall: &'static str) -> Result<T>;
}

impl<T> Context<T> for nix::Result<T> {
    fn during(self, syscall: &'static str) -> Result<T> {
        self.map_err(|errno| Error::System { syscall, errno })
    }
}
