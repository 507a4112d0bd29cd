//! A process that ends when its parent does.

/// Linux: has the kernel send SIGKILL to this process when the thread that forked it ends, or (`false`) no longer.
/// Ends at once if the parent is gone already.
#[cfg(target_os = "linux")]
pub fn end_with_parent(end: bool, parent: i32) {
    let signal = if end { libc::SIGKILL } else { 0 };
    // SAFETY: prctl, getppid and _exit take numbers and touch no memory of ours.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, signal);
        if end && libc::getppid() != parent {
            libc::_exit(128 + libc::SIGKILL);
        }
    }
}

/// Elsewhere the kernel has no such service, and fork is refused before this is reached.
#[cfg(not(target_os = "linux"))]
pub fn end_with_parent(_: bool, _: i32) {}
