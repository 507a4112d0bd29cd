//! Where messages lie, and in which order.
//!
//! Each message is a length and its bytes, at a multiple of 16 in a large sparse memory, one behind the other. Where a run of
//! messages ends, a jump says where the next one begins. Two words say all that counts: the tail, where the next message goes
//! and how many there have ever been, and the head, where the oldest one lies and how many were ever taken. A message is there
//! as soon as the tail says so, and gone as soon as the head does: one store each, after everything else is done. So whoever is
//! killed before has done nothing, and what he has left beyond the tail is overwritten.
//!
//! Writers take turns, and so do readers; see [`super::queue`]. A writer and a reader can be at work at the same time.
//!
//! Memory that was used lately is used again: a run ends after [`SOFT`] bytes, or [`FEW`] messages, if there is room before the
//! oldest one. While messages pile up, runs go on at the end, after a short wait for a reader that is at work. What a writer needs to know of runs is in two records, of which that one
//! holds whose first message is in the queue.

use crate::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Acquire, Relaxed, SeqCst},
};

use nix::errno::Errno;

use crate::error::{Error, Result};
use crate::sync::spin::Spin;
use crate::sys::sparse::Sparse;

/// Messages begin at multiples of this.
const UNIT: u64 = 16;
/// Bytes before a message or of a jump.
const HEADER: u64 = 16;
/// A length that is none: a jump.
const JUMP: u64 = u64::MAX;
/// A run does not grow beyond this if it can begin anew.
const SOFT: u64 = if cfg!(loom) { 128 } else { 1 << 20 };
/// Pages are asked for by so many bytes.
const STEP: u64 = if cfg!(loom) { 64 } else { 1 << 18 };
/// More than this is given back when the queue is empty.
const KEEP: u64 = if cfg!(loom) { 256 } else { 16 << 20 };
/// A run has room for so many messages, if those fit into [`KEEP`].
const FEW: u64 = if cfg!(loom) { 2 } else { 4 };

/// How a writer waits for a reader to be done with memory that is warm, instead of having the system find more.
static FOR_READER: Spin = Spin::new(8, 1 << 17);
/// How many bytes of new pages take as long as one round of that wait.
const BYTES_PER_ROUND: u64 = 128;
/// Rounds without a look, which would hold up the reader, for each with one.
const PAUSES: u32 = 4;

/// A place and a number of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark(u64);

impl Mark {
    fn new(offset: u64, count: u32) -> Self {
        Self((offset / UNIT) << 32 | u64::from(count))
    }

    fn offset(self) -> u64 {
        (self.0 >> 32) * UNIT
    }

    fn count(self) -> u32 {
        self.0 as u32
    }
}

/// What a writer needs to know of a run of messages.
#[derive(Debug)]
#[cfg_attr(any(test, loom), derive(Default))]
#[repr(C)]
struct Run {
    /// The number of its first message; the record holds once that is in the queue.
    first: AtomicU32,
    /// 1 if it lies before the run before it.
    is_low: AtomicU32,
    /// Where all runs before it end, their jumps included.
    high: AtomicU64,
}

/// The part of a queue in shared memory that a writer changes.
#[derive(Debug)]
#[cfg_attr(any(test, loom), derive(Default))]
#[repr(C, align(64))]
pub struct WriterSide {
    tail: AtomicU64,
    /// There are pages up to here.
    populated: AtomicU64,
    runs: [Run; 2],
}

/// The part that a reader changes.
#[derive(Debug)]
#[cfg_attr(any(test, loom), derive(Default))]
#[repr(C, align(64))]
pub struct ReaderSide {
    head: AtomicU64,
}

/// How many messages there are.
#[must_use]
pub fn length(writer: &WriterSide, reader: &ReaderSide) -> u32 {
    // The head first: it never overtakes a tail that is read later.
    let head = Mark(reader.head.load(SeqCst));
    writer.written().wrapping_sub(head.count())
}

impl WriterSide {
    /// How many messages were ever written; wraps.
    #[must_use]
    pub fn written(&self) -> u32 {
        Mark(self.tail.load(SeqCst)).count()
    }
}

