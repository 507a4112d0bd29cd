//! Processes take turns at a ring, and wait for messages and for room.

use crate::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};

use super::ring::{self, ReaderSide, Ring, WriterSide};
use crate::error::Result;
use crate::process::blocking::{Interrupts, Outcome};
use crate::shared::arena::{self, Arena, Place};
use crate::shared::members::Look;
use crate::shared::records::Count;
use crate::sync::lock::Lock;
use crate::sync::spin;
use crate::sync::wait::{self, Taken, Want};
use crate::sys::clock::{self, Deadline};
use crate::sys::sparse::Sparse;

/// Where things lie in a queue's block of shared memory.
mod at {
    pub const WRITERS: u64 = 0;
    pub const MAX: u64 = 4;
    pub const ROOM_WANTED: u64 = 8;
    pub const IS_SHUT_DOWN: u64 = 12;
    pub const DONE: u64 = 16;
    pub const END_WANTED: u64 = 20;
    pub const READERS: u64 = 64;
    pub const ITEMS_WANTED: u64 = 68;
    pub const WRITER_SIDE: u64 = 128;
    pub const READER_SIDE: u64 = 192;
    pub const SIZE: u64 = 256;
}

/// Bytes before each of several messages that are handed over together: its length.
pub const FRAME: usize = 4;

/// How long a call that does not wait lets another process finish what it is at, in milliseconds. It takes some
/// microseconds; one that is stopped meanwhile takes for ever.
const PATIENCE_MS: f64 = 100.0;

/// Where a reader says what it takes, in its turn and before it is gone from the queue: so whoever is killed at any moment has
/// left word of the message that it may have taken.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    /// The number of the message, shifted by [`Claim::SHIFT`], and below it [`Claim::FRESH`], which the reader changes later.
    word: &'static AtomicU32,
    /// When, as the bits of a number of milliseconds of the monotonic clock.
    since: &'static AtomicU64,
}

impl Claim {
    /// Bits below the number of the message.
    pub const SHIFT: u32 = 2;
    /// What they are at first.
    pub const FRESH: u32 = 1;
    const SINCE_AT: u64 = 8;

    /// That at `place`.
    pub fn at(place: Place) -> Result<Self> {
        let arena = arena::of(place)?;
        Ok(Self {
            word: arena.word(place.offset())?,
            since: arena.wide_word(place.offset() + Self::SINCE_AT)?,
        })
    }

    fn make(self, number: u32) {
        let now_ms = clock::monotonic_ns() as f64 / 1e6;
        self.since.store(now_ms.to_bits(), SeqCst);
        self.word.store(number << Self::SHIFT | Self::FRESH, SeqCst);
    }
}

/// What a call came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came<T> {
    /// To this.
    Done(T),
    /// The oldest message has so many bytes, more than there is room for.
    TooLong(u64),
    /// No message, or no room, in time.
    TimedOut,
    /// The queue was shut down.
    ShutDown,
    /// A signal has come that the program listens for.
    Interrupted(i32),
}

/// What can be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A message.
    Items,
    /// Room for one.
    Room,
    /// That all messages are done with.
    End,
}

/// The part of a queue that lies in the arena.
#[derive(Debug, Clone, Copy)]
struct Block {
    arena: &'static Arena,
    offset: u64,
    writer: &'static WriterSide,
    reader: &'static ReaderSide,
    max: &'static AtomicU32,
    is_shut_down: &'static AtomicU32,
    done: &'static AtomicU32,
}

impl Block {
    fn at(place: Place) -> Result<Self> {
        let (arena, offset) = (arena::of(place)?, place.offset());
        Ok(Self {
            arena,
            offset,
            writer: arena.atomic(offset + at::WRITER_SIDE)?,
            reader: arena.atomic(offset + at::READER_SIDE)?,
            max: arena.word(offset + at::MAX)?,
            is_shut_down: arena.word(offset + at::IS_SHUT_DOWN)?,
            done: arena.word(offset + at::DONE)?,
        })
    }

    fn is_shut_down(self) -> bool {
        self.is_shut_down.load(SeqCst) != 0
    }

    fn has_room(self) -> bool {
        let max = self.max.load(SeqCst);
        max == 0 || ring::length(self.writer, self.reader) < max
    }

    fn unfinished(self) -> u32 {
        let done = self.done.load(SeqCst);
        self.writer.written().wrapping_sub(done)
    }
}

/// Something about a queue that a process waits for.
#[derive(Debug, Clone, Copy)]
pub struct Until {
    block: Block,
    what: What,
    /// Somebody sleeps for it. Its place is what such a wait is filed under.
    wanted: &'static AtomicU32,
    key: u64,
}

