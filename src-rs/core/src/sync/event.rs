//! A flag that many can wait for: a word with the flag, a bit that says that somebody sleeps, and how often it was set, so
//! that nobody misses a flag that is cleared again at once.

use crate::atomic::{AtomicU32, Ordering::SeqCst};

use super::wait::{Taken, Want};
use crate::error::Result;
use crate::shared::arena::{self, Arena, Place};
use crate::shared::members::Look;
use crate::shared::records::Count;

const SET: u32 = 1;
const WANTED: u32 = 2;
const ONCE: u32 = 4;

/// An event in shared memory, as seen by somebody who came when it had been set `seen` times.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    arena: &'static Arena,
    word: &'static AtomicU32,
    offset: u64,
    seen: u32,
}

impl Event {
    /// The one at `place`.
    pub fn at(place: Place) -> Result<Self> {
        let arena = arena::of(place)?;
        let word = arena.word(place.offset())?;
        Ok(Self {
            arena,
            word,
            offset: place.offset(),
            seen: word.load(SeqCst) / ONCE,
        })
    }

    /// Sets the flag and wakes everybody who waits, without waiting for them.
    pub fn set(self) {
        loop {
            let word = self.word.load(SeqCst);
            if word & SET != 0 {
                return;
            }
            let set = (word & !WANTED | SET).wrapping_add(ONCE);
            if self.word.compare_exchange(word, set, SeqCst, SeqCst).is_ok() {
                if word & WANTED != 0 {
                    self.arena.records().tell(self.offset, Count::All, Look::Noted);
                }
                return;
            }
        }
    }

    /// Clears the flag.
    pub fn clear(self) {
        self.word.fetch_and(!SET, SeqCst);
    }

    fn has_come(self, word: u32) -> bool {
        word & SET != 0 || word / ONCE != self.seen
    }
}

impl Want for Event {
    fn object(&self) -> (&'static Arena, u64) {
        (self.arena, self.offset)
    }

    fn is_likely(&self) -> bool {
        self.has_come(self.word.load(SeqCst))
    }

    fn attempt(&self, waits: bool, _: Look) -> Option<Taken> {
        loop {
            let word = self.word.load(SeqCst);
            if self.has_come(word) {
                return Some(Taken::Yes);
            }
            let marked = word & WANTED != 0;
            if !waits
                || marked
                || self
                    .word
                    .compare_exchange(word, word | WANTED, SeqCst, SeqCst)
                    .is_ok()
            {
                return None;
            }
        }
    }

    fn pass_on(&self) {}
}