/// Messages in shared memory.
#[derive(Debug, Clone, Copy)]
pub struct Ring<'a> {
    /// Where they lie.
    pub memory: &'a Sparse,
    /// What writers change.
    pub writer: &'a WriterSide,
    /// What readers change.
    pub reader: &'a ReaderSide,
}

/// Where a message is to begin.
#[derive(Debug, Clone, Copy)]
struct Plan<'a> {
    tail: Mark,
    /// The run that is being written.
    run: Option<(usize, &'a Run)>,
    begin: u64,
    /// If it begins a run: whether that is low, and where all before it end.
    new_run: Option<(bool, u64)>,
}

/// Where a message goes, and what the tail is then.
#[derive(Debug, Clone, Copy)]
struct Spot {
    data: u64,
    next: Mark,
}

const fn round_up(length: u64) -> u64 {
    length.next_multiple_of(UNIT)
}

/// Whether `a` comes before `b`; numbers of messages wrap.
const fn is_before(a: u32, b: u32) -> bool {
    (b.wrapping_sub(a) as i32) > 0
}

const CORRUPT: Error = Error::System {
    syscall: "queue",
    errno: Errno::EBADMSG,
};

const NO_ROOM: Error = Error::System {
    syscall: "queue",
    errno: Errno::ENOMEM,
};

