//! A counting semaphore that knows how many permits each process holds.
//!
//! Its word holds the value, a bit that says that somebody sleeps, and who has changed it last: the number of that process's
//! account and of the operation. An account holds a balance and the number of its last operation. Before a process changes
//! the word, it writes into its account what it is about to do; whoever finds a word whose last change is not in the account
//! yet enters it there. So value and balances agree, however a process ends, and nobody waits for anybody.
//!
//! A process that gives back more than it holds gives for somebody else, nobody knows for whom. That has an account of its
//! own, so that what the process takes later is not mistaken for it.

use crate::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Release, SeqCst},
};

use nix::errno::Errno;

use super::wait::{Taken, Want};
use crate::error::{Error, Result};
use crate::shared::arena::{self, Arena, Place};
use crate::shared::members::{End, Life, Look};
use crate::shared::records::{Count, Phase, State};

/// Highest value, as of the C library's semaphores.
pub const MAX_VALUE: u32 = 0x7fff_ffff;

const WANTED: u64 = 1 << 31;

/// Bytes that a semaphore takes.
pub const SIZE: u64 = 32;

/// A semaphore in shared memory.
#[derive(Debug, Clone, Copy)]
pub struct Semaphore {
    arena: &'static Arena,
    word: &'static AtomicU64,
    max: &'static AtomicU32,
    /// Permits given back by processes that had not taken them and have ended since.
    credit: &'static AtomicU64,
    offset: u64,
    /// Takes permits of the dead over instead of refusing.
    recovers: bool,
}

/// What became of a change of the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Done { wanted: bool },
    TooLow,
    TooHigh,
}

fn value_of(word: u64) -> u32 {
    (word & u64::from(MAX_VALUE)) as u32
}

/// The account for which the word was changed last.
fn last_account(word: u64) -> Option<usize> {
    usize::from((word >> 32) as u16).checked_sub(1)
}

/// A balance and the number of the last operation, or a change and its number.
fn entry(balance: i64, number: u16) -> u64 {
    (balance << 16) as u64 | u64::from(number)
}

fn balance_of(entry: u64) -> i64 {
    entry as i64 >> 16
}

fn number_of(entry: u64) -> u16 {
    entry as u16
}

impl Semaphore {
    /// The one at `place`.
    pub fn at(place: Place, recovers: bool) -> Result<Self> {
        let arena = arena::of(place)?;
        let offset = place.offset();
        Ok(Self {
            arena,
            word: arena.wide_word(offset)?,
            max: arena.word(offset + 8)?,
            credit: arena.wide_word(offset + 16)?,
            offset,
            recovers,
        })
    }

    /// Gives it its first value and its highest.
    pub fn begin(self, value: u32, max: u32) {
        self.max.store(max.min(MAX_VALUE), SeqCst);
        self.word.store(u64::from(value.min(MAX_VALUE)), SeqCst);
    }

    /// Permits that are there for the taking.
    #[must_use]
    pub fn value(self) -> u32 {
        value_of(self.word.load(SeqCst))
    }

    fn accounts(self) -> impl Iterator<Item = (usize, State)> {
        const BOTH: &[Phase] = &[Phase::Account, Phase::Giving];
        self.arena.records().of(self.offset, BOTH)
    }

    fn balance(self, index: usize) -> i64 {
        balance_of(self.arena.records().body(index).ledger.load(SeqCst))
    }

    /// This process's account of a kind.
    fn account(self, kind: Phase) -> Result<usize> {
        let (records, me) = (self.arena.records(), self.arena.me());
        let is_mine = |state: State| state.owner() == me && state.is(kind);
        // Most often it is the one that has changed the value last.
        if let Some(index) = last_account(self.word.load(SeqCst))
            && is_mine(records.state(index))
            && records.is_for(index, self.offset)
        {
            return Ok(index);
        }
        if let Some((index, _)) = self.accounts().find(|&(_, state)| is_mine(state)) {
            return Ok(index);
        }
        let mut record = records.claim(me, self.offset)?;
        if record.index >= usize::from(u16::MAX) {
            records.release(&record);
            return Err(Error::Exhausted("waits in one program"));
        }
        // Numbers of operations go on where the record's last owner stopped: so an old word never fits.
        let ledger = &records.body(record.index).ledger;
        ledger.store(entry(0, number_of(ledger.load(SeqCst))), SeqCst);
        records.become_(&mut record, kind);
        Ok(record.index)
    }

    /// Enters the last change of `word` in its account, should whoever made it not have come to that.
    fn settle(self, word: u64) {
        let Some(index) = last_account(word) else {
            return;
        };
        let number = (word >> 48) as u16;
        let body = self.arena.records().body(index);
        let ledger = body.ledger.load(SeqCst);
        let next = number_of(ledger).wrapping_add(1);
        if next != number {
            return;
        }
        let intent = body.intent.load(SeqCst);
        // The account changes hands only after its last operation was entered.
        if number_of(intent) != next || self.word.load(SeqCst) != word {
            return;
        }
        let balance = balance_of(ledger) - balance_of(intent);
        let _ = body
            .ledger
            .compare_exchange(ledger, entry(balance, next), SeqCst, SeqCst);
    }

