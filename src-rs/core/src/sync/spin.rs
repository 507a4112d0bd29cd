//! A short spin before a sleep: a hand-over takes a microsecond if the other process runs at the same time, and fifty if one
//! of them has to be woken. Spinning that does not help steals the other one's time, so its length follows its success.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Rounds for a look at a word, each of some nanoseconds.
const MOST: u32 = 2_000;
const FEWEST: u32 = 32;
/// Of so many spins in vain, one is long again: two processes that sleep by turns never find the other one quick.
const TRY_AGAIN: u32 = 16;

static LOOKS: Spin = Spin::new(FEWEST, MOST);

/// Whether anybody else can run while this thread spins.
fn has_company() -> bool {
    static SEVERAL: OnceLock<bool> = OnceLock::new();
    *SEVERAL.get_or_init(|| std::thread::available_parallelism().is_ok_and(|count| count.get() > 1))
}

/// How long spinning for one kind of thing has been worth it lately.
#[derive(Debug)]
pub struct Spin {
    fewest: u32,
    most: u32,
    rounds: AtomicU32,
    in_vain: AtomicU32,
}

impl Spin {
    /// Between `fewest` and `most` rounds.
    #[must_use]
    pub const fn new(fewest: u32, most: u32) -> Self {
        Self {
            fewest,
            most,
            rounds: AtomicU32::new(most / 4),
            in_vain: AtomicU32::new(0),
        }
    }

    /// Spins until `done`, for as long as that has been worth it lately. The result of `done`.
    pub fn until(&self, done: impl FnMut() -> bool) -> bool {
        self.until_within(self.most, done)
    }

    /// The same, for `limit` rounds at most.
    pub fn until_within(&self, limit: u32, mut done: impl FnMut() -> bool) -> bool {
        // To loom, spinning is the same as not having looked.
        if cfg!(loom) || !has_company() {
            return done();
        }
        let usual = self.rounds.load(Relaxed);
        let in_vain = self.in_vain.load(Relaxed);
        let rounds = if in_vain % TRY_AGAIN == TRY_AGAIN - 1 {
            usual.max(self.most / 4)
        } else {
            usual
        };
        for _ in 0..rounds.min(limit) {
            if done() {
                self.rounds
                    .store((rounds + rounds / 4 + 1).min(self.most), Relaxed);
                self.in_vain.store(0, Relaxed);
                return true;
            }
            std::hint::spin_loop();
        }
        self.rounds.store((usual - usual / 8).max(self.fewest), Relaxed);
        self.in_vain.store(in_vain.wrapping_add(1), Relaxed);
        false
    }
}

/// Spins for what a look at a word tells.
pub fn until(done: impl FnMut() -> bool) -> bool {
    LOOKS.until(done)
}
