//! The functions and public fields of libuv 1.x that we use, found in the node binary by name.

use std::ffi::c_int;
use std::sync::OnceLock;

use crate::error::{Error, Result};
use crate::sys::memory::words;
use crate::v8::symbol;

/// A handle of any kind.
#[derive(Debug)]
#[repr(C)]
pub struct Handle {
    /// Free for the handle's owner.
    pub data: *mut libc::c_void,
    _loop: *mut Loop,
    kind: c_int,
}

/// An event loop; opaque but for the fields below.
#[derive(Debug)]
#[repr(C)]
pub struct Loop {
    _private: [u8; 0],
}

/// `uv_handle_type`.
pub mod kind {
    #![allow(missing_docs, reason = "the names are libuv's")]
    pub const ASYNC: i32 = 1;
    pub const FS_EVENT: i32 = 3;
    pub const FS_POLL: i32 = 4;
    pub const IDLE: i32 = 6;
    pub const NAMED_PIPE: i32 = 7;
    pub const POLL: i32 = 8;
    pub const TCP: i32 = 12;
    pub const TIMER: i32 = 13;
    pub const TTY: i32 = 14;
    pub const UDP: i32 = 15;
    pub const SIGNAL: i32 = 16;
}

/// Memory for one handle of ours. libuv's largest handle that we use, `uv_poll_t`, has 160 bytes; checked in `load`.
#[derive(Debug, Default)]
#[repr(C, align(8))]
pub struct HandleMemory([u64; 32]);

/// Callback of most handles.
pub type Callback = unsafe extern "C" fn(*mut Handle);
type PollCallback = unsafe extern "C" fn(*mut Handle, c_int, c_int);
type WalkCallback = unsafe extern "C" fn(*mut Handle, *mut libc::c_void);

