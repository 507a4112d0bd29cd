//! Locks, semaphores, events, conditions and barriers, and waits for them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use napi::bindgen_prelude::Function;
use napi::{Env, Result};
use napi_derive::napi;

use node_multiprocessing_core::Error;
use node_multiprocessing_core::process::blocking::{Interrupts, Outcome};
use node_multiprocessing_core::queue::queue::What;
use node_multiprocessing_core::shared::arena::Place;
use node_multiprocessing_core::shared::members::End;
use node_multiprocessing_core::shared::records::Count;
use node_multiprocessing_core::sync::barrier::{self, Barrier, Broken, Party};
use node_multiprocessing_core::sync::condition::{self, Sleeper};
use node_multiprocessing_core::sync::doorbell;
use node_multiprocessing_core::sync::event::Event;
use node_multiprocessing_core::sync::lock::{Lock, Released};
use node_multiprocessing_core::sync::semaphore::{self, Semaphore};
use node_multiprocessing_core::sync::wait::{self, Queued, Taken, Wait, Want};
use node_multiprocessing_core::sys::clock::Deadline;
use node_multiprocessing_core::uv::child_loop::free;
use node_multiprocessing_core::uv::ffi::{Handle, HandleMemory, Loop, uv};

use super::callback::Callback;
use super::children::{about_to_block, with_interrupts};
use super::error::to_js;
use super::fast::{Arguments, FastCall};

/// What calls that wait return; one below -100 is -100 minus the signal that interrupted it, one from -10 down is -10 minus
/// the reason why a barrier is broken, one from 10 up is 10 plus the index at a barrier.
pub mod code {
    pub const TIMED_OUT: i32 = 0;
    pub const TAKEN: i32 = 1;
    pub const RECOVERED: i32 = 2;
    pub const ABANDONED: i32 = -1;
    pub const WAS_FREE: i32 = -2;
    pub const BROKEN: i32 = -10;
    pub const INTERRUPTED: i32 = -100;
    pub const PASSED: i32 = 10;
}

/// The end of a process that held something.
#[napi(object)]
pub struct HolderEnd {
    /// Its process id; 0 if that is not known any more.
    pub pid: i32,
    /// Its name; empty if it is not known.
    pub name: String,
    /// The kernel's status word, if it is known.
    pub status: Option<i32>,
    /// When it was noticed, in milliseconds of wall-clock time; 0 if that is not known.
    pub at_ms: f64,
}

impl From<End> for HolderEnd {
    fn from(end: End) -> Self {
        Self {
            pid: end.pid,
            name: end.name,
            status: end.status,
            at_ms: end.at_ms as f64,
        }
    }
}

/// An asynchronous wait that is over.
#[napi(object)]
pub struct Settled {
    /// As `awaitShared` has returned.
    pub wait: u32,
    /// As of `lockAcquire`.
    pub code: i32,
    /// Who has died with the lock.
    pub end: Option<HolderEnd>,
    /// The round of a barrier.
    pub round: u32,
}

impl Settled {
    fn new(wait: u32, taken: Taken) -> Self {
        let code = code_of(taken);
        Self {
            wait,
            code,
            end: LAST_END.take().map(HolderEnd::from),
            round: LAST_ROUND.get(),
        }
    }
}

thread_local! {
    static LAST_END: RefCell<Option<End>> = const { RefCell::new(None) };
    static WAITS: RefCell<BTreeMap<u32, Box<dyn Queued>>> = const { RefCell::new(BTreeMap::new()) };
    /// Between `conditionBegin` and `conditionSleep`.
    static SLEEPER: Cell<Option<Sleeper>> = const { Cell::new(None) };
    static LAST_ROUND: Cell<u32> = const { Cell::new(0) };
    static LAST_WAIT: Cell<u32> = const { Cell::new(0) };
    static BELL: RefCell<Option<Bell>> = const { RefCell::new(None) };
}

struct Bell {
    handle: *mut Handle,
    on_settled: Callback,
}

