//! Standard streams of a forked child.

use napi::bindgen_prelude::Uint8Array;
use napi::{Env, Result};
use napi_derive::napi;

use node_multiprocessing_core::sys::fd;

use super::error::to_js;

/// Writes everything, waiting where the reader is slow.
#[napi]
pub fn write_all(env: Env, fd: i32, bytes: Uint8Array) -> Result<()> {
    fd::write_all(fd, &bytes).map_err(|error| to_js(env, &error))
}

/// Puts `/dev/null` on descriptor 0.
#[napi]
pub fn replace_stdin_with_null(env: Env) -> Result<()> {
    fd::replace_with_null(0).map_err(|error| to_js(env, &error))
}
