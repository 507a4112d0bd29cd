//! A forked child's event loop: its own kernel queue, the parent's handles silent, and an eye on "nothing left to do".
//!
//! Node's own end of the loop leads to a teardown that joins threads which the child does not have. So a handle of
//! ours keeps the loop alive, and a look before each wait tells when nothing else does.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

use nix::errno::Errno;

use super::batch;
use super::ffi::{Handle, HandleMemory, Loop, Uv, kind, uv};
use super::silence::Silent;
use crate::error::{Error, Result};
use crate::v8::{platform, symbol};

/// The keep-alive and watching handles of one process.
#[derive(Debug)]
pub struct ChildLoop {
    event_loop: *mut Loop,
    /// Keeps the loop alive; sent when the last background task is over.
    keep_alive: *mut Handle,
    /// Runs before each wait for events.
    watch: *mut Handle,
    /// Requests of the parent that are counted in this loop and will never end.
    lost_requests: u32,
}

/// Keep-alive handle of this process, for the worker threads.
static KEEP_ALIVE: AtomicPtr<Handle> = AtomicPtr::new(std::ptr::null_mut());

/// What becomes of the parent's handles in the child.
#[derive(Debug)]
pub enum Pending<'a> {
    /// Everything stays as it was.
    Keep,
    /// All handles are silenced except those on these descriptors.
    Drop {
        /// Descriptors handed to the child.
        except: &'a [i32],
        /// Descriptors whose handles are closed before the loop turns: not worth silent ones in their place.
        closed_next: &'a [i32],
    },
}

/// Makes the loop the child's own. Nothing of JavaScript runs. True if foreground tasks of V8's are waiting.
///
/// # Safety
/// `event_loop` is the loop of this thread, and this process has just been forked.
pub unsafe fn take_over(event_loop: *mut Loop, pending: &Pending<'_>) -> Result<bool> {
    let uv = uv()?;
    // SAFETY: the caller's.
    let handles = unsafe { uv.handles(event_loop) };
    let keep = matches!(pending, Pending::Keep);
    let own = nodes_own()?;
    // Wake-ups that `uv_loop_fork` loses. V8's own work goes on in any case; ports and addons are the parent's.
    let mut woken = handles.clone();
    // SAFETY: live handles of this loop; the flag is read only of async handles.
    woken.retain(|&h| unsafe {
        Handle::kind(h) == kind::ASYNC
            && Handle::is_pending(h)
            && (keep || calls(h, kind::ASYNC, own.flush_tasks))
    });
    if let Pending::Drop { except, closed_next } = pending {
        // SAFETY: the caller's.
        unsafe {
            cover_sockets(uv, &handles, |fd| {
                except.contains(&fd) || closed_next.contains(&fd)
            })?;
        };
    }
    // SAFETY: the caller's.
    unsafe { fork_loop(uv, event_loop, &handles, keep)? };
    if let Pending::Drop { except, .. } = pending {
        // From here on the kernel queues are the child's own, so that stopping does not reach the parent's.
        // SAFETY: the caller's.
        unsafe {
            stop_inputs(uv, &handles, except);
            Loop::forget_finished_work(event_loop);
            Loop::forget_pending(event_loop);
            batch::forget(event_loop);
            Loop::forget_closing_handles(event_loop);
        }
    }
    for &handle in &woken {
        // SAFETY: live async handles.
        unsafe { (uv.async_send)(handle) };
    }
    Ok(!woken.is_empty())
}

/// `uv_loop_fork`, without what it does to file watching: it would free lists that a fork inside of a watcher's
/// callback is walking through, and would let the parent's watchers go on in the child.
unsafe fn fork_loop(uv: &Uv, event_loop: *mut Loop, handles: &[*mut Handle], keep: bool) -> Result<()> {
    // SAFETY: the caller's.
    let (inotify, watchers) = unsafe { Loop::inotify(event_loop) };
    // SAFETY: both point into the live loop.
    let (fd, tree) = unsafe { (*inotify, *watchers) };
    let separate = fd >= 0 && !keep;
    if separate {
        crate::sys::fd::replace_with_inotify(fd)?;
        for &handle in handles {
            // SAFETY: live handles of the loop. The kernel is told to remove watches that the new descriptor does not
            // have, which it refuses without harm.
            unsafe {
                if Handle::kind(handle) == kind::FS_EVENT {
                    (uv.fs_event_stop)(handle);
                }
            }
        }
        // SAFETY: as above; hidden from `uv_loop_fork`, and shown again below with the descriptor's new meaning.
        unsafe {
            *inotify = -1;
            *watchers = std::ptr::null_mut();
        }
    }
    // SAFETY: the caller's.
    let failure = unsafe {
        Loop::forget_registrations(event_loop);
        (uv.loop_fork)(event_loop)
    };
    if separate {
        // SAFETY: as above. Lists that are being walked through are still in the tree and freed by who walks.
        unsafe {
            *inotify = fd;
            *watchers = tree;
        }
    }
    if failure != 0 {
        return Err(Error::ChildSetup(Errno::from_raw(-failure)));
    }
    Ok(())
}

