//! Child processes of this process: knowing them, waiting for them, ending them.
pub mod blocking;
#[cfg(not(loom))]
pub mod raw;
#[cfg_attr(loom, path = "../loom/reaper.rs")]
pub mod reaper;
#[cfg(not(loom))]
pub mod spawn;