fn code_of(taken: Taken) -> i32 {
    let (code, end) = match taken {
        Taken::Yes => return code::TAKEN,
        Taken::Passed { index, round } => {
            LAST_ROUND.set(round);
            return code::PASSED + index as i32;
        }
        Taken::Broken(reason) => return code::BROKEN - i32::from(reason as u8),
        Taken::Recovered(end) => (code::RECOVERED, end),
        Taken::Abandoned(end) => (code::ABANDONED, end),
    };
    LAST_END.set(Some(end));
    code
}

/// What can be waited for.
#[derive(Debug)]
#[napi(string_enum = "lowercase")]
pub enum Kind {
    /// A lock.
    Lock,
    /// A permit of a semaphore.
    Semaphore,
    /// An event.
    Event,
    /// To be told at a condition.
    Condition,
    /// A barrier.
    Barrier,
    /// A message in a queue.
    Items,
    /// Room in a queue.
    Room,
    /// That all messages of a queue are done with.
    End,
}

fn queue(kind: Kind, handle: f64, recover: bool) -> std::result::Result<Box<dyn Queued>, Error> {
    let place = Place::from_number(handle as u64);
    Ok(match kind {
        Kind::Lock => Box::new(Wait::begin(Lock::at(place, recover)?, true)?),
        Kind::Semaphore => Box::new(Wait::begin(Semaphore::at(place, recover)?, true)?),
        Kind::Event => Box::new(Wait::begin(Event::at(place)?, true)?),
        Kind::Condition => Box::new(Sleeper::begin(place, true)?),
        Kind::Barrier => Box::new(Party::begin(Barrier::at(place)?, true)?),
        Kind::Items => Box::new(Wait::begin(super::queue::until(handle, What::Items)?, true)?),
        Kind::Room => Box::new(Wait::begin(super::queue::until(handle, What::Room)?, true)?),
        Kind::End => Box::new(Wait::begin(super::queue::until(handle, What::End)?, true)?),
    })
}

fn obtain(env: Env, want: impl Want, timeout_ms: f64) -> Result<i32> {
    let deadline = Deadline::after_ms(timeout_ms);
    let outcome = if let Some(outcome) = wait::at_once(&want, deadline) {
        Ok(outcome)
    } else {
        about_to_block()?;
        with_interrupts(env, |interrupts| wait::obtain(want, deadline, interrupts))?
    };
    code_of_outcome(env, outcome)
}

fn code_of_outcome(env: Env, outcome: std::result::Result<Outcome<Taken>, Error>) -> Result<i32> {
    Ok(match outcome.map_err(|error| to_js(env, &error))? {
        Outcome::Done(taken) => code_of(taken),
        Outcome::TimedOut => code::TIMED_OUT,
        Outcome::Interrupted(signal) => code::INTERRUPTED - signal,
    })
}

/// `lockAcquire(handle, timeoutMs, recover)`: takes a lock, waiting up to `timeoutMs` milliseconds.
#[derive(Debug)]
pub struct LockAcquire;

impl FastCall for LockAcquire {
    fn run(env: Env, arguments: Arguments) -> Result<i32> {
        obtain(
            env,
            lock_at(env, arguments.number(0)?, arguments.boolean(2)?)?,
            arguments.number(1)?,
        )
    }
}

/// `lockRelease(handle)`: gives a lock back.
#[derive(Debug)]
pub struct LockRelease;

impl FastCall for LockRelease {
    fn run(env: Env, arguments: Arguments) -> Result<i32> {
        Ok(match lock_at(env, arguments.number(0)?, false)?.release() {
            Released::Yes => code::TAKEN,
            Released::WasFree => code::WAS_FREE,
            Released::Abandoned(end) => code_of(Taken::Abandoned(end)),
        })
    }
}

/// `semaphoreAcquire(handle, timeoutMs, recover)`: takes a permit, waiting up to `timeoutMs` milliseconds.
#[derive(Debug)]
pub struct SemaphoreAcquire;

impl FastCall for SemaphoreAcquire {
    fn run(env: Env, arguments: Arguments) -> Result<i32> {
        obtain(
            env,
            semaphore_at(env, arguments.number(0)?, arguments.boolean(2)?)?,
            arguments.number(1)?,
        )
    }
}

/// `semaphoreRelease(handle, count)`: gives permits back. 0 if that were more than there may be.
#[derive(Debug)]
pub struct SemaphoreRelease;

