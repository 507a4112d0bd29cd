//! Blocks of memory that processes attach to by name.
//!
//! A mapping stays until three are done with it: its block, the `ArrayBuffer` object, and V8's hold on the memory. The object
//! lives as long as a native call that was given a view of it; V8's hold as long as another object to which the memory was
//! transferred.

use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::Arc;

use napi::bindgen_prelude::{External, FromNapiValue, JsValue, Unknown};
use napi::{Env, Result, check_status, sys};
use napi_derive::napi;

use node_multiprocessing_core::sys::shared_memory::{self, Block, Mapping};

use super::error::to_js;

/// Makes a block. An anonymous one needs a generated name, `nmp_<pid>_<16 hexadecimal digits>`.
#[napi(ts_return_type = "object")]
pub fn create_shared_memory(env: Env, name: String, size: f64, anonymous: bool) -> Result<External<Block>> {
    let block = Block::create(&name, size as u64, anonymous).map_err(|error| to_js(env, &error))?;
    Ok(External::new(block))
}

/// Finds the block of that name.
#[napi(ts_return_type = "object")]
pub fn attach_shared_memory(env: Env, name: String) -> Result<External<Block>> {
    Ok(External::new(
        Block::attach(&name).map_err(|error| to_js(env, &error))?,
    ))
}

/// How many bytes an open block has.
#[napi]
pub fn shared_memory_size(#[napi(ts_arg_type = "object")] block: &External<Block>) -> f64 {
    block.mapping().map_or(0, |mapping| mapping.size()) as f64
}

/// What tells a block from another one that has its name later.
#[napi]
pub fn shared_memory_identity(#[napi(ts_arg_type = "object")] block: &External<Block>) -> String {
    block.identity().to_owned()
}

/// That of the block which has the name now, if there is one.
#[napi]
pub fn shared_memory_identity_of(env: Env, name: String) -> Result<Option<String>> {
    shared_memory::identity_of(&name).map_err(|error| to_js(env, &error))
}

/// The memory of an open block; to be asked for once.
#[napi(ts_return_type = "ArrayBuffer")]
pub fn shared_memory_buffer(
    env: Env,
    #[napi(ts_arg_type = "object")] block: &External<Block>,
) -> Result<Unknown<'static>> {
    let Some(mapping) = block.mapping() else {
        return Err(napi::Error::from_reason("the block is closed"));
    };
    let mut buffer = null_mut();
    // SAFETY: the range is mapped until the reference given away here comes back in `release`.
    let status = unsafe {
        sys::napi_create_external_arraybuffer(
            env.raw(),
            mapping.data().as_ptr().cast(),
            mapping.size(),
            Some(release),
            Arc::into_raw(Arc::clone(mapping)).cast_mut().cast(),
            &raw mut buffer,
        )
    };
    check_status!(status)?;
    // SAFETY: the value was made just now; the reference given away here comes back in `release`.
    let status = unsafe {
        sys::napi_add_finalizer(
            env.raw(),
            buffer,
            null_mut(),
            Some(release),
            Arc::into_raw(Arc::clone(mapping)).cast_mut().cast(),
            null_mut(),
        )
    };
    check_status!(status)?;
    // SAFETY: the value was made just now in this environment.
    unsafe { Unknown::from_napi_value(env.raw(), buffer) }
}

/// Gives back one reference to a mapping.
unsafe extern "C" fn release(_: sys::napi_env, _: *mut c_void, mapping: *mut c_void) {
    // SAFETY: the pointer is what `Arc::into_raw` gave, and each finalizer is called once.
    drop(unsafe { Arc::from_raw(mapping.cast_const().cast::<Mapping>()) });
}

/// Somebody may learn the block's name: it outlives its object.
#[napi]
pub fn publish_shared_memory(#[napi(ts_arg_type = "object")] block: &mut External<Block>) {
    block.publish();
}

/// Closes a block and empties its buffer and all views of that.
#[napi]
pub fn close_shared_memory(
    env: Env,
    #[napi(ts_arg_type = "object")] block: &mut External<Block>,
    #[napi(ts_arg_type = "ArrayBuffer")] buffer: Unknown,
) {
    // SAFETY: both are live values of this environment. One that was transferred is detached already, which is no harm.
    unsafe { sys::napi_detach_arraybuffer(env.raw(), buffer.raw()) };
    block.close();
}

/// Removes a block's name.
#[napi]
pub fn unlink_shared_memory(
    env: Env,
    #[napi(ts_arg_type = "object")] block: &mut External<Block>,
) -> Result<()> {
    block.unlink().map_err(|error| to_js(env, &error))
}
