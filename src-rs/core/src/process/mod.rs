//! Child processes of this process: knowing them, waiting for them, ending them.
pub mod blocking;
pub mod raw;
pub mod reaper;
pub mod spawn;