impl Until {
    fn new(block: Block, what: What) -> Result<Self> {
        let key = block.offset
            + match what {
                What::Items => at::ITEMS_WANTED,
                What::Room => at::ROOM_WANTED,
                What::End => at::END_WANTED,
            };
        Ok(Self {
            block,
            what,
            wanted: block.arena.word(key)?,
            key,
        })
    }

    /// Whether it is so now.
    #[must_use]
    pub fn holds(&self) -> bool {
        let block = self.block;
        match self.what {
            What::Items => ring::length(block.writer, block.reader) != 0 || block.is_shut_down(),
            What::Room => block.has_room() || block.is_shut_down(),
            What::End => block.unfinished() == 0,
        }
    }

    /// Tells those that sleep for it. Whoever of them has got something and leaves more does the same.
    fn tell(&self, count: Count) {
        if self.wanted.load(SeqCst) != 0 && self.wanted.swap(0, SeqCst) != 0 {
            self.block.arena.records().tell(self.key, count, Look::Noted);
        }
    }
}

impl Want for Until {
    fn object(&self) -> (&'static Arena, u64) {
        (self.block.arena, self.key)
    }

    fn is_likely(&self) -> bool {
        self.holds()
    }

    fn attempt(&self, waits: bool, _: Look) -> Option<Taken> {
        if waits {
            // Before the look: whoever changes it afterwards sees this.
            self.wanted.store(1, SeqCst);
        }
        self.holds().then_some(Taken::Yes)
    }

    fn pass_on(&self) {
        if self.holds() {
            self.tell(Count::Likely(1));
        }
    }
}

/// A queue.
#[derive(Debug)]
pub struct Queue {
    place: Place,
    block: Block,
    memory: Sparse,
    writers: Lock,
    readers: Lock,
    items: Until,
    room: Until,
    end: Until,
}

impl Queue {
    /// An empty one, for at most `max` messages; 0 for any number.
    pub fn create(max: u32) -> Result<Self> {
        let memory = Sparse::create()?;
        let (place, _) = arena::allocate(at::SIZE, 64)?;
        Block::at(place)?.max.store(max, SeqCst);
        Self::at(place, memory)
    }

    /// That of another process, of which this one has the arena and was passed the memory.
    pub fn at(place: Place, memory: Sparse) -> Result<Self> {
        let block = Block::at(place)?;
        Ok(Self {
            place,
            block,
            memory,
            writers: Lock::at(place.plus(at::WRITERS), true)?,
            readers: Lock::at(place.plus(at::READERS), true)?,
            items: Until::new(block, What::Items)?,
            room: Until::new(block, What::Room)?,
            end: Until::new(block, What::End)?,
        })
    }

    /// Where it is, for another process.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }

    /// Its memory, for another process.
    #[must_use]
    pub fn memory(&self) -> &Sparse {
        &self.memory
    }

