//! What processes want from shared objects: a table in the arena with a record for each wait, and for each process's
//! dealings with a semaphore.
//!
//! A record's state is one word: who owns it, how it stands, and a serial number that grows with each use. So whoever has
//! read a record and changes its state by comparing with what was read knows that it was the same one all the time.

use crate::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};

use crate::error::{Error, Result};
use crate::shared::members::{Look, MemberId, Members};
use crate::sys::semaphore::Semaphore;

/// Records of an arena.
pub const RECORDS: usize = 1 << 16;

/// How a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Phase {
    /// Nobody's.
    Free = 0,
    /// Being filled in.
    Claimed = 1,
    /// Its owner waits for the object.
    Waiting = 2,
    /// Its owner was told to go on.
    Told = 3,
    /// Its owner's account with a semaphore.
    Account = 4,
    /// What its owner gave back for others.
    Giving = 5,
    /// Its owner takes part in a barrier.
    Party = 6,
}

/// A record's state word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State(u64);

const SERIAL_BITS: u32 = 29;

impl State {
    fn new(owner: MemberId, serial: u64, phase: Phase) -> Self {
        Self(u64::from(owner) << 33 | (serial & ((1 << SERIAL_BITS) - 1)) << 4 | phase as u64)
    }

    /// Whose it is; 0 for nobody.
    #[must_use]
    pub fn owner(self) -> MemberId {
        (self.0 >> 33) as u32
    }

    fn serial(self) -> u64 {
        self.0 >> 4 & ((1 << SERIAL_BITS) - 1)
    }

    /// How it stands.
    #[must_use]
    pub fn is(self, phase: Phase) -> bool {
        self.0 & 15 == phase as u64
    }

    fn with(self, phase: Phase) -> Self {
        Self(self.0 & !15 | phase as u64)
    }
}

/// What is found by going through all records; apart from the rest, so that this reads little memory.
#[derive(Debug)]
#[cfg_attr(any(test, loom), derive(Default))]
#[repr(C)]
pub struct Head {
    state: AtomicU64,
    object: AtomicU64,
}

/// The rest of a record.
#[derive(Debug)]
#[cfg_attr(any(test, loom), derive(Default))]
#[repr(C, align(64))]
pub struct Body {
    /// Order of waiting.
    ticket: AtomicU64,
    /// 1 if the owner's doorbell is to be rung instead of `semaphore`.
    by_doorbell: AtomicU32,
    _reserved: u32,
    /// An account's balance and number of operations.
    pub ledger: AtomicU64,
    /// The operation that an account is about to be charged with.
    pub intent: AtomicU64,
    /// Where the owner sleeps.
    pub semaphore: Semaphore,
}

/// All records of an arena.
#[derive(Debug, Clone, Copy)]
pub struct Records<'a> {
    /// [`RECORDS`] of them.
    pub heads: &'a [Head],
    /// As many.
    pub bodies: &'a [Body],
    /// How many were ever used.
    pub used: &'a AtomicU32,
    /// Who owns them.
    pub members: Members<'a>,
}

/// A record that this process owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Its place.
    pub index: usize,
    state: State,
}

/// How many sleepers to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// At most so many.
    AtMost(u32),
    /// So many that are likely to look at once: one who has an event loop that has to turn first counts half.
    Likely(u32),
    /// Every one.
    All,
}

impl<'a> Records<'a> {
    fn used(&self) -> usize {
        (self.used.load(SeqCst) as usize).min(self.heads.len())
    }

    /// The state of the record at `index`.
    #[must_use]
    pub fn state(&self, index: usize) -> State {
        State(self.heads[index].state.load(SeqCst))
    }

    fn swap(&self, index: usize, from: State, to: State) -> bool {
        let head = &self.heads[index];
        head.state.compare_exchange(from.0, to.0, SeqCst, SeqCst).is_ok()
    }

    /// All records for `object` in one of `phases`.
    pub fn of(self, object: u64, phases: &'static [Phase]) -> impl Iterator<Item = (usize, State)> + 'a {
        (0..self.used()).filter_map(move |index| {
            let state = self.state(index);
            let wanted = phases.iter().any(|&phase| state.is(phase));
            (wanted && self.is_for(index, object)).then_some((index, state))
        })
    }

    /// Whether the record at `index` is for `object`.
    #[must_use]
    pub fn is_for(&self, index: usize, object: u64) -> bool {
        self.heads[index].object.load(SeqCst) == object
    }

    /// The body of the record at `index`.
    #[must_use]
    pub fn body(&self, index: usize) -> &'a Body {
        &self.bodies[index]
    }