/// Callbacks of node's own handles, by which these are recognised.
struct NodesOwn {
    flush_tasks: usize,
    run_timers: usize,
}

/// Found once, before the first fork: a child that looked a name up would touch much of the linker's memory.
fn nodes_own() -> Result<&'static NodesOwn> {
    static NODES_OWN: OnceLock<Result<NodesOwn>> = OnceLock::new();
    let find = || {
        Ok(NodesOwn {
            flush_tasks: symbol(c"_ZN4node22PerIsolatePlatformData10FlushTasksEP10uv_async_s")? as usize,
            run_timers: symbol(c"_ZN4node11Environment9RunTimersEP10uv_timer_s")? as usize,
        })
    };
    NODES_OWN.get_or_init(find).as_ref().map_err(Error::clone)
}

/// Whether this node binary has what a child's loop needs.
pub fn check() -> Result<()> {
    uv()?;
    crate::sys::memory::main_stack_end();
    nodes_own().map(|_| ())
}

/// Whether a handle of kind `kind` calls the function at `address`.
///
/// # Safety
/// `handle` is a live handle.
unsafe fn calls(handle: *mut Handle, kind: i32, address: usize) -> bool {
    // SAFETY: the caller's; the callback is read only of handles that have one.
    unsafe {
        Handle::kind(handle) == kind
            && Handle::callback(handle).is_some_and(|callback| callback as usize == address)
    }
}

/// Runs V8's foreground tasks that are waiting, in the state of the parent: what follows of them is then thrown away with
/// the parent's microtasks.
///
/// # Safety
/// `event_loop` is the loop of this thread, no JavaScript is on the stack, and a handle scope is open.
pub unsafe fn flush_foreground_tasks(event_loop: *mut Loop) {
    let (Ok(uv), Ok(own)) = (uv(), nodes_own()) else {
        return;
    };
    // SAFETY: the caller's.
    for handle in unsafe { uv.handles(event_loop) } {
        // SAFETY: live handles; the callback is called as libuv calls it.
        unsafe {
            if calls(handle, kind::ASYNC, own.flush_tasks)
                && let Some(callback) = Handle::callback(handle)
            {
                callback(handle);
            }
        }
    }
}

unsafe fn cover_sockets(uv: &Uv, handles: &[*mut Handle], spared: impl Fn(i32) -> bool) -> Result<()> {
    let mut silent = None;
    for &handle in handles {
        // SAFETY: live handles of the loop.
        let (kind, fd) = unsafe { (Handle::kind(handle), uv.descriptor(handle)) };
        let (Some(fd), kind::TCP | kind::NAMED_PIPE | kind::UDP | kind::POLL) = (fd, kind) else {
            continue;
        };
        if fd <= 2 || spared(fd) {
            continue;
        }
        if silent.is_none() {
            silent = Some(Silent::create()?);
        }
        if let Some(silent) = &silent {
            silent.cover(fd)?;
        }
    }
    if let Some(silent) = silent {
        silent.stay();
    }
    Ok(())
}

/// Standard streams and terminals keep their descriptor and stop reading; watched files are watched no more; no timer
/// fires, node's own neither: it would call JavaScript again and again while the parent's frames are being unwound.
unsafe fn stop_inputs(uv: &Uv, handles: &[*mut Handle], except: &[i32]) {
    for &handle in handles {
        // SAFETY: live handles of the loop, each stopped by the function of its own kind.
        unsafe {
            match (Handle::kind(handle), uv.descriptor(handle)) {
                (kind::TIMER, _) => {
                    (uv.timer_stop)(handle);
                }
                (kind::TTY, _) | (kind::TCP | kind::NAMED_PIPE, Some(0..=2)) => {
                    (uv.read_stop)(handle);
                    Handle::forget_writes(handle);
                }
                // A stream that is handed over: what the parent has still to send is the parent's to send.
                (kind::TCP | kind::NAMED_PIPE, Some(fd)) if except.contains(&fd) => {
                    Handle::forget_writes(handle);
                }
                (kind::SIGNAL, _) => Handle::forget_undelivered_signals(handle),
                (kind::FS_POLL, _) => {
                    (uv.fs_poll_stop)(handle);
                }
                _ => {}
            }
            if !uv.descriptor(handle).is_some_and(|fd| except.contains(&fd)) {
                // Referenced for the moment: only so does node list them all, and the child can mark them dead.
                (uv.reference)(handle);
            }
        }
    }
}