    fn ring(&self) -> Ring<'_> {
        Ring {
            memory: &self.memory,
            writer: self.block.writer,
            reader: self.block.reader,
        }
    }

    /// How many messages there are.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.ring().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is no room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        !self.block.has_room()
    }

    /// How many messages were ever taken; wraps. The number of the oldest one that is there.
    #[must_use]
    pub fn taken(&self) -> u32 {
        self.ring().taken()
    }

    /// What to wait for.
    #[must_use]
    pub fn until(&self, what: What) -> Until {
        match what {
            What::Items => self.items,
            What::Room => self.room,
            What::End => self.end,
        }
    }

    /// Does `action` in turn, unless that takes waiting for a message or for room; `None` then.
    fn turn<T>(
        &self,
        lock: Lock,
        action: &mut impl FnMut(Ring<'_>) -> Result<Option<Came<T>>>,
    ) -> Result<Option<Came<T>>> {
        let outcome = action(self.ring());
        lock.release();
        outcome
    }

    /// Does `action` in turn at once, or after a short spin; `None` if that takes more.
    fn at_once<T>(
        &self,
        lock: Lock,
        until: &Until,
        spins: bool,
        action: &mut impl FnMut(Ring<'_>) -> Result<Option<Came<T>>>,
    ) -> Result<Option<Came<T>>> {
        for may_spin in [spins, false] {
            let is_ours = lock.attempt(false, Look::Noted).is_some()
                || spin::until(|| lock.is_likely()) && lock.attempt(false, Look::Noted).is_some();
            if !is_ours {
                return Ok(None);
            }
            if let Some(came) = self.turn(lock, action)? {
                return Ok(Some(came));
            }
            if !may_spin || !spin::until(|| until.is_likely()) {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// Does `action` in turn, waiting for what it takes.
    fn in_time<T>(
        &self,
        lock: Lock,
        until: &Until,
        deadline: Deadline,
        interrupts: Interrupts<'_>,
        action: &mut impl FnMut(Ring<'_>) -> Result<Option<Came<T>>>,
    ) -> Result<Came<T>> {
        loop {
            if lock.attempt(false, Look::Noted).is_none() {
                match wait::obtain(lock, deadline.at_least_ms(PATIENCE_MS), interrupts)? {
                    Outcome::Done(_) => {}
                    Outcome::TimedOut => return Ok(Came::TimedOut),
                    Outcome::Interrupted(signal) => return Ok(Came::Interrupted(signal)),
                }
            }
            if let Some(came) = self.turn(lock, action)? {
                return Ok(came);
            }
            if deadline.passed() {
                return Ok(Came::TimedOut);
            }
            match wait::obtain(*until, deadline, interrupts)? {
                Outcome::Done(_) => {}
                Outcome::TimedOut => return Ok(Came::TimedOut),
                Outcome::Interrupted(signal) => return Ok(Came::Interrupted(signal)),
            }
        }
    }

    fn writing<'a>(
        &'a self,
        parts: &'a [&'a [u8]],
    ) -> impl FnMut(Ring<'_>) -> Result<Option<Came<u64>>> + 'a {
        move |ring| {
            if self.block.is_shut_down() {
                return Ok(Some(Came::ShutDown));
            }
            if !self.block.has_room() {
                return Ok(None);
            }
            ring.write(parts)?;
            Ok(Some(Came::Done(1)))
        }
    }

    /// Writes frames, the last ones of which there may be no room for: how many bytes of them it has written.
    fn writing_many<'a>(
        &'a self,
        frames: &'a [u8],
    ) -> impl FnMut(Ring<'_>) -> Result<Option<Came<u64>>> + 'a {
        move |ring| {
            if self.block.is_shut_down() {
                return Ok(Some(Came::ShutDown));
            }
            let mut at = 0;
            while let Some((message, next)) = frame(frames, at) {
                if !self.block.has_room() {
                    break;
                }
                match ring.write(&[message]) {
                    Ok(()) => at = next,
                    Err(_) if at > 0 => break,
                    Err(error) => return Err(error),
                }
            }
            Ok((at > 0).then_some(Came::Done(at as u64)))
        }
    }

    fn reading<'a>(
        &'a self,
        into: &'a mut [u8],
        claim: Option<Claim>,
    ) -> impl FnMut(Ring<'_>) -> Result<Option<Came<u64>>> + 'a {
        move |ring| {
            // Asked first: what was written before the queue was shut down is there to be read then.
            let is_over = self.block.is_shut_down();
            if let Some(claim) = claim {
                // What a writer adds after this look is not taken: there would be no word of it.
                if ring.is_empty() {
                    return Ok(is_over.then_some(Came::ShutDown));
                }
                claim.make(ring.taken());
            }
            Ok(match ring.read(into)? {
                Some(length) if length > into.len() as u64 => Some(Came::TooLong(length)),
                Some(length) => Some(Came::Done(length)),
                None => is_over.then_some(Came::ShutDown),
            })
        }
    }

    /// Reads up to `max` messages as frames, as many as fit: how many.
    fn reading_many<'a>(
        &'a self,
        into: &'a mut [u8],
        max: u32,
    ) -> impl FnMut(Ring<'_>) -> Result<Option<Came<u64>>> + 'a {
        move |ring| {
            let is_over = self.block.is_shut_down();
            let (mut at, mut count) = (0, 0);
            while count < max && into.len() - at > FRAME {
                let (head, rest) = into[at..].split_at_mut(FRAME);
                match ring.read(rest)? {
                    Some(length) if length > rest.len() as u64 => {
                        if count == 0 {
                            return Ok(Some(Came::TooLong(length)));
                        }
                        break;
                    }
                    Some(length) => {
                        head.copy_from_slice(&(length as u32).to_le_bytes());
                        at += FRAME + length as usize;
                        count += 1;
                    }
                    None => break,
                }
            }
            if count > 0 {
                return Ok(Some(Came::Done(u64::from(count))));
            }
            Ok(is_over.then_some(Came::ShutDown))
        }
    }

    fn after_writing(&self, count: u32) {
        self.items.tell(Count::Likely(count));
        if self.room.holds() {
            self.room.tell(Count::Likely(1));
        }
    }

    fn after_reading(&self, count: u32) {
        self.room.tell(Count::Likely(count));
        if self.items.holds() {
            self.items.tell(Count::Likely(1));
        }
        if self.ring().is_bloated() {
            self.shrink();
        }
    }

    /// Gives memory back, if nobody is at work on the queue.
    fn shrink(&self) {
        if self.writers.attempt(false, Look::Noted).is_none() {
            return;
        }
        if self.readers.attempt(false, Look::Noted).is_some() {
            self.ring().shrink();
            self.readers.release();
        }
        self.writers.release();
    }

    /// Appends a message. `None`: it has to be waited for.
    pub fn put_at_once(&self, parts: &[&[u8]], spins: bool) -> Result<Option<Came<u64>>> {
        let came = self.at_once(self.writers, &self.room, spins, &mut self.writing(parts))?;
        if let Some(Came::Done(_)) = came {
            self.after_writing(1);
        }
        Ok(came)
    }

    /// Appends a message, waiting for room.
    pub fn put(&self, parts: &[&[u8]], deadline: Deadline, interrupts: Interrupts<'_>) -> Result<Came<u64>> {
        let came = self.in_time(
            self.writers,
            &self.room,
            deadline,
            interrupts,
            &mut self.writing(parts),
        )?;
        if let Came::Done(_) = came {
            self.after_writing(1);
        }
        Ok(came)
    }

    /// Appends the messages in `frames`, or the first ones, waiting for room for one. How many bytes of them.
    pub fn put_many(
        &self,
        frames: &[u8],
        deadline: Deadline,
        interrupts: Interrupts<'_>,
    ) -> Result<Came<u64>> {
        let mut action = self.writing_many(frames);
        let came = match self.at_once(self.writers, &self.room, true, &mut action)? {
            Some(came) => came,
            None => self.in_time(self.writers, &self.room, deadline, interrupts, &mut action)?,
        };
        if let Came::Done(_) = came {
            self.after_writing(u32::MAX);
        }
        Ok(came)
    }

    /// Takes the oldest message into `into`: its length. `None`: it has to be waited for.
    pub fn get_at_once(
        &self,
        into: &mut [u8],
        claim: Option<Claim>,
        spins: bool,
    ) -> Result<Option<Came<u64>>> {
        let came = self.at_once(self.readers, &self.items, spins, &mut self.reading(into, claim))?;
        if let Some(Came::Done(_)) = came {
            self.after_reading(1);
        }
        Ok(came)
    }

    /// Takes the oldest message into `into`, waiting for it: its length.
    pub fn get(
        &self,
        into: &mut [u8],
        claim: Option<Claim>,
        deadline: Deadline,
        interrupts: Interrupts<'_>,
    ) -> Result<Came<u64>> {
        let came = self.in_time(
            self.readers,
            &self.items,
            deadline,
            interrupts,
            &mut self.reading(into, claim),
        )?;
        if let Came::Done(_) = came {
            self.after_reading(1);
        }
        Ok(came)
    }

    /// Takes up to `max` messages that are there, waiting for the first. How many.
    pub fn get_many(
        &self,
        into: &mut [u8],
        max: u32,
        deadline: Deadline,
        interrupts: Interrupts<'_>,
    ) -> Result<Came<u64>> {
        let mut action = self.reading_many(into, max);
        let came = match self.at_once(self.readers, &self.items, true, &mut action)? {
            Some(came) => came,
            None => self.in_time(self.readers, &self.items, deadline, interrupts, &mut action)?,
        };
        if let Came::Done(count) = came {
            self.after_reading(count as u32);
        }
        Ok(came)
    }

    /// One message more is done with. False if all were.
    pub fn task_done(&self) -> bool {
        loop {
            let done = self.block.done.load(SeqCst);
            if self.block.writer.written() == done {
                return false;
            }
            let next = done.wrapping_add(1);
            if self
                .block
                .done
                .compare_exchange(done, next, SeqCst, SeqCst)
                .is_ok()
            {
                if self.end.holds() {
                    self.end.tell(Count::All);
                }
                return true;
            }
        }
    }

    /// Messages that are not done with.
    #[must_use]
    pub fn unfinished(&self) -> u32 {
        self.block.unfinished()
    }

    /// No message may come any more; `at_once`: nor go, and those that are there are done with. Whoever waits is told.
    pub fn shut_down(&self, at_once: bool, interrupts: Interrupts<'_>) -> Result<()> {
        self.block.is_shut_down.store(1, SeqCst);
        if at_once {
            let mut drain = |ring: Ring<'_>| {
                while ring.discard()? {
                    self.task_done();
                }
                Ok(Some(Came::Done(())))
            };
            self.in_time(
                self.readers,
                &self.items,
                Deadline::after_ms(PATIENCE_MS),
                interrupts,
                &mut drain,
            )?;
        }
        for until in [self.items, self.room, self.end] {
            until.tell(Count::All);
        }
        Ok(())
    }
}

/// The frame at `at`: its message, and where the next one begins.
fn frame(frames: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let (head, rest) = frames.get(at..)?.split_first_chunk::<FRAME>()?;
    let message = rest.get(..u32::from_le_bytes(*head) as usize)?;
    Some((message, at + FRAME + message.len()))
}

impl Drop for Queue {
    fn drop(&mut self) {
        arena::free(self.place);
    }
}
