//! Forking, and what a forked child needs before it is a Node process of its own.

use std::cell::{Cell, RefCell};
use std::sync::OnceLock;

use napi::bindgen_prelude::{Function, JsValue, Uint8Array};
use napi::{Env, Result};
use napi_derive::napi;
use nix::errno::Errno;

use node_multiprocessing_core::fork::gate::Stamp;
use node_multiprocessing_core::fork::stranded::Alarm;
use node_multiprocessing_core::fork::{Gate, Side, Timings, discard, safe_fork, threads_visible};
use node_multiprocessing_core::process::reaper;
use node_multiprocessing_core::shared::arena::Seats;
use node_multiprocessing_core::sys::clock::{Deadline, monotonic_ns};
use node_multiprocessing_core::sys::entropy;
use node_multiprocessing_core::sys::signal::Blocked;
use node_multiprocessing_core::uv::child_loop::{self, ChildLoop, Pending};
use node_multiprocessing_core::uv::ffi::{Handle, HandleMemory, Loop, uv};
use node_multiprocessing_core::uv::silence;
use node_multiprocessing_core::v8::isolate::{self, Unwinding};
use node_multiprocessing_core::v8::{inspector, platform, random};
use node_multiprocessing_core::{Error, sys};

use super::callback::{Callback, Scope};
use super::children;
use super::connection;
use super::error::to_js;
use super::ready;
use super::sync;

thread_local! {
    /// Set in a forked child.
    static CHILD: RefCell<Option<Child>> = const { RefCell::new(None) };
    static REBIRTH: RefCell<Option<Rebirth>> = const { RefCell::new(None) };
    static LAST: RefCell<Option<(i32, Gate, Timings)>> = const { RefCell::new(None) };
    /// The function that the first fork was given; it is the same each time.
    static ON_IDLE: Cell<Option<Callback>> = const { Cell::new(None) };
    static REAPED_AT: Cell<u64> = const { Cell::new(0) };
}

struct Child {
    child_loop: ChildLoop,
    on_idle: Callback,
    signals: Option<Blocked>,
    gate: Gate,
    random_seeded: bool,
    /// Foreground tasks of V8's were waiting at the fork.
    tasks_waiting: bool,
}

struct Rebirth {
    unwinding: Unwinding,
    main: Callback,
    alarm: Alarm,
}

/// When the addon is loaded: the earlier, the more of the heap is where forks are cheap.
#[cfg(target_os = "linux")]
#[napi_derive::module_init]
fn prepare() {
    let _ = node_multiprocessing_core::v8::layout::keep_heap_together();
}

/// One condition of a safe fork and whether this system meets it.
#[napi(object)]
pub struct Condition {
    /// Short name.
    pub name: String,
    /// What is missing; absent when it is met.
    pub missing: Option<String>,
    /// Error code of a fork that fails for it.
    pub code: Option<String>,
}

/// Examines the conditions that do not change while the process runs.
#[napi]
pub fn fork_conditions() -> Vec<Condition> {
    let condition = |name: &str, result: std::result::Result<(), Error>| Condition {
        name: name.to_owned(),
        missing: result.as_ref().err().map(ToString::to_string),
        code: result.err().map(|error| error.code()),
    };
    vec![
        condition("system", supported_system()),
        condition("threads", threads_visible()),
        condition("exit watch", exit_watch()),
        condition("event loop", child_loop::check()),
        condition("isolate", isolate::entries().map(|_| ())),
        condition("platform", platform::check()),
    ]
}

/// Children are watched by a descriptor each (Linux 5.3), which a sandbox may deny.
fn exit_watch() -> std::result::Result<(), Error> {
    static WATCH: OnceLock<std::result::Result<(), Error>> = OnceLock::new();
    let open = || match sys::exit_watch::open(get_pid()) {
        Err(Error::System {
            errno: Errno::ENOSYS | Errno::EPERM | Errno::EINVAL,
            ..
        }) => Err(Error::Unsupported("pidfd_open (Linux 5.3) is missing or denied")),
        // Too many open files, for instance, says nothing of the system.
        _ => Ok(()),
    };
    WATCH.get_or_init(open).clone()
}

fn supported_system() -> std::result::Result<(), Error> {
    if cfg!(all(target_os = "linux", target_pointer_width = "64")) {
        Ok(())
    } else {
        Err(Error::Unsupported("fork is supported on 64-bit Linux"))
    }
}

