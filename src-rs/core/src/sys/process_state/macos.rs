//! macOS: the kernel's own record of a process.

use super::{Existence, ask_by_signal};

/// Nanoseconds of wall-clock time, which the kernel stamps processes with.
#[must_use]
pub fn clock_ns() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is a valid timespec for the call to fill.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// What the system says of `pid` now. A zombie has no record, but can be sent a signal.
#[must_use]
pub fn look(pid: i32) -> Existence {
    // SAFETY: an all-zero record is a valid value for the call to overwrite.
    let mut info: libc::proc_bsdinfo = unsafe { std::mem::zeroed() };
    let size = size_of::<libc::proc_bsdinfo>() as i32;
    // SAFETY: `info` has `size` writable bytes.
    let got = unsafe { libc::proc_pidinfo(pid, libc::PROC_PIDTBSDINFO, 0, (&raw mut info).cast(), size) };
    if got == size {
        let started = info.pbi_start_tvsec * 1_000_000_000 + info.pbi_start_tvusec * 1_000;
        return match info.pbi_status {
            libc::SZOMB => Existence::Zombie(None),
            _ => Existence::Alive(Some(started)),
        };
    }
    match ask_by_signal(pid) {
        Existence::Gone => Existence::Gone,
        _ => Existence::Zombie(None),
    }
}
