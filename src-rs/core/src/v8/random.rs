//! Giving a child's `Math.random` a state of its own.
//!
//! V8 keeps an xorshift128+ state and a cache of 64 results in each context and offers no way to seed them again. The
//! two lie in slots of the native context next to the cache's index; they are recognised by their contents (the last
//! cached number must follow from the state), and only then written. Anything else leaves memory untouched.

use std::sync::{Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::sys::memory;

const CACHE: usize = 64;
const NOT_FOUND: Error = Error::Unsupported("the state of Math.random was not recognised");

/// Where the state of a `Math.random` lies. Valid until V8 next runs.
#[derive(Debug, Clone, Copy)]
pub struct State {
    index: usize,
    state: usize,
}

/// Native context and slot in which the state was found last: a place to look first, checked like any other.
static LAST: Mutex<Option<(usize, usize)>> = Mutex::new(None);

/// Finds the state of the `Math.random` whose handle is given.
///
/// # Safety
/// `handle` is the address of a live V8 handle to the function `Math.random`, which was called at least once.
pub unsafe fn find(handle: *const usize) -> Result<State> {
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: the caller vouches for the handle.
    let function = unsafe { *handle };
    let fields = words::<10>(object(function)?)?;
    // The garbage collector moves contexts; the hint holds only while the function still refers to that one.
    if let Some((context, slot)) = *last
        && fields.contains(&(context + 1))
        && let Ok(triple) = words::<3>(context + slot * size_of::<usize>())
        && let Some(state) = state_in(triple)
    {
        return Ok(State {
            index: context + slot * size_of::<usize>(),
            state,
        });
    }
    for context in fields.into_iter().filter_map(|field| object(field).ok()) {
        if let Some((slot, state)) = random_state(context) {
            *last = Some((context, slot));
            return Ok(State {
                index: context + slot * size_of::<usize>(),
                state,
            });
        }
    }
    Err(NOT_FOUND)
}

impl State {
    /// Writes `seed` into the state; the next call of `Math.random` starts from there.
    ///
    /// # Safety
    /// V8 has not run since `find`, in this process or in the one it was forked from.
    pub unsafe fn reseed(self, seed: [u8; 16]) {
        // The generator would stay at zero for ever.
        let seed = if seed == [0; 16] { [1; 16] } else { seed };
        // SAFETY: `find` checked that 16 bytes of raw data in a byte array lie there, and that the word at `index` is
        // the small integer in front of it; neither holds a pointer, so no write barrier is due.
        unsafe {
            std::ptr::write_unaligned(self.state as *mut [u8; 16], seed);
            // Index 0 says that the cache is used up.
            std::ptr::write(self.index as *mut usize, 0);
        }
    }
}

/// Address of a tagged heap pointer's object.
fn object(tagged: usize) -> Result<usize> {
    if tagged & 3 == 1 {
        Ok(tagged - 1)
    } else {
        Err(NOT_FOUND)
    }
}

/// In a native context: the slot of the cache's index, and the address of the generator's state.
fn random_state(context: usize) -> Option<(usize, usize)> {
    // The slot numbers differ between versions of V8; no native context has more than these.
    const SLOTS: usize = 768;
    let slots = memory::words_up_to::<SLOTS>(context);
    slots
        .windows(3)
        .enumerate()
        .skip(2)
        .find_map(|(slot, triple)| Some((slot, state_in(triple.try_into().ok()?)?)))
}

/// If three slots are the cache's index, the state and the cache: the address of the state's bytes.
fn state_in([index, state, cache]: [usize; 3]) -> Option<usize> {
    // A 64-bit small integer keeps its value in the upper half.
    if index & 0xffff_ffff != 0 || index >> 32 > CACHE {
        return None;
    }
    let (state, cache) = (object(state).ok()?, object(cache).ok()?);
    let raw = words::<4>(state).ok()?;
    if length(raw[1]) != 16 {
        return None;
    }
    let cache = words::<{ 2 + CACHE }>(cache).ok()?;
    let last = f64::from_bits(cache[1 + CACHE] as u64);
    (length(cache[1]) == CACHE && follows(raw[2], raw[3], last)).then_some(state + 2 * size_of::<usize>())
}

/// A length is a small integer in older versions and a plain 32-bit number in newer ones.
fn length(word: usize) -> usize {
    if word.trailing_zeros() >= 32 {
        word >> 32
    } else {
        word & 0xffff_ffff
    }
}

/// Whether `number` is what the generator returns in state `s0`, `s1`: three versions of V8's conversion.
fn follows(s0: usize, s1: usize, number: f64) -> bool {
    let (s0, s1) = (s0 as u64, s1 as u64);
    // 53 bits fit a double exactly.
    let of_53_bits = |bits: u64| (bits >> 11) as f64 / 9_007_199_254_740_992.0;
    let oldest = f64::from_bits((s0 >> 12) | 0x3FF0_0000_0000_0000) - 1.0;
    let known = [oldest, of_53_bits(s0), of_53_bits(s0.wrapping_add(s1))];
    (s0, s1) != (0, 0)
        && known
            .iter()
            .any(|candidate| candidate.to_bits() == number.to_bits())
}

/// Words at an address that may be anything.
fn words<const N: usize>(address: usize) -> Result<[usize; N]> {
    memory::words(address).ok_or(NOT_FOUND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wild_addresses_are_refused_not_followed() {
        let handle = [0x1_0001_usize];
        // SAFETY: the handle is readable; what it points at is not, which is the test.
        assert_eq!(unsafe { find(handle.as_ptr()) }.err(), Some(NOT_FOUND));
    }

    #[test]
    fn the_conversions_of_three_versions_are_known() {
        const STATE: (usize, usize) = (0x581d_eb4b_b160_4550, 0x46ce_4e3a_902c_7583);
        let oldest = f64::from_bits((STATE.0 as u64 >> 12) | 0x3FF0_0000_0000_0000) - 1.0;
        assert!(follows(STATE.0, STATE.1, oldest));
        // Read in Node 26.
        assert!(follows(STATE.0, STATE.1, 0.620_792_002_942_425_5));
        assert!(!follows(STATE.0, STATE.1, 0.5));
        assert!(!follows(0, 0, 0.0));
    }
}
