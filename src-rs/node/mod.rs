//! The only users of Node-API, one file per topic of the core.
mod callback;
mod children;
mod connection;
mod error;
mod fast;
mod fork;
mod named_semaphore;
mod queue;
mod ready;
mod shared;
mod shared_memory;
mod spawn;
mod stdio;
mod sync;
mod wait;
mod wait_any;
