//! Waiting for descriptors without blocking: all of them through one, which the event loop watches.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::os::fd::{AsRawFd, BorrowedFd};

use napi::bindgen_prelude::Function;
use napi::{Env, Result};
use napi_derive::napi;

use node_multiprocessing_core::Error;
use node_multiprocessing_core::sys::ready_set::{Interest, ReadySet};
use node_multiprocessing_core::uv::child_loop::free;
use node_multiprocessing_core::uv::ffi::{Handle, HandleMemory, Loop, uv};

use super::callback::Callback;
use super::error::to_js;

thread_local! {
    static WATCH: RefCell<Option<Watch>> = const { RefCell::new(None) };
    static LAST_WAIT: Cell<u32> = const { Cell::new(0) };
}

/// One wait.
#[derive(Debug, Clone, Copy)]
struct Wait {
    fd: i32,
    write: bool,
}

struct Watch {
    handle: *mut Handle,
    set: ReadySet,
    on_ready: Callback,
    waits: BTreeMap<u32, Wait>,
    /// The waits at each descriptor, oldest first.
    by_fd: HashMap<i32, Vec<u32>>,
}

const READABLE: i32 = 1;

impl Watch {
    /// Has the kernel watch `fd` for what is waited for there now. False if that needs no watching.
    fn update(&self, fd: i32) -> std::result::Result<bool, Error> {
        let mut interest = Interest::default();
        for id in self.by_fd.get(&fd).into_iter().flatten() {
            match self.waits.get(id) {
                Some(Wait { write: true, .. }) => interest.write = true,
                Some(Wait { write: false, .. }) => interest.read = true,
                None => {}
            }
        }
        // SAFETY: the number is only lent to the kernel, which answers an error when it is not open.
        self.set.set(unsafe { BorrowedFd::borrow_raw(fd) }, interest)
    }

    /// Ends waits at one descriptor.
    fn end(&mut self, fd: i32, ended: &[u32]) {
        for id in ended {
            self.waits.remove(id);
        }
        if let Some(ids) = self.by_fd.get_mut(&fd) {
            ids.retain(|id| !ended.contains(id));
            if ids.is_empty() {
                self.by_fd.remove(&fd);
            }
        }
        // Those that are left are watched for anew.
        let _ = self.update(fd);
        if self.waits.is_empty() {
            keep_loop(self.handle, false);
        }
    }
}

/// Whether the event loop stays alive for waits.
fn keep_loop(handle: *mut Handle, keep: bool) {
    if let Ok(uv) = uv() {
        // SAFETY: the handle lives until the process ends or forks; this is its loop's thread.
        unsafe {
            if keep {
                (uv.reference)(handle);
            } else {
                (uv.unreference)(handle);
            }
        }
    }
}

/// Has `on_ready` called from the event loop with the waits that are over; sometimes with none, when something has happened
/// that others have dealt with by then. Once per process; a child starts afresh.
#[napi]
pub fn watch_ready(env: Env, on_ready: Function<'_, Vec<u32>, ()>) -> Result<()> {
    if WATCH.with_borrow(Option::is_some) {
        return Ok(());
    }
    let fail = |error: Error| to_js(env, &error);
    let event_loop: *mut Loop = env.get_uv_event_loop()?.cast();
    let uv = uv().map_err(fail)?;
    let set = ReadySet::new().map_err(fail)?;
    let on_ready = Callback::new(env, &on_ready)?;
    let handle: *mut Handle = Box::into_raw(Box::<HandleMemory>::default()).cast();
    // SAFETY: the memory is large enough and lives until the handle is closed; this is the loop's thread.
    unsafe {
        let failure = (uv.poll_init)(event_loop, handle, set.as_fd().as_raw_fd());
        if failure != 0 {
            drop(Box::from_raw(handle.cast::<HandleMemory>()));
            return Err(fail(Error::System {
                syscall: "uv_poll_init",
                errno: nix::errno::Errno::from_raw(-failure),
            }));
        }
        (uv.poll_start)(handle, READABLE, Some(on_readable));
        (uv.unreference)(handle);
    }
    WATCH.set(Some(Watch {
        handle,
        set,
        on_ready,
        waits: BTreeMap::new(),
        by_fd: HashMap::new(),
    }));
    // A worker thread's loop ends before its process.
    env.add_env_cleanup_hook((), |()| forget_parents())?;
    Ok(())
}

unsafe extern "C" fn on_readable(_: *mut Handle, _: i32, _: i32) {
    let over = WATCH.with_borrow_mut(|watch| {
        let watch = watch.as_mut()?;
        let mut over = Vec::new();
        for (fd, ready) in watch.set.ready() {
            let ids = watch.by_fd.get(&fd).cloned().unwrap_or_default();
            let is_over = |id: &u32| match watch.waits.get(id) {
                Some(wait) if wait.write => ready.write,
                Some(_) => ready.read,
                None => true,
            };
            let ended: Vec<u32> = ids.into_iter().filter(is_over).collect();
            watch.end(fd, &ended);
            over.extend(ended);
        }
        Some((watch.on_ready, over))
    });
    if let Some((on_ready, over)) = over {
        on_ready.call(Some(over));
    }
}

/// Begins to wait until `fd` can be read, or written; the function given to `watchReady` tells of the end. 0 if it is of a
/// kind that is always ready.
#[napi(catch_unwind)]
pub fn await_ready(env: Env, fd: i32, write: bool) -> Result<u32> {
    let begun = WATCH.with_borrow_mut(|watch| {
        let watch = watch.as_mut()?;
        let id = LAST_WAIT.get().wrapping_add(1).max(1);
        LAST_WAIT.set(id);
        watch.waits.insert(id, Wait { fd, write });
        watch.by_fd.entry(fd).or_default().push(id);
        let watched = watch.update(fd);
        if let Ok(true) = watched {
            keep_loop(watch.handle, true);
        } else {
            watch.end(fd, &[id]);
        }
        Some(watched.map(|watched| if watched { id } else { 0 }))
    });
    match begun {
        Some(begun) => begun.map_err(|error| to_js(env, &error)),
        None => Err(napi::Error::from_reason("watchReady() comes first")),
    }
}

/// Gives a wait up. False if it was over.
#[napi(catch_unwind)]
pub fn cancel_ready(id: u32) -> bool {
    WATCH.with_borrow_mut(|watch| {
        let Some(watch) = watch else { return false };
        let Some(&Wait { fd, .. }) = watch.waits.get(&id) else {
            return false;
        };
        watch.end(fd, &[id]);
        true
    })
}

/// Ends all waits at `fd`, which is about to be closed: which they were.
#[napi(catch_unwind)]
pub fn end_ready(fd: i32) -> Vec<u32> {
    WATCH.with_borrow_mut(|watch| {
        let Some(watch) = watch else { return Vec::new() };
        let ids = watch.by_fd.get(&fd).cloned().unwrap_or_default();
        if !ids.is_empty() {
            watch.end(fd, &ids);
        }
        ids
    })
}

/// The descriptor by which the event loop waits.
pub fn watched_fd() -> Option<i32> {
    WATCH.with_borrow(|watch| watch.as_ref().map(|watch| watch.set.as_fd().as_raw_fd()))
}

/// Child: what is waited for is the parent's business. So at the end of a thread.
pub fn forget_parents() {
    if let (Some(watch), Ok(uv)) = (WATCH.take(), uv()) {
        // SAFETY: initialised in `watch_ready`, closed once, freed by the callback; in a child the loop is its own by now. The
        // descriptor is closed after libuv has let go of it.
        unsafe { (uv.close)(watch.handle, Some(free)) };
    }
}
