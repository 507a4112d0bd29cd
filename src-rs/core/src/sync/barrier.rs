//! A barrier: a word with the round, how many have arrived, whether it is broken and why, and how the last rounds ended.

use crate::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::Instant;

use super::wait::{ASK_EVERY, Queued, Taken};
use crate::error::Result;
use crate::process::blocking::{self, Interrupts, Outcome, Wake};
use crate::shared::arena::{self, Arena, Place};
use crate::shared::members::{Life, Look, MemberId};
use crate::shared::records::{Count, Phase, Record};
use crate::sys::clock::Deadline;

/// Bytes that a barrier takes.
pub const SIZE: u64 = 16;

/// Most parties of a barrier.
pub const MAX_PARTIES: u32 = 0xffff;

/// Why a barrier is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Broken {
    /// Somebody called `abort`.
    Aborted = 0,
    /// Somebody waited for too long, or stopped waiting.
    GaveUp = 1,
    /// A process that takes part has died.
    PartyDied = 2,
    /// Somebody called `reset` while others waited.
    Reset = 3,
}

const BROKEN: u64 = 1;
/// All have arrived, and the last one has still to let them go.
const COMPLETE: u64 = 2;
const REASON_SHIFT: u32 = 2;
const COUNT_SHIFT: u32 = 8;
const HISTORY_SHIFT: u32 = 24;
const ROUND_SHIFT: u32 = 40;
/// Rounds whose end is remembered.
const HISTORY: u32 = 16;
const ROUNDS: u32 = 1 << 24;

#[derive(Debug, Clone, Copy)]
struct Word(u64);

impl Word {
    fn count(self) -> u32 {
        (self.0 >> COUNT_SHIFT & 0xffff) as u32
    }

    fn round(self) -> u32 {
        (self.0 >> ROUND_SHIFT) as u32
    }

    fn is_complete(self) -> bool {
        self.0 & COMPLETE != 0
    }

    fn broken(self) -> Option<Broken> {
        (self.0 & BROKEN != 0).then_some(match self.0 >> REASON_SHIFT & 3 {
            0 => Broken::Aborted,
            1 => Broken::GaveUp,
            2 => Broken::PartyDied,
            _ => Broken::Reset,
        })
    }

    fn break_for(self, reason: Broken) -> Self {
        Self(self.0 & !(3 << REASON_SHIFT) | BROKEN | (reason as u64) << REASON_SHIFT)
    }

    fn arrive(self, parties: u32) -> Self {
        let last = self.count() + 1 == parties;
        Self((self.0 + (1 << COUNT_SHIFT)) | if last { COMPLETE } else { 0 })
    }

    fn next_round(self, reset: bool) -> Self {
        let history = self.0 >> HISTORY_SHIFT << 1 & 0xffff | u64::from(reset);
        let round = u64::from((self.round() + 1) % ROUNDS);
        Self(round << ROUND_SHIFT | history << HISTORY_SHIFT)
    }

    /// Whether `round`, which is over, was ended by a reset.
    fn was_reset(self, round: u32) -> bool {
        let ago = (self.round() + ROUNDS - round) % ROUNDS;
        (1..=HISTORY).contains(&ago) && self.0 >> (HISTORY_SHIFT + ago - 1) & 1 != 0
    }
}

/// A barrier in shared memory.
#[derive(Debug, Clone, Copy)]
pub struct Barrier {
    arena: &'static Arena,
    word: &'static AtomicU64,
    parties: &'static AtomicU32,
    offset: u64,
}

impl Barrier {
    /// The one at `place`.
    pub fn at(place: Place) -> Result<Self> {
        let arena = arena::of(place)?;
        let offset = place.offset();
        Ok(Self {
            arena,
            word: arena.wide_word(offset)?,
            parties: arena.word(offset + 8)?,
            offset,
        })
    }

    /// Gives a new one its number of parties.
    pub fn begin(self, parties: u32) {
        self.parties.store(parties.clamp(1, MAX_PARTIES), SeqCst);
    }

    fn load(self) -> Word {
        Word(self.word.load(SeqCst))
    }

    fn swap(self, from: Word, to: Word) -> bool {
        self.word.compare_exchange(from.0, to.0, SeqCst, SeqCst).is_ok()
    }

