//! Which parts of an arena are taken: best fit over ranges of offsets. Knows nothing of memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

/// Sizes are rounded up to this, and every block begins at a multiple of it.
const GRAIN: u64 = 16;

/// Free and used blocks; together they tile the range without gaps.
#[derive(Debug)]
pub struct Heap {
    /// Free blocks by their beginning, with their size.
    free: BTreeMap<u64, u64>,
    /// The same by size.
    by_size: BTreeSet<(u64, u64)>,
    /// Used blocks by their beginning, with their size.
    used: HashMap<u64, u64>,
}

impl Heap {
    /// All of `range` is free.
    #[must_use]
    pub fn new(range: Range<u64>) -> Self {
        let mut heap = Self {
            free: BTreeMap::new(),
            by_size: BTreeSet::new(),
            used: HashMap::new(),
        };
        heap.insert(range.start, range.end - range.start);
        heap
    }

    fn insert(&mut self, start: u64, size: u64) {
        if size > 0 {
            self.free.insert(start, size);
            self.by_size.insert((size, start));
        }
    }

    fn remove(&mut self, start: u64) -> Option<u64> {
        let size = self.free.remove(&start)?;
        self.by_size.remove(&(size, start));
        Some(size)
    }

    /// The smallest free block that holds `size` bytes at a multiple of `align`, a power of two.
    pub fn allocate(&mut self, size: u64, align: u64) -> Option<u64> {
        let size = size.max(1).checked_next_multiple_of(GRAIN)?;
        let align = align.max(GRAIN);
        let fit = |&(length, start): &(u64, u64)| {
            let offset = start.checked_next_multiple_of(align)?;
            (offset - start <= length && length - (offset - start) >= size).then_some((length, start, offset))
        };
        let (length, start, offset) = self.by_size.range((size, 0)..).find_map(fit)?;
        self.remove(start);
        self.insert(start, offset - start);
        self.insert(offset + size, start + length - offset - size);
        self.used.insert(offset, size);
        Some(offset)
    }

    /// Size of the used block at `offset`.
    #[must_use]
    pub fn size_of(&self, offset: u64) -> Option<u64> {
        self.used.get(&offset).copied()
    }

    /// Frees the block at `offset`, if there is one, and joins it with its free neighbours.
    pub fn free(&mut self, offset: u64) {
        let Some(mut size) = self.used.remove(&offset) else {
            return;
        };
        let mut start = offset;
        if let Some(next) = self.remove(offset + size) {
            size += next;
        }
        let before = self
            .free
            .range(..offset)
            .next_back()
            .map(|(&at, &length)| (at, length));
        if let Some((at, length)) = before.filter(|(at, length)| at + length == offset) {
            self.remove(at);
            start = at;
            size += length;
        }
        self.insert(start, size);
    }

    /// Every block in order: where it begins, its size, and whether it is used.
    #[must_use]
    pub fn blocks(&self) -> Vec<(u64, u64, bool)> {
        let used = self.used.iter().map(|(&at, &size)| (at, size, true));
        let free = self.free.iter().map(|(&at, &size)| (at, size, false));
        let mut all: Vec<_> = used.chain(free).collect();
        all.sort_unstable();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(heap: &Heap, range: &Range<u64>) {
        let mut end = range.start;
        let mut last_was_free = false;
        for (at, size, used) in heap.blocks() {
            assert_eq!(at, end, "a gap or an overlap");
            assert!(size > 0 && (used || !last_was_free), "two free neighbours");
            end = at + size;
            last_was_free = !used;
        }
        assert_eq!(end, range.end);
    }

    #[test]
    fn mp151_blocks_tile_the_heap_after_5000_random_allocations_and_frees() {
        let range = 4096..4096 + (1 << 30);
        let mut heap = Heap::new(range.clone());
        let mut taken = Vec::new();
        let mut seed = 42_u64;
        let mut random = || {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            seed >> 33
        };
        for _ in 0..if cfg!(miri) { 200 } else { 5000 } {
            let (size, align) = (random() % 5000, 16 << (random() % 4));
            let offset = heap.allocate(size, align).unwrap();
            assert_eq!(offset % align, 0);
            taken.push(offset);
            if taken.len() > 100 {
                let at = random() as usize % taken.len();
                heap.free(taken.swap_remove(at));
            }
        }
        check(&heap, &range);
        for offset in taken {
            heap.free(offset);
        }
        assert_eq!(heap.blocks(), [(range.start, range.end - range.start, false)]);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_nothing_is_freed_twice() {
        let mut heap = Heap::new(0..256);
        let first = heap.allocate(100, 64).unwrap();
        assert_eq!(heap.allocate(200, 16), None);
        assert_eq!(heap.allocate(u64::MAX, 16), None);
        heap.free(first);
        heap.free(first);
        heap.free(32);
        assert_eq!(heap.blocks(), [(0, 256, false)]);
    }
}
