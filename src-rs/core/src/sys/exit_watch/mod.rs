//! Learning of a child's death through descriptors, so that any number of children costs no thread.
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::{Watcher, open, signal};
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
pub use macos::{Watcher, open, signal};
