//! The anonymous blocks that this process, or one that it was forked from, has made: kept open, for others to find, until they
//! are unlinked.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::anonymous::is_unlinked;

struct Kept {
    files: BTreeMap<CString, File>,
    /// How many there are when it is time to look which of them other processes have unlinked.
    review_at: usize,
}

const REVIEW_AT: usize = 64;

static KEPT: Mutex<Kept> = Mutex::new(Kept {
    files: BTreeMap::new(),
    review_at: REVIEW_AT,
});

// Nobody sleeps with this lock held, so that no fork finds it taken.
fn kept() -> MutexGuard<'static, Kept> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps a block open. From time to time those are closed that others have unlinked.
pub fn keep(name: CString, file: File) {
    let mut kept = kept();
    kept.files.insert(name, file);
    if kept.files.len() < kept.review_at {
        return;
    }
    let all = std::mem::take(&mut kept.files);
    let (gone, linked): (BTreeMap<_, _>, _) = all.into_iter().partition(|(_, file)| is_unlinked(file));
    kept.review_at = (2 * linked.len()).max(REVIEW_AT);
    kept.files = linked;
    drop(kept);
    // Closed with the lock released.
    drop(gone);
}

/// Whether it is one of them.
pub fn has(name: &CStr) -> bool {
    kept().files.contains_key(name)
}

/// Another descriptor of it.
pub fn get(name: &CStr) -> Option<File> {
    kept().files.get(name)?.try_clone().ok()
}

/// It is kept no longer.
pub fn take(name: &CStr) -> Option<File> {
    kept().files.remove(name)
}