macro_rules! functions {
    ($($name:ident: $symbol:literal, fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// libuv's functions.
        #[derive(Debug)]
        #[allow(missing_docs, reason = "the names and meanings are libuv's")]
        pub struct Uv {
            $(pub $name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        fn load() -> Result<Uv> {
            let uv = Uv {
                $($name: {
                    let address = symbol($symbol)?;
                    // SAFETY: libuv 1.x is ABI-stable; the signature is that of its public header.
                    unsafe { std::mem::transmute::<*mut libc::c_void, unsafe extern "C" fn($($argument),*) $(-> $result)?>(address) }
                },)*
            };
            check_layout(&uv)?;
            Ok(uv)
        }
    };
}

functions! {
    version: c"uv_version", fn() -> u32;
    handle_size: c"uv_handle_size", fn(c_int) -> usize;
    loop_size: c"uv_loop_size", fn() -> usize;
    loop_fork: c"uv_loop_fork", fn(*mut Loop) -> c_int;
    walk: c"uv_walk", fn(*mut Loop, WalkCallback, *mut libc::c_void);
    reference: c"uv_ref", fn(*mut Handle);
    unreference: c"uv_unref", fn(*mut Handle);
    is_closing: c"uv_is_closing", fn(*const Handle) -> c_int;
    is_active: c"uv_is_active", fn(*const Handle) -> c_int;
    has_reference: c"uv_has_ref", fn(*const Handle) -> c_int;
    fileno: c"uv_fileno", fn(*const Handle, *mut c_int) -> c_int;
    close: c"uv_close", fn(*mut Handle, Option<Callback>);
    read_stop: c"uv_read_stop", fn(*mut Handle) -> c_int;
    fs_event_stop: c"uv_fs_event_stop", fn(*mut Handle) -> c_int;
    fs_poll_stop: c"uv_fs_poll_stop", fn(*mut Handle) -> c_int;
    async_init: c"uv_async_init", fn(*mut Loop, *mut Handle, Option<Callback>) -> c_int;
    async_send: c"uv_async_send", fn(*mut Handle) -> c_int;
    idle_init: c"uv_idle_init", fn(*mut Loop, *mut Handle) -> c_int;
    idle_start: c"uv_idle_start", fn(*mut Handle, Option<Callback>) -> c_int;
    prepare_init: c"uv_prepare_init", fn(*mut Loop, *mut Handle) -> c_int;
    prepare_start: c"uv_prepare_start", fn(*mut Handle, Option<Callback>) -> c_int;
    timer_start: c"uv_timer_start", fn(*mut Handle, Option<Callback>, u64, u64) -> c_int;
    timer_stop: c"uv_timer_stop", fn(*mut Handle) -> c_int;
    poll_init: c"uv_poll_init", fn(*mut Loop, *mut Handle, c_int) -> c_int;
    poll_start: c"uv_poll_start", fn(*mut Handle, c_int, Option<PollCallback>) -> c_int;
}

/// libuv's functions, found once.
pub fn uv() -> Result<&'static Uv> {
    static UV: OnceLock<Result<Uv>> = OnceLock::new();
    UV.get_or_init(load).as_ref().map_err(Error::clone)
}

fn check_layout(uv: &Uv) -> Result<()> {
    // SAFETY: these functions have no precondition.
    let (version, largest, size) =
        unsafe { ((uv.version)(), (uv.handle_size)(kind::POLL), (uv.loop_size)()) };
    let (major, minor) = (version >> 16, (version >> 8) & 0xff);
    if major != 1 || minor < 45 || largest > size_of::<HandleMemory>() || size != field::INOTIFY_FD + 8 {
        return Err(Error::Unsupported(
            "this libuv is not one of the known versions (1.45 and later 1.x with the same structures)",
        ));
    }
    Ok(())
}

/// Offsets in libuv's public structures, equal in 1.45 to 1.52 on 64-bit Linux but for the size of a mutex.
mod field {
    /// A mutex has 40 bytes, but 48 on arm64 with glibc; one lies before the fields that this is added to.
    const MUTEX_EXCESS: usize = size_of::<libc::pthread_mutex_t>() - 40;
    pub const ACTIVE_HANDLES: usize = 8;
    pub const ACTIVE_REQUESTS: usize = 32;
    pub const PENDING: usize = 72;
    pub const WATCHERS: usize = 104;
    pub const WATCHER_COUNT: usize = 112;
    pub const FINISHED_WORK: usize = 120;
    /// Of a watcher (`uv__io_t`): its links in a list of pending ones.
    pub const WATCHER_PENDING: usize = 8;
    /// What it is registered for in the kernel.
    pub const WATCHER_EVENTS: usize = 44;
    pub const WATCHER_FD: usize = 48;
    pub const CLOSING_HANDLES: usize = 360 + MUTEX_EXCESS;
    /// Of any handle.
    pub const CLOSE_CALLBACK: usize = 24;
    pub const NEXT_CLOSING: usize = 80;
    pub const ASYNC_PENDING: usize = 120;
    /// Of timers and async handles alike: the first field after the common ones.
    pub const CALLBACK: usize = 96;
    pub const SIGNAL_NUMBER: usize = 104;
    pub const SIGNALS_CAUGHT: usize = 144;
    pub const SIGNALS_DISPATCHED: usize = 148;
    pub const WRITE_QUEUE_SIZE: usize = 96;
    pub const WRITE_QUEUE: usize = 192;
    pub const INOTIFY_WATCHERS: usize = 832 + MUTEX_EXCESS;
    pub const INOTIFY_FD: usize = 840 + MUTEX_EXCESS;
}

impl Loop {
    fn at<T>(this: *mut Self, offset: usize) -> *mut T {
        // The offset lies inside the structure: `check_layout` compared its size.
        this.wrapping_byte_add(offset).cast()
    }

    /// Active handles that keep the loop alive.
    ///
    /// # Safety
    /// `this` is a live loop of this thread. (So for all functions here.)
    #[must_use]
    pub unsafe fn active_handles(this: *mut Self) -> u32 {
        // SAFETY: see above.
        unsafe { *Self::at(this, field::ACTIVE_HANDLES) }
    }

    /// Requests under way, in the kernel or in the thread pool.
    ///
    /// # Safety
    /// See [`Self::active_handles`].
    #[must_use]
    pub unsafe fn active_requests(this: *mut Self) -> u32 {
        // SAFETY: see above.
        unsafe { *Self::at(this, field::ACTIVE_REQUESTS) }
    }

    /// Whether handles wait for their close callback, other than `harmless`.
    ///
    /// # Safety
    /// See [`Self::active_handles`].
    #[must_use]
    pub unsafe fn is_closing_handles(this: *mut Self, harmless: Callback) -> bool {
        // SAFETY: see above; the field is the first of a list of live handles.
        unsafe {
            let mut handle: *mut Handle = *Self::at(this, field::CLOSING_HANDLES);
            while !handle.is_null() {
                let callback: Option<Callback> = *Handle::at(handle, field::CLOSE_CALLBACK);
                if callback.is_some_and(|callback| callback as usize != harmless as usize) {
                    return true;
                }
                handle = *Handle::at(handle, field::NEXT_CLOSING);
            }
        }
        false
    }

    /// The descriptor by which files are watched, -1 while none ever was, and the tree of what is watched.
    ///
    /// # Safety
    /// See [`Self::active_handles`].
    pub unsafe fn inotify(this: *mut Self) -> (*mut i32, *mut *mut libc::c_void) {
        (
            Self::at(this, field::INOTIFY_FD),
            Self::at(this, field::INOTIFY_WATCHERS),
        )
    }

    /// Has every watched descriptor registered anew. `uv_loop_fork` does so only for those whose registration was not
    /// about to be changed at the fork, and libuv aborts when it is to change one that the new kernel queue lacks.
    ///
    /// # Safety
    /// See [`Self::active_handles`]; the kernel queue is about to be replaced.
    pub unsafe fn forget_registrations(this: *mut Self) {
        // SAFETY: see above; the table holds as many pointers as it says, null or to live watchers.
        unsafe {
            let watchers: *mut *mut libc::c_void = *Self::at(this, field::WATCHERS);
            let count: u32 = *Self::at(this, field::WATCHER_COUNT);
            for index in 0..count as usize {
                let watcher = *watchers.add(index);
                if !watcher.is_null() {
                    *watcher.byte_add(field::WATCHER_EVENTS).cast::<u32>() = 0;
                }
            }
        }
    }

    /// Drops callbacks of watchers that were to run in the next turn: ends of writes, of shutdowns, failed connections.
    ///
    /// # Safety
    /// See [`Self::active_handles`].
    pub unsafe fn forget_pending(this: *mut Self) {
        // SAFETY: see above; the field is the head of a list of live watchers.
        unsafe { unlink_all(Self::at(this, field::PENDING)) };
    }

    /// Whether `links`, an address that can be read from, are those of a watcher of this loop in a list of pending ones.
    ///
    /// # Safety
    /// See [`Self::active_handles`].
    #[must_use]
    pub unsafe fn is_pending_watcher(this: *mut Self, links: usize) -> bool {
        let watcher = links.wrapping_sub(field::WATCHER_PENDING);
        let Some([word]) = words::<1>(watcher.wrapping_add(field::WATCHER_FD)) else {
            return false;
        };
        // The descriptor is the lower half.
        let fd = word & 0xffff_ffff;
        // SAFETY: see above; the table holds as many pointers as it says.
        unsafe {
            let watchers: *mut usize = *Self::at(this, field::WATCHERS);
            let count: u32 = *Self::at(this, field::WATCHER_COUNT);
            fd < count as usize && *watchers.add(fd) == watcher
        }
    }

    /// Drops the handles that wait for their close callback, without calling it.
    ///
    /// # Safety
    /// See [`Self::active_handles`].
    pub unsafe fn forget_closing_handles(this: *mut Self) {
        // SAFETY: see above.
        unsafe { *Self::at::<*mut Handle>(this, field::CLOSING_HANDLES) = std::ptr::null_mut() };
    }

    /// Drops requests that the thread pool has finished but the loop has not delivered.
    ///
    /// # Safety
    /// See [`Self::active_handles`]; no thread of the pool exists.
    pub unsafe fn forget_finished_work(this: *mut Self) {
        let head: *mut [*mut libc::c_void; 2] = Self::at(this, field::FINISHED_WORK);
        // An empty list is one whose head points at itself.
        // SAFETY: see above.
        unsafe { *head = [head.cast(), head.cast()] };
    }
}

/// Empties a list of libuv's and leaves each member as one that is in no list.
///
/// # Safety
/// `head` is the head of a list whose members are live.
pub unsafe fn unlink_all(head: *mut Links) {
    // SAFETY: the caller's: each link leads to live links, and in the end back to the head.
    unsafe {
        let mut links = (*head).next;
        while links != head {
            let next = (*links).next;
            *links = Links {
                next: links,
                previous: links,
            };
            links = next;
        }
        *head = Links {
            next: head,
            previous: head,
        };
    }
}

/// What libuv's lists are made of (`struct uv__queue`); the head's lead to itself in an empty one.
#[derive(Debug)]
#[repr(C)]
pub struct Links {
    next: *mut Links,
    previous: *mut Links,
}

impl Handle {
    fn at<T>(this: *mut Self, offset: usize) -> *mut T {
        // The offsets are multiples of the alignment, in a structure that libuv aligned.
        this.wrapping_byte_add(offset).cast()
    }

    /// Its `uv_handle_type`.
    ///
    /// # Safety
    /// `this` is a live handle.
    #[must_use]
    pub unsafe fn kind(this: *mut Self) -> i32 {
        // SAFETY: the caller's.
        unsafe { (*this).kind }
    }

    /// Whether an async handle was sent and its callback has not run.
    ///
    /// # Safety
    /// `this` is a live async handle.
    #[must_use]
    pub unsafe fn is_pending(this: *mut Self) -> bool {
        let pending = Self::at::<std::sync::atomic::AtomicI32>(this, field::ASYNC_PENDING);
        // SAFETY: the caller's; libuv accesses the field atomically too.
        unsafe { (*pending).load(std::sync::atomic::Ordering::Acquire) != 0 }
    }
}

impl Handle {
    /// The function that a timer or an async handle calls.
    ///
    /// # Safety
    /// `this` is a live timer or async handle.
    #[must_use]
    pub unsafe fn callback(this: *mut Self) -> Option<Callback> {
        let callback = Self::at::<Option<Callback>>(this, field::CALLBACK);
        // SAFETY: the caller's.
        unsafe { *callback }
    }
}

impl Handle {
    /// The signal that a signal handle is for.
    ///
    /// # Safety
    /// `this` is a live signal handle.
    #[must_use]
    pub unsafe fn signal(this: *mut Self) -> i32 {
        // SAFETY: the caller's.
        unsafe { *Self::at(this, field::SIGNAL_NUMBER) }
    }

    /// Whether a signal handle has caught a signal and not yet told its owner of it.
    ///
    /// # Safety
    /// `this` is a live signal handle.
    #[must_use]
    pub unsafe fn has_undelivered_signal(this: *mut Self) -> bool {
        // SAFETY: the caller's.
        unsafe {
            let caught: u32 = *Self::at(this, field::SIGNALS_CAUGHT);
            let dispatched: u32 = *Self::at(this, field::SIGNALS_DISPATCHED);
            caught != dispatched
        }
    }

    /// Forgets signals that were caught and not delivered: what would deliver them is lost.
    ///
    /// # Safety
    /// `this` is a live signal handle.
    pub unsafe fn forget_undelivered_signals(this: *mut Self) {
        // SAFETY: the caller's.
        unsafe { *Self::at::<u32>(this, field::SIGNALS_DISPATCHED) = *Self::at(this, field::SIGNALS_CAUGHT) };
    }

    /// Drops what a stream was told to write and has not written, without calling anybody back.
    ///
    /// # Safety
    /// `this` is a live stream handle.
    pub unsafe fn forget_writes(this: *mut Self) {
        let head: *mut [*mut libc::c_void; 2] = Self::at(this, field::WRITE_QUEUE);
        // SAFETY: the caller's. An empty list is one whose head points at itself.
        unsafe {
            *head = [head.cast(), head.cast()];
            *Self::at::<usize>(this, field::WRITE_QUEUE_SIZE) = 0;
        }
    }
}

impl Uv {
    /// All handles of a loop but libuv's internal ones.
    ///
    /// # Safety
    /// `event_loop` is a live loop of this thread.
    #[must_use]
    pub unsafe fn handles(&self, event_loop: *mut Loop) -> Vec<*mut Handle> {
        unsafe extern "C" fn collect(handle: *mut Handle, into: *mut libc::c_void) {
            // SAFETY: `handles` passes its vector, which outlives the walk.
            unsafe { (*into.cast::<Vec<*mut Handle>>()).push(handle) };
        }
        let mut handles = Vec::with_capacity(64);
        // SAFETY: the caller's; the vector outlives the walk.
        unsafe { (self.walk)(event_loop, collect, (&raw mut handles).cast()) };
        handles
    }

    /// The descriptor behind a handle.
    ///
    /// # Safety
    /// `handle` is a live handle.
    #[must_use]
    pub unsafe fn descriptor(&self, handle: *mut Handle) -> Option<i32> {
        let mut fd = -1;
        // SAFETY: the caller's; a handle of another kind answers an error.
        (unsafe { (self.fileno)(handle, &raw mut fd) } == 0 && fd >= 0).then_some(fd)
    }
}
