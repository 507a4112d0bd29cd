//! Readiness of any number of descriptors through one, so that an event loop can wait for all of them.

/// What is waited for at a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Interest {
    /// That it can be read, or is at its end.
    pub read: bool,
    /// That it can be written, or has nobody to read it.
    pub write: bool,
}

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::ReadySet;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
pub use macos::ReadySet;