/// Has node's one timer fire soon, whether or not it was due: node believes it to be running, sets none anew until it
/// has fired, and then sets it to what is really due.
///
/// # Safety
/// `event_loop` is the loop of this thread.
pub unsafe fn restart_nodes_timer(event_loop: *mut Loop) -> Result<()> {
    let (uv, own) = (uv()?, nodes_own()?);
    // SAFETY: the caller's.
    for handle in unsafe { uv.handles(event_loop) } {
        // SAFETY: live handles of the loop.
        unsafe {
            if calls(handle, kind::TIMER, own.run_timers) {
                (uv.timer_start)(handle, Handle::callback(handle), 1, 0);
            }
        }
    }
    Ok(())
}

/// Whether the program listens for one of `signals`.
///
/// # Safety
/// `event_loop` is the loop of this thread.
#[must_use]
pub unsafe fn listens_for(event_loop: *mut Loop, signals: &[i32]) -> bool {
    // SAFETY: the caller's; handles of signals are live.
    unsafe {
        signal_handles(event_loop, signals).any(|handle| uv().is_ok_and(|uv| (uv.is_active)(handle) != 0))
    }
}

/// One of `signals` that the program listens for, that was caught, and that its listener has not heard of yet.
///
/// # Safety
/// `event_loop` is the loop of this thread.
#[must_use]
pub unsafe fn undelivered_signal(event_loop: *mut Loop, signals: &[i32]) -> Option<i32> {
    // SAFETY: the caller's; handles of signals are live.
    unsafe {
        signal_handles(event_loop, signals)
            .find(|&handle| Handle::has_undelivered_signal(handle))
            .map(|handle| Handle::signal(handle))
    }
}

/// The loop's handles of `signals`.
///
/// # Safety
/// `event_loop` is the loop of this thread.
unsafe fn signal_handles(event_loop: *mut Loop, signals: &[i32]) -> impl Iterator<Item = *mut Handle> {
    // SAFETY: the caller's; the number is read only of signal handles.
    let handles = uv().map_or_else(|_| Vec::new(), |uv| unsafe { uv.handles(event_loop) });
    // SAFETY: as above.
    handles.into_iter().filter(move |&handle| unsafe {
        Handle::kind(handle) == kind::SIGNAL && signals.contains(&Handle::signal(handle))
    })
}

/// Lets none of the parent's handles keep the child's loop alive.
///
/// # Safety
/// `event_loop` is the loop of this thread.
pub unsafe fn unreference_all(event_loop: *mut Loop, except: &[i32]) -> Result<()> {
    let uv = uv()?;
    // SAFETY: the caller's.
    for handle in unsafe { uv.handles(event_loop) } {
        // SAFETY: live handles of the loop.
        unsafe {
            // Node starts and stops its idle handle for immediates and relies on its being referenced.
            let is_nodes_immediate = Handle::kind(handle) == kind::IDLE;
            if !is_nodes_immediate && !uv.descriptor(handle).is_some_and(|fd| except.contains(&fd)) {
                (uv.unreference)(handle);
            }
        }
    }
    Ok(())
}

impl ChildLoop {
    /// Starts keeping the loop alive and looking for its end: `before_wait` runs before each wait for events.
    ///
    /// # Safety
    /// `event_loop` is the loop of this thread, taken over.
    pub unsafe fn start(
        event_loop: *mut Loop,
        before_wait: unsafe extern "C" fn(*mut Handle),
    ) -> Result<Self> {
        let uv = uv()?;
        let keep_alive: *mut Handle = Box::into_raw(Box::<HandleMemory>::default()).cast();
        let watch: *mut Handle = Box::into_raw(Box::<HandleMemory>::default()).cast();
        // SAFETY: the memory is large enough (checked when the functions were loaded) and lives until it is closed.
        unsafe {
            (uv.async_init)(event_loop, keep_alive, Some(nothing));
            (uv.prepare_init)(event_loop, watch);
            (uv.prepare_start)(watch, Some(before_wait));
            (uv.unreference)(watch);
        }
        KEEP_ALIVE.store(keep_alive, Ordering::Release);
        // SAFETY: the caller's.
        let lost_requests = unsafe { Loop::active_requests(event_loop) };
        Ok(Self {
            event_loop,
            keep_alive,
            watch,
            lost_requests,
        })
    }