impl Ring<'_> {
    fn tail(self) -> Mark {
        Mark(self.writer.tail.load(SeqCst))
    }

    fn head(self) -> Mark {
        Mark(self.reader.head.load(SeqCst))
    }

    /// How many messages there are.
    #[must_use]
    pub fn len(self) -> u32 {
        length(self.writer, self.reader)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// How many messages were ever taken; wraps.
    #[must_use]
    pub fn taken(self) -> u32 {
        self.head().count()
    }

    fn header(&self, offset: u64) -> Result<&[AtomicU64; 2]> {
        self.memory.words(offset).ok_or(CORRUPT)
    }

    /// The run that is being written.
    fn run(&self) -> Option<(usize, &Run)> {
        let count = self.tail().count();
        let holds = |run: &Run| run.high.load(Relaxed) != 0 && is_before(run.first.load(Relaxed), count);
        let runs = &self.writer.runs;
        match (holds(&runs[0]), holds(&runs[1])) {
            (true, true) => {
                let later = is_before(runs[0].first.load(Relaxed), runs[1].first.load(Relaxed));
                Some((usize::from(later), &runs[usize::from(later)]))
            }
            (true, false) => Some((0, &runs[0])),
            (false, true) => Some((1, &runs[1])),
            (false, false) => None,
        }
    }

    /// Where a message that needs so many bytes goes; see the top of this file.
    fn find(&self, needed: u64) -> Plan<'_> {
        let (tail, head) = (self.tail(), self.head());
        let (end, oldest) = (tail.offset(), head.offset());
        let run = self.run();
        // A head that has still to jump to this run is not in it: the jump must stay.
        let oldest_is_here = run.is_none_or(|(_, run)| is_before(run.first.load(Relaxed), head.count()));
        let is_low = run.is_some_and(|(_, run)| run.is_low.load(Relaxed) != 0);
        let soft = SOFT.max(FEW * needed).min(KEEP);
        let (begin, new_run) = if oldest_is_here {
            if end + needed > soft && needed <= oldest {
                // What comes later must not lie on the jump that is there.
                (0, Some((true, end + HEADER)))
            } else {
                (end, None)
            }
        } else if is_low && end + needed > oldest {
            let high = run.map_or(end, |(_, run)| run.high.load(Relaxed));
            (high, Some((false, high)))
        } else {
            (end, None)
        };
        Plan {
            tail,
            run,
            begin,
            new_run,
        }
    }

    /// Where a message of `length` bytes goes.
    fn place(&self, length: u64) -> Result<Spot> {
        let size = self.memory.size();
        // With room for a jump behind it.
        let needed = length
            .checked_add(UNIT)
            .map(|length| HEADER + round_up(length - UNIT) + HEADER)
            .filter(|&needed| needed <= size)
            .ok_or(NO_ROOM)?;
        let mut plan = self.find(needed);
        if self.grows(&plan, needed) && self.await_reader(needed) {
            plan = self.find(needed);
        }
        let Plan {
            tail,
            run,
            begin,
            new_run,
        } = plan;
        let end = tail.offset();
        self.forget_unborn(tail.count(), run.map(|(index, _)| index));
        if let Some((is_low, high)) = new_run {
            self.begin_run(run, tail.count(), is_low, high);
        }
        if begin > size - needed {
            return Err(NO_ROOM);
        }
        // Messages lie one behind the other, but for one after the memory was given back. Pages up to a place that somebody has scribbled
        // could be all that the system has.
        if begin > self.populated().max(KEEP) + needed + STEP {
            return Err(CORRUPT);
        }
        self.populate(begin + needed)?;
        if begin != end {
            if end > size - HEADER {
                return Err(CORRUPT);
            }
            if end + HEADER > self.populated() {
                self.memory.populate(end / STEP * STEP..end + HEADER)?;
            }
            let [mark, target] = self.header(end)?;
            target.store(begin, Relaxed);
            mark.store(JUMP, Relaxed);
        }
        self.header(begin)?[0].store(length, Relaxed);
        let next = Mark::new(begin + HEADER + round_up(length), tail.count().wrapping_add(1));
        Ok(Spot {
            data: begin + HEADER,
            next,
        })
    }

    /// Whether a message takes pages that are not there yet.
    fn grows(&self, plan: &Plan<'_>, needed: u64) -> bool {
        plan.begin.saturating_add(needed) > self.populated()
    }

    /// Spins for a reader that is at work to make room, not for longer than new pages take. Whether it did.
    fn await_reader(&self, needed: u64) -> bool {
        if self.is_empty() || self.populated() < SOFT {
            return false;
        }
        // New pages take about as long as a round for each so many bytes.
        let rounds = needed.min(KEEP) / BYTES_PER_ROUND;
        FOR_READER.until_within(rounds as u32, || {
            for _ in 0..PAUSES {
                std::hint::spin_loop();
            }
            !self.grows(&self.find(needed), needed)
        })
    }

    /// A record that a killed writer has left must not come to hold by somebody else's message.
    fn forget_unborn(&self, count: u32, current: Option<usize>) {
        for (index, run) in self.writer.runs.iter().enumerate() {
            if Some(index) != current && run.first.load(Relaxed) == count {
                run.high.store(0, Relaxed);
            }
        }
    }

    fn begin_run(&self, current: Option<(usize, &Run)>, first: u32, is_low: bool, high: u64) {
        let run = &self.writer.runs[current.map_or(0, |(index, _)| 1 - index)];
        // From here on until the tail passes it, the record does not hold.
        run.high.store(0, SeqCst);
        run.first.store(first, SeqCst);
        run.is_low.store(u32::from(is_low), SeqCst);
        run.high.store(high.max(UNIT), SeqCst);
    }

    /// There are pages up to here.
    fn populated(&self) -> u64 {
        self.writer.populated.load(Relaxed).min(self.memory.size())
    }

    /// Sees to it that there are pages up to `end`.
    fn populate(&self, end: u64) -> Result<()> {
        let populated = self.populated();
        if end <= populated {
            return Ok(());
        }
        let target = end.next_multiple_of(STEP).min(self.memory.size());
        self.memory.populate(populated..target)?;
        self.writer.populated.store(target, Relaxed);
        Ok(())
    }

    /// Appends a message made of `parts`. By one writer at a time.
    pub fn write(self, parts: &[&[u8]]) -> Result<()> {
        let length = parts.iter().map(|part| part.len() as u64).sum();
        let spot = self.place(length)?;
        let mut at = spot.data;
        for part in parts {
            // SAFETY: no reader looks at it before the tail is beyond it, and no other writer writes to it.
            unsafe { self.memory.write(at, part) };
            at += part.len() as u64;
        }
        self.writer.tail.store(spot.next.0, SeqCst);
        Ok(())
    }

    /// Where the oldest message lies and how long it is. By one reader at a time.
    fn oldest(self) -> Result<Option<(u64, u64)>> {
        let head = self.head();
        let tail = Mark(self.writer.tail.load(Acquire));
        let count = tail.count().wrapping_sub(head.count());
        if count == 0 {
            return Ok(None);
        }
        // What lies in shared memory is not believed.
        let end = self.populated();
        if u64::from(count) > end / HEADER {
            return Err(CORRUPT);
        }
        let mut offset = head.offset();
        let mut length = self.header(offset)?[0].load(Relaxed);
        if length == JUMP {
            offset = self.header(offset)?[1].load(Relaxed);
            length = self.header(offset)?[0].load(Relaxed);
        }
        let data = offset + HEADER;
        if data > end || length > end - data {
            return Err(CORRUPT);
        }
        Ok(Some((data, length)))
    }

    /// The length of the oldest message. By one reader at a time.
    pub fn peek(self) -> Result<Option<u64>> {
        Ok(self.oldest()?.map(|(_, length)| length))
    }

    /// Takes the oldest message into `into`, if it fits. Its length. By one reader at a time.
    pub fn read(self, into: &mut [u8]) -> Result<Option<u64>> {
        let Some((data, length)) = self.oldest()? else {
            return Ok(None);
        };
        if length <= into.len() as u64 {
            // SAFETY: no writer writes to it before the head is beyond it. Should another process break that rule, these are
            // bytes all the same.
            unsafe { self.memory.read(data, &mut into[..length as usize]) };
            self.advance(data, length);
        }
        Ok(Some(length))
    }

    fn advance(self, data: u64, length: u64) {
        let next = Mark::new(data + round_up(length), self.head().count().wrapping_add(1));
        self.reader.head.store(next.0, SeqCst);
    }

    /// Takes the oldest message and throws it away. False if there is none.
    pub fn discard(self) -> Result<bool> {
        let oldest = self.oldest()?;
        if let Some((data, length)) = oldest {
            self.advance(data, length);
        }
        Ok(oldest.is_some())
    }

    /// Whether an empty queue has more memory than it should keep.
    #[must_use]
    pub fn is_bloated(self) -> bool {
        self.populated() > KEEP && self.is_empty()
    }

    /// Gives memory back after a burst. With writers and readers kept out.
    pub fn shrink(self) {
        let populated = self.populated();
        if populated <= KEEP || !self.is_empty() {
            return;
        }
        // The next message begins at the tail, or where a jump from there leads.
        self.writer.populated.store(SOFT, SeqCst);
        self.memory.give_back(SOFT..populated);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Parts {
        memory: Sparse,
        writer: WriterSide,
        reader: ReaderSide,
    }

    impl Parts {
        fn new() -> Self {
            Self {
                memory: Sparse::create().unwrap(),
                writer: WriterSide::default(),
                reader: ReaderSide::default(),
            }
        }

        fn ring(&self) -> Ring<'_> {
            Ring {
                memory: &self.memory,
                writer: &self.writer,
                reader: &self.reader,
            }
        }
    }

    /// Miri takes a thousand times as long for each step.
    const fn fewer(count: u64) -> u64 {
        if cfg!(miri) { count / 200 } else { count }
    }

    fn message(number: u64, length: usize) -> Vec<u8> {
        let mut bytes = number.to_le_bytes().to_vec();
        bytes.resize(length.max(8), number as u8);
        bytes
    }

    #[test]
    fn messages_of_all_lengths_come_out_in_order_whatever_the_backlog() {
        let parts = Parts::new();
        let ring = parts.ring();
        let mut random = 88_172_645_463_325_252_u64;
        let mut next = || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random
        };
        let mut lengths = std::collections::VecDeque::new();
        let (mut written, mut read) = (0, 0);
        let mut buffer = vec![0; 4 << 20];
        for _ in 0..fewer(20_000) {
            let backlog = if next() % 1000 < 3 { fewer(200).max(8) } else { 3 };
            for _ in 0..next() % backlog {
                let length = match next() % 100 {
                    0 => next() % fewer(3 << 20),
                    1..20 => next() % fewer(70_000),
                    _ => next() % 100,
                } as usize;
                let bytes = message(written, length);
                ring.write(&[&bytes[..4], &bytes[4..]]).unwrap();
                lengths.push_back(bytes.len());
                written += 1;
            }
            for _ in 0..next() % (backlog + 1) {
                let expected = lengths.pop_front();
                assert_eq!(ring.peek().unwrap(), expected.map(|length| length as u64));
                let got = ring.read(&mut buffer).unwrap();
                assert_eq!(got, expected.map(|length| length as u64));
                if let Some(length) = expected {
                    assert!(buffer[..length] == message(read, length), "message {read}");
                    read += 1;
                }
            }
            assert_eq!(u64::from(ring.len()), written - read);
            if ring.is_empty() {
                ring.shrink();
            }
        }
        assert!(written > fewer(15_000));
    }

    #[test]
    fn a_stream_stays_in_the_memory_that_it_has_used() {
        let parts = Parts::new();
        let ring = parts.ring();
        let mut buffer = vec![0; 1 << 20];
        for length in [8, 1000, 65_536, 1 << 20] {
            let length = length.min(fewer(1 << 20) as usize);
            for i in 0..fewer(2000) {
                ring.write(&[&message(i, length)]).unwrap();
                if i > 0 {
                    ring.read(&mut buffer).unwrap();
                }
            }
            ring.read(&mut buffer).unwrap();
            assert!(ring.is_empty());
        }
        assert!(parts.writer.populated.load(Relaxed) <= 8 << 20);
    }

    #[test]
    fn a_writer_that_is_killed_between_any_two_stores_leaves_nothing() {
        let parts = Parts::new();
        let ring = parts.ring();
        let mut buffer = vec![0; 1 << 20];
        let (mut written, mut read) = (0, 0);
        for i in 0..fewer(6_000) {
            let length = (i * 7919 % fewer(100_000)) as usize;
            // One that dies right before the message would be in the queue.
            if i % 3 == 0 {
                ring.place(length as u64 * 3).unwrap();
            }
            ring.write(&[&message(written, length)]).unwrap();
            written += 1;
            while written - read > i % 40 {
                let length = ring.read(&mut buffer).unwrap().unwrap() as usize;
                assert!(buffer[..length] == message(read, length), "message {read}");
                read += 1;
            }
        }
    }

    #[test]
    fn what_another_process_has_scribbled_is_refused() {
        let parts = Parts::new();
        let ring = parts.ring();
        ring.write(&[b"hello"]).unwrap();
        for (word, value) in [(0, 1 << 60), (0, JUMP), (0, u64::MAX - 1)] {
            ring.header(0).unwrap()[word].store(value, SeqCst);
            ring.header(0).unwrap()[1].store(u64::MAX - 3, SeqCst);
            assert!(ring.peek().is_err());
        }
        // Places that are wrong, but in the memory: anything may come, but nothing else is touched.
        for mark in [u64::MAX, u64::MAX << 32, 1 << 63, 12_345 << 32] {
            parts.reader.head.store(mark, SeqCst);
            let _ = (ring.peek(), ring.read(&mut [0; 64]));
            parts.writer.tail.store(mark, SeqCst);
            let _ = ring.write(&[b"hello"]);
        }
    }

    #[test]
    fn writing_goes_on_where_memory_was_given_back() {
        let parts = Parts::new();
        let ring = parts.ring();
        let large = vec![1; 3 << 20];
        let take = |count: usize| {
            let mut into = vec![0; large.len()];
            for _ in 0..count {
                assert_eq!(ring.read(&mut into), Ok(Some(large.len() as u64)));
            }
        };
        (0..7).for_each(|_| ring.write(&[&large]).unwrap());
        take(6);
        (0..3).for_each(|_| ring.write(&[&large]).unwrap());
        take(4);
        assert!(ring.is_bloated());
        ring.shrink();
        (0..3).for_each(|_| ring.write(&[&large]).unwrap());
        take(3);
    }

    #[test]
    fn no_pages_are_asked_for_up_to_a_place_where_no_message_can_be() {
        let parts = Parts::new();
        let ring = parts.ring();
        ring.write(&[b"hello"]).unwrap();
        let populated = parts.writer.populated.load(SeqCst);
        parts.writer.tail.store(1 << 60 | 1, SeqCst);
        assert_eq!(ring.write(&[b"hello"]), Err(CORRUPT));
        assert_eq!(parts.writer.populated.load(SeqCst), populated);
        parts.reader.head.store(1 << 60, SeqCst);
        assert_eq!(ring.peek(), Err(CORRUPT));
    }
}
