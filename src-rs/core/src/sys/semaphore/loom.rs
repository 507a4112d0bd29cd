//! A futex for loom: the look at the word and the falling asleep are one step, as in the kernel.

use loom::sync::{Condvar, Mutex};

use crate::atomic::{AtomicU32, Ordering::SeqCst};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slept {
    Enough,
    Interrupted,
}

/// Who sleeps on a word.
#[derive(Debug, Default)]
pub struct Bed {
    bucket: Mutex<()>,
    sleepers: Condvar,
}

impl Bed {
    pub fn wake(&self) {
        let _bucket = self.bucket.lock();
        self.sleepers.notify_one();
    }

    pub fn sleep(&self, word: &AtomicU32) -> Slept {
        if let Ok(bucket) = self.bucket.lock()
            && word.load(SeqCst) == 0
        {
            let _bucket = self.sleepers.wait(bucket);
        }
        Slept::Enough
    }
}
