//! Blocks that the user named: POSIX shared memory objects, without anything of ours in them.

use std::ffi::CStr;
use std::fs::File;
use std::os::fd::AsFd;

use nix::fcntl::OFlag;
use nix::sys::mman::{shm_open, shm_unlink};
use nix::sys::stat::{Mode, fstat};

use super::{Mapping, check_file_size, system, with_slash};
use crate::error::{Context, Result};

/// Whoever may use it: its owner.
pub const MODE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);

/// A new object whose memory is there.
pub fn create(name: &CStr, size: u64) -> Result<(File, Mapping)> {
    check_file_size(size)?;
    system::create_named(name, |file| {
        system::reserve(file, size)?;
        Mapping::new(file.as_fd(), 0, size)
    })
}

/// An object that exists.
pub fn attach(name: &CStr) -> Result<(File, Mapping)> {
    let file = open(name)?;
    let size = fstat(&file).during("fstat")?.st_size as u64;
    let mapping = Mapping::new(file.as_fd(), 0, size)?;
    Ok((file, mapping))
}

/// Its descriptor.
pub fn open(name: &CStr) -> Result<File> {
    let flags = OFlag::O_RDWR | OFlag::O_CLOEXEC;
    let file = shm_open(with_slash(name).as_c_str(), flags, Mode::empty()).during("shm_open")?;
    Ok(File::from(file))
}

/// Whether there is one.
pub fn exists(name: &CStr) -> bool {
    open(name).is_ok()
}

/// Removes the name.
pub fn unlink(name: &CStr) -> Result<()> {
    shm_unlink(with_slash(name).as_c_str()).during("shm_unlink")
}

/// A new object by shm_open. Others see it before it is prepared; if that fails, it is removed.
pub fn create_in_place<T>(name: &CStr, prepare: impl FnOnce(&File) -> Result<T>) -> Result<(File, T)> {
    let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
    let file = File::from(shm_open(with_slash(name).as_c_str(), flags, MODE).during("shm_open")?);
    match prepare(&file) {
        Ok(made) => Ok((file, made)),
        Err(error) => {
            let _ = unlink(name);
            Err(error)
        }
    }
}