/// Options of `fork`.
#[napi(object)]
pub struct ForkOptions<'a> {
    /// Leave timers, sockets and requests of the parent working in the child.
    pub keep_pending: bool,
    /// Descriptors whose handles keep working in the child.
    pub handed_over: Vec<i32>,
    /// How long other threads may take to come to rest, in milliseconds.
    pub quiet_timeout_ms: f64,
    /// Enter the child into the table of children that are reaped.
    pub adopt: bool,
    /// End the child with SIGKILL when this process dies.
    pub daemon: bool,
    /// `Math.random`, called at least once before: the child's gets a state of its own.
    pub random: Function<'a, (), f64>,
    /// Called in the child whenever nothing is left that could run.
    pub on_idle: Function<'a, (), ()>,
}

/// Copies this process: the child's pid in the parent, 0 in the child, where signals stay blocked until
/// `unblockSignals` and the parent's handles stay referenced until `unreferenceAll`.
#[napi(catch_unwind)]
pub fn fork(env: Env, options: ForkOptions<'_>) -> Result<i32> {
    fork_checked(env, &options)
}

fn fork_checked(env: Env, options: &ForkOptions<'_>) -> Result<i32> {
    let fail = |error: Error| to_js(env, &error);
    for condition in [
        supported_system(),
        exit_watch(),
        child_loop::check(),
        isolate::entries().map(|_| ()),
        platform::check(),
    ] {
        condition.map_err(fail)?;
    }
    inspector::debugger();
    // The first use registers a destructor, for which a child would touch many pages.
    CHILD.with(|_| REBIRTH.with(|_| ()));
    let on_idle = match ON_IDLE.get() {
        Some(on_idle) => on_idle,
        None => Callback::new(env, &options.on_idle)?,
    };
    ON_IDLE.set(Some(on_idle));
    let event_loop: *mut Loop = env.get_uv_event_loop()?.cast();
    if options.adopt {
        reaper::watch_fd().map_err(fail)?;
    }
    LAST.take();
    // SAFETY: a napi_value is the address of a handle to the function.
    let random = unsafe { random::find(options.random.value().value as *const usize) }.ok();
    let seats = Seats::reserve().map_err(fail)?;
    let side = safe_fork(Deadline::after_ms(options.quiet_timeout_ms)).map_err(|error| {
        seats.give_up();
        fail(error)
    })?;
    match side {
        Side::Parent { pid, gate, timings } => {
            if options.adopt
                && let Err(error) = reaper::adopt(pid, options.daemon)
            {
                discard(pid);
                seats.give_up();
                return Err(fail(error));
            }
            seats.settle(pid);
            gate.open();
            LAST.set(Some((pid, gate, timings)));
            REAPED_AT.set(0);
            Ok(pid)
        }
        Side::Child {
            gate,
            signals,
            parent,
        } => {
            gate.stamp(Stamp::Forked);
            let copy = Copy {
                gate,
                signals,
                parent,
                random,
                seats,
            };
            match set_up_child(event_loop, options, on_idle, copy) {
                Ok(()) => Ok(0),
                Err(error) => die(&error),
            }
        }
    }
}

/// What the fork leaves a child with.
struct Copy {
    gate: Gate,
    signals: Blocked,
    parent: i32,
    random: Option<random::State>,
    seats: Seats,
}

fn set_up_child(
    event_loop: *mut Loop,
    options: &ForkOptions<'_>,
    on_idle: Callback,
    copy: Copy,
) -> std::result::Result<(), Error> {
    let Copy {
        gate,
        signals,
        parent,
        random,
        seats,
    } = copy;
    platform::revive(child_loop::wake)?;
    // SAFETY: as said of the function that calls this one: the fork was asked for by JavaScript.
    unsafe { inspector::debugger().leave() };
    let closed_next = [children::watched_fd(), ready::watched_fd()]
        .into_iter()
        .flatten();
    let closed_next: Vec<_> = closed_next.collect();
    let pending = if options.keep_pending {
        Pending::Keep
    } else {
        Pending::Drop {
            except: &options.handed_over,
            closed_next: &closed_next,
        }
    };
    // SAFETY: this process has just been forked and this is the thread of its loop.
    let tasks_waiting = unsafe { child_loop::take_over(event_loop, &pending)? };
    if let Some(previous) = CHILD.take() {
        previous.child_loop.stop();
    }
    children::forget_parents();
    connection::forget_parents();
    ready::forget_parents();
    sync::forget_parents();
    // SAFETY: as above, and the loop is taken over.
    let child_loop = unsafe { ChildLoop::start(event_loop, before_wait)? };
    let random_seeded = reseed(random);
    gate.pass(parent);
    seats.take();
    sys::death::end_with_parent(options.daemon, parent);
    if options.adopt {
        sys::signal::drop_nodes_own();
    }
    CHILD.set(Some(Child {
        child_loop,
        on_idle,
        signals: Some(signals),
        gate,
        random_seeded,
        tasks_waiting,
    }));
    Ok(())
}

