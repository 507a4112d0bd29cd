//! A short spin before a sleep: a hand-over takes a microsecond if the other process runs at the same time, and fifty if one
//! of them has to be woken. Spinning that does not help steals the other one's time, so its length follows its success.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Rounds, each of some nanoseconds.
const MOST: u32 = 2_000;
const FEWEST: u32 = 32;
/// Of so many spins in vain, one is long again: two processes that sleep by turns never find the other one quick.
const TRY_AGAIN: u32 = 16;

static ROUNDS: AtomicU32 = AtomicU32::new(MOST / 4);
static IN_VAIN: AtomicU32 = AtomicU32::new(0);

/// Whether anybody else can run while this thread spins.
fn has_company() -> bool {
    static SEVERAL: OnceLock<bool> = OnceLock::new();
    *SEVERAL.get_or_init(|| std::thread::available_parallelism().is_ok_and(|count| count.get() > 1))
}

/// Spins until `done`, for as long as that has been worth it lately. The result of `done`.
pub fn until(done: impl Fn() -> bool) -> bool {
    if !has_company() {
        return done();
    }
    let usual = ROUNDS.load(Relaxed);
    let in_vain = IN_VAIN.load(Relaxed);
    let rounds = if in_vain % TRY_AGAIN == TRY_AGAIN - 1 {
        usual.max(MOST / 4)
    } else {
        usual
    };
    for _ in 0..rounds {
        if done() {
            ROUNDS.store((rounds + rounds / 4 + 1).min(MOST), Relaxed);
            IN_VAIN.store(0, Relaxed);
            return true;
        }
        std::hint::spin_loop();
    }
    ROUNDS.store((usual - usual / 8).max(FEWEST), Relaxed);
    IN_VAIN.store(in_vain.wrapping_add(1), Relaxed);
    false
}
