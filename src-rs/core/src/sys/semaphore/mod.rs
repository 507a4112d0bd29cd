//! How a process sleeps until another one wakes it: a word in memory that both have.
//!
//! It says that somebody has posted, not how often: being woken is a hint to look at what is waited for. So there is nothing
//! that could overflow, and whatever another process has scribbled there, at worst somebody looks once in vain.
use crate::atomic::{AtomicU32, Ordering::SeqCst};
use crate::sys::clock::Deadline;

#[cfg_attr(all(target_os = "linux", not(loom)), path = "linux.rs")]
#[cfg_attr(all(target_os = "macos", not(loom)), path = "macos.rs")]
#[cfg_attr(loom, path = "loom.rs")]
mod system;

use system::Slept;

/// Something to sleep at; valid as all zeros.
#[derive(Debug)]
#[cfg_attr(any(test, loom), derive(Default))]
#[repr(C, align(8))]
pub struct Semaphore {
    /// 1 if somebody has posted since it was last taken.
    posted: AtomicU32,
    /// Those that may be asleep. One that was killed is counted for longer, which costs posts a call in vain.
    sleepers: AtomicU32,
    _reserved: [u32; 6],
    #[cfg(loom)]
    bed: system::Bed,
}

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

impl Semaphore {
    /// Nobody has posted. Nobody may be waiting.
    pub fn reset(&self) {
        self.posted.store(0, SeqCst);
        self.sleepers.store(0, SeqCst);
    }

    /// Wakes one sleeper, or the next one that comes.
    pub fn post(&self) {
        // In this order: whoever goes to sleep says so before it looks.
        self.posted.store(1, SeqCst);
        if self.sleepers.load(SeqCst) > 0 {
            self.wake();
        }
    }

    fn take(&self) -> bool {
        self.posted.swap(0, SeqCst) != 0
    }

    /// Sleeps until somebody posts.
    pub fn wait(&self, deadline: Deadline) -> Woken {
        loop {
            if self.take() {
                return Woken::Posted;
            }
            // Models do without clocks: no wait of theirs ends by itself.
            let left = if cfg!(loom) { None } else { deadline.left() };
            if left.is_some_and(|left| left.is_zero()) {
                return Woken::TimedOut;
            }
            self.sleepers.fetch_add(1, SeqCst);
            let slept = self.sleep(left);
            self.sleepers.fetch_sub(1, SeqCst);
            if slept == Slept::Interrupted {
                return if self.take() {
                    Woken::Posted
                } else {
                    Woken::Interrupted
                };
            }
        }
    }
}

#[cfg(not(loom))]
impl Semaphore {
    fn wake(&self) {
        system::wake(&self.posted);
    }

    fn sleep(&self, left: Option<std::time::Duration>) -> Slept {
        system::sleep(&self.posted, left)
    }
}

#[cfg(loom)]
impl Semaphore {
    fn wake(&self) {
        self.bed.wake();
    }

    fn sleep(&self, _: Option<std::time::Duration>) -> Slept {
        self.bed.sleep(&self.posted)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn posts_do_not_add_up() {
        let semaphore = Semaphore::default();
        semaphore.post();
        semaphore.post();
        assert_eq!(semaphore.wait(Deadline::after_ms(f64::INFINITY)), Woken::Posted);
        assert_eq!(semaphore.wait(Deadline::after_ms(0.0)), Woken::TimedOut);
        assert_eq!(semaphore.wait(Deadline::after_ms(3.0)), Woken::TimedOut);
        assert_eq!(semaphore.wait(Deadline::after_ms(-1.0)), Woken::TimedOut);
    }

    #[test]
    fn a_sleeper_is_woken_from_another_thread() {
        static SEMAPHORE: std::sync::OnceLock<Semaphore> = std::sync::OnceLock::new();
        let semaphore = SEMAPHORE.get_or_init(Semaphore::default);
        for deadline in [20_000.0, f64::INFINITY] {
            let sleeper = std::thread::spawn(move || semaphore.wait(Deadline::after_ms(deadline)));
            std::thread::sleep(std::time::Duration::from_millis(20));
            semaphore.post();
            assert_eq!(sleeper.join().unwrap(), Woken::Posted);
        }
        assert_eq!(semaphore.sleepers.load(SeqCst), 0);
    }

    #[test]
    fn what_another_process_has_scribbled_costs_one_look() {
        let semaphore = Semaphore::default();
        semaphore.posted.store(u32::MAX, SeqCst);
        semaphore.sleepers.store(u32::MAX, SeqCst);
        assert_eq!(semaphore.wait(Deadline::after_ms(0.0)), Woken::Posted);
        assert_eq!(semaphore.wait(Deadline::after_ms(3.0)), Woken::TimedOut);
        semaphore.post();
        assert_eq!(semaphore.wait(Deadline::after_ms(f64::INFINITY)), Woken::Posted);
    }
}
