//! Leaving the parent's JavaScript frames and microtasks behind.

use std::sync::OnceLock;

use super::symbol;
use crate::error::{Error, Result};

/// A `v8::Isolate`.
pub type IsolatePtr = *mut libc::c_void;

/// Entry points of `v8::Isolate`, `MicrotasksScope` and `SuppressMicrotaskExecutionScope`.
#[derive(Debug)]
pub struct Entries {
    get_current: unsafe extern "C" fn() -> IsolatePtr,
    terminate: unsafe extern "C" fn(IsolatePtr),
    cancel_terminate: unsafe extern "C" fn(IsolatePtr),
    checkpoint: unsafe extern "C" fn(IsolatePtr),
    suppress: unsafe extern "C" fn(*mut Scope, IsolatePtr, *mut libc::c_void),
    unsuppress: unsafe extern "C" fn(*mut Scope),
}

/// Room for a `v8::Isolate::SuppressMicrotaskExecutionScope` (two or three pointers in all known versions).
#[derive(Debug, Default)]
#[repr(C, align(16))]
struct Scope([usize; 16]);

/// Finds the entry points once.
pub fn entries() -> Result<&'static Entries> {
    static ENTRIES: OnceLock<Result<Entries>> = OnceLock::new();
    ENTRIES.get_or_init(find).as_ref().map_err(Error::clone)
}

fn find() -> Result<Entries> {
    let get_current = symbol(c"_ZN2v87Isolate10GetCurrentEv")?;
    let terminate = symbol(c"_ZN2v87Isolate18TerminateExecutionEv")?;
    let cancel_terminate = symbol(c"_ZN2v87Isolate24CancelTerminateExecutionEv")?;
    let checkpoint = symbol(c"_ZN2v815MicrotasksScope17PerformCheckpointEPNS_7IsolateE")?;
    let suppress = symbol(c"_ZN2v87Isolate31SuppressMicrotaskExecutionScopeC1EPS0_PNS_14MicrotaskQueueE")?;
    let unsuppress = symbol(c"_ZN2v87Isolate31SuppressMicrotaskExecutionScopeD1Ev")?;
    // SAFETY: the mangled names fix these signatures; a C++ member function takes `this` as its first argument.
    unsafe {
        Ok(Entries {
            get_current: std::mem::transmute::<*mut libc::c_void, unsafe extern "C" fn() -> IsolatePtr>(
                get_current,
            ),
            terminate: std::mem::transmute::<*mut libc::c_void, unsafe extern "C" fn(IsolatePtr)>(terminate),
            cancel_terminate: std::mem::transmute::<*mut libc::c_void, unsafe extern "C" fn(IsolatePtr)>(
                cancel_terminate,
            ),
            checkpoint: std::mem::transmute::<*mut libc::c_void, unsafe extern "C" fn(IsolatePtr)>(
                checkpoint,
            ),
            suppress: std::mem::transmute::<
                *mut libc::c_void,
                unsafe extern "C" fn(*mut Scope, IsolatePtr, *mut libc::c_void),
            >(suppress),
            unsuppress: std::mem::transmute::<*mut libc::c_void, unsafe extern "C" fn(*mut Scope)>(
                unsuppress,
            ),
        })
    }
}

/// Unwinding under way: no microtask runs until it is finished.
#[derive(Debug)]
pub struct Unwinding {
    entries: &'static Entries,
    isolate: IsolatePtr,
    scope: Box<Scope>,
}

impl Unwinding {
    /// Makes every JavaScript frame on the stack end without running `catch` or `finally`, once the current native
    /// call returns, and keeps microtasks from running meanwhile.
    ///
    /// # Safety
    /// Call it on the thread of the isolate, inside a native function that was called by JavaScript.
    pub unsafe fn begin() -> Result<Self> {
        let entries = entries()?;
        // SAFETY: the caller vouches for the thread.
        let isolate = unsafe { (entries.get_current)() };
        if isolate.is_null() {
            return Err(Error::NotMainThread);
        }
        let mut scope = Box::<Scope>::default();
        // SAFETY: the box is larger than the scope object and lives until `finish` destroys it; a null queue means the
        // isolate's own.
        unsafe { (entries.suppress)(&raw mut *scope, isolate, std::ptr::null_mut()) };
        // SAFETY: the isolate is alive and current.
        unsafe { (entries.terminate)(isolate) };
        Ok(Self {
            entries,
            isolate,
            scope,
        })
    }

    /// Throws the microtasks of the abandoned frames away and makes JavaScript callable again. `before` runs while
    /// JavaScript is callable but microtasks are still only queued, and so thrown away too.
    ///
    /// # Safety
    /// Call it on the same thread with no JavaScript frame on the stack and a handle scope open.
    pub unsafe fn finish(mut self, before: impl FnOnce()) {
        // SAFETY: the isolate is alive and current.
        unsafe { (self.entries.cancel_terminate)(self.isolate) };
        before();
        // The scope (isolate, queue, last entry into V8) would give the isolate the entry back that was the last one when
        // it was made. That frame is gone: from the bottom of the stack there is none, and V8 clears exceptions only then.
        self.scope.0[2] = 0;
        // SAFETY: `begin` constructed the scope in this box; it is destroyed exactly once.
        unsafe { (self.entries.unsuppress)(&raw mut *self.scope) };
        // Under termination V8 discards the queue instead of running it.
        // SAFETY: the isolate is alive, current, and runs nothing.
        unsafe { (self.entries.terminate)(self.isolate) };
        // SAFETY: as above.
        unsafe { (self.entries.checkpoint)(self.isolate) };
        // SAFETY: as above.
        unsafe { (self.entries.cancel_terminate)(self.isolate) };
    }
}
