//! Linux: memfds, found through `/proc`, and files of `/dev/shm`.

use std::ffi::CStr;
use std::fs::{File, read_dir, read_link};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, FallocateFlags, FcntlArg, OFlag, SealFlag, fallocate, fcntl, open};
use nix::sys::stat::fchmod;
use nix::unistd::{ftruncate, linkat};

use super::named::{MODE, create_in_place};
use crate::error::{Context, Error, Result};
use crate::sys::fd::memfd;

/// Where the C libraries have shared memory objects.
const DIRECTORY: &str = "/dev/shm";

/// A memfd of a fixed length.
pub fn create_anonymous(name: &CStr, length: u64) -> Result<File> {
    let file = File::from(memfd(name, libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING)?);
    fchmod(&file, MODE).during("fchmod")?;
    ftruncate(&file, length as i64).during("ftruncate")?;
    fcntl(&file, FcntlArg::F_ADD_SEALS(fixed_length())).during("fcntl")?;
    Ok(file)
}

fn fixed_length() -> SealFlag {
    SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL
}

/// Whether nobody can take away pages that are mapped.
pub fn cannot_shrink(file: &File) -> bool {
    fcntl(file, FcntlArg::F_GET_SEALS)
        .is_ok_and(|seals| SealFlag::from_bits_truncate(seals).contains(fixed_length()))
}

/// The memfd of that name that is acceptable, opened by way of whichever process of this user has it open.
pub fn find_anonymous(name: &CStr, creator: i32, accept: impl Fn(&File) -> bool) -> Option<File> {
    let target = format!("/memfd:{} (deleted)", name.to_str().ok()?);
    let own = std::process::id() as i32;
    let others = read_dir("/proc").into_iter().flatten().flatten();
    let others = others.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let others = others.filter(|&pid| pid != own && pid != creator);
    let near = [Some(own), (creator != own).then_some(creator)];
    near.into_iter()
        .flatten()
        .chain(others)
        .find_map(|pid| find_in(pid, &target, &accept))
}

fn find_in(pid: i32, target: &str, accept: &impl Fn(&File) -> bool) -> Option<File> {
    // Of another user's process, and of one that has just ended, nothing is seen.
    let descriptors = read_dir(format!("/proc/{pid}/fd")).ok()?;
    descriptors.flatten().find_map(|entry| {
        let path = entry.path();
        if read_link(&path).ok()?.to_str()? != target {
            return None;
        }
        // The number may stand for something else by now: opening that must not wait.
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        let file = File::options()
            .read(true)
            .write(true)
            .custom_flags(flags)
            .open(path)
            .ok()?;
        accept(&file).then_some(file)
    })
}

/// A memfd's name is in no directory.
pub fn unlink_anonymous(_: &CStr) {}

/// A new shared memory object, which appears under its name when `prepare` is done with it.
pub fn create_named<T>(name: &CStr, prepare: impl FnOnce(&File) -> Result<T>) -> Result<(File, T)> {
    let path = format!("{DIRECTORY}/{}", name.to_string_lossy());
    let taken = Error::System {
        syscall: "shm_open",
        errno: Errno::EEXIST,
    };
    if std::fs::symlink_metadata(&path).is_ok() {
        return Err(taken);
    }
    let flags = OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC;
    let Ok(file) = open(DIRECTORY, flags, MODE) else {
        // Not every file system has files without a name.
        return create_in_place(name, prepare);
    };
    let file = File::from(file);
    let own = format!("/proc/self/fd/{}", file.as_raw_fd());
    // Without `/proc` it could not be given its name.
    if std::fs::symlink_metadata(&own).is_err() {
        return create_in_place(name, prepare);
    }
    let made = prepare(&file)?;
    match linkat(
        AT_FDCWD,
        own.as_str(),
        AT_FDCWD,
        path.as_str(),
        AtFlags::AT_SYMLINK_FOLLOW,
    ) {
        Ok(()) => Ok((file, made)),
        Err(Errno::EEXIST) => Err(taken),
        Err(errno) => Err(Error::System {
            syscall: "shm_open",
            errno,
        }),
    }
}

/// Gives the file its length, and takes the memory for it: where there is none later, a process that writes would be ended by
/// SIGBUS.
pub fn reserve(file: &File, size: u64) -> Result<()> {
    loop {
        return match fallocate(file, FallocateFlags::empty(), 0, size as i64) {
            Err(Errno::EINTR) => continue,
            Err(Errno::EOPNOTSUPP) => ftruncate(file, size as i64).during("ftruncate"),
            result => result.during("fallocate"),
        };
    }
}
