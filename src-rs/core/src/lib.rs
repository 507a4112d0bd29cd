//! What the kernel, libuv and V8 do for node-multiprocessing.
//!
//! Layers point downward only: `queue` and `connection` use `sync` and `process`; `sync` uses `process` and `shared`; `process` and `fork` use `shared`, `uv`, `v8` and `sys`;
//! `sys` wraps one kernel topic per file. Nothing here knows Node-API, JavaScript values or user-facing wording: errors are typed and short, the
//! TypeScript layer explains them.
pub mod atomic;
#[cfg(not(loom))]
pub mod connection;
pub mod error;
#[cfg(not(loom))]
pub mod fork;
pub mod process;
pub mod queue;
pub mod shared;
pub mod sync;
pub mod sys;
#[cfg(not(loom))]
pub mod uv;
#[cfg(not(loom))]
pub mod v8;

pub use error::{Error, Result};
