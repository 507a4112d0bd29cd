//! Giving the child the mappings that V8 keeps out of forks.
//!
//! V8 marks its heap `MADV_DONTFORK`, which keeps `child_process.spawn` cheap and leaves a forked child without a
//! heap. The mark is invisible in `/proc/self/maps` and dear to read in `smaps`, so we look at what a stub copy did
//! not get. Exactly those ranges lose the mark for the moment of the fork and get it back, in both processes.

use std::ops::Range;

use nix::errno::Errno;

use crate::error::{Error, Result};
use crate::fork::maps::{self, Ranges};
use crate::sys::clock::Deadline;
use crate::sys::stub::Stub;

/// What the last look found. Kept between forks: only changed mappings need another look.
#[derive(Debug, Default, Clone)]
struct Known {
    all: Ranges,
    marked: Ranges,
}

/// How long a stub may take to become visible, in milliseconds.
const STUB_PATIENCE_MS: f64 = 100.0;

/// From this size on, in bytes, a mapping is kept from a stub where possible.
const LARGE: usize = 1 << 20;

static KNOWN: std::sync::Mutex<Option<Known>> = std::sync::Mutex::new(None);

/// The mappings of this process during one fork.
#[derive(Debug, Default)]
pub struct Mappings {
    scratch: Vec<u8>,
}

impl Mappings {
    /// Nothing looked at yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Finds the marked mappings and takes the mark off. The threads must be quiet, since they map memory too.
    pub fn open(&mut self) -> Result<Ranges> {
        let all = maps::private_anonymous(None, &mut self.scratch)?;
        let mut known = KNOWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let marked = match known.take() {
            Some(known) if known.all == all => known.marked,
            known => self.look(&all, &known.unwrap_or_default())?,
        };
        unmark(&marked)?;
        *known = Some(Known {
            all,
            marked: marked.clone(),
        });
        Ok(marked)
    }

    /// Reads a stub's mappings; it may need a moment until it allows that.
    fn mappings_of(&mut self, stub: &Stub) -> Result<Ranges> {
        let deadline = Deadline::after_ms(STUB_PATIENCE_MS);
        loop {
            match maps::private_anonymous(Some(stub.pid()), &mut self.scratch) {
                Err(Error::NoProc(_)) if !deadline.passed() => std::thread::yield_now(),
                mappings => return mappings,
            }
        }
    }

    /// What of `all` is marked: what a stub does not get. Large mappings that were seen unmarked before are kept from
    /// the stub, since copying their page tables is most of its cost.
    fn look(&mut self, all: &Ranges, known: &Known) -> Result<Ranges> {
        let unmarked = maps::difference(&known.all, &known.marked);
        let mut hidden = maps::difference(all, &maps::difference(all, &unmarked));
        // The stub stands on a copy of this stack and has this thread's errno.
        let stack = std::ptr::from_ref(&hidden) as usize;
        let errno = errno_location();
        hidden.retain(|range| range.len() >= LARGE && !range.contains(&stack) && !range.contains(&errno));
        mark(&hidden);
        let stub = Stub::create();
        unmark(&hidden)?;
        let copied = self.mappings_of(&stub?)?;
        if !copied.iter().any(|range| range.contains(&stack)) {
            return Err(Error::NoProc("/proc/<pid>/maps"));
        }
        Ok(maps::difference(&maps::difference(all, &copied), &hidden))
    }
}

/// Puts the mark back on `opened`: in the parent, and in the child, whose own `child_process.spawn` is to stay cheap too.
pub fn restore(opened: &[Range<usize>]) {
    mark(opened);
}

/// Keeps `ranges` out of forks. A failure leaves a mapping unmarked: later spawns copy more, nothing breaks.
fn mark(ranges: &[Range<usize>]) {
    for range in ranges {
        advise(range, libc::MADV_DONTFORK);
    }
}

/// Lets forks have `ranges`, all or none.
///
/// What is no longer mapped (`ENOMEM`; want of resources is `EAGAIN`) needs nothing: it was this thread's own memory for
/// the look itself, or another thread has run, and then the look after the fork makes all begin again.
fn unmark(ranges: &[Range<usize>]) -> Result<()> {
    for (done, range) in ranges.iter().enumerate() {
        if advise(range, libc::MADV_DOFORK) != 0 && Errno::last() != Errno::ENOMEM {
            let error = Error::last("madvise");
            mark(&ranges[..done]);
            return Err(error);
        }
    }
    Ok(())
}

/// Where this thread's errno lies: a variable of the C library's.
fn errno_location() -> usize {
    // SAFETY: the call has no precondition.
    unsafe { libc::__errno_location() as usize }
}

fn advise(range: &Range<usize>, advice: i32) -> i32 {
    // SAFETY: DOFORK and DONTFORK change what a later fork copies and never the memory itself.
    unsafe { libc::madvise(range.start as *mut libc::c_void, range.len(), advice) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_has_gone_is_no_obstacle() {
        let size = 1 << 16;
        // SAFETY: an anonymous mapping at an address of the kernel's choice touches no existing memory; it is unmapped once.
        let gone = unsafe {
            let address = libc::mmap(
                std::ptr::null_mut(),
                size,
                libc::PROT_READ,
                libc::MAP_PRIVATE | libc::MAP_ANON,
                -1,
                0,
            );
            assert_eq!(libc::munmap(address, size), 0);
            address as usize
        };
        assert_eq!(unmark(std::slice::from_ref(&(gone..gone + size))), Ok(()));
    }
}
