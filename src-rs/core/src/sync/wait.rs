//! Waiting for something in shared memory, asleep or with an event loop: the same for everything that can be waited for.

use std::time::{Duration, Instant};

use super::barrier::Broken;
use super::spin;
use crate::error::Result;
use crate::process::blocking::{self, Interrupts, Outcome, Wake};
use crate::shared::arena::Arena;
use crate::shared::members::{End, Look};
use crate::shared::records::Record;
use crate::sys::clock::Deadline;

/// How often a waiter asks the system whether those it waits for live.
pub const ASK_EVERY: Duration = if cfg!(loom) {
    // Models are to come to an end by what processes tell each other alone.
    Duration::MAX
} else {
    Duration::from_millis(20)
};

/// What a wait came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// What was wanted is this process's now.
    Yes,
    /// It is this process's now, and one who held it has died with it.
    Recovered(End),
    /// One who held it has died with it; it stays as it is until somebody recovers it.
    Abandoned(End),
    /// A barrier has opened, or this is the last one that it needs, who opens it.
    Passed {
        /// Which of the parties this is, from 0.
        index: u32,
        /// The barrier's round.
        round: u32,
    },
    /// A barrier is broken.
    Broken(Broken),
}

/// Something that can be waited for.
pub trait Want: std::fmt::Debug {
    /// The object: its arena, and where it lies in there.
    fn object(&self) -> (&'static Arena, u64);

    /// Whether an attempt is likely to succeed: a look at one word.
    fn is_likely(&self) -> bool;

    /// Takes it if that can be done now. If not, a waiter leaves a mark that has him told.
    fn attempt(&self, waits: bool, look: Look) -> Option<Taken>;

    /// A waiter leaves without having got it: if it is there for the taking, the next one is told; if not, the mark stays.
    fn pass_on(&self);
}

/// What it comes to without sleeping: at once, after a short spin, or never if there is no time for that.
pub fn at_once(want: &impl Want, deadline: Deadline) -> Option<Outcome<Taken>> {
    if let Some(taken) = want.attempt(false, Look::Noted) {
        return Some(Outcome::Done(taken));
    }
    if deadline.passed() {
        let taken = want.attempt(false, Look::System);
        return Some(taken.map_or(Outcome::TimedOut, Outcome::Done));
    }
    let taken = spin::until(|| want.is_likely()).then(|| want.attempt(false, Look::Noted));
    taken.flatten().map(Outcome::Done)
}

/// Waits asleep until it has come to something.
pub fn obtain(want: impl Want, deadline: Deadline, interrupts: Interrupts<'_>) -> Result<Outcome<Taken>> {
    let mut queued = Box::new(Wait::begin(want, false)?);
    let semaphore = &queued.arena().records().body(queued.record.index).semaphore;
    let outcome = blocking::wait(Wake::Posted(semaphore), deadline, interrupts, || {
        Ok(queued.attempt())
    });
    queued.end(false);
    outcome
}

/// A wait under way that others can go on beside.
pub trait Queued: std::fmt::Debug {
    /// The arena in which it waits.
    fn arena(&self) -> &'static Arena;

    /// What it came to; `None` while it goes on.
    fn attempt(&mut self) -> Option<Taken>;

    /// Leaves the queue. Unless it has come to something, a hint that was for it goes to the next one.
    ///
    /// What it came to at this last moment: of a barrier, that cannot be taken back.
    fn end(self: Box<Self>, settled: bool) -> Option<Taken>;
}

/// A wait for something that is to be taken.
#[derive(Debug)]
pub struct Wait<W: Want> {
    want: W,
    record: Record,
    asked: Instant,
    /// The last attempt has got it.
    has_it: bool,
}

impl<W: Want> Wait<W> {
    /// Queues up. `by_doorbell`: this process does not sleep, and has its doorbell rung.
    pub fn begin(want: W, by_doorbell: bool) -> Result<Self> {
        let (arena, offset) = want.object();
        let mut record = arena.records().claim(arena.me(), offset)?;
        arena
            .records()
            .wait(&mut record, arena.next_ticket(), by_doorbell);
        Ok(Self {
            want,
            record,
            asked: Instant::now(),
            has_it: false,
        })
    }
}

impl<W: Want> Queued for Wait<W> {
    fn arena(&self) -> &'static Arena {
        self.want.object().0
    }

    fn attempt(&mut self) -> Option<Taken> {
        let records = self.arena().records();
        if records.is_told(&self.record) {
            records.wait_again(&self.record);
        }
        let look = if self.asked.elapsed() >= ASK_EVERY {
            self.asked = Instant::now();
            Look::System
        } else {
            Look::Noted
        };
        let taken = self.want.attempt(true, look);
        self.has_it = matches!(taken, Some(Taken::Yes | Taken::Recovered(_)));
        taken
    }

    fn end(self: Box<Self>, _: bool) -> Option<Taken> {
        self.arena().records().release(&self.record);
        // An abandoned lock is for the next one to hear of, too.
        if !self.has_it {
            self.want.pass_on();
        }
        None
    }
}
