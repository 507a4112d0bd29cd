//! The memory itself: one [`Segment`] per process that creates something shared, inherited by its descendants.

use std::collections::{BTreeSet, HashMap};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;

use crate::error::{Error, Result};
use crate::shared::heap::Heap;
use crate::shared::members::{Member, MemberId, Members, SEATS};
use crate::shared::records::{Body, Head, RECORDS, Records};
use crate::sys::segment::Segment;

/// What lies at the beginning.
#[derive(Debug)]
#[repr(C)]
struct Header {
    last_member: AtomicU32,
    used_records: AtomicU32,
    tickets: AtomicU64,
}

const SEATS_AT: usize = 4096;
const HEADS_AT: usize = SEATS_AT + SEATS * size_of::<Member>();
const BODIES_AT: usize = HEADS_AT + RECORDS * size_of::<Head>();
const HEAP_AT: usize = (BODIES_AT + RECORDS * size_of::<Body>()).next_multiple_of(4096);

/// Freed memory is cleared by the page from this size on, in bytes.
const LARGE: u64 = 128 << 10;

const PAGE: u64 = 4096;

/// A place in some arena of this process: an object's address that means the same in every process that inherited it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    arena: u32,
    offset: u64,
}

const OFFSET_BITS: u32 = 36;

impl Place {
    /// As a number that a double holds exactly.
    #[must_use]
    pub fn to_number(self) -> u64 {
        u64::from(self.arena) << OFFSET_BITS | self.offset
    }

    /// From such a number.
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        Self {
            arena: (number >> OFFSET_BITS) as u32,
            offset: number & ((1 << OFFSET_BITS) - 1),
        }
    }

    /// The place `bytes` behind this one.
    #[must_use]
    pub(crate) fn plus(self, bytes: u64) -> Self {
        Self {
            offset: self.offset + bytes,
            ..self
        }
    }

    /// The number of its arena.
    #[must_use]
    pub fn arena(self) -> u32 {
        self.arena
    }

    /// Where it lies in its arena.
    #[must_use]
    pub fn offset(self) -> u64 {
        self.offset
    }
}

/// What only the creator of an arena knows of its heap.
#[derive(Debug)]
struct Stock {
    heap: Heap,
    /// Of each block: the last member that had a seat when it was made. Later ones may have inherited it.
    made_before: HashMap<u64, MemberId>,
    /// Blocks that this process has done with, but perhaps not each of its descendants, by that member.
    pending: BTreeSet<(MemberId, u64)>,
}

/// One arena, as this process sees it.
#[derive(Debug)]
pub struct Arena {
    number: u32,
    segment: Segment,
    me: AtomicU32,
    stock: Mutex<Stock>,
}

type List = Vec<&'static Arena>;

/// Those of this process; null for none. A process adds one at most, to those that it has inherited: then the list is made
/// anew, so that readers need no lock.
static ARENAS: AtomicPtr<List> = AtomicPtr::new(std::ptr::null_mut());
/// Held while one is added.
static ADDING: Mutex<()> = Mutex::new(());
/// The arena that this process has created; null for none.
static OWN: AtomicPtr<Arena> = AtomicPtr::new(std::ptr::null_mut());

/// Numbers from this one on are those of the arenas of helpers: their children have these beside the arenas of their parents, which
/// were numbered without knowing of them.
const HELPERS: u32 = 1 << 16;
/// If this process is a helper: the number for its own arena; otherwise 0.
static HELPER: AtomicU32 = AtomicU32::new(0);
/// The seats of the children of this process.
static CHILDREN: Mutex<Vec<(i32, &'static Arena, MemberId)>> = Mutex::new(Vec::new());

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All arenas of this process.
#[must_use]
pub fn all() -> &'static [&'static Arena] {
    // SAFETY: null, or a list that is never freed or changed.
    unsafe { ARENAS.load(SeqCst).as_ref() }.map_or(&[], |list| list)
}

const NO_OBJECT: Error = Error::System {
    syscall: "shared memory",
    errno: Errno::EFAULT,
};