impl FastCall for SemaphoreRelease {
    fn run(env: Env, arguments: Arguments) -> Result<i32> {
        let semaphore = semaphore_at(env, arguments.number(0)?, false)?;
        let done = semaphore.release(arguments.number(1)? as u32);
        done.map(i32::from).map_err(|error| to_js(env, &error))
    }
}

/// Frees a lock whose holder has died with it. Whether that was so.
#[napi(catch_unwind)]
pub fn lock_recover(env: Env, handle: f64) -> Result<bool> {
    Ok(lock_at(env, handle, false)?.recover())
}

fn lock_at(env: Env, handle: f64, recover: bool) -> Result<Lock> {
    Lock::at(Place::from_number(handle as u64), recover).map_err(|error| to_js(env, &error))
}

fn semaphore_at(env: Env, handle: f64, recover: bool) -> Result<Semaphore> {
    Semaphore::at(Place::from_number(handle as u64), recover).map_err(|error| to_js(env, &error))
}

/// Bytes that a semaphore takes.
#[napi]
pub const SEMAPHORE_SIZE: u32 = semaphore::SIZE as u32;

/// Highest value of a semaphore.
#[napi]
pub const SEMAPHORE_MAX: u32 = semaphore::MAX_VALUE;

/// Gives a new semaphore its value and its highest one.
#[napi(catch_unwind)]
pub fn semaphore_begin(env: Env, handle: f64, value: u32, max: u32) -> Result<()> {
    semaphore_at(env, handle, false)?.begin(value, max);
    Ok(())
}

/// Permits that are there for the taking.
#[napi(catch_unwind)]
pub fn semaphore_value(env: Env, handle: f64) -> Result<u32> {
    Ok(semaphore_at(env, handle, false)?.value())
}

/// Takes permits of the dead back. How many there were.
#[napi(catch_unwind)]
pub fn semaphore_recover(env: Env, handle: f64) -> Result<u32> {
    Ok(semaphore_at(env, handle, false)?.recover())
}

fn event_at(env: Env, handle: f64) -> Result<Event> {
    Event::at(Place::from_number(handle as u64)).map_err(|error| to_js(env, &error))
}

/// Sets an event.
#[napi(catch_unwind)]
pub fn event_set(env: Env, handle: f64) -> Result<()> {
    event_at(env, handle)?.set();
    Ok(())
}

/// Clears an event.
#[napi(catch_unwind)]
pub fn event_clear(env: Env, handle: f64) -> Result<()> {
    event_at(env, handle)?.clear();
    Ok(())
}

/// Waits for an event, up to `timeout_ms` milliseconds.
#[napi(catch_unwind)]
pub fn event_wait(env: Env, handle: f64, timeout_ms: f64) -> Result<i32> {
    obtain(env, event_at(env, handle)?, timeout_ms)
}

/// Begins to sleep at a condition: from now on this process can be told. `conditionSleep` goes on with it.
#[napi(catch_unwind)]
pub fn condition_begin(env: Env, handle: f64) -> Result<()> {
    let place = Place::from_number(handle as u64);
    about_to_block()?;
    let sleeper = Sleeper::begin(place, false).map_err(|error| to_js(env, &error))?;
    SLEEPER.set(Some(sleeper));
    Ok(())
}

/// Sleeps until it is told, up to `timeout_ms` milliseconds.
#[napi(catch_unwind)]
pub fn condition_sleep(env: Env, timeout_ms: f64) -> Result<i32> {
    let Some(sleeper) = SLEEPER.take() else {
        return Err(napi::Error::from_reason("conditionBegin() comes first"));
    };
    let outcome = with_interrupts(env, |interrupts| {
        sleeper.sleep(Deadline::after_ms(timeout_ms), interrupts)
    })?;
    code_of_outcome(env, outcome)
}

/// Tells up to `count` of those that sleep at a condition; all of them without a count. How many that were.
#[napi(catch_unwind)]
pub fn condition_notify(env: Env, handle: f64, count: Option<u32>) -> Result<u32> {
    let count = count.map_or(Count::All, Count::AtMost);
    condition::notify(Place::from_number(handle as u64), count).map_err(|error| to_js(env, &error))
}

