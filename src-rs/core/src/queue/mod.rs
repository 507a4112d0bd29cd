//! First in, first out, between processes: messages of bytes in shared memory.
//!
//! [`ring`] says where messages lie, and that a process that is killed at any instruction leaves a queue that is whole;
//! [`queue`] lets processes take turns and wait.
#[allow(
    clippy::module_inception,
    reason = "the queue itself, beside the ring it is made of"
)]
pub mod queue;
pub mod ring;
