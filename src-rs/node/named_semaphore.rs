//! Semaphores that processes find by name.

use napi::bindgen_prelude::External;
use napi::{Env, Result};
use napi_derive::napi;

use node_multiprocessing_core::process::blocking::{self, Outcome, Wake};
use node_multiprocessing_core::sys::clock::Deadline;
use node_multiprocessing_core::sys::named_semaphore::{self, NamedSemaphore};

use super::children::{about_to_block, with_interrupts};
use super::error::to_js;
use super::sync::code;

/// Longest time between two attempts, in milliseconds: nothing tells of a permit that can be had.
const LONGEST_SLEEP_MS: f64 = 10.0;

/// Makes a semaphore.
#[napi(catch_unwind, ts_return_type = "object")]
pub fn create_named_semaphore(env: Env, name: String, value: u32) -> Result<External<NamedSemaphore>> {
    let semaphore = NamedSemaphore::create(&name, value).map_err(|error| to_js(env, &error))?;
    Ok(External::new(semaphore))
}

/// Finds the semaphore of that name.
#[napi(catch_unwind, ts_return_type = "object")]
pub fn attach_named_semaphore(env: Env, name: String) -> Result<External<NamedSemaphore>> {
    let semaphore = NamedSemaphore::attach(&name).map_err(|error| to_js(env, &error))?;
    Ok(External::new(semaphore))
}

/// Takes a permit, waiting up to `timeout_ms` milliseconds. As `lockAcquire`.
#[napi(catch_unwind)]
pub fn named_semaphore_acquire(
    env: Env,
    #[napi(ts_arg_type = "object")] semaphore: &External<NamedSemaphore>,
    timeout_ms: f64,
) -> Result<i32> {
    about_to_block()?;
    let outcome = with_interrupts(env, |interrupts| {
        let wake = Wake::Asking(LONGEST_SLEEP_MS);
        blocking::wait(wake, Deadline::after_ms(timeout_ms), interrupts, || {
            Ok(semaphore.try_wait()?.then_some(code::TAKEN))
        })
    })?;
    Ok(match outcome.map_err(|error| to_js(env, &error))? {
        Outcome::Done(code) => code,
        Outcome::TimedOut => code::TIMED_OUT,
        Outcome::Interrupted(signal) => code::INTERRUPTED - signal,
    })
}

/// Gives a permit back.
#[napi(catch_unwind)]
pub fn named_semaphore_release(
    env: Env,
    #[napi(ts_arg_type = "object")] semaphore: &External<NamedSemaphore>,
) -> Result<()> {
    semaphore.post().map_err(|error| to_js(env, &error))
}

/// How many permits there are.
#[napi(catch_unwind)]
pub fn named_semaphore_value(
    env: Env,
    #[napi(ts_arg_type = "object")] semaphore: &External<NamedSemaphore>,
) -> Result<i32> {
    semaphore.value().map_err(|error| to_js(env, &error))
}

/// Removes the name of a semaphore.
#[napi(catch_unwind)]
pub fn unlink_named_semaphore(env: Env, name: String) -> Result<()> {
    named_semaphore::unlink(&name).map_err(|error| to_js(env, &error))
}
