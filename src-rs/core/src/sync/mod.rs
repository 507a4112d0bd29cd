//! Python's synchronisation primitives, on words in shared memory.
//!
//! Taking and giving back is one atomic instruction on a word that says who holds the thing. So there is no moment at which
//! it is taken and nobody knows by whom, however a process ends. Whoever has to wait enters a record and sleeps on its
//! semaphore; being woken is a hint to look at the word again, and a sleeper looks now and then by itself, so that a wake-up
//! that died with a process costs time and nothing else.
pub mod barrier;
pub mod condition;
#[cfg(not(loom))]
pub mod doorbell;
pub mod event;
pub mod lock;
pub mod semaphore;
pub(crate) mod spin;
pub mod wait;
