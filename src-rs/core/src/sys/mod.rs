//! One kernel topic per file, each a thin typed wrapper: no policy, no state beyond what the kernel keeps.
pub mod allocator;
pub mod clock;
pub mod death;
pub mod entropy;
pub mod exit_watch;
pub mod fd;
pub mod memory;
pub mod named_semaphore;
#[cfg(target_os = "linux")]
pub mod proc_fs;
pub mod process_state;
pub mod ready_set;
pub mod segment;
pub mod semaphore;
pub mod shared_memory;
pub mod signal;
pub mod socket;
#[cfg_attr(loom, path = "../loom/sparse.rs")]
#[cfg_attr(miri, path = "../miri/sparse.rs")]
pub mod sparse;
#[cfg(target_os = "linux")]
pub mod stub;
pub mod wait;