/// The arena in which `place` lies.
pub fn of(place: Place) -> Result<&'static Arena> {
    let is_it = |arena: &&&Arena| arena.number == place.arena;
    all().iter().find(is_it).copied().ok_or(NO_OBJECT)
}

fn existing() -> Option<&'static Arena> {
    // SAFETY: null, or an arena, which is never freed.
    unsafe { OWN.load(SeqCst).as_ref() }
}

/// The lowest number from `first` on, and below `end`, that is above those of this process's arenas in there.
fn next_number(first: u32, end: u32) -> u32 {
    let taken = all().iter().map(|arena| arena.number);
    let last = taken.filter(|number| (first..end).contains(number)).max();
    last.map_or(first, |number| number + 1)
}

/// The number for the arena of a helper of this process's.
#[must_use]
pub fn number_for_helper() -> u32 {
    next_number(HELPERS, u32::MAX)
}

/// This process is a helper, and its own arena is to have this number. Before it has one.
pub fn become_helper(number: u32) {
    HELPER.store(number, SeqCst);
}

/// The arena of this process's own, made at the first call.
pub fn own() -> Result<&'static Arena> {
    let _adding = locked(&ADDING);
    if let Some(arena) = existing() {
        return Ok(arena);
    }
    let number = match HELPER.load(SeqCst) {
        0 => next_number(0, HELPERS),
        number => number,
    };
    let segment = Segment::create()?;
    let arena: &'static Arena = Box::leak(Box::new(Arena {
        number,
        stock: Mutex::new(Stock::new(&segment)),
        segment,
        me: AtomicU32::new(0),
    }));
    let me = arena.members().reserve()?;
    arena.members().sit_down(me);
    arena.me.store(me, SeqCst);
    let mut arenas = all().to_vec();
    arenas.push(arena);
    ARENAS.store(Box::into_raw(Box::new(arenas)), SeqCst);
    OWN.store(std::ptr::from_ref(arena).cast_mut(), SeqCst);
    Ok(arena)
}

/// A process's place in an arena.
#[derive(Debug)]
pub struct Share {
    /// The arena's file.
    pub file: OwnedFd,
    /// The number of the arena.
    pub number: u32,
    /// The seat in it.
    pub me: MemberId,
}

/// A process that is no copy of its parent gets the arenas of that, before it has one of its own. Those of a helper that it was forked
/// from stay.
pub fn adopt(shares: Vec<Share>) -> Result<()> {
    const LATE: Error = Error::Unsupported("shared memory of a parent, after some of its own");
    let _adding = locked(&ADDING);
    // Its own arena is like any other's.
    HELPER.store(0, SeqCst);
    if existing().is_some() {
        return Err(LATE);
    }
    let mut arenas = all().to_vec();
    for Share { file, number, me } in shares {
        let segment = Segment::open(file)?;
        if segment.size() <= HEAP_AT as u64 {
            return Err(NO_OBJECT);
        }
        if arenas.iter().any(|arena| arena.number == number) {
            return Err(LATE);
        }
        let arena: &'static Arena = Box::leak(Box::new(Arena {
            number,
            stock: Mutex::new(Stock::new(&segment)),
            segment,
            me: AtomicU32::new(me),
        }));
        arena.members().sit_down(me);
        arenas.push(arena);
    }
    ARENAS.store(Box::into_raw(Box::new(arenas)), SeqCst);
    Ok(())
}

/// The address of `size` bytes at `place`.
pub fn memory_at(place: Place, size: u64) -> Result<*mut u8> {
    let arena = of(place)?;
    let end = place.offset.checked_add(size).ok_or(NO_OBJECT)?;
    if place.offset < HEAP_AT as u64 || end > arena.segment.size() {
        return Err(NO_OBJECT);
    }
    Ok(arena.address(place.offset))
}

impl Stock {
    fn new(segment: &Segment) -> Self {
        Self {
            heap: Heap::new(HEAP_AT as u64..segment.size()),
            made_before: HashMap::new(),
            pending: BTreeSet::new(),
        }
    }
}

