//! Stands in for `shared/arena.rs` under loom: the tables and words are made one by one, since loom's atomics cannot lie in
//! mapped memory. What works on them is the real code.

use std::any::{Any, TypeId};
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use nix::errno::Errno;

use crate::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use crate::error::{Error, Result};
use crate::shared::members::{Member, MemberId, Members};
use crate::shared::records::{Body, Head, Records};

/// Seats and records: as few as the models need, since each is looked at.
const SEATS: usize = 8;
const RECORDS: usize = 12;

/// A place in the arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place(u64);

impl Place {
    pub(crate) fn plus(self, bytes: u64) -> Self {
        Self(self.0 + bytes)
    }

    /// Where it lies.
    #[must_use]
    pub fn offset(self) -> u64 {
        self.0
    }
}

type Words = HashMap<(u64, TypeId), &'static (dyn Any + Send + Sync)>;

/// The arena of one run of a model.
#[derive(Debug)]
pub struct Arena {
    heads: Vec<Head>,
    bodies: Vec<Body>,
    seats: Vec<Member>,
    used: AtomicU32,
    last: AtomicU32,
    tickets: AtomicU64,
    allocated: Mutex<u64>,
    words: Mutex<Words>,
}

static CURRENT: Mutex<Option<&'static Arena>> = Mutex::new(None);

loom::thread_local! {
    static ME: Cell<MemberId> = Cell::new(0);
}

fn make<T: Default>(count: usize) -> Vec<T> {
    std::iter::repeat_with(T::default).take(count).collect()
}

/// A new arena, at the beginning of each run. Never freed.
pub fn begin() -> &'static Arena {
    let arena: &'static Arena = Box::leak(Box::new(Arena {
        heads: make(RECORDS),
        bodies: make(RECORDS),
        seats: make(SEATS),
        used: AtomicU32::new(0),
        last: AtomicU32::new(0),
        tickets: AtomicU64::new(0),
        allocated: Mutex::new(4096),
        words: Mutex::default(),
    }));
    *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = Some(arena);
    arena
}

/// This thread plays the process that has the seat.
pub fn sit_down(me: MemberId) {
    ME.with(|seat| seat.set(me));
}

/// The arena.
pub fn of(_: Place) -> Result<&'static Arena> {
    CURRENT
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .ok_or(Error::System {
            syscall: "shared memory",
            errno: Errno::EFAULT,
        })
}

/// A place of its own.
pub fn allocate(size: u64, align: u64) -> Result<(Place, *mut u8)> {
    let arena = of(Place(0))?;
    let mut end = arena.allocated.lock().unwrap_or_else(PoisonError::into_inner);
    let offset = end.next_multiple_of(align);
    *end = offset + size;
    Ok((Place(offset), std::ptr::null_mut()))
}

/// Nothing is freed.
pub fn free(_: Place) {}

impl Arena {
    /// This thread's seat.
    pub fn me(&self) -> MemberId {
        ME.with(Cell::get)
    }

    /// No process has children.
    pub fn seat_of_child(&self, _: i32) -> Option<MemberId> {
        None
    }

    /// Who takes part.
    pub fn members(&self) -> Members<'_> {
        Members {
            seats: &self.seats,
            last: &self.last,
        }
    }

    /// What they wait for.
    pub fn records(&self) -> Records<'_> {
        Records {
            heads: &self.heads,
            bodies: &self.bodies,
            used: &self.used,
            members: self.members(),
        }
    }

    /// The next place in the order of waiting.
    pub fn next_ticket(&self) -> u64 {
        self.tickets.fetch_add(1, SeqCst)
    }

    /// The word at `offset`.
    pub fn word(&self, offset: u64) -> Result<&'static AtomicU32> {
        Ok(self.at(offset))
    }

    /// The word of twice the width at `offset`.
    pub fn wide_word(&self, offset: u64) -> Result<&'static AtomicU64> {
        Ok(self.at(offset))
    }

    pub(crate) fn atomic<T: Default + Send + Sync + 'static>(&self, offset: u64) -> Result<&'static T> {
        Ok(self.at(offset))
    }

    /// Made by the first who asks.
    fn at<T: Default + Send + Sync + 'static>(&self, offset: u64) -> &'static T {
        let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        let word = words.entry((offset, TypeId::of::<T>())).or_insert_with(|| {
            let made: &'static T = Box::leak(Box::default());
            made
        });
        word.downcast_ref().expect("it was filed under its type")
    }
}
