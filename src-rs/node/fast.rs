//! Calls that are made so often that what napi-derive does around a call, some 75 ns, would be most of their time. They go
//! to Node-API directly, and take and return numbers.

use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;

use napi::bindgen_prelude::{JsObjectValue, Object};
use napi::{Env, Error, Result, Status, sys};
use napi_derive::napi;

use super::{queue, sync};

/// Most arguments that such a call takes.
const MOST: usize = 4;

/// What such a call was given.
#[derive(Debug, Clone, Copy)]
pub struct Arguments {
    env: sys::napi_env,
    values: [sys::napi_value; MOST],
}

impl Arguments {
    /// The number at `index`.
    pub fn number(&self, index: usize) -> Result<f64> {
        let mut number = 0.0;
        // SAFETY: a value of the call under way; missing arguments are `undefined`, which is refused.
        let status = unsafe { sys::napi_get_value_double(self.env, self.values[index], &raw mut number) };
        expected(status, number, "a number")
    }

    /// The boolean at `index`.
    pub fn boolean(&self, index: usize) -> Result<bool> {
        let mut boolean = false;
        // SAFETY: as above.
        let status = unsafe { sys::napi_get_value_bool(self.env, self.values[index], &raw mut boolean) };
        expected(status, boolean, "a boolean")
    }
}

fn expected<T>(status: sys::napi_status, value: T, what: &str) -> Result<T> {
    if status == sys::Status::napi_ok {
        return Ok(value);
    }
    Err(Error::new(Status::InvalidArg, format!("expected {what}")))
}

/// A function of the addon.
pub trait FastCall {
    /// What it does.
    fn run(env: Env, arguments: Arguments) -> Result<i32>;
}

unsafe extern "C" fn enter<F: FastCall>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    let mut arguments = Arguments {
        env,
        values: [null_mut(); MOST],
    };
    let mut count = MOST;
    // SAFETY: node calls this with an environment and a call of its own; there is room for `count` arguments.
    unsafe {
        sys::napi_get_cb_info(
            env,
            info,
            &raw mut count,
            arguments.values.as_mut_ptr(),
            null_mut(),
            null_mut(),
        );
    }
    let run = AssertUnwindSafe(|| F::run(Env::from_raw(env), arguments));
    let outcome = catch_unwind(run).unwrap_or_else(|_| Err(Error::from_reason("a panic in the addon")));
    let mut result = null_mut();
    match outcome {
        // SAFETY: as above.
        Ok(number) => unsafe {
            sys::napi_create_int32(env, number, &raw mut result);
        },
        // SAFETY: as above; an error is thrown at most once, as this is the end of the call.
        Err(error) => unsafe { napi::JsError::from(error).throw_into(env) },
    }
    result
}

fn add<F: FastCall>(env: Env, calls: &mut Object<'_>, name: &CStr) -> Result<()> {
    let mut function = null_mut();
    // SAFETY: the name ends with a NUL within its length; the function has the signature of a callback.
    let status = unsafe {
        let length = name.count_bytes() as isize;
        sys::napi_create_function(
            env.raw(),
            name.as_ptr(),
            length,
            Some(enter::<F>),
            null_mut(),
            &raw mut function,
        )
    };
    expected(status, (), "room for a function")?;
    // SAFETY: the function was just made in this environment.
    let function = unsafe { napi::Unknown::from_raw_unchecked(env.raw(), function) };
    calls.set_named_property(&name.to_string_lossy(), function)
}

/// The functions that are called most often.
#[napi(
    catch_unwind,
    ts_return_type = "{
  lockAcquire(handle: number, timeoutMs: number, recover: boolean): number
  lockRelease(handle: number): number
  semaphoreAcquire(handle: number, timeoutMs: number, recover: boolean): number
  semaphoreRelease(handle: number, count: number): number
  queuePut(queue: number, length: number, timeoutMs: number): number
  queueGet(queue: number, timeoutMs: number): number
  queueTake(queue: number, timeoutMs: number, claim: number): number
  queueTaken(queue: number): number
  queuePutMany(queue: number, length: number, timeoutMs: number): number
  queueGetMany(queue: number, max: number, timeoutMs: number): number
  queueLength(queue: number): number
}"
)]
pub fn fast_calls(env: &Env) -> Result<Object<'_>> {
    let mut calls = Object::new(env)?;
    add::<sync::LockAcquire>(*env, &mut calls, c"lockAcquire")?;
    add::<sync::LockRelease>(*env, &mut calls, c"lockRelease")?;
    add::<sync::SemaphoreAcquire>(*env, &mut calls, c"semaphoreAcquire")?;
    add::<sync::SemaphoreRelease>(*env, &mut calls, c"semaphoreRelease")?;
    add::<queue::QueuePut>(*env, &mut calls, c"queuePut")?;
    add::<queue::QueueGet>(*env, &mut calls, c"queueGet")?;
    add::<queue::QueueTake>(*env, &mut calls, c"queueTake")?;
    add::<queue::QueueTaken>(*env, &mut calls, c"queueTaken")?;
    add::<queue::QueuePutMany>(*env, &mut calls, c"queuePutMany")?;
    add::<queue::QueueGetMany>(*env, &mut calls, c"queueGetMany")?;
    add::<queue::QueueLength>(*env, &mut calls, c"queueLength")?;
    Ok(calls)
}
