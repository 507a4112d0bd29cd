//! The processes that have an arena, by a number that is never used twice, so that a reused process id is not mistaken for
//! the one that had it before.
//!
//! A parent takes a seat for its child before the fork: so whoever looks knows of every process that may have inherited
//! something, from the first moment on.

use std::sync::atomic::AtomicU8;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use crate::error::{Error, Result};
use crate::sys::process_state::{self, Existence};
use crate::sys::semaphore::Semaphore;

/// Number of a member in its arena. Never 0.
pub type MemberId = u32;

/// Ids lie below this, so that words that hold one have a bit to spare.
pub const MAX_ID: u32 = 1 << 31;

/// Seats of an arena: more than a system has processes at once.
pub const SEATS: usize = 1 << 16;

/// A status word is 16 bits wide; this one says that it is known.
const KNOWN: u32 = 1 << 16;

/// The clock of process starts counts in hundredths of a second.
const CLOCK_TOLERANCE_NS: u64 = 20_000_000;

const NAME_BYTES: usize = 48;

#[derive(Debug)]
#[repr(transparent)]
struct Name([AtomicU8; NAME_BYTES]);

#[cfg(any(test, loom))]
impl Default for Name {
    fn default() -> Self {
        Self([const { AtomicU8::new(0) }; NAME_BYTES])
    }
}

/// A seat, in shared memory; all zeros when nobody has had it.
#[derive(Debug)]
#[cfg_attr(any(test, loom), derive(Default))]
#[repr(C, align(128))]
pub struct Member {
    id: AtomicU32,
    pid: AtomicU32,
    /// When it came, on the clock of process starts; 0 while that is not known.
    since: AtomicU64,
    /// Wall-clock milliseconds; 0 while nobody has noticed an end.
    ended: AtomicU64,
    status: AtomicU32,
    _reserved: u32,
    name: Name,
    /// Posted for whoever waits without blocking.
    pub doorbell: Semaphore,
}

/// The end of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Its process id; 0 if its seat has been given away since.
    pub pid: i32,
    /// Its name, if it gave one.
    pub name: String,
    /// The kernel's status word, if a process of ours has reaped it or it is a zombie still.
    pub status: Option<i32>,
    /// When it was noticed, in milliseconds of wall-clock time; 0 if that is not known.
    pub at_ms: u64,
}

/// How a member stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Life {
    /// It lives, as far as can be seen.
    Alive,
    /// It has ended.
    Ended(End),
}

/// All seats of an arena.
#[derive(Debug, Clone, Copy)]
pub struct Members<'a> {
    /// [`SEATS`] of them.
    pub seats: &'a [Member],
    /// The highest id given so far.
    pub last: &'a AtomicU32,
}

fn now_ms() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX).max(1)
}

impl<'a> Members<'a> {
    /// The seat of `id`, whoever has it now.
    fn seat(&self, id: MemberId) -> &'a Member {
        &self.seats[id as usize % self.seats.len()]
    }

    /// The member itself, if its seat was not given away.
    pub fn get(&self, id: MemberId) -> Option<&'a Member> {
        let seat = self.seat(id);
        (seat.id.load(SeqCst) == id).then_some(seat)
    }

    /// Takes a seat for a process that is about to be forked; until it is settled it counts as long as this process lives.
    pub fn reserve(&self) -> Result<MemberId> {
        for _ in 0..self.seats.len() {
            let id = self.last.fetch_add(1, SeqCst).wrapping_add(1);
            if id == 0 || id >= MAX_ID {
                self.last.store(MAX_ID, SeqCst);
                break;
            }
            let seat = self.seat(id);
            let before = seat.id.load(SeqCst);
            if before != 0 && self.life(before, Look::System) == Life::Alive {
                continue;
            }
            if seat.id.compare_exchange(before, id, SeqCst, SeqCst).is_err() {
                continue;
            }
            seat.pid.store(std::process::id(), SeqCst);
            seat.since.store(0, SeqCst);
            seat.status.store(0, SeqCst);
            seat.name.0[0].store(0, SeqCst);
            seat.doorbell.reset();
            seat.ended.store(0, SeqCst);
            return Ok(id);
        }
        Err(Error::Exhausted("processes that share memory"))
    }

    /// Parent: the child that the seat was taken for is `pid`.
    pub fn settle(&self, id: MemberId, pid: i32) {
        if let Some(seat) = self.get(id) {
            // The child may have been faster.
            let _ = seat
                .pid
                .compare_exchange(std::process::id(), pid as u32, SeqCst, SeqCst);
        }
    }

    /// The process itself: this seat is mine.
    pub fn sit_down(&self, id: MemberId) {
        if let Some(seat) = self.get(id) {
            seat.pid.store(std::process::id(), SeqCst);
            seat.since.store(process_state::clock_ns(), SeqCst);
        }
    }

    /// The process itself: what it is called.
    pub fn set_name(&self, id: MemberId, name: &str) {
        let Some(seat) = self.get(id) else { return };
        let mut end = name.len().min(NAME_BYTES - 1);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        let bytes = name.as_bytes()[..end].iter().chain(std::iter::once(&0));
        for (cell, &byte) in seat.name.0.iter().zip(bytes) {
            cell.store(byte, SeqCst);
        }
    }

    /// `id` has ended; the first to say so is believed.
    pub fn note_end(&self, id: MemberId, status: Option<i32>) {
        let Some(seat) = self.get(id) else { return };
        if let Some(status) = status {
            seat.status.store(KNOWN | (status as u32 & 0xffff), SeqCst);
        }
        let _ = seat.ended.compare_exchange(0, now_ms(), SeqCst, SeqCst);
    }

    /// Whether `id` lives.
    pub fn life(&self, id: MemberId, look: Look) -> Life {
        let Some(seat) = self.get(id) else {
            return Life::Ended(End {
                pid: 0,
                name: String::new(),
                status: None,
                at_ms: 0,
            });
        };
        let pid = seat.pid.load(SeqCst);
        if seat.ended.load(SeqCst) == 0 {
            if look == Look::Noted || pid == std::process::id() {
                return Life::Alive;
            }
            let since = seat.since.load(SeqCst);
            match process_state::look(pid as i32) {
                Existence::Alive(None) => return Life::Alive,
                Existence::Alive(Some(started))
                    if since == 0 || started <= since.saturating_add(CLOCK_TOLERANCE_NS) =>
                {
                    return Life::Alive;
                }
                Existence::Alive(_) | Existence::Gone => self.note_end(id, None),
                Existence::Zombie(status) => self.note_end(id, status),
            }
        }
        let status = seat.status.load(SeqCst);
        let end = End {
            pid: pid as i32,
            name: seat.name(),
            status: (status & KNOWN != 0).then_some((status & 0xffff) as i32),
            at_ms: seat.ended.load(SeqCst),
        };
        // The seat may have been given away while it was read.
        match self.get(id) {
            Some(_) => Life::Ended(end),
            None => self.life(id, look),
        }
    }

    /// Whether `id` has ended.
    pub fn has_ended(&self, id: MemberId, look: Look) -> bool {
        self.life(id, look) != Life::Alive
    }

    /// The last to come of those who came after `id` and still live, other than `except`.
    pub fn youngest_alive_after(&self, id: MemberId, except: MemberId) -> Option<MemberId> {
        let lives =
            |id: MemberId| id != except && self.get(id).is_some() && !self.has_ended(id, Look::System);
        let last = self.last.load(SeqCst).min(MAX_ID - 1);
        if (last.saturating_sub(id) as usize) < self.seats.len() {
            return (id + 1..=last).rev().find(|&id| lives(id));
        }
        let mut ids: Vec<_> = self.seats.iter().map(|seat| seat.id.load(SeqCst)).collect();
        ids.sort_unstable();
        ids.into_iter()
            .rev()
            .take_while(|&later| later > id)
            .find(|&id| lives(id))
    }
}

