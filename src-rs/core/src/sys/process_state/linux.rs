//! Linux: `/proc/<pid>/stat`.

use std::ffi::CString;

use super::{Existence, ask_by_signal};
use crate::sys::proc_fs;

/// Nanoseconds since the machine was started, on the clock that the kernel stamps processes with.
#[must_use]
pub fn clock_ns() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is a valid timespec for the call to fill.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// What the system says of `pid` now.
#[must_use]
pub fn look(pid: i32) -> Existence {
    read(pid).unwrap_or_else(|| ask_by_signal(pid))
}

/// `None` if it cannot be read.
fn read(pid: i32) -> Option<Existence> {
    let path = CString::new(format!("/proc/{pid}/stat")).ok()?;
    let file = proc_fs::open(None, &path, 0).ok()??;
    let mut text = Vec::new();
    proc_fs::read_to_end(&file, &mut text).ok()?;
    // The name is in parentheses and may itself contain some.
    let text = String::from_utf8_lossy(&text);
    let fields: Vec<&str> = text
        .get(text.rfind(')')? + 2..)?
        .split_ascii_whitespace()
        .collect();
    match *fields.first()? {
        "Z" => Some(Existence::Zombie(
            fields.get(49).and_then(|word| word.parse().ok()),
        )),
        "X" | "x" => Some(Existence::Gone),
        _ => {
            let ticks: u64 = fields.get(19)?.parse().ok()?;
            // SAFETY: sysconf takes a number.
            let per_second = u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).ok()?;
            Some(Existence::Alive(Some(
                ticks.saturating_mul(1_000_000_000) / per_second.max(1),
            )))
        }
    }
}
