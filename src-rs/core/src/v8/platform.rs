//! Reviving V8's background work in a forked child.
//!
//! Node hands V8 a `NodePlatform`. All background work passes through two virtual functions of it, which post to a
//! queue whose threads the fork left behind: JIT compilation, concurrent marking and asynchronous WebAssembly would
//! wait for ever. In the child, and only there, the two vtable entries are pointed at [`Workers`] of our own.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use super::symbol;
use super::vtable::{Entry, Replacement};
use super::workers::{Task, Workers};
use crate::error::{Error, Result};

/// The platform's entries, and how many threads it has.
#[derive(Debug)]
struct Platform {
    posts: [Replacement; 2],
    limit: unsafe extern "C" fn(*mut libc::c_void) -> i32,
}

static WORKERS: AtomicPtr<Workers> = AtomicPtr::new(std::ptr::null_mut());
static DRAINED: AtomicPtr<libc::c_void> = AtomicPtr::new(std::ptr::null_mut());
/// How many threads the workers may have; fixed by the first post, from the platform's own number.
static LIMIT: AtomicUsize = AtomicUsize::new(0);

fn platform() -> Result<&'static Platform> {
    static PLATFORM: OnceLock<Result<Platform>> = OnceLock::new();
    PLATFORM.get_or_init(find).as_ref().map_err(Error::clone)
}

/// Whether this node binary has what reviving needs.
pub fn check() -> Result<()> {
    platform().map(|_| ())
}

fn find() -> Result<Platform> {
    let limit = symbol(c"_ZN4node12NodePlatform21NumberOfWorkerThreadsEv")?;
    let entry = |original, function: *const ()| {
        Replacement::find(c"_ZTVN4node12NodePlatformE", original, function as Entry)
    };
    // Node 22 and later pass a priority and a source location; Node 20 does not.
    let newer = (
        entry(
            c"_ZN4node12NodePlatform26PostTaskOnWorkerThreadImplEN2v812TaskPriorityESt10unique_ptrINS1_4TaskESt14default_deleteIS4_EERKNS1_14SourceLocationE",
            post_with_priority as *const (),
        ),
        entry(
            c"_ZN4node12NodePlatform33PostDelayedTaskOnWorkerThreadImplEN2v812TaskPriorityESt10unique_ptrINS1_4TaskESt14default_deleteIS4_EEdRKNS1_14SourceLocationE",
            post_delayed_with_priority as *const (),
        ),
    );
    let posts = if let (Ok(post), Ok(delayed)) = newer {
        [post, delayed]
    } else {
        [
            entry(
                c"_ZN4node12NodePlatform18CallOnWorkerThreadESt10unique_ptrIN2v84TaskESt14default_deleteIS3_EE",
                post_plain as *const (),
            )?,
            entry(
                c"_ZN4node12NodePlatform25CallDelayedOnWorkerThreadESt10unique_ptrIN2v84TaskESt14default_deleteIS3_EEd",
                post_delayed_plain as *const (),
            )?,
        ]
    };
    // SAFETY: the mangled name fixes the signature: a member function without arguments that returns int.
    let limit = unsafe {
        std::mem::transmute::<*mut libc::c_void, unsafe extern "C" fn(*mut libc::c_void) -> i32>(limit)
    };
    Ok(Platform { posts, limit })
}

/// Child: sends V8's background tasks to threads of ours. `drained` is called when none is left.
///
/// In a grandchild the entries are ours already; the pool it inherited has no threads and is replaced.
pub fn revive(drained: fn()) -> Result<()> {
    let platform = platform()?;
    DRAINED.store(drained as *mut libc::c_void, Ordering::Relaxed);
    // The parent's pool, if any, is left to leak: its lock and its threads belong to another process.
    WORKERS.store(std::ptr::null_mut(), Ordering::Release);
    // SAFETY: the signatures are those of the names that were found; no other thread exists yet in this child.
    unsafe { Replacement::install(&platform.posts) }
}

/// Background tasks of this child that are not finished.
#[must_use]
pub fn outstanding() -> usize {
    // SAFETY: a non-null pointer was leaked from a box by `workers` and stays valid for the life of the process.
    unsafe { WORKERS.load(Ordering::Acquire).as_ref() }.map_or(0, Workers::outstanding)
}

/// The pool, made at the first task.
fn workers(this: *mut libc::c_void) -> &'static Workers {
    let existing = WORKERS.load(Ordering::Acquire);
    if !existing.is_null() {
        // SAFETY: as in `outstanding`.
        return unsafe { &*existing };
    }
    if LIMIT.load(Ordering::Relaxed) == 0 {
        // SAFETY: `this` is the live platform object that V8 called us through.
        let threads = platform().map_or(4, |platform| unsafe { (platform.limit)(this) });
        LIMIT.store(usize::try_from(threads).unwrap_or(4).max(1), Ordering::Relaxed);
    }
    let fresh = Box::into_raw(Box::new(Workers::new(LIMIT.load(Ordering::Relaxed), on_drained)));
    match WORKERS.compare_exchange(std::ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire) {
        // SAFETY: just leaked, never freed.
        Ok(_) => unsafe { &*fresh },
        Err(winner) => {
            // SAFETY: `fresh` was not published, so this is its only owner; `winner` was leaked by another thread.
            unsafe {
                drop(Box::from_raw(fresh));
                &*winner
            }
        }
    }
}

fn on_drained() {
    let drained = DRAINED.load(Ordering::Relaxed);
    if !drained.is_null() {
        // SAFETY: only `revive` stores here, and it stores a `fn()`.
        let drained: fn() = unsafe { std::mem::transmute(drained) };
        drained();
    }
}

type Holder = *mut *mut libc::c_void;

unsafe extern "C" fn post_with_priority(
    this: *mut libc::c_void,
    _priority: i32,
    task: Holder,
    _location: *const libc::c_void,
) {
    // SAFETY: V8 passes a unique_ptr<Task> by value, which arrives as its address.
    if let Some(task) = unsafe { Task::take(task) } {
        workers(this).post(task);
    }
}

unsafe extern "C" fn post_delayed_with_priority(
    this: *mut libc::c_void,
    _priority: i32,
    task: Holder,
    seconds: f64,
    _location: *const libc::c_void,
) {
    // SAFETY: as above.
    if let Some(task) = unsafe { Task::take(task) } {
        workers(this).post_delayed(task, seconds);
    }
}

unsafe extern "C" fn post_plain(this: *mut libc::c_void, task: Holder) {
    // SAFETY: as above.
    if let Some(task) = unsafe { Task::take(task) } {
        workers(this).post(task);
    }
}

unsafe extern "C" fn post_delayed_plain(this: *mut libc::c_void, task: Holder, seconds: f64) {
    // SAFETY: as above.
    if let Some(task) = unsafe { Task::take(task) } {
        workers(this).post_delayed(task, seconds);
    }
}
