//! The rest of what libuv was delivering at the fork.
//!
//! When the thread pool has finished several requests, or several watchers have a callback pending, libuv takes them off
//! the loop into a list whose head is a variable of its own, and delivers one after the other. A fork in one's callback
//! leaves the child with the rest: they are the parent's, and to deliver them while frames are being unwound makes node
//! abort (a promise of `fs` that could not be settled, for instance). Nothing leads to such a list but the stack, so its
//! head is looked for there and recognised by its contents: a ring of members that all belong to this loop.

use super::ffi::{Links, Loop, unlink_all};
use crate::sys::memory::{main_stack_end, words};

/// Longest batch that is believed.
const LONGEST: usize = 100_000;

/// Has the child deliver nothing of the batch that the fork interrupted, if it did interrupt one.
///
/// # Safety
/// `event_loop` is the loop of this thread, which is the main one, in a process that has just been forked inside of a
/// callback of that loop or outside of any.
pub unsafe fn forget(event_loop: *mut Loop) {
    // Each request of a batch still counts as active, those behind a watcher's callback do too.
    // SAFETY: the caller's.
    if unsafe { Loop::active_requests(event_loop) } == 0 {
        return;
    }
    let is_request = |links: usize| {
        // In a request (`uv__work`) the pointer to the loop stands in front of the links.
        let owner = words::<1>(links.wrapping_sub(size_of::<usize>()));
        owner == Some([event_loop as usize])
    };
    // SAFETY: the caller's.
    let is_watcher = |links: usize| unsafe { Loop::is_pending_watcher(event_loop, links) };
    let here = 0_usize;
    let mut head = std::ptr::from_ref(&here) as usize;
    let end = main_stack_end();
    while head + size_of::<Links>() <= end {
        // SAFETY: between a variable of this frame and the beginning of the stack, all is mapped and readable.
        let [next, previous] = unsafe { std::ptr::read_volatile(head as *const [usize; 2]) };
        if may_be_links(next, head)
            && may_be_links(previous, head)
            // What nearly all others fail at; each look at an address costs a system call.
            && words::<2>(next).is_some_and(|[_, back]| back == head)
            && (is_ring(head, next, previous, is_request) || is_ring(head, next, previous, is_watcher))
        {
            // SAFETY: the two words were recognised as the head of such a list, a live variable of libuv's.
            unsafe { unlink_all(head as *mut Links) };
        }
        head += size_of::<usize>();
    }
}

/// Bits of an address that a program can have. It is 47 of them on x86-64, and on arm64 48, of which most addresses have the
/// highest; where the kernel offers more, it is for those who ask.
const ADDRESS_BITS: u32 = 48;

fn may_be_links(address: usize, head: usize) -> bool {
    address.is_multiple_of(align_of::<usize>())
        && address > 0x1_0000
        && address >> ADDRESS_BITS == 0
        && address.abs_diff(head) > 1 << 16
}

/// Whether the ring from `head` leads through members only and back to it.
fn is_ring(head: usize, first: usize, last: usize, is_member: impl Fn(usize) -> bool) -> bool {
    let (mut previous, mut links) = (head, first);
    for _ in 0..LONGEST {
        let Some([next, back]) = words::<2>(links) else {
            return false;
        };
        if back != previous || !is_member(links) {
            return false;
        }
        if next == head {
            return links == last;
        }
        (previous, links) = (links, next);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_both_processors_may_be_links() {
        // Heap and stack on x86-64, and on arm64.
        assert!(may_be_links(0x5555_5557_8010, 0x7fff_ffff_e000));
        assert!(may_be_links(0xaaaa_aaac_8010, 0xffff_ffff_e000));
        // Small numbers, odd ones, neighbours on the stack, floating-point numbers.
        for other in [16, 0x5555_5557_8011, 0x7fff_ffff_e800, 1.5_f64.to_bits() as usize] {
            assert!(!may_be_links(other, 0x7fff_ffff_e000), "{other:#x}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn only_a_closed_ring_of_members_counts() {
        let mut memory = vec![0_usize; 64];
        let at = |index: usize| memory.as_ptr() as usize + index * size_of::<usize>();
        let (head, one, two) = (at(0), at(11), at(21));
        memory[0..2].copy_from_slice(&[one, two]);
        memory[11..13].copy_from_slice(&[two, head]);
        memory[21..23].copy_from_slice(&[head, one]);
        assert!(is_ring(head, one, two, |_| true));
        assert!(!is_ring(head, one, one, |_| true));
        assert!(!is_ring(head, one, two, |links| links == one));
        assert!(!is_ring(head, 0x1_0000, two, |_| true));
    }
}