impl Arena {
    /// Its file, for another process.
    #[must_use]
    pub fn file(&self) -> BorrowedFd<'_> {
        self.segment.file()
    }

    /// Its number, in every process that has it.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// This process's seat.
    #[must_use]
    pub fn me(&self) -> MemberId {
        self.me.load(SeqCst)
    }

    /// The seat of child `pid` of this process, while that has not been reaped.
    #[must_use]
    pub fn seat_of_child(&self, pid: i32) -> Option<MemberId> {
        let children = locked(&CHILDREN);
        let seat = |&(child, arena, id): &(i32, &Self, MemberId)| {
            (child == pid && std::ptr::eq(arena, self)).then_some(id)
        };
        children.iter().find_map(seat)
    }

    fn header(&self) -> &Header {
        // SAFETY: the segment is page-aligned, longer than all tables, zero-filled and never unmapped; a header of zeros is
        // valid, and all its fields are atomics.
        unsafe { self.segment.base().cast::<Header>().as_ref() }
    }

    /// `count` values of `T` at `offset`: one of the tables.
    fn table<T>(&self, offset: usize, count: usize) -> &[T] {
        // SAFETY: as in `header`; offsets are multiples of T's alignment and the tables end before the heap.
        unsafe { std::slice::from_raw_parts(self.segment.base().add(offset).cast().as_ptr(), count) }
    }

    /// The processes that have this arena.
    #[must_use]
    pub fn members(&self) -> Members<'_> {
        Members {
            seats: self.table(SEATS_AT, SEATS),
            last: &self.header().last_member,
        }
    }

    /// What they wait for.
    #[must_use]
    pub fn records(&self) -> Records<'_> {
        Records {
            heads: self.table(HEADS_AT, RECORDS),
            bodies: self.table(BODIES_AT, RECORDS),
            used: &self.header().used_records,
            members: self.members(),
        }
    }

    /// The next place in the order of waiting.
    pub fn next_ticket(&self) -> u64 {
        self.header().tickets.fetch_add(1, SeqCst)
    }

    /// The word at `offset` of the heap.
    pub fn word(&self, offset: u64) -> Result<&AtomicU32> {
        self.atomic(offset)
    }

    /// The word of twice the width at `offset` of the heap.
    pub fn wide_word(&self, offset: u64) -> Result<&AtomicU64> {
        self.atomic(offset)
    }

    /// `T` is an atomic type, or made of these and as large as it is aligned.
    pub(crate) fn atomic<T>(&self, offset: u64) -> Result<&T> {
        let size = size_of::<T>() as u64;
        let end = offset.checked_add(size).ok_or(NO_OBJECT)?;
        if offset < HEAP_AT as u64 || end > self.segment.size() || !offset.is_multiple_of(size) {
            return Err(NO_OBJECT);
        }
        // SAFETY: it lies in the heap, aligned; the mapping is never removed and all accesses are atomic.
        Ok(unsafe { self.segment.base().add(offset as usize).cast::<T>().as_ref() })
    }

    /// Address of `offset`.
    fn address(&self, offset: u64) -> *mut u8 {
        self.segment.base().as_ptr().wrapping_add(offset as usize)
    }

    fn clear(&self, block: std::ops::Range<u64>) {
        let fill = |range: std::ops::Range<u64>| {
            let (start, length) = (self.address(range.start), (range.end - range.start) as usize);
            // SAFETY: the range is part of a block of this heap that nobody uses any more.
            unsafe { start.write_bytes(0, length) };
        };
        if block.end - block.start < LARGE {
            return fill(block);
        }
        let pages = block.start.next_multiple_of(PAGE)..block.end / PAGE * PAGE;
        fill(block.start..pages.start);
        fill(pages.end..block.end);
        self.segment.give_back(pages);
    }

    /// Frees what no living process can refer to any more.
    fn sweep(&self, stock: &mut Stock) {
        let Some(&(oldest, _)) = stock.pending.first() else {
            return;
        };
        let heir = self
            .members()
            .youngest_alive_after(oldest, self.me())
            .unwrap_or(0);
        for (_, offset) in stock.pending.split_off(&(heir, 0)) {
            stock.made_before.remove(&offset);
            self.records().forget(offset);
            if let Some(block) = stock.heap.size_of(offset).map(|size| offset..offset + size) {
                self.clear(block);
                stock.heap.free(offset);
            }
        }
    }
}

