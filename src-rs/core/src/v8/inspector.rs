//! A child does not follow the parent's debugger.
//!
//! At a breakpoint node waits for its inspector's thread to say how to go on, and a forked child has no such thread: a
//! program that was debugged would have children that hang. And what a debugger is told (scripts, errors, stops, lines of
//! the console) goes to an event loop that lies on that thread's stack, which the child's own threads use again. So in
//! the child the wait is replaced by going on, and nobody is told.

use std::ffi::c_void;
use std::sync::OnceLock;

use super::vtable::{Entry, Replacement};

/// What a child changes; each part where this node has it.
#[derive(Debug)]
pub struct Debugger(Vec<Replacement>);

/// Finds the parts, best before the fork: the child would touch much of the linker's memory.
pub fn debugger() -> &'static Debugger {
    static DEBUGGER: OnceLock<Debugger> = OnceLock::new();
    DEBUGGER.get_or_init(|| {
        let wait = Replacement::find(
            c"_ZTVN4node9inspector19NodeInspectorClientE",
            c"_ZN4node9inspector19NodeInspectorClient21runMessageLoopOnPauseEi",
            go_on as *const () as Entry,
        );
        let tell = Replacement::find(
            c"_ZTVN4node9inspector17IoSessionDelegateE",
            c"_ZN4node9inspector17IoSessionDelegate21SendMessageToFrontendERKN12v8_inspector10StringViewE",
            tell_nobody as *const () as Entry,
        );
        Debugger([wait, tell].into_iter().flatten().collect())
    })
}

impl Debugger {
    /// Child: breakpoints and `debugger` statements are passed over, and the parent's debugger hears of nothing.
    ///
    /// # Safety
    /// This process has just been forked and has no other thread yet.
    pub unsafe fn leave(&self) {
        // Where a table cannot be changed, the child is as one without this: it stops at breakpoints that it meets.
        // SAFETY: the functions have the signatures of those they replace, which nobody calls meanwhile.
        let _ = unsafe { Replacement::install(&self.0) };
    }
}

/// `void NodeInspectorClient::runMessageLoopOnPause(int)` that returns at once.
unsafe extern "C" fn go_on(_this: *mut c_void, _group: i32) {}

/// `void IoSessionDelegate::SendMessageToFrontend(const v8_inspector::StringView&)` that sends nothing.
unsafe extern "C" fn tell_nobody(_this: *mut c_void, _message: *const c_void) {}