    fn tell_all(self) {
        self.arena.records().tell(self.offset, Count::All, Look::Noted);
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(self) -> u32 {
        let word = self.load();
        if word.is_complete() || word.broken().is_some() {
            0
        } else {
            word.count()
        }
    }

    /// Whether it is broken.
    #[must_use]
    pub fn is_broken(self) -> bool {
        self.load().broken().is_some()
    }

    /// Breaks it; `round`: only if that is still under way.
    pub fn break_for(self, reason: Broken, round: Option<u32>) {
        loop {
            let word = self.load();
            if word.broken().is_some() || round.is_some_and(|round| round != word.round()) {
                return;
            }
            if self.swap(word, word.break_for(reason)) {
                return self.tell_all();
            }
        }
    }

    /// Makes it as new. Whoever waits is told that it was broken.
    pub fn reset(self) {
        // Whoever has ended by now is not missed any more.
        self.misses_somebody();
        loop {
            let word = self.load();
            if word.broken().is_none() && word.count() == 0 {
                return;
            }
            if self.swap(word, word.next_round(true)) {
                return self.tell_all();
            }
        }
    }

    /// The last one to arrive in `round` lets all go. False if it was broken or reset meanwhile.
    pub fn complete(self, round: u32) -> bool {
        loop {
            let word = self.load();
            if word.round() != round || word.broken().is_some() || !word.is_complete() {
                return false;
            }
            if self.swap(word, word.next_round(false)) {
                self.tell_all();
                return true;
            }
        }
    }

    /// A process takes part: if it dies, the others are not to wait for it.
    fn join_in(self, who: MemberId) -> Result<()> {
        let records = self.arena.records();
        let mut parties = records.of(self.offset, &[Phase::Party]);
        if !parties.any(|(_, state)| state.owner() == who) {
            let mut record = records.claim(who, self.offset)?;
            records.become_(&mut record, Phase::Party);
        }
        Ok(())
    }

    /// Child `pid` of this process is going to take part.
    pub fn expect(self, pid: i32) -> Result<()> {
        self.arena
            .seat_of_child(pid)
            .map_or(Ok(()), |who| self.join_in(who))
    }

    /// Whether somebody died while he waited, or has taken part before and did not end well since. That is said once.
    fn misses_somebody(self) -> bool {
        let records = self.arena.records();
        let mut misses = false;
        for (index, state) in records.of(self.offset, &[Phase::Waiting, Phase::Party]) {
            if let Life::Ended(end) = records.members.life(state.owner(), Look::System)
                && records.bury(index, state)
            {
                misses |= state.is(Phase::Waiting) || end.status != Some(0);
            }
        }
        misses
    }
}

/// Somebody at a barrier.
#[derive(Debug)]
pub struct Party {
    barrier: Barrier,
    record: Record,
    /// Index and round, once it was let in.
    arrived: Option<(u32, u32)>,
    asked: Instant,
    settled: bool,
}

impl Party {
    /// Comes to the barrier. `by_doorbell`: this process does not sleep, and has its doorbell rung.
    pub fn begin(barrier: Barrier, by_doorbell: bool) -> Result<Self> {
        barrier.join_in(barrier.arena.me())?;
        let records = barrier.arena.records();
        let mut record = records.claim(barrier.arena.me(), barrier.offset)?;
        records.wait(&mut record, barrier.arena.next_ticket(), by_doorbell);
        Ok(Self {
            barrier,
            record,
            arrived: None,
            asked: Instant::now(),
            settled: false,
        })
    }

    /// Waits asleep until the barrier opens or breaks.
    pub fn wait(mut self, deadline: Deadline, interrupts: Interrupts<'_>) -> Result<Outcome<Taken>> {
        let semaphore = &self.barrier.arena.records().body(self.record.index).semaphore;
        let outcome = blocking::wait(Wake::Posted(semaphore), deadline, interrupts, || {
            Ok(self.attempt())
        });
        let outcome = match outcome {
            Ok(Outcome::TimedOut) => Ok(Outcome::Done(self.give_up())),
            other => other,
        };
        Box::new(self).end(matches!(outcome, Ok(Outcome::Done(_))));
        outcome
    }

    /// Stops waiting, which breaks the barrier, unless it has opened at the last moment.
    fn give_up(&mut self) -> Taken {
        let round = self.arrived.map(|(_, round)| round);
        self.barrier.break_for(Broken::GaveUp, round);
        self.settle().unwrap_or(Taken::Broken(Broken::GaveUp))
    }

    fn settle(&mut self) -> Option<Taken> {
        let barrier = self.barrier;
        loop {
            let word = barrier.load();
            let Some((index, round)) = self.arrived else {
                if let Some(reason) = word.broken() {
                    return Some(Taken::Broken(reason));
                }
                if word.is_complete() {
                    return None;
                }
                let next = word.arrive(barrier.parties.load(SeqCst));
                if barrier.swap(word, next) {
                    self.arrived = Some((word.count(), word.round()));
                    if next.is_complete() {
                        let (index, round) = (word.count(), word.round());
                        return Some(Taken::Passed { index, round });
                    }
                }
                continue;
            };
            if word.round() == round {
                return word.broken().map(Taken::Broken);
            }
            return Some(if word.was_reset(round) {
                Taken::Broken(Broken::Reset)
            } else {
                Taken::Passed { index, round }
            });
        }
    }
}

impl Queued for Party {
    fn arena(&self) -> &'static Arena {
        self.barrier.arena
    }

    fn attempt(&mut self) -> Option<Taken> {
        let records = self.barrier.arena.records();
        if records.is_told(&self.record) {
            records.wait_again(&self.record);
        }
        let mut taken = self.settle();
        if taken.is_none() && self.asked.elapsed() >= ASK_EVERY {
            self.asked = Instant::now();
            let round = self.barrier.load().round();
            if self.barrier.misses_somebody() {
                self.barrier.break_for(Broken::PartyDied, Some(round));
                taken = self.settle();
            }
        }
        self.settled |= taken.is_some();
        taken
    }

    fn end(mut self: Box<Self>, settled: bool) -> Option<Taken> {
        let taken = (!settled && !self.settled).then(|| self.give_up());
        self.barrier.arena.records().release(&self.record);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_remembers_how_rounds_ended() {
        let mut word = Word(0);
        for round in 0..40 {
            assert_eq!(word.round(), round);
            word = word.arrive(2);
            assert_eq!((word.count(), word.is_complete()), (1, false));
            word = word.arrive(2);
            assert_eq!((word.count(), word.is_complete()), (2, true));
            word = word.next_round(round % 3 == 0);
            for ago in 0..HISTORY.min(round + 1) {
                assert_eq!(
                    word.was_reset(round - ago),
                    (round - ago) % 3 == 0,
                    "{round} {ago}"
                );
            }
        }
        let broken = word.break_for(Broken::PartyDied);
        assert_eq!(broken.broken(), Some(Broken::PartyDied));
        assert_eq!(
            Word(u64::from(ROUNDS - 1) << ROUND_SHIFT)
                .next_round(true)
                .round(),
            0
        );
    }
}