/// Takes a lock back, which nothing interrupts.
#[napi(catch_unwind)]
pub fn lock_reacquire(env: Env, handle: f64, recover: bool) -> Result<i32> {
    let lock = Lock::at(Place::from_number(handle as u64), recover).map_err(|error| to_js(env, &error))?;
    let forever = Deadline::after_ms(f64::INFINITY);
    code_of_outcome(env, wait::obtain(lock, forever, Interrupts::NONE))
}

fn barrier_at(env: Env, handle: f64) -> Result<Barrier> {
    Barrier::at(Place::from_number(handle as u64)).map_err(|error| to_js(env, &error))
}

/// Bytes that a barrier takes.
#[napi]
pub const BARRIER_SIZE: u32 = barrier::SIZE as u32;

/// Most parties of a barrier.
#[napi]
pub const BARRIER_MAX_PARTIES: u32 = barrier::MAX_PARTIES;

/// Gives a new barrier its number of parties.
#[napi(catch_unwind)]
pub fn barrier_begin(env: Env, handle: f64, parties: u32) -> Result<()> {
    barrier_at(env, handle)?.begin(parties);
    Ok(())
}

/// Says that child `pid` is going to come to a barrier: if it dies first, the barrier breaks.
#[napi(catch_unwind)]
pub fn barrier_expect(env: Env, handle: f64, pid: i32) -> Result<()> {
    barrier_at(env, handle)?
        .expect(pid)
        .map_err(|error| to_js(env, &error))
}

/// Waits at a barrier. Whoever gets the highest index opens it by `barrierComplete`.
#[napi(catch_unwind)]
pub fn barrier_wait(env: Env, handle: f64, timeout_ms: f64) -> Result<i32> {
    about_to_block()?;
    let party = Party::begin(barrier_at(env, handle)?, false).map_err(|error| to_js(env, &error))?;
    let outcome = with_interrupts(env, |interrupts| {
        party.wait(Deadline::after_ms(timeout_ms), interrupts)
    })?;
    code_of_outcome(env, outcome)
}

/// The round that the last `barrierWait` of this process was part of.
#[napi]
pub fn barrier_round() -> u32 {
    LAST_ROUND.get()
}

/// Opens a barrier at which all have arrived. False if it was broken or reset meanwhile.
#[napi(catch_unwind)]
pub fn barrier_complete(env: Env, handle: f64, round: u32) -> Result<bool> {
    Ok(barrier_at(env, handle)?.complete(round))
}

/// Breaks a barrier.
#[napi(catch_unwind)]
pub fn barrier_abort(env: Env, handle: f64) -> Result<()> {
    barrier_at(env, handle)?.break_for(Broken::Aborted, None);
    Ok(())
}

/// Makes a barrier as new.
#[napi(catch_unwind)]
pub fn barrier_reset(env: Env, handle: f64) -> Result<()> {
    barrier_at(env, handle)?.reset();
    Ok(())
}

/// How a barrier stands.
#[napi(object)]
pub struct BarrierState {
    /// How many wait.
    pub waiting: u32,
    /// Whether it is broken.
    pub broken: bool,
}

/// How a barrier stands.
#[napi(catch_unwind)]
pub fn barrier_state(env: Env, handle: f64) -> Result<BarrierState> {
    let barrier = barrier_at(env, handle)?;
    Ok(BarrierState {
        waiting: barrier.waiting(),
        broken: barrier.is_broken(),
    })
}

/// Whose end the last call of this module was about.
#[napi]
pub fn last_holder_end() -> Option<HolderEnd> {
    LAST_END.take().map(HolderEnd::from)
}

