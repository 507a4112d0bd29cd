//! Replacing a virtual function of one of node's classes, in this process only.

use std::ffi::CStr;

use super::symbol;
use crate::error::{Error, Result};
use crate::sys::memory;

/// A virtual function, or what takes its place.
pub type Entry = *const libc::c_void;

/// One word of a class's table of virtual functions, and what goes there.
#[derive(Debug)]
pub struct Replacement {
    slot: *mut Entry,
    function: Entry,
    /// How the slot's page is protected. Where pages are larger than those that node was linked for, the page may hold
    /// variables or code as well.
    protection: libc::c_int,
}

// SAFETY: addresses of tables and functions of the node binary and of this library, which are never unloaded.
unsafe impl Send for Replacement {}
// SAFETY: as above; they are only read after being found.
unsafe impl Sync for Replacement {}

impl Replacement {
    /// In the table of the name `table`: the entry that holds the function of the name `original`, found by value, never
    /// by a fixed index, to be replaced by `function`.
    pub fn find(table: &'static CStr, original: &'static CStr, function: Entry) -> Result<Self> {
        // The classes have some twenty virtual functions; the first two words are the offset to top and the type.
        const LONGEST: usize = 48;
        let (table, original) = (symbol(table)?.cast::<Entry>(), symbol(original)?);
        for index in 2..LONGEST {
            // SAFETY: the table lies in the node binary's read-only data, which goes on far beyond it.
            let slot = unsafe { table.add(index) };
            // SAFETY: as above.
            if unsafe { *slot } == original.cast_const() {
                return Ok(Self {
                    slot,
                    function,
                    protection: memory::protection(slot as usize).unwrap_or(libc::PROT_READ),
                });
            }
        }
        Err(Error::MissingSymbol("an entry of a table of virtual functions"))
    }

    /// Puts the replacements there.
    ///
    /// # Safety
    /// Each has the signature of its original, and threads that call it meanwhile may get the one or the other.
    pub unsafe fn install(all: &[Self]) -> Result<()> {
        // SAFETY: sysconf has no precondition.
        let page_size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
        let page_of = |one: &Self| one.slot as usize & !(page_size - 1);
        for together in all.chunk_by(|one, other| page_of(one) == page_of(other)) {
            // SAFETY: the slots are aligned words of memory that is private to this process.
            if together.iter().all(|one| unsafe { *one.slot == one.function }) {
                continue;
            }
            let page = page_of(&together[0]) as *mut libc::c_void;
            let protection = together[0].protection;
            let is_writable = protection & libc::PROT_WRITE != 0;
            // SAFETY: the page is of the node binary's data, and is protected as it was in the end.
            unsafe {
                if !is_writable && libc::mprotect(page, page_size, protection | libc::PROT_WRITE) != 0 {
                    return Err(Error::last("mprotect"));
                }
                for one in together {
                    one.slot.write_volatile(one.function);
                }
                if !is_writable {
                    libc::mprotect(page, page_size, protection);
                }
            }
        }
        Ok(())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn variables_on_the_same_page_stay_writable() {
        static mut TABLE: [Entry; 2] = [c"original".as_ptr().cast(); 2];
        let slot = (&raw mut TABLE).cast::<Entry>();
        let one = Replacement {
            slot,
            function: c"function".as_ptr().cast(),
            protection: memory::protection(slot as usize).unwrap_or(libc::PROT_READ),
        };
        // SAFETY: nobody else knows the table; a page that had become read-only would end the test with SIGSEGV.
        unsafe {
            Replacement::install(std::slice::from_ref(&one)).unwrap();
            assert_eq!(*slot, one.function);
            slot.add(1).write_volatile(one.function);
        }
    }
}
