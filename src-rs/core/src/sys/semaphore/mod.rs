//! A semaphore that lies in memory shared by processes: how a process sleeps until another one wakes it.
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::Semaphore;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
pub use macos::Semaphore;

/// How a wait for a semaphore ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// Somebody posted.
    Posted,
    /// The deadline passed first.
    TimedOut,
    /// A signal handler ran on this thread.
    Interrupted,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock::Deadline;

    #[test]
    fn each_post_ends_one_wait() {
        let semaphore = Semaphore::new();
        semaphore.post();
        semaphore.post();
        assert_eq!(semaphore.wait(Deadline::after_ms(0.0)), Woken::Posted);
        assert_eq!(semaphore.wait(Deadline::after_ms(f64::INFINITY)), Woken::Posted);
        assert_eq!(semaphore.wait(Deadline::after_ms(3.0)), Woken::TimedOut);
        assert_eq!(semaphore.wait(Deadline::after_ms(-1.0)), Woken::TimedOut);
    }

    #[test]
    fn a_sleeper_is_woken_from_another_thread() {
        static SEMAPHORE: std::sync::OnceLock<Semaphore> = std::sync::OnceLock::new();
        let semaphore = SEMAPHORE.get_or_init(Semaphore::new);
        let sleeper = std::thread::spawn(move || semaphore.wait(Deadline::after_ms(20_000.0)));
        std::thread::sleep(std::time::Duration::from_millis(20));
        semaphore.post();
        assert_eq!(sleeper.join().unwrap(), Woken::Posted);
    }
}
