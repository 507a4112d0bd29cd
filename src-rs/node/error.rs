//! The core's errors as JavaScript errors: `code` always, `errno` and `syscall` as node's own system errors have them.

use napi::bindgen_prelude::{FromNapiValue, Object, ToNapiValue};
use napi::{Env, Status};
use node_multiprocessing_core::Error;

/// Turns a core error into one that JavaScript can tell apart by `code`.
pub fn to_js(env: Env, error: &Error) -> napi::Error {
    build(env, error).unwrap_or_else(|_| napi::Error::new(Status::GenericFailure, error.to_string()))
}

fn build(env: Env, error: &Error) -> napi::Result<napi::Error> {
    let mut object: Object = env.create_error(napi::Error::new(Status::GenericFailure, error.to_string()))?;
    object.set("code", error.code())?;
    if let Error::System { syscall, errno } = error {
        object.set("errno", -(*errno as i32))?;
        object.set("syscall", *syscall)?;
    }
    // SAFETY: the object is a live value of this environment.
    let value =
        unsafe { napi::Unknown::from_napi_value(env.raw(), Object::to_napi_value(env.raw(), object)?)? };
    Ok(napi::Error::from(value))
}
