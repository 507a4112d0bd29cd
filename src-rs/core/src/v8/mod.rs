//! The parts of V8 and of node's platform that a fork has to change, found by their exported names.
//!
//! Names are C++ and not promised by anyone: each is looked up at run time, and a missing one is a refusal with that
//! name, decided before any process is made.
pub mod inspector;
pub mod isolate;
pub mod layout;
pub mod platform;
pub mod random;
mod vtable;
pub mod workers;

use std::ffi::CStr;

use crate::error::{Error, Result};

/// Address of a symbol that the node binary exports.
pub(crate) fn symbol(name: &'static CStr) -> Result<*mut libc::c_void> {
    // SAFETY: `name` is NUL-terminated; looking a name up has no other precondition.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    if address.is_null() {
        return Err(Error::MissingSymbol(name.to_str().unwrap_or("a symbol")));
    }
    Ok(address)
}
