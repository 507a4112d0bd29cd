//! Where V8 puts its heap.
//!
//! V8 asks for each chunk of its heap, a quarter of a megabyte, at a random address. Every chunk then needs page tables of
//! its own on two levels, and a fork copies them all: they were 18 MB for a heap of 500 MB, and took half of the time of a
//! fork. Here one chunk is put beside the other, from a random address on. The kernel is not left to choose: it would give
//! chunks the place of other memory and the other way round, and what a fork knows of mappings from the fork before would
//! no longer hold (`fork/inherit.rs`).

use std::ffi::CStr;
use std::ops::Range;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::symbol;
use super::vtable::{Entry, Replacement};
use crate::error::{Error, Result};

/// Chunks are laid side by side within so many bytes, then from another random address on.
const REGION: usize = 1 << 36;
/// Chunks begin at multiples of this.
const STEP: usize = 1 << 18;
/// What is larger (memories of WebAssembly are) goes where V8 wants it.
const LARGEST: usize = 1 << 30;

const TABLE: &CStr = c"_ZTVN2v84base13PageAllocatorE";
const RANDOM_ADDRESS: &CStr = c"_ZN2v84base13PageAllocator17GetRandomMmapAddrEv";
const ALLOCATE: &CStr = c"_ZN2v84base13PageAllocator13AllocatePagesEPvmmNS_13PageAllocator10PermissionE";
const FREE: &CStr = c"_ZN2v84base13PageAllocator9FreePagesEPvm";

type PageAllocator = *mut libc::c_void;
type Address = *mut libc::c_void;

/// The methods of `v8::base::PageAllocator`.
#[derive(Debug)]
struct Originals {
    random_address: unsafe extern "C" fn(PageAllocator) -> Address,
    allocate: unsafe extern "C" fn(PageAllocator, Address, usize, usize, i32) -> Address,
    free: unsafe extern "C" fn(PageAllocator, Address, usize),
}

#[derive(Debug)]
struct Layout {
    originals: Originals,
    page_size: usize,
    /// What V8 gets for a random address, and gives back where it wants any.
    any: usize,
    /// Where the next chunks go.
    free: Mutex<Range<usize>>,
}

static LAYOUT: OnceLock<Layout> = OnceLock::new();

/// Has V8 put the chunks of its heap side by side from here on. To be called once.
///
/// # Errors
/// This node hides what that takes. Forks of large heaps take longer then; nothing else depends on it.
pub fn keep_heap_together() -> Result<()> {
    let replacements = [
        Replacement::find(TABLE, ALLOCATE, allocate as *const () as Entry)?,
        Replacement::find(TABLE, RANDOM_ADDRESS, random_address as *const () as Entry)?,
    ];
    // SAFETY: the mangled names fix these signatures, but for the results, which are part of V8's public interface; a C++
    // member function takes `this` as its first argument.
    let originals = unsafe {
        Originals {
            random_address: std::mem::transmute::<
                *mut libc::c_void,
                unsafe extern "C" fn(PageAllocator) -> Address,
            >(symbol(RANDOM_ADDRESS)?),
            allocate: std::mem::transmute::<
                *mut libc::c_void,
                unsafe extern "C" fn(PageAllocator, Address, usize, usize, i32) -> Address,
            >(symbol(ALLOCATE)?),
            free: std::mem::transmute::<*mut libc::c_void, unsafe extern "C" fn(PageAllocator, Address, usize)>(
                symbol(FREE)?,
            ),
        }
    };
    // SAFETY: the method reads no member; the platform's object is not needed for it.
    let any = unsafe { (originals.random_address)(std::ptr::null_mut()) } as usize & !(STEP - 1);
    let layout = Layout {
        originals,
        // SAFETY: sysconf has no precondition.
        page_size: unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize,
        any,
        free: Mutex::new(any..any + REGION),
    };
    LAYOUT
        .set(layout)
        .map_err(|_| Error::Unsupported("the heap is kept together already"))?;
    // SAFETY: both have the signatures of what they replace and can be called by any thread.
    unsafe { Replacement::install(&replacements) }
}

impl Layout {
    /// A place for `size` bytes where no chunk has been before.
    fn take(&self, this: PageAllocator, size: usize) -> usize {
        let size = size.next_multiple_of(STEP);
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < size {
            // SAFETY: called as V8 called us.
            let start = unsafe { (self.originals.random_address)(this) } as usize & !(STEP - 1);
            *free = start..start + REGION;
        }
        let place = free.start;
        free.start += size;
        place
    }
}

/// `void* GetRandomMmapAddr()`.
unsafe extern "C" fn random_address(_this: PageAllocator) -> Address {
    LAYOUT.get().map_or(0, |layout| layout.any) as Address
}

/// `void* AllocatePages(void* hint, size_t size, size_t alignment, Permission access)`.
unsafe extern "C" fn allocate(
    this: PageAllocator,
    hint: Address,
    size: usize,
    alignment: usize,
    permission: i32,
) -> Address {
    let Some(layout) = LAYOUT.get() else {
        // Not so: it was there before the table was changed.
        return std::ptr::null_mut();
    };
    let Originals {
        random_address,
        allocate,
        free,
    } = &layout.originals;
    // SAFETY: called as V8 called us, with other wishes for the place; what is freed was just allocated.
    unsafe {
        // V8 rounds the address down.
        if hint as usize != layout.any & !(alignment.max(1) - 1) {
            return allocate(this, hint, size, alignment, permission);
        }
        if size <= LARGEST && alignment <= STEP {
            let place = layout.take(this, size) as Address;
            // The place is aligned. To be sure of the alignment V8 would ask for more and give back what is too much,
            // and that could be the next chunk's.
            let pages = allocate(this, place, size, layout.page_size, permission);
            if pages == place || pages.is_null() {
                return pages;
            }
            // Something else is there: as V8 would have done.
            free(this, pages, size);
        }
        allocate(this, random_address(this), size, alignment, permission)
    }
}