/// Ends a child that is none: nothing of JavaScript runs, nothing of the parent's is touched.
fn die(error: &Error) -> ! {
    let text = format!("node-multiprocessing: a forked child could not be set up: {error}\n");
    let _ = sys::fd::write_all(2, text.as_bytes());
    // SAFETY: _exit has no precondition.
    unsafe { libc::_exit(1) }
}

unsafe extern "C" fn before_wait(_: *mut Handle) {
    let on_idle = CHILD.with_borrow(|child| {
        let idle = child.as_ref().filter(|child| child.child_loop.is_idle());
        idle.map(|child| child.on_idle)
    });
    if let Some(on_idle) = on_idle {
        on_idle.call::<i32>(None);
    }
}

/// Child: lets go of the parent's handles that `fork` left referenced.
#[napi]
pub fn unreference_all(env: Env, handed_over: Vec<i32>) -> Result<()> {
    let event_loop: *mut Loop = env.get_uv_event_loop()?.cast();
    // SAFETY: this is the thread of the loop.
    unsafe { child_loop::unreference_all(event_loop, &handed_over) }.map_err(|error| to_js(env, &error))?;
    // The keep-alive handle was unreferenced with them.
    CHILD.with_borrow_mut(|child| {
        if let Some(child) = child {
            child.child_loop.reference();
        }
    });
    Ok(())
}

/// Child of a raw fork: timers are wanted again.
#[napi]
pub fn restart_timer() {
    CHILD.with_borrow(|child| {
        if let Some(child) = child {
            child.child_loop.restart_timer();
        }
    });
}

/// Child: signals are delivered from here on.
#[napi]
pub fn unblock_signals() {
    CHILD.with_borrow_mut(|child| child.as_mut().map(|child| child.signals.take()));
}

/// Child: a request of the parent's was delivered here after all.
#[napi]
pub fn request_delivered() {
    CHILD.with_borrow_mut(|child| {
        if let Some(child) = child {
            child.child_loop.request_delivered();
        }
    });
}

/// Child: abandons every JavaScript frame on the stack once this call returns, and calls `main` from the event loop.
#[napi(catch_unwind)]
pub fn reborn(env: Env, main: Function<'_, (), ()>) -> Result<()> {
    let fail = |error: Error| to_js(env, &error);
    let event_loop: *mut Loop = env.get_uv_event_loop()?.cast();
    let uv = uv().map_err(fail)?;
    let main = Callback::new(env, &main)?;
    let handle: *mut Handle = Box::into_raw(Box::<HandleMemory>::default()).cast();
    // SAFETY: the memory is large enough and is freed by the close callback; this is the loop's thread.
    unsafe {
        (uv.idle_init)(event_loop, handle);
        (uv.idle_start)(handle, Some(on_empty_stack));
    }
    // SAFETY: this is a native function called by JavaScript on the isolate's thread.
    let unwinding = unsafe { Unwinding::begin() }.map_err(fail)?;
    REBIRTH.set(Some(Rebirth {
        unwinding,
        main,
        alarm: Alarm::set(),
    }));
    Ok(())
}

/// Whether the frames on the stack are being abandoned.
pub fn is_unwinding() -> bool {
    REBIRTH.with_borrow(Option::is_some)
}

unsafe extern "C" fn on_empty_stack(handle: *mut Handle) {
    if let Ok(uv) = uv() {
        // SAFETY: initialised in `reborn`, closed once, freed by the callback.
        unsafe { (uv.close)(handle, Some(child_loop::free)) };
    }
    let Some(Rebirth {
        unwinding,
        main,
        alarm,
    }) = REBIRTH.take()
    else {
        return;
    };
    drop(alarm);
    {
        let _scope = Scope::open(main.env());
        // SAFETY: libuv called us from the bottom of the stack; a handle scope is open.
        unsafe {
            unwinding.finish(|| {
                // The tasks may call back into this addon: nothing is borrowed meanwhile.
                let waiting = CHILD.with_borrow(|child| {
                    child
                        .as_ref()
                        .filter(|child| child.tasks_waiting)
                        .map(|child| child.child_loop.event_loop())
                });
                if let Some(event_loop) = waiting {
                    child_loop::flush_foreground_tasks(event_loop);
                }
            });
        }
        main.clear_pending_exception();
    }
    CHILD.with_borrow_mut(|child| {
        if let Some(child) = child {
            child.child_loop.restart_timer();
            child.child_loop.disown_requests();
            child.gate.stamp(Stamp::Running);
        }
    });
    main.call::<i32>(None);
}