/// Has `on_settled` called from the event loop with the waits that are over. Once per process; a child starts afresh.
#[napi]
pub fn watch_waits(env: Env, on_settled: Function<'_, Vec<Settled>, ()>) -> Result<()> {
    if BELL.with_borrow(Option::is_some) {
        return Ok(());
    }
    let event_loop: *mut Loop = env.get_uv_event_loop()?.cast();
    let uv = uv().map_err(|error| to_js(env, &error))?;
    let on_settled = Callback::new(env, &on_settled)?;
    let handle: *mut Handle = Box::into_raw(Box::<HandleMemory>::default()).cast();
    // SAFETY: the memory is large enough and lives until the handle is closed; this is the loop's thread.
    unsafe {
        (uv.async_init)(event_loop, handle, Some(on_bell));
        (uv.unreference)(handle);
    }
    BELL.set(Some(Bell { handle, on_settled }));
    Ok(())
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

unsafe extern "C" fn on_bell(handle: *mut Handle) {
    let settled: Vec<_> = WAITS.with_borrow_mut(|waits| {
        let mut settled = Vec::new();
        for (&id, wait) in waits.iter_mut() {
            if let Some(taken) = wait.attempt() {
                settled.push((id, taken));
            }
        }
        settled
            .into_iter()
            .map(|(wait, taken)| {
                forget_wait(waits, handle, wait, true);
                Settled::new(wait, taken)
            })
            .collect()
    });
    if settled.is_empty() {
        return;
    }
    if let Some(on_settled) = BELL.with_borrow(|bell| bell.as_ref().map(|bell| bell.on_settled)) {
        on_settled.call(Some(settled));
    }
}

fn forget_wait(
    waits: &mut BTreeMap<u32, Box<dyn Queued>>,
    handle: *mut Handle,
    id: u32,
    settled: bool,
) -> Option<Taken> {
    let taken = waits.remove(&id)?.end(settled);
    doorbell::end();
    if waits.is_empty() {
        keep_loop(handle, false);
    }
    taken
}

/// Begins a wait by doorbell: the function given to `watchWaits` is called when it may be over.
pub fn begin_by_doorbell(
    begin: impl FnOnce() -> std::result::Result<Box<dyn Queued>, Error>,
) -> std::result::Result<Box<dyn Queued>, Error> {
    let Some(bell) = BELL.with_borrow(|bell| bell.as_ref().map(|bell| bell.handle)) else {
        return Err(Error::Unsupported("a wait before watchWaits()"));
    };
    let send = uv()?.async_send;
    let address = bell as usize;
    let queued = begin()?;
    // SAFETY: the one function of libuv that any thread may call; the handle lives as long as this process has the thread.
    let ring = move || unsafe {
        send(address as *mut Handle);
    };
    if let Err(error) = doorbell::begin(queued.arena(), ring) {
        queued.end(false);
        return Err(error);
    }
    // It may have become free before the wait was in the queue: look once without being told.
    // SAFETY: as above.
    unsafe { send(bell) };
    Ok(queued)
}

/// Begins to wait; the function given to `watchWaits` tells of the end.
#[napi(catch_unwind)]
pub fn await_shared(env: Env, kind: Kind, handle: f64, recover: bool) -> Result<u32> {
    let queued = begin_by_doorbell(|| queue(kind, handle, recover)).map_err(|error| to_js(env, &error))?;
    let id = LAST_WAIT.get().wrapping_add(1);
    LAST_WAIT.set(id);
    WAITS.with_borrow_mut(|waits| waits.insert(id, queued));
    if let Some(bell) = BELL.with_borrow(|bell| bell.as_ref().map(|bell| bell.handle)) {
        keep_loop(bell, true);
    }
    Ok(id)
}

/// Gives a wait up. What it came to at the last moment, if that is more than nothing.
#[napi(catch_unwind)]
pub fn cancel_wait(id: u32) -> Option<Settled> {
    let bell = BELL.with_borrow(|bell| bell.as_ref().map(|bell| bell.handle))?;
    let taken = WAITS.with_borrow_mut(|waits| forget_wait(waits, bell, id, false))?;
    Some(Settled::new(id, taken))
}

/// Child: what is waited for is the parent's business.
pub fn forget_parents() {
    doorbell::forget();
    // Their records belong to the parent, which goes on with them.
    WAITS.take();
    SLEEPER.take();
    if let (Some(bell), Ok(uv)) = (BELL.take(), uv()) {
        // SAFETY: initialised in `watch_waits`, closed once, freed by the callback; the loop is the child's own by now.
        unsafe { (uv.close)(bell.handle, Some(free)) };
    }
}
