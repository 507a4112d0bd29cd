//! The C library's allocator.

/// Has the C library keep memory that is freed, up to some dozens of megabytes, for what is allocated next. It would give it
/// back to the system and ask for it anew, which costs more than to fill it. For processes that get large messages.
pub fn keep_what_is_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const KEPT: libc::c_int = 64 << 20;
        const LARGEST: libc::c_int = 16 << 20;
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(|| {
            // SAFETY: mallopt takes numbers, at any time.
            unsafe {
                libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
                libc::mallopt(libc::M_MMAP_THRESHOLD, LARGEST);
            }
        });
    }
}