/// Zero-filled shared memory for `size` bytes, and its address.
pub fn allocate(size: u64, align: u64) -> Result<(Place, *mut u8)> {
    let arena = own()?;
    let mut stock = locked(&arena.stock);
    let last = arena.header().last_member.load(SeqCst);
    let mut offset = stock.heap.allocate(size, align);
    if offset.is_none() {
        arena.sweep(&mut stock);
        offset = stock.heap.allocate(size, align);
    }
    let offset = offset.ok_or(Error::System {
        syscall: "mmap",
        errno: Errno::ENOMEM,
    })?;
    stock.made_before.insert(offset, last);
    let place = Place {
        arena: arena.number,
        offset,
    };
    Ok((place, arena.address(offset)))
}

/// This process, if it is the one that made `place`, has done with it. The memory is free as soon as no process lives that
/// may have inherited it.
pub fn free(place: Place) {
    let Some(arena) = existing().filter(|arena| arena.number == place.arena) else {
        return;
    };
    let mut stock = locked(&arena.stock);
    if let Some(&made) = stock.made_before.get(&place.offset) {
        stock.pending.insert((made, place.offset));
        arena.sweep(&mut stock);
    }
}

/// How the heap of this process's own arena stands: blocks in use, and blocks that wait for the end of descendants.
#[must_use]
pub fn stock() -> (usize, usize) {
    let Some(arena) = existing() else {
        return (0, 0);
    };
    let stock = locked(&arena.stock);
    (stock.made_before.len(), stock.pending.len())
}

/// Seats for a child that is about to be forked, one in each arena.
#[derive(Debug, Default)]
pub struct Seats(Vec<(&'static Arena, MemberId)>);

impl Seats {
    /// Takes them.
    pub fn reserve() -> Result<Self> {
        let mut seats = Self::default();
        for arena in all() {
            match arena.members().reserve() {
                Ok(id) => seats.0.push((arena, id)),
                Err(error) => {
                    seats.give_up();
                    return Err(error);
                }
            }
        }
        Ok(seats)
    }

    /// The arenas and the seats in them.
    #[must_use]
    pub fn list(&self) -> &[(&'static Arena, MemberId)] {
        &self.0
    }

    /// Parent: there is no child.
    pub fn give_up(&self) {
        for (arena, id) in &self.0 {
            arena.members().note_end(*id, None);
        }
    }

    /// Parent: the child is `pid`.
    pub fn settle(self, pid: i32) {
        let mut children = locked(&CHILDREN);
        for (arena, id) in self.0 {
            arena.members().settle(id, pid);
            children.push((pid, arena, id));
        }
    }

    /// Child: this process has another seat in each arena now, and no arena of its own.
    pub fn take(&self) {
        OWN.store(std::ptr::null_mut(), SeqCst);
        locked(&CHILDREN).clear();
        for (arena, id) in &self.0 {
            arena.members().sit_down(*id);
            arena.me.store(*id, SeqCst);
        }
    }
}

/// Child `pid` has ended. Whoever waits for something of its looks again.
pub fn note_end(pid: i32, status: Option<i32>) {
    locked(&CHILDREN).retain(|&(child, arena, id)| {
        if child == pid {
            arena.members().note_end(id, status);
            arena.records().nudge_all();
        }
        child != pid
    });
}

/// What this process is called, for those who outlive it.
pub fn set_name(name: &str) {
    for arena in all() {
        arena.members().set_name(arena.me(), name);
    }
}