/// Child: whether no handle and no request is left, but for immediates.
#[napi]
pub fn has_only_immediates() -> bool {
    CHILD.with_borrow(|child| {
        child
            .as_ref()
            .is_some_and(|child| child.child_loop.has_only_immediates())
    })
}

/// This process's id, which JavaScript has cached.
#[napi]
pub fn get_pid() -> i32 {
    // SAFETY: getpid has no precondition.
    unsafe { libc::getpid() }
}

/// Child: puts silent descriptors in the place of all sockets bound to TCP port `port`.
#[napi]
pub fn silence_port(env: Env, port: u16) -> Result<()> {
    silence::cover_port(port).map_err(|error| to_js(env, &error))
}

/// Child: whether `Math.random` was given a state of its own; false if its state was not recognised. Null in a process
/// that is no child.
#[napi]
pub fn is_random_seeded() -> Option<bool> {
    CHILD.with_borrow(|child| child.as_ref().map(|child| child.random_seeded))
}

fn reseed(state: Option<random::State>) -> bool {
    let mut seed = [0_u8; 16];
    let (Some(state), Ok(())) = (state, entropy::fill(&mut seed)) else {
        return false;
    };
    // SAFETY: the state was found in this native call, during which V8 has not run.
    unsafe { state.reseed(seed) };
    true
}

/// Fills `bytes` from the system's random generator.
#[napi]
pub fn fill_random(env: Env, mut bytes: Uint8Array) -> Result<()> {
    // SAFETY: JavaScript runs on this thread only, so nobody else uses the bytes during the call.
    let bytes = unsafe { bytes.as_mut() };
    entropy::fill(bytes).map_err(|error| to_js(env, &error))
}

/// Ends this process at once.
#[napi]
pub fn exit_now(code: i32) {
    CHILD.with_borrow(|child| {
        if let Some(child) = child {
            child.gate.stamp(Stamp::Exiting);
        }
    });
    // SAFETY: _exit has no precondition and does not return.
    unsafe { libc::_exit(code) }
}

/// Child: the target is over (for the benchmark).
#[napi]
pub fn stamp_finished() {
    CHILD.with_borrow(|child| {
        if let Some(child) = child {
            child.gate.stamp(Stamp::Finished);
        }
    });
}

/// Notes the moment at which a child was reaped (for the benchmark).
pub fn stamp_reaped(pid: i32) {
    LAST.with_borrow(|last| {
        if last.as_ref().is_some_and(|(last, ..)| *last == pid) {
            REAPED_AT.set(monotonic_ns());
        }
    });
}

/// What the parts of the last fork took, in nanoseconds.
#[napi(object)]
pub struct ForkTimings {
    /// Waiting for other threads to rest.
    pub quiet_ns: f64,
    /// Finding and changing marks on mappings.
    pub mappings_ns: f64,
    /// The system call.
    pub fork_ns: f64,
    /// From the return of the system call in the child to the call of its target.
    pub child_setup_ns: f64,
    /// The target.
    pub run_ns: f64,
    /// From the target's end to the last system call.
    pub exit_ns: f64,
    /// From that to the reaping in the parent.
    pub reap_ns: f64,
    /// Copies that were thrown away because a thread woke.
    pub retries: u32,
}

/// The parts of the last fork whose child was reaped; null before.
#[napi]
pub fn fork_timings() -> Option<ForkTimings> {
    LAST.with_borrow(|last| {
        let (_, gate, timings) = last.as_ref()?;
        let at = |stamp| gate.stamped(stamp);
        let span = |from: u64, to: u64| to.saturating_sub(from) as f64;
        Some(ForkTimings {
            quiet_ns: timings.quiet_ns as f64,
            mappings_ns: timings.mappings_ns as f64,
            fork_ns: timings.fork_ns as f64,
            child_setup_ns: span(at(Stamp::Forked), at(Stamp::Running)),
            run_ns: span(at(Stamp::Running), at(Stamp::Finished)),
            exit_ns: span(at(Stamp::Finished), at(Stamp::Exiting)),
            reap_ns: span(at(Stamp::Exiting), REAPED_AT.get()),
            retries: timings.retries,
        })
    })
}
