//! A child does not follow the parent's debugger.
//!
//! At a breakpoint node waits for its inspector's thread to say how to go on, and a forked child has no such thread: a
//! program that was debugged would have children that hang. And what a debugger is told (scripts, errors, stops) goes to
//! an event loop that lies on that thread's stack, which the child's own threads may use again. So in the child the wait
//! is replaced by going on and, where node exports what that takes, nobody is told.

use std::sync::OnceLock;

use super::isolate::IsolatePtr;
use super::symbol;
use super::vtable::Replacement;

/// What a child changes; each part where this node has it.
#[derive(Debug)]
pub struct Debugger {
    wait: Option<Replacement>,
    set_delegate: Option<unsafe extern "C" fn(IsolatePtr, *mut libc::c_void)>,
    current: Option<unsafe extern "C" fn() -> IsolatePtr>,
}

/// Finds the parts, best before the fork: the child would touch much of the linker's memory.
pub fn debugger() -> &'static Debugger {
    static DEBUGGER: OnceLock<Debugger> = OnceLock::new();
    DEBUGGER.get_or_init(|| Debugger {
        wait: Replacement::find(
            c"_ZTVN4node9inspector19NodeInspectorClientE",
            c"_ZN4node9inspector19NodeInspectorClient21runMessageLoopOnPauseEi",
            (go_on as *const ()).cast(),
        )
        .ok(),
        set_delegate: symbol(c"_ZN2v85debug16SetDebugDelegateEPNS_7IsolateEPNS0_13DebugDelegateE")
            .ok()
            // SAFETY: the mangled name fixes the signature.
            .map(|address| unsafe {
                std::mem::transmute::<*mut libc::c_void, unsafe extern "C" fn(IsolatePtr, *mut libc::c_void)>(
                    address,
                )
            }),
        current: symbol(c"_ZN2v87Isolate10GetCurrentEv")
            .ok()
            // SAFETY: as above.
            .map(|address| unsafe {
                std::mem::transmute::<*mut libc::c_void, unsafe extern "C" fn() -> IsolatePtr>(address)
            }),
    })
}

impl Debugger {
    /// Child: breakpoints and `debugger` statements are passed over.
    ///
    /// # Safety
    /// This process has just been forked, inside a native function that was called by JavaScript.
    pub unsafe fn leave(&self) {
        // Where the table cannot be changed, the child is as one without this: it stops at breakpoints that it meets.
        // SAFETY: `go_on` has the signature of `runMessageLoopOnPause`, and this child has no other thread yet.
        let _ = unsafe { Replacement::install(self.wait.as_slice()) };
        if let (Some(set_delegate), Some(current)) = (self.set_delegate, self.current) {
            // SAFETY: this is the thread of the isolate; no delegate is what it has when no debugger is attached.
            unsafe { set_delegate(current(), std::ptr::null_mut()) };
        }
    }
}

/// `void runMessageLoopOnPause(int)` that returns at once.
unsafe extern "C" fn go_on(_this: *mut libc::c_void, _group: i32) {}
