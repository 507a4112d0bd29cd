//! libuv's event loop: giving a forked child one of its own, with the parent's handles silent in it.
mod batch;
pub mod child_loop;
pub mod ffi;
pub mod silence;