    /// See [`restart_nodes_timer`].
    pub fn restart_timer(&self) {
        // SAFETY: `start` was given the loop of this thread. What is missing was found missing before the fork.
        let _ = unsafe { restart_nodes_timer(self.event_loop) };
    }

    /// Keeps the loop alive (again).
    pub fn reference(&self) {
        if let Ok(uv) = uv() {
            // SAFETY: initialised by `start` and not closed.
            unsafe { (uv.reference)(self.keep_alive) };
        }
    }

    /// Takes all requests that are counted now for the parent's, which never end here. True only while the child has
    /// started none of its own.
    pub fn disown_requests(&mut self) {
        // SAFETY: `start` was given the loop of this thread.
        self.lost_requests = unsafe { Loop::active_requests(self.event_loop) };
    }

    /// One of the parent's requests was delivered after all (it was in the batch that the fork interrupted).
    pub fn request_delivered(&mut self) {
        self.lost_requests = self.lost_requests.saturating_sub(1);
    }

    /// Whether the child has nothing left that could ever run.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        // In this order: a task sends its handle before it counts as done.
        self.has_only(0) && platform::outstanding() == 0 && !self.has_pending_wakeup()
    }

    /// Whether no handle and no request is left, but for immediates, of which node keeps count itself.
    #[must_use]
    pub fn has_only_immediates(&self) -> bool {
        let Ok(uv) = uv() else { return false };
        // SAFETY: `start` was given the loop of this thread; its handles are live.
        let immediates = unsafe {
            uv.handles(self.event_loop)
                .into_iter()
                .filter(|&h| {
                    Handle::kind(h) == kind::IDLE && (uv.is_active)(h) != 0 && (uv.has_reference)(h) != 0
                })
                .count()
        };
        self.has_only(immediates as u32)
    }

    /// Whether no handle but `handles` and no request keeps the loop alive.
    fn has_only(&self, handles: u32) -> bool {
        // SAFETY: `start` was given the loop of this thread.
        unsafe {
            // Our keep-alive handle is the one.
            Loop::active_handles(self.event_loop) <= 1 + handles
                && Loop::active_requests(self.event_loop) <= self.lost_requests
                // Handles of ours are closed for nobody but their memory.
                && !Loop::is_closing_handles(self.event_loop, free)
        }
    }

    /// Whether some async handle was sent and has not been served.
    fn has_pending_wakeup(&self) -> bool {
        // SAFETY: `start` was given the loop of this thread; the flag is read only of async handles.
        uv().is_ok_and(|uv| unsafe {
            // Closing leaves the mark set.
            uv.handles(self.event_loop)
                .into_iter()
                .any(|h| Handle::kind(h) == kind::ASYNC && Handle::is_pending(h) && (uv.is_closing)(h) == 0)
        })
    }

    /// The loop.
    #[must_use]
    pub fn event_loop(&self) -> *mut Loop {
        self.event_loop
    }

    /// Ends it, in a process forked from the one that started it.
    pub fn stop(self) {
        KEEP_ALIVE.store(std::ptr::null_mut(), Ordering::Release);
        if let Ok(uv) = uv() {
            for handle in [self.keep_alive, self.watch] {
                // SAFETY: initialised by `start`, closed once, freed by the callback.
                unsafe { (uv.close)(handle, Some(free)) };
            }
        }
    }
}

/// Wakes the loop so that it looks again whether anything is left; called by a worker thread.
pub fn wake() {
    let handle = KEEP_ALIVE.load(Ordering::Acquire);
    if let (false, Ok(uv)) = (handle.is_null(), uv()) {
        // SAFETY: uv_async_send may be called from any thread on a handle that is not closed; it is closed only in a
        // process that was just forked and has no worker thread.
        unsafe { (uv.async_send)(handle) };
    }
}

unsafe extern "C" fn nothing(_: *mut Handle) {}

/// Close callback: frees a handle that was allocated as `HandleMemory`.
///
/// # Safety
/// libuv calls it with such a handle.
pub unsafe extern "C" fn free(handle: *mut Handle) {
    // SAFETY: the handle came from `Box::into_raw` of a `HandleMemory` and libuv is done with it.
    drop(unsafe { Box::from_raw(handle.cast::<HandleMemory>()) });
}
