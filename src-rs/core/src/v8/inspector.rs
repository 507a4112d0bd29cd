//! A child does not stop at the parent's breakpoints.
//!
//! At a breakpoint node waits for its inspector's thread to say how to go on, and a forked child has no such thread: a
//! program that was debugged would have children that hang. In the child the wait is replaced by going on.

use std::sync::OnceLock;

use super::vtable::Replacement;

/// Child: breakpoints and `debugger` statements are passed over. Does nothing for a node without an inspector.
pub fn never_pause() {
    // SAFETY: `go_on` has the signature of `runMessageLoopOnPause`, and this child has no other thread yet.
    let installed = wait_entry().map(|entry| unsafe { entry.install() });
    // Where the table cannot be changed, the child is as one without this: it stops at breakpoints that it meets.
    let _ = installed;
}

/// Finds the entry, best before the fork: the child would touch much of the linker's memory.
pub fn wait_entry() -> Option<&'static Replacement> {
    static WAIT: OnceLock<Option<Replacement>> = OnceLock::new();
    WAIT.get_or_init(|| {
        Replacement::find(
            c"_ZTVN4node9inspector19NodeInspectorClientE",
            c"_ZN4node9inspector19NodeInspectorClient21runMessageLoopOnPauseEi",
            (go_on as *const ()).cast(),
        )
        .ok()
    })
    .as_ref()
}

/// `void runMessageLoopOnPause(int)` that returns at once.
unsafe extern "C" fn go_on(_this: *mut libc::c_void, _group: i32) {}
