//! macOS, which has no memfd: an anonymous block is a shared memory object whose name its creator removes when it exits.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::sync::{Mutex, Once, PoisonError};

use nix::unistd::ftruncate;

use super::named::{self, create_in_place};
use crate::error::{Context, Result};

/// Names to be removed by this process, which is the one that is given.
static NAMES: Mutex<BTreeSet<(u32, CString)>> = Mutex::new(BTreeSet::new());

/// A shared memory object.
pub fn create_anonymous(name: &CStr, length: u64) -> Result<File> {
    static AT_EXIT: Once = Once::new();
    // SAFETY: the function is there as long as the process: an addon is never unloaded.
    AT_EXIT.call_once(|| unsafe {
        libc::atexit(remove_names);
    });
    let (file, ()) = create_in_place(name, |file| ftruncate(file, length as i64).during("ftruncate"))?;
    names().insert((std::process::id(), name.to_owned()));
    Ok(file)
}

extern "C" fn remove_names() {
    let own = std::process::id();
    for (pid, name) in names().iter() {
        if *pid == own {
            let _ = named::unlink(name);
        }
    }
}

fn names() -> std::sync::MutexGuard<'static, BTreeSet<(u32, CString)>> {
    NAMES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Shared memory objects of this system get their length once.
pub fn cannot_shrink(_: &File) -> bool {
    true
}

/// The object of that name, if it is acceptable.
pub fn find_anonymous(name: &CStr, _: i32, accept: impl Fn(&File) -> bool) -> Option<File> {
    named::open(name).ok().filter(accept)
}

/// Removes the name.
pub fn unlink_anonymous(name: &CStr) {
    let _ = named::unlink(name);
    names().remove(&(std::process::id(), name.to_owned()));
}

/// A new shared memory object.
pub fn create_named<T>(name: &CStr, prepare: impl FnOnce(&File) -> Result<T>) -> Result<(File, T)> {
    create_in_place(name, prepare)
}

/// Gives the object its length; this system has no limit of its own for shared memory.
pub fn reserve(file: &File, size: u64) -> Result<()> {
    ftruncate(file, size as i64).during("ftruncate")
}
