//! A lock that knows its holder: a word with the holder's number in its arena, 0 when it is free, and a bit that says that
//! somebody sleeps.
//!
//! JavaScript takes and gives back a lock that nobody else wants by itself, with one atomic instruction on the word.

use crate::atomic::{AtomicU32, Ordering::SeqCst};

use super::wait::{Taken, Want};
use crate::error::Result;
use crate::shared::arena::{self, Arena, Place};
use crate::shared::members::{End, Life, Look, MemberId};
use crate::shared::records::Count;

/// Somebody sleeps until the lock is given back.
pub const WANTED: u32 = 1 << 31;

/// What became of giving one back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Released {
    /// It is free, or the next one's.
    Yes,
    /// Nobody held it.
    WasFree,
    /// Its holder has died with it.
    Abandoned(End),
}

/// A lock in shared memory.
#[derive(Debug, Clone, Copy)]
pub struct Lock {
    arena: &'static Arena,
    word: &'static AtomicU32,
    offset: u64,
    /// Takes it over from a dead holder instead of refusing.
    recovers: bool,
}

fn holder(word: u32) -> MemberId {
    word & !WANTED
}

impl Lock {
    /// The one at `place`.
    pub fn at(place: Place, recovers: bool) -> Result<Self> {
        let arena = arena::of(place)?;
        let offset = place.offset();
        let word = arena.word(offset)?;
        Ok(Self {
            arena,
            word,
            offset,
            recovers,
        })
    }

    /// The end of `id`, if it has ended.
    fn end_of(self, id: MemberId, look: Look) -> Option<End> {
        match self.arena.members().life(id, look) {
            Life::Ended(end) => Some(end),
            Life::Alive => None,
        }
    }

    /// Whether `id`, which has ended, has it still: before its end it may have given it back.
    fn is_still(self, id: MemberId) -> bool {
        holder(self.word.load(SeqCst)) == id
    }

    fn swap(self, from: u32, to: u32) -> bool {
        self.word.compare_exchange(from, to, SeqCst, SeqCst).is_ok()
    }

    /// Gives it back, whoever holds it.
    pub fn release(self) -> Released {
        loop {
            let word = self.word.load(SeqCst);
            if holder(word) == 0 {
                return Released::WasFree;
            }
            if holder(word) != self.arena.me()
                && let Some(end) = self.end_of(holder(word), Look::System)
            {
                if self.is_still(holder(word)) {
                    return Released::Abandoned(end);
                }
                continue;
            }
            if self.swap(word, 0) {
                if word & WANTED != 0 {
                    self.tell_next();
                }
                return Released::Yes;
            }
        }
    }

    /// Frees it if its holder has died with it. Whether that was so.
    pub fn recover(self) -> bool {
        loop {
            let word = self.word.load(SeqCst);
            if holder(word) == 0 || self.end_of(holder(word), Look::System).is_none() {
                return false;
            }
            if self.swap(word, 0) {
                self.tell_next();
                return true;
            }
        }
    }

    fn tell_next(self) {
        self.arena
            .records()
            .tell(self.offset, Count::Likely(1), Look::Noted);
    }
}

impl Want for Lock {
    fn object(&self) -> (&'static Arena, u64) {
        (self.arena, self.offset)
    }

    fn is_likely(&self) -> bool {
        holder(self.word.load(SeqCst)) == 0
    }

    fn attempt(&self, waits: bool, look: Look) -> Option<Taken> {
        let mine = self.arena.me() | if waits { WANTED } else { 0 };
        loop {
            let word = self.word.load(SeqCst);
            if holder(word) == 0 {
                // Others may sleep on: whoever slept himself cannot know.
                if self.swap(word, mine) {
                    return Some(Taken::Yes);
                }
            } else if let Some(end) = self.end_of(holder(word), look) {
                if !self.is_still(holder(word)) {
                    continue;
                }
                if !self.recovers {
                    return Some(Taken::Abandoned(end));
                }
                if self.swap(word, self.arena.me() | WANTED) {
                    return Some(Taken::Recovered(end));
                }
            } else if !waits || word & WANTED != 0 || self.swap(word, word | WANTED) {
                return None;
            }
        }
    }

    fn pass_on(&self) {
        // Whether this waiter was told or not: the lock may have become free since its last attempt, and whoever gave it back
        // may have told it.
        loop {
            let word = self.word.load(SeqCst);
            if holder(word) == 0 {
                return self.tell_next();
            }
            if word & WANTED != 0 || self.swap(word, word | WANTED) {
                return;
            }
        }
    }
}
