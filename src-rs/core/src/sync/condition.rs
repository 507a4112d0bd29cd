//! A condition variable: a place at which processes sleep until another one tells some of them.
//!
//! Each sleeper has a record and is told by it, so that exactly as many wake as are told, and the dead are passed over. There
//! is no other state.

use std::time::Instant;

use super::wait::{ASK_EVERY, Queued, Taken};
use crate::error::Result;
use crate::process::blocking::{self, Interrupts, Outcome, Wake};
use crate::shared::arena::{self, Arena, Place};
use crate::shared::members::Look;
use crate::shared::records::{Count, Phase, Record};
use crate::sys::clock::Deadline;

/// Tells up to `count` of those that sleep at `place`, the longest-sleeping first. How many that were.
pub fn notify(place: Place, count: Count) -> Result<u32> {
    let records = arena::of(place)?.records();
    Ok(records.tell(place.offset(), count, Look::System))
}

/// A sleeper.
#[derive(Debug)]
pub struct Sleeper {
    arena: &'static Arena,
    offset: u64,
    record: Record,
    asked: Instant,
}

impl Sleeper {
    /// From now on this process can be told. `by_doorbell`: it does not sleep, and has its doorbell rung.
    pub fn begin(place: Place, by_doorbell: bool) -> Result<Self> {
        let arena = arena::of(place)?;
        let offset = place.offset();
        // That it is a place in the heap.
        arena.word(offset)?;
        let records = arena.records();
        let mut record = records.claim(arena.me(), offset)?;
        records.wait(&mut record, arena.next_ticket(), by_doorbell);
        Ok(Self {
            arena,
            offset,
            record,
            asked: Instant::now(),
        })
    }

    /// Sleeps until it is told.
    pub fn sleep(mut self, deadline: Deadline, interrupts: Interrupts<'_>) -> Result<Outcome<Taken>> {
        let semaphore = &self.arena.records().body(self.record.index).semaphore;
        let outcome = blocking::wait(Wake::Posted(semaphore), deadline, interrupts, || {
            Ok(self.attempt())
        });
        // It may have been told at the last moment.
        let told = self.arena.records().release(&self.record);
        if told {
            Ok(Outcome::Done(Taken::Yes))
        } else {
            outcome
        }
    }

    /// Takes the place of one who was told and has died before it went on.
    fn inherit(&self) -> bool {
        let records = self.arena.records();
        let mut told = records.of(self.offset, &[Phase::Told]);
        told.any(|(index, state)| {
            records.members.has_ended(state.owner(), Look::System) && records.bury(index, state)
        })
    }
}

impl Queued for Sleeper {
    fn arena(&self) -> &'static Arena {
        self.arena
    }

    fn attempt(&mut self) -> Option<Taken> {
        if self.arena.records().is_told(&self.record) {
            return Some(Taken::Yes);
        }
        if self.asked.elapsed() < ASK_EVERY {
            return None;
        }
        self.asked = Instant::now();
        self.inherit().then_some(Taken::Yes)
    }

    fn end(self: Box<Self>, settled: bool) -> Option<Taken> {
        let records = self.arena.records();
        if records.release(&self.record) && !settled {
            // It gives up, and what it was told is for the next one.
            records.tell(self.offset, Count::AtMost(1), Look::System);
        }
        None
    }
}