    /// A record's ticket.
    #[must_use]
    pub fn ticket(&self, index: usize) -> u64 {
        self.bodies[index].ticket.load(SeqCst)
    }

    /// Takes a free record, or one whose owner has ended.
    pub fn claim(&self, me: MemberId, object: u64) -> Result<Record> {
        let record = loop {
            let free =
                (0..self.used()).find_map(|index| self.try_claim(me, index, |state| state.is(Phase::Free)));
            if let Some(record) = free.or_else(|| self.claim_from_dead(me)) {
                break record;
            }
            // Another process may be faster in taking what is added here: then everything is looked at again.
            if self.used.fetch_add(1, SeqCst) as usize >= self.heads.len() {
                self.used.store(self.heads.len() as u32, SeqCst);
                return Err(Error::Exhausted("waits in one program"));
            }
        };
        self.heads[record.index].object.store(object, SeqCst);
        Ok(record)
    }

    /// Once the table is full. An account or a party means something after its owner's end; a wait does not.
    fn claim_from_dead(&self, me: MemberId) -> Option<Record> {
        if self.used() < self.heads.len() {
            return None;
        }
        (0..self.heads.len()).find_map(|index| {
            self.try_claim(me, index, |state| {
                (state.is(Phase::Claimed) || state.is(Phase::Waiting))
                    && self.members.has_ended(state.owner(), Look::System)
            })
        })
    }

    fn try_claim(&self, me: MemberId, index: usize, wanted: impl Fn(State) -> bool) -> Option<Record> {
        let before = self.state(index);
        if !wanted(before) {
            return None;
        }
        let state = State::new(me, before.serial() + 1, Phase::Claimed);
        self.swap(index, before, state).then_some(Record { index, state })
    }

    /// Takes an account over from an owner that has ended. False if somebody else was faster.
    pub fn inherit_account(&self, index: usize, seen: State, me: MemberId) -> bool {
        self.swap(index, seen, State::new(me, seen.serial() + 1, Phase::Account))
    }

    /// This process waits for the record's object.
    pub fn wait(&self, record: &mut Record, ticket: u64, by_doorbell: bool) {
        let body = self.body(record.index);
        body.ticket.store(ticket, SeqCst);
        body.by_doorbell.store(u32::from(by_doorbell), SeqCst);
        body.semaphore.reset();
        self.become_(record, Phase::Waiting);
    }

    /// The record is of another kind now.
    pub fn become_(&self, record: &mut Record, phase: Phase) {
        record.state = record.state.with(phase);
        self.heads[record.index].state.store(record.state.0, SeqCst);
    }

    /// Whether the record's owner was told to go on.
    #[must_use]
    pub fn is_told(&self, record: &Record) -> bool {
        self.state(record.index).is(Phase::Told)
    }

    /// A wait that was told in vain begins again, with its old ticket.
    pub fn wait_again(&self, record: &Record) {
        let waiting = record.state.with(Phase::Waiting);
        self.heads[record.index].state.store(waiting.0, SeqCst);
    }

    /// Frees a record of this process. Whether it was told to go on before.
    pub fn release(&self, record: &Record) -> bool {
        let free = State::new(0, record.state.serial(), Phase::Free);
        let before = self.heads[record.index].state.swap(free.0, SeqCst);
        State(before).is(Phase::Told)
    }

    /// Frees a record whose owner has ended.
    pub fn bury(&self, index: usize, seen: State) -> bool {
        self.swap(index, seen, State::new(0, seen.serial(), Phase::Free))
    }

    /// Frees all records for `object`, which is no more.
    pub fn forget(&self, object: u64) {
        for (index, state) in self.of(
            object,
            &[
                Phase::Claimed,
                Phase::Waiting,
                Phase::Told,
                Phase::Account,
                Phase::Giving,
                Phase::Party,
            ],
        ) {
            self.bury(index, state);
        }
    }

    /// Tells those that wait for `object`, the longest-waiting first, to go on. The dead are passed over as far as `look`
    /// shows them. How many were told.
    pub fn tell(&self, object: u64, count: Count, look: Look) -> u32 {
        let mut waiting: Vec<_> = self
            .of(object, &[Phase::Waiting])
            .map(|(index, state)| (self.ticket(index), index, state))
            .collect();
        waiting.sort_unstable_by_key(|&(ticket, ..)| ticket);
        let mut told = 0;
        let mut halves = match count {
            Count::AtMost(limit) | Count::Likely(limit) => u64::from(limit) * 2,
            Count::All => u64::MAX,
        };
        for (_, index, state) in waiting {
            if halves == 0 {
                break;
            }
            let counts_half =
                matches!(count, Count::Likely(_)) && self.body(index).by_doorbell.load(SeqCst) != 0;
            if self.members.has_ended(state.owner(), look) {
                self.bury(index, state);
            } else if self.swap(index, state, state.with(Phase::Told)) {
                self.wake(index, state.owner());
                told += 1;
                halves = halves.saturating_sub(if counts_half { 1 } else { 2 });
            }
        }
        told
    }

