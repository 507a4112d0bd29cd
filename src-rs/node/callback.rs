//! A JavaScript function that libuv callbacks of ours call, as node calls its own: with ticks and microtasks after it.

use std::ptr;

use napi::bindgen_prelude::{Function, JsValue, ToNapiValue};
use napi::{Env, sys};

use super::fork::is_unwinding;

/// A function kept alive for the life of the process: whoever calls it may be replaced by what it does, a fork for
/// instance, so nobody owns it.
#[derive(Debug, Clone, Copy)]
pub struct Callback {
    env: sys::napi_env,
    function: sys::napi_ref,
}

impl Callback {
    /// Keeps `function` alive.
    pub fn new<A, R>(env: Env, function: &Function<'_, A, R>) -> napi::Result<Self>
    where
        A: napi::bindgen_prelude::JsValuesTupleIntoVec,
        R: napi::bindgen_prelude::FromNapiValue,
    {
        let mut reference = ptr::null_mut();
        // SAFETY: env and value are those of the native call under way.
        let status =
            unsafe { sys::napi_create_reference(env.raw(), function.value().value, 1, &raw mut reference) };
        napi::check_status!(status)?;
        Ok(Self {
            env: env.raw(),
            function: reference,
        })
    }

    /// Calls it from an empty stack. An error that it throws is an uncaught exception, as in any callback of node's.
    pub fn call<T: ToNapiValue>(self, argument: Option<T>) {
        let _scope = Scope::open(self.env);
        // SAFETY: the environment is alive: its loop is calling us. All values are created in the scope above.
        unsafe {
            let (mut function, mut receiver) = (ptr::null_mut(), ptr::null_mut());
            sys::napi_get_reference_value(self.env, self.function, &raw mut function);
            sys::napi_get_global(self.env, &raw mut receiver);
            let argument = argument.and_then(|argument| T::to_napi_value(self.env, argument).ok());
            let arguments = argument.as_slice();
            let status = sys::napi_make_callback(
                self.env,
                ptr::null_mut(),
                receiver,
                function,
                arguments.len(),
                arguments.as_ptr(),
                ptr::null_mut(),
            );
            if status == sys::Status::napi_pending_exception {
                let mut error = ptr::null_mut();
                sys::napi_get_and_clear_last_exception(self.env, &raw mut error);
                // A child that was started in there abandons this call, too: what is pending then is no error.
                if !is_unwinding() {
                    sys::napi_fatal_exception(self.env, error);
                }
            }
        }
    }

    /// Calls it in the midst of a call from JavaScript. What it throws is that call's to pass on, at once.
    pub fn call_within(self) -> napi::Result<()> {
        let (mut function, mut receiver, mut result) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        // SAFETY: JavaScript of this environment is calling us.
        let status = unsafe {
            sys::napi_get_reference_value(self.env, self.function, &raw mut function);
            sys::napi_get_global(self.env, &raw mut receiver);
            sys::napi_call_function(self.env, receiver, function, 0, ptr::null(), &raw mut result)
        };
        if status == sys::Status::napi_ok && !is_unwinding() {
            return Ok(());
        }
        Err(napi::Error::new(napi::Status::PendingException, String::new()))
    }

    /// Drops an exception that an unwinding left pending.
    pub fn clear_pending_exception(self) {
        // SAFETY: as in `call`.
        unsafe {
            let mut error = ptr::null_mut();
            sys::napi_get_and_clear_last_exception(self.env, &raw mut error);
        }
    }

    /// The environment.
    pub fn env(self) -> sys::napi_env {
        self.env
    }
}

/// A handle scope.
pub struct Scope(sys::napi_env, sys::napi_handle_scope);

impl Scope {
    /// Opens one; needed wherever libuv and not JavaScript called us.
    pub fn open(env: sys::napi_env) -> Self {
        let mut scope = ptr::null_mut();
        // SAFETY: the environment is alive and this is its thread.
        unsafe { sys::napi_open_handle_scope(env, &raw mut scope) };
        Self(env, scope)
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        // SAFETY: opened by `open`, closed once, in reverse order.
        unsafe { sys::napi_close_handle_scope(self.0, self.1) };
    }
}