/// How much a question after a life may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Only what somebody has noted already: a few nanoseconds.
    Noted,
    /// What the system says: some microseconds.
    System,
}

impl Member {
    fn name(&self) -> String {
        let bytes: Vec<u8> = self
            .name
            .0
            .iter()
            .map(|cell| cell.load(SeqCst))
            .take_while(|&byte| byte != 0)
            .collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(seats: usize) -> (Vec<Member>, AtomicU32) {
        let seats = (0..seats).map(|_| Member::default()).collect();
        (seats, AtomicU32::new(0))
    }

    #[test]
    fn a_member_lives_until_its_process_has_ended() {
        let (seats, last) = table(8);
        let members = Members {
            seats: &seats,
            last: &last,
        };
        let mut child = std::process::Command::new("sleep").arg("30").spawn().unwrap();
        let id = members.reserve().unwrap();
        members.settle(id, child.id() as i32);
        members.set_name(id, "Süßwaren-1");
        assert_eq!(members.life(id, Look::System), Life::Alive);
        child.kill().unwrap();
        // Not reaped: a zombie does not live.
        while members.life(id, Look::System) == Life::Alive {
            std::thread::yield_now();
        }
        let Life::Ended(end) = members.life(id, Look::Noted) else {
            panic!()
        };
        assert_eq!((end.pid, end.name.as_str()), (child.id() as i32, "Süßwaren-1"));
        #[cfg(target_os = "linux")]
        assert_eq!(end.status, Some(9));
        child.wait().unwrap();
    }

    #[test]
    fn a_process_that_came_later_is_not_the_member() {
        let (seats, last) = table(8);
        let members = Members {
            seats: &seats,
            last: &last,
        };
        let mut other = std::process::Command::new("sleep").arg("30").spawn().unwrap();
        let id = members.reserve().unwrap();
        members.settle(id, other.id() as i32);
        // As if the member had come a minute before that process was started.
        seats[id as usize].since.store(
            process_state::clock_ns().saturating_sub(60_000_000_000).max(1),
            SeqCst,
        );
        assert!(members.has_ended(id, Look::System));
        other.kill().unwrap();
        other.wait().unwrap();
    }

    #[test]
    fn seats_of_the_dead_are_given_away_and_those_of_the_living_are_not() {
        let (seats, last) = table(4);
        let members = Members {
            seats: &seats,
            last: &last,
        };
        let ids: Vec<_> = (0..4).map(|_| members.reserve().unwrap()).collect();
        assert_eq!(ids, [1, 2, 3, 4]);
        assert!(members.reserve().is_err());
        members.note_end(2, Some(9));
        assert_eq!(members.youngest_alive_after(2, 4), Some(3));
        assert_eq!(members.youngest_alive_after(3, 4), None);
        let id = members.reserve().unwrap();
        assert_eq!(id % 4, 2);
        assert!(matches!(
            members.life(2, Look::System),
            Life::Ended(End { pid: 0, .. })
        ));
        assert_eq!(members.life(id, Look::System), Life::Alive);
    }
}