    /// Changes the value on behalf of the account at `index`.
    fn change(self, index: usize, by: i32, waits: bool) -> Change {
        let body = self.arena.records().body(index);
        loop {
            let word = self.word.load(SeqCst);
            self.settle(word);
            let value = i64::from(value_of(word)) + i64::from(by);
            if value < 0 {
                return Change::TooLow;
            }
            if by > 0 && value > i64::from(self.max.load(SeqCst)) {
                return Change::TooHigh;
            }
            let number = number_of(body.ledger.load(SeqCst)).wrapping_add(1);
            // Whoever sees the word that is written next sees this, too.
            body.intent.store(entry(i64::from(by), number), Release);
            let mark = match (by < 0, waits) {
                (true, true) => WANTED,
                (true, false) => word & WANTED,
                // Those told set it again if others sleep on.
                (false, _) => 0,
            };
            let next = value as u64 | mark | (index as u64 + 1) << 32 | u64::from(number) << 48;
            if self.word.compare_exchange(word, next, SeqCst, SeqCst).is_ok() {
                self.settle(next);
                // Should the word have changed meanwhile, whoever changed it has entered this.
                return Change::Done {
                    wanted: word & WANTED != 0,
                };
            }
        }
    }

    /// Gives `count` permits back, whoever holds them. False if that were more than there may be.
    pub fn release(self, count: u32) -> Result<bool> {
        let by = i32::try_from(count).map_err(|_| Error::System {
            syscall: "sem_post",
            errno: Errno::EOVERFLOW,
        })?;
        let mut account = self.account(Phase::Account)?;
        self.settle(self.word.load(SeqCst));
        if self.balance(account) < i64::from(by) {
            account = self.account(Phase::Giving)?;
        }
        match self.change(account, by, false) {
            Change::Done { wanted } => {
                if wanted {
                    self.tell(count);
                }
                Ok(true)
            }
            Change::TooLow | Change::TooHigh => Ok(false),
        }
    }

    fn tell(self, count: u32) {
        let records = self.arena.records();
        records.tell(self.offset, Count::Likely(count), Look::Noted);
    }

    /// Permits that processes hold which have ended, less those that others gave back for somebody; and one of those ends.
    fn abandoned(self, look: Look) -> Option<(u32, End)> {
        self.settle(self.word.load(SeqCst));
        let records = self.arena.records();
        let mut count = -(self.credit.load(SeqCst) as i64);
        let mut first = None;
        for (index, state) in self.accounts() {
            // In this order: before its end it may have given something back.
            let life = records.members.life(state.owner(), look);
            self.settle(self.word.load(SeqCst));
            let balance = self.balance(index);
            if balance < 0 {
                count += balance;
            }
            if let Life::Ended(end) = life {
                if balance > 0 {
                    count += balance;
                    first.get_or_insert(end);
                } else if records.bury(index, state) && balance < 0 {
                    self.credit.fetch_add(balance.unsigned_abs(), SeqCst);
                }
            }
        }
        let count = u32::try_from(count).ok().filter(|&count| count > 0)?;
        Some((count, first?))
    }

    /// Takes the permits of the dead back. How many there were.
    pub fn recover(self) -> u32 {
        let mut recovered = 0;
        while let Some((count, _)) = self.abandoned(Look::System) {
            let records = self.arena.records();
            let before = recovered;
            for (index, state) in self.accounts() {
                let left = count - (recovered - before);
                if left == 0 || !records.members.has_ended(state.owner(), Look::Noted) {
                    continue;
                }
                self.settle(self.word.load(SeqCst));
                let balance = self.balance(index);
                if balance <= 0 {
                    continue;
                }
                // From here on they are this process's, should it die before they are free.
                if records.inherit_account(index, state, self.arena.me()) {
                    let part = balance.min(i64::from(left)) as i32;
                    if matches!(self.change(index, part, false), Change::Done { .. }) {
                        recovered += part as u32;
                    }
                }
            }
            if recovered == before {
                break;
            }
        }
        if recovered > 0 {
            self.tell(recovered);
        }
        recovered
    }
}

impl Want for Semaphore {
    fn object(&self) -> (&'static Arena, u64) {
        (self.arena, self.offset)
    }

    fn is_likely(&self) -> bool {
        self.value() > 0
    }

    fn attempt(&self, waits: bool, look: Look) -> Option<Taken> {
        // Without a record for it, nothing can be taken; the wait itself says so.
        let account = self.account(Phase::Account).ok()?;
        let mut dead = None;
        loop {
            if let Change::Done { .. } = self.change(account, -1, waits) {
                return Some(dead.map_or(Taken::Yes, Taken::Recovered));
            }
            if let Some((_, end)) = self.abandoned(look) {
                if !self.recovers {
                    return Some(Taken::Abandoned(end));
                }
                if self.recover() > 0 {
                    dead = Some(end);
                    continue;
                }
            }
            let word = self.word.load(SeqCst);
            if value_of(word) > 0 {
                continue;
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

    fn pass_on(&self) {
        loop {
            let word = self.word.load(SeqCst);
            if value_of(word) > 0 {
                return self.tell(1);
            }
            let marked = word & WANTED != 0;
            if marked
                || self
                    .word
                    .compare_exchange(word, word | WANTED, SeqCst, SeqCst)
                    .is_ok()
            {
                return;
            }
        }
    }
}
