//! A lock that knows its holder: a word with the holder's number in its arena, 0 when it is free, and a bit that says that
//! somebody sleeps.
//!
//! JavaScript takes and gives back a lock that nobody else wants by itself, with one atomic instruction on the word.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::{Duration, Instant};

use super::spin;
use crate::error::Result;
use crate::process::blocking::{self, Interrupts, Outcome, Wake};
use crate::shared::arena::{self, Arena, Place};
use crate::shared::members::{End, Life, Look, MemberId};
use crate::shared::records::{Count, Record};
use crate::sys::clock::Deadline;

/// Somebody sleeps until the lock is given back.
pub const WANTED: u32 = 1 << 31;

/// How often a waiter asks the system whether the holder lives.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// What became of an attempt to take a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It is this process's now.
    Yes,
    /// It is this process's now, and its last holder died with it.
    Recovered(End),
    /// Its holder has died with it; it stays as it is until somebody recovers it.
    Abandoned(End),
}

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
}

fn holder(word: u32) -> MemberId {
    word & !WANTED
}

impl Lock {
    /// The one at `place`.
    pub fn at(place: Place) -> Result<Self> {
        let arena = arena::of(place)?;
        let offset = place.offset();
        let word = arena.word(offset)?;
        Ok(Self { arena, word, offset })
    }

    /// The end of `id`, if it has ended.
    fn end_of(self, id: MemberId, look: Look) -> Option<End> {
        match self.arena.members().life(id, look) {
            Life::Ended(end) => Some(end),
            Life::Alive => None,
        }
    }

    fn swap(self, from: u32, to: u32) -> bool {
        self.word.compare_exchange(from, to, SeqCst, SeqCst).is_ok()
    }

    /// Takes it if that can be done now. A waiter marks it as wanted if not.
    fn attempt(self, recover: bool, waits: bool, look: Look) -> Option<Taken> {
        let mine = self.arena.me() | if waits { WANTED } else { 0 };
        loop {
            let word = self.word.load(SeqCst);
            if holder(word) == 0 {
                // Others may sleep on: whoever slept himself cannot know.
                if self.swap(word, mine) {
                    return Some(Taken::Yes);
                }
            } else if let Some(end) = self.end_of(holder(word), look) {
                if !recover {
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

    /// Takes it, waiting for it if need be.
    pub fn acquire(
        self,
        recover: bool,
        deadline: Deadline,
        interrupts: Interrupts<'_>,
    ) -> Result<Outcome<Taken>> {
        if let Some(taken) = self.attempt(recover, false, Look::Noted) {
            return Ok(Outcome::Done(taken));
        }
        if deadline.passed() {
            let taken = self.attempt(recover, false, Look::System);
            return Ok(taken.map_or(Outcome::TimedOut, Outcome::Done));
        }
        if spin::until(|| holder(self.word.load(SeqCst)) == 0)
            && let Some(taken) = self.attempt(recover, false, Look::Noted)
        {
            return Ok(Outcome::Done(taken));
        }
        let mut wait = Wait::begin(self, recover, false)?;
        let semaphore = &self.arena.records().body(wait.record.index).semaphore;
        let outcome = blocking::wait(Wake::Posted(semaphore), deadline, interrupts, || {
            Ok(wait.attempt())
        });
        wait.end();
        outcome
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
                return Released::Abandoned(end);
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
            .tell(self.offset, Count::AtMost(1), Look::Noted);
    }
}

/// A wait for a lock.
#[derive(Debug)]
pub struct Wait {
    lock: Lock,
    recover: bool,
    record: Record,
    asked: Instant,
    /// The last attempt took the lock.
    has_it: bool,
}

impl Wait {
    /// Queues up. `by_doorbell`: this process does not sleep, and has its doorbell rung.
    pub fn begin(lock: Lock, recover: bool, by_doorbell: bool) -> Result<Self> {
        let records = lock.arena.records();
        let mut record = records.claim(lock.arena.me(), lock.offset)?;
        records.wait(&mut record, lock.arena.next_ticket(), by_doorbell);
        Ok(Self {
            lock,
            recover,
            record,
            asked: Instant::now(),
            has_it: false,
        })
    }

    /// What it came to; `None` while it goes on.
    pub fn attempt(&mut self) -> Option<Taken> {
        let records = self.lock.arena.records();
        if records.is_told(&self.record) {
            records.wait_again(&self.record);
        }
        let look = if self.asked.elapsed() >= ASK_EVERY {
            self.asked = Instant::now();
            Look::System
        } else {
            Look::Noted
        };
        let taken = self.lock.attempt(self.recover, true, look);
        self.has_it = matches!(taken, Some(Taken::Yes | Taken::Recovered(_)));
        taken
    }

    /// The arena in which it waits.
    #[must_use]
    pub fn arena(&self) -> &'static Arena {
        self.lock.arena
    }

    /// Leaves the queue. A hint that has come in the meantime goes to the next one.
    pub fn end(self) {
        let lock = self.lock;
        lock.arena.records().release(&self.record);
        if self.has_it {
            return;
        }
        // Whether it was told or not: the lock may have become free since the last attempt, and whoever gave it back may
        // have told this waiter.
        loop {
            let word = lock.word.load(SeqCst);
            if holder(word) == 0 {
                return lock.tell_next();
            }
            if word & WANTED != 0 || lock.swap(word, word | WANTED) {
                return;
            }
        }
    }
}