    /// Has everybody who waits look again: somebody has ended.
    pub fn nudge_all(&self) {
        let mut rung = Vec::new();
        for index in 0..self.used() {
            let state = self.state(index);
            if !state.is(Phase::Waiting) {
                continue;
            }
            if self.body(index).by_doorbell.load(SeqCst) == 0 {
                self.body(index).semaphore.post();
            } else if !rung.contains(&state.owner()) {
                rung.push(state.owner());
                self.wake(index, state.owner());
            }
        }
    }

    fn wake(&self, index: usize, owner: MemberId) {
        let body = self.body(index);
        if body.by_doorbell.load(SeqCst) == 0 {
            body.semaphore.post();
        } else if let Some(member) = self.members.get(owner) {
            member.doorbell.post();
        }
    }

    /// Whether anybody waits for `object`.
    #[must_use]
    pub fn anybody_waits(&self, object: u64) -> bool {
        self.of(object, &[Phase::Waiting]).next().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::members::Member;

    struct Memory {
        heads: Vec<Head>,
        bodies: Vec<Body>,
        seats: Vec<Member>,
        used: AtomicU32,
        last: AtomicU32,
    }

    impl Memory {
        fn new() -> Self {
            fn make<T: Default>() -> Vec<T> {
                std::iter::repeat_with(T::default).take(64).collect()
            }
            let (heads, bodies, seats) = (make(), make(), make());
            let (used, last) = (AtomicU32::new(0), AtomicU32::new(0));
            Self {
                heads,
                bodies,
                seats,
                used,
                last,
            }
        }

        fn records(&self) -> Records<'_> {
            Records {
                heads: &self.heads,
                bodies: &self.bodies,
                used: &self.used,
                members: Members {
                    seats: &self.seats,
                    last: &self.last,
                },
            }
        }
    }

    #[test]
    fn records_are_claimed_once_however_many_want_them() {
        let memory = Memory::new();
        let (records, used) = (memory.records(), &memory.used);
        let me = records.members.reserve().unwrap();
        for _ in 0..if cfg!(miri) { 2 } else { 200 } {
            used.store(0, SeqCst);
            let claimed: Vec<Record> = std::thread::scope(|scope| {
                let claim = || {
                    (0..16)
                        .map(|_| records.claim(me, 4096).unwrap())
                        .collect::<Vec<_>>()
                };
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(claim)).collect();
                threads
                    .into_iter()
                    .flat_map(|thread| thread.join().unwrap())
                    .collect()
            });
            assert_eq!(used.load(SeqCst), 64);
            assert!(records.claim(me, 4096).is_err());
            let mut places: Vec<_> = claimed.iter().map(|record| record.index).collect();
            places.sort_unstable();
            assert_eq!(places, (0..64).collect::<Vec<_>>());
            for record in &claimed {
                records.release(record);
            }
        }
    }

    #[test]
    fn who_has_an_event_loop_to_turn_counts_half_for_a_hint() {
        let memory = Memory::new();
        let records = memory.records();
        let me = records.members.reserve().unwrap();
        let tell = |doorbells: [bool; 4], count| {
            let waiting = doorbells.iter().zip(0..).map(|(&by_doorbell, ticket)| {
                let mut record = records.claim(me, 4096).unwrap();
                records.wait(&mut record, ticket, by_doorbell);
                record
            });
            let waiting: Vec<_> = waiting.collect();
            records.tell(4096, count, Look::Noted);
            let told: Vec<_> = waiting.iter().map(|record| records.is_told(record)).collect();
            for record in &waiting {
                records.release(record);
            }
            told
        };
        let (yes, no) = (true, false);
        assert_eq!(tell([no; 4], Count::Likely(1)), [yes, no, no, no]);
        assert_eq!(tell([yes, no, no, no], Count::Likely(1)), [yes, yes, no, no]);
        assert_eq!(tell([yes; 4], Count::Likely(1)), [yes, yes, no, no]);
        assert_eq!(tell([yes; 4], Count::AtMost(1)), [yes, no, no, no]);
        assert_eq!(tell([yes; 4], Count::All), [yes; 4]);
    }
}
