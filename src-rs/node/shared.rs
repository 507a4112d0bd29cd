//! Memory shared with forked children.

use napi::bindgen_prelude::{FromNapiValue, Unknown};
use napi::{Env, Result, check_status, sys};
use napi_derive::napi;

use node_multiprocessing_core::shared::arena::{self, Place};

use super::error::to_js;

/// A piece of shared memory.
#[napi(object)]
pub struct SharedBlock<'a> {
    /// What native calls know it by.
    pub handle: f64,
    /// Its arena's number.
    pub arena: u32,
    /// The memory.
    #[napi(ts_type = "ArrayBuffer")]
    pub buffer: Unknown<'a>,
}

/// Zero-filled memory that children forked from now on share.
#[napi]
pub fn allocate_shared(env: Env, size: f64, align: u32) -> Result<SharedBlock<'static>> {
    let (place, address) =
        arena::allocate(size as u64, u64::from(align)).map_err(|error| to_js(env, &error))?;
    block(env, place, address, size).inspect_err(|_| arena::free(place))
}

/// A piece of memory that this process's parent has allocated.
#[napi]
pub fn shared_at(env: Env, handle: f64, size: f64) -> Result<SharedBlock<'static>> {
    let place = Place::from_number(handle as u64);
    let address = arena::memory_at(place, size as u64).map_err(|error| to_js(env, &error))?;
    block(env, place, address, size)
}

fn block(env: Env, place: Place, address: *mut u8, size: f64) -> Result<SharedBlock<'static>> {
    let mut buffer = std::ptr::null_mut();
    // SAFETY: the arena is never unmapped; that the block stays this buffer's is the caller's business, who frees it when the
    // buffer is no more.
    let status = unsafe {
        sys::napi_create_external_arraybuffer(
            env.raw(),
            address.cast(),
            size as usize,
            None,
            std::ptr::null_mut(),
            &raw mut buffer,
        )
    };
    check_status!(status)?;
    Ok(SharedBlock {
        handle: place.to_number() as f64,
        arena: place.arena(),
        // SAFETY: the value was made just now in this environment.
        buffer: unsafe { Unknown::from_napi_value(env.raw(), buffer)? },
    })
}

/// The memory is not used any more in this process.
#[napi]
pub fn free_shared(handle: f64) {
    arena::free(Place::from_number(handle as u64));
}

/// How the heap of this process stands.
#[napi(object)]
pub struct SharedStock {
    /// Blocks in use, the pending ones included.
    pub blocks: u32,
    /// Blocks that wait for the end of descendants that may use them.
    pub pending: u32,
}

/// Counts the blocks that this process has allocated.
#[napi]
pub fn shared_stock() -> SharedStock {
    let (blocks, pending) = arena::stock();
    SharedStock {
        blocks: blocks as u32,
        pending: pending as u32,
    }
}

/// A process's place in an arena.
#[napi(object)]
pub struct Seat {
    /// The number of the arena.
    pub arena: u32,
    /// That of the process in there, by which the words of locks name it.
    pub id: u32,
}

/// This process's seats in its arenas.
#[napi]
pub fn seats() -> Vec<Seat> {
    let seat = |arena: &&arena::Arena| Seat {
        arena: arena.number(),
        id: arena.me(),
    };
    arena::all().iter().map(seat).collect()
}

/// What this process is called, for the messages of those who outlive it.
#[napi]
pub fn set_member_name(name: String) {
    arena::set_name(&name);
}
