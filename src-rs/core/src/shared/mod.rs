//! Memory that a process shares with the processes forked from it, who they are, and what they wait for.
//!
//! Each process that creates something shared has an [`arena`] of its own, which its descendants inherit. The kernel frees
//! it with the last of them, however they end. What lies in it is written by several processes, any of which may be killed
//! between two instructions. So a state is one word, changed by one atomic instruction; where it needs two, whoever comes
//! next can tell and finish. And nothing read from it is trusted: numbers are checked before they are used.
#[cfg_attr(loom, path = "../loom/arena.rs")]
pub mod arena;
#[cfg(not(loom))]
pub mod heap;
pub mod members;
pub mod records;
