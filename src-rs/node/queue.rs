//! Queues between processes.
//!
//! Small messages go through two pieces of memory that JavaScript has, too: what it puts it writes into the one, what it gets
//! it reads in the other. Larger ones go from and to memory of its own.

use std::cell::{Cell, RefCell};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::null_mut;
use std::rc::Rc;

use napi::bindgen_prelude::{FromNapiValue, Uint8Array, Unknown};
use napi::{Env, Result, check_status, sys};
use napi_derive::napi;

use node_multiprocessing_core::process::blocking::{Interrupts, Outcome};
use node_multiprocessing_core::queue::queue::{Came, Claim, Queue, Until, What};
use node_multiprocessing_core::shared::arena::Place;
use node_multiprocessing_core::sync::wait;
use node_multiprocessing_core::sys::allocator;
use node_multiprocessing_core::sys::clock::Deadline;
use node_multiprocessing_core::sys::sparse::Sparse;

use super::children::{about_to_block, with_interrupts};
use super::error::to_js;
use super::fast::{Arguments, FastCall};

/// Bytes of each piece of memory for small messages.
#[napi]
pub const QUEUE_SCRATCH_SIZE: u32 = 1 << 17;

/// Bits below the number of a message in a claim, and what they are at first.
#[napi]
pub const CLAIM_SHIFT: u32 = Claim::SHIFT;
#[napi]
pub const CLAIM_FRESH: u32 = Claim::FRESH;

/// What calls return that come to nothing; one from -100 down is -100 minus the signal that interrupted it.
mod code {
    pub const TIMED_OUT: i32 = -1;
    pub const SHUT_DOWN: i32 = -2;
    pub const TOO_LONG: i32 = -3;
    pub const INTERRUPTED: i32 = -100;
}

/// Longest message that `queueGet` takes there: longer ones are copied once only, to where they stay.
const SMALL: usize = 8192;

struct Scratch(*mut u8);

impl Scratch {
    fn new() -> Self {
        // As long as the process: JavaScript may hold the memory for so long.
        Self(Vec::leak(vec![0; QUEUE_SCRATCH_SIZE as usize]).as_mut_ptr())
    }

    fn buffer(&self, env: Env) -> Result<Unknown<'static>> {
        let mut buffer = null_mut();
        // SAFETY: the memory is never freed; JavaScript and these calls use it by turns, on this thread.
        let status = unsafe {
            sys::napi_create_external_arraybuffer(
                env.raw(),
                self.0.cast(),
                QUEUE_SCRATCH_SIZE as usize,
                None,
                null_mut(),
                &raw mut buffer,
            )
        };
        check_status!(status)?;
        // SAFETY: made just now in this environment.
        unsafe { Unknown::from_napi_value(env.raw(), buffer) }
    }

    /// The first `length` bytes.
    fn bytes(&self, length: f64) -> Result<&[u8]> {
        let length = length as usize;
        if length > QUEUE_SCRATCH_SIZE as usize {
            return Err(napi::Error::from_reason(
                "a message longer than the memory for it",
            ));
        }
        // SAFETY: initialised and never freed; nobody writes to it during a call.
        Ok(unsafe { std::slice::from_raw_parts(self.0, length) })
    }

    #[allow(
        clippy::mut_from_ref,
        reason = "the memory is JavaScript's, which waits for the call"
    )]
    fn room(&self) -> &mut [u8] {
        // SAFETY: as in `bytes`; one call at a time asks for it.
        unsafe { std::slice::from_raw_parts_mut(self.0, QUEUE_SCRATCH_SIZE as usize) }
    }
}

thread_local! {
    static QUEUES: RefCell<Vec<Option<Rc<Queue>>>> = const { RefCell::new(Vec::new()) };
    static OUT: Scratch = Scratch::new();
    static IN: Scratch = Scratch::new();
    static LAST_LENGTH: Cell<u64> = const { Cell::new(0) };
}

fn queue(number: f64) -> Result<Rc<Queue>> {
    QUEUES
        .with_borrow(|queues| queues.get(number as usize).cloned().flatten())
        .ok_or_else(|| napi::Error::from_reason("there is no such queue"))
}

/// What to wait for.
pub fn until(number: f64, what: What) -> std::result::Result<Until, node_multiprocessing_core::Error> {
    let queue = queue(number).map_err(|_| node_multiprocessing_core::Error::Unsupported("a closed queue"))?;
    Ok(queue.until(what))
}

fn code_of<T>(came: Came<T>, number: impl FnOnce(T) -> i32) -> i32 {
    match came {
        Came::Done(value) => number(value),
        Came::TooLong(length) => {
            LAST_LENGTH.set(length);
            code::TOO_LONG
        }
        Came::TimedOut => code::TIMED_OUT,
        Came::ShutDown => code::SHUT_DOWN,
        Came::Interrupted(signal) => code::INTERRUPTED - signal,
    }
}

fn answer(env: Env, came: node_multiprocessing_core::Result<Came<u64>>) -> Result<i32> {
    came.map(|came| code_of(came, |number| number as i32))
        .map_err(|error| to_js(env, &error))
}

fn waiting(
    env: Env,
    action: impl FnOnce(Interrupts<'_>) -> node_multiprocessing_core::Result<Came<u64>>,
) -> Result<i32> {
    about_to_block()?;
    answer(env, with_interrupts(env, action)?)
}

/// Makes a queue for up to `max` messages, 0 for any number. Its number in this process and those that are forked.
#[napi(catch_unwind)]
pub fn queue_create(env: Env, max: u32) -> Result<u32> {
    Ok(enter(Queue::create(max).map_err(|error| to_js(env, &error))?))
}

fn enter(queue: Queue) -> u32 {
    QUEUES.with_borrow_mut(|queues| {
        let free = queues.iter().position(Option::is_none);
        let number = free.unwrap_or_else(|| {
            queues.push(None);
            queues.len() - 1
        });
        queues[number] = Some(Rc::new(queue));
        number as u32
    })
}

/// What another process needs to have a queue, too.
#[napi(object)]
pub struct QueuePassed {
    /// Where it lies, in an arena that both have.
    pub handle: f64,
    /// The file of its memory; this process's descriptor.
    pub file: i32,
}

/// What another process needs to have the queue, too.
#[napi(catch_unwind)]
pub fn queue_pass(number: u32) -> Result<QueuePassed> {
    let queue = queue(f64::from(number))?;
    Ok(QueuePassed {
        handle: queue.place().to_number() as f64,
        file: queue.memory().file().as_raw_fd(),
    })
}

/// A queue of another process. `file` is its own from now on.
#[napi(catch_unwind)]
pub fn queue_open(env: Env, handle: f64, file: i32) -> Result<u32> {
    // SAFETY: received just now, and given away by the caller.
    let file = unsafe { OwnedFd::from_raw_fd(file) };
    let place = Place::from_number(handle as u64);
    let queue = Sparse::open(file).and_then(|memory| Queue::at(place, memory));
    Ok(enter(queue.map_err(|error| to_js(env, &error))?))
}

/// This process has done with a queue.
#[napi(catch_unwind)]
pub fn queue_close(number: u32) {
    let closed = QUEUES.with_borrow_mut(|queues| queues.get_mut(number as usize).and_then(Option::take));
    drop(closed);
}

/// Memory that small messages go through.
#[napi(object)]
pub struct QueueScratch<'a> {
    /// For those that are put.
    #[napi(ts_type = "ArrayBuffer")]
    pub out: Unknown<'a>,
    /// For those that are got.
    #[napi(ts_type = "ArrayBuffer")]
    pub input: Unknown<'a>,
}

/// The memory that small messages go through; to be asked for once.
#[napi(catch_unwind)]
pub fn queue_scratch(env: Env) -> Result<QueueScratch<'static>> {
    Ok(QueueScratch {
        out: OUT.with(|out| out.buffer(env))?,
        input: IN.with(|input| input.buffer(env))?,
    })
}

/// `queuePut(queue, length, timeoutMs)`: appends the message in the memory for these.
#[derive(Debug)]
pub struct QueuePut;

impl FastCall for QueuePut {
    fn run(env: Env, arguments: Arguments) -> Result<i32> {
        let queue = queue(arguments.number(0)?)?;
        let timeout_ms = arguments.number(2)?;
        OUT.with(|out| {
            let message = out.bytes(arguments.number(1)?)?;
            match queue.put_at_once(&[message], timeout_ms > 0.0) {
                Ok(None) => waiting(env, |interrupts| {
                    queue.put(&[message], Deadline::after_ms(timeout_ms), interrupts)
                }),
                Ok(Some(came)) => answer(env, Ok(came)),
                Err(error) => answer(env, Err(error)),
            }
        })
    }
}

/// `queueGet(queue, timeoutMs)`: takes a message into the memory for these. Its length.
#[derive(Debug)]
pub struct QueueGet;

impl FastCall for QueueGet {
    fn run(env: Env, arguments: Arguments) -> Result<i32> {
        get(env, arguments, None)
    }
}

/// `queueTake(queue, timeoutMs, claim)`: `queueGet` that leaves word of the message that it takes.
#[derive(Debug)]
pub struct QueueTake;

impl FastCall for QueueTake {
    fn run(env: Env, arguments: Arguments) -> Result<i32> {
        let claim = claim(env, arguments.number(2)?)?;
        get(env, arguments, Some(claim))
    }
}

fn claim(env: Env, place: f64) -> Result<Claim> {
    Claim::at(Place::from_number(place as u64)).map_err(|error| to_js(env, &error))
}

fn get(env: Env, arguments: Arguments, claim: Option<Claim>) -> Result<i32> {
    let queue = queue(arguments.number(0)?)?;
    let timeout_ms = arguments.number(1)?;
    IN.with(|input| {
        let room = &mut input.room()[..SMALL];
        match queue.get_at_once(room, claim, timeout_ms > 0.0) {
            Ok(None) => waiting(env, |interrupts| {
                queue.get(room, claim, Deadline::after_ms(timeout_ms), interrupts)
            }),
            Ok(Some(came)) => answer(env, Ok(came)),
            Err(error) => answer(env, Err(error)),
        }
    })
}

/// `queueTaken(queue)`: how many messages were ever taken, in 32 bits.
#[derive(Debug)]
pub struct QueueTaken;

impl FastCall for QueueTaken {
    fn run(_: Env, arguments: Arguments) -> Result<i32> {
        Ok(queue(arguments.number(0)?)?.taken().cast_signed())
    }
}

/// `queuePutMany(queue, length, timeoutMs)`: appends the messages in so many bytes of frames, or the first ones, waiting for
/// room for one. How many bytes of frames.
#[derive(Debug)]
pub struct QueuePutMany;

impl FastCall for QueuePutMany {
    fn run(env: Env, arguments: Arguments) -> Result<i32> {
        let queue = queue(arguments.number(0)?)?;
        let deadline = Deadline::after_ms(arguments.number(2)?);
        OUT.with(|out| {
            let frames = out.bytes(arguments.number(1)?)?;
            waiting(env, |interrupts| queue.put_many(frames, deadline, interrupts))
        })
    }
}

/// `queueGetMany(queue, max, timeoutMs)`: takes messages that are there as frames, waiting for the first. How many.
#[derive(Debug)]
pub struct QueueGetMany;

impl FastCall for QueueGetMany {
    fn run(env: Env, arguments: Arguments) -> Result<i32> {
        let queue = queue(arguments.number(0)?)?;
        let max = arguments.number(1)?.min(f64::from(u32::MAX)) as u32;
        let deadline = Deadline::after_ms(arguments.number(2)?);
        IN.with(|input| {
            waiting(env, |interrupts| {
                queue.get_many(input.room(), max, deadline, interrupts)
            })
        })
    }
}

/// `queueLength(queue)`: how many messages there are.
#[derive(Debug)]
pub struct QueueLength;

impl FastCall for QueueLength {
    fn run(_: Env, arguments: Arguments) -> Result<i32> {
        Ok(queue(arguments.number(0)?)?.len() as i32)
    }
}

/// Appends a message made of parts. As `queuePut`.
#[napi(catch_unwind)]
pub fn queue_put_parts(env: Env, number: u32, parts: Vec<Uint8Array>, timeout_ms: f64) -> Result<i32> {
    let queue = queue(f64::from(number))?;
    let parts: Vec<&[u8]> = parts.iter().map(|part| &part[..]).collect();
    waiting(env, |interrupts| {
        queue.put(&parts, Deadline::after_ms(timeout_ms), interrupts)
    })
}

/// The length of the message that was too long.
#[napi(catch_unwind)]
pub fn queue_last_length() -> f64 {
    LAST_LENGTH.get() as f64
}

/// Takes a message into `into`; 1 once that is done. As `queueGet`, or with a `claim` as `queueTake`.
#[napi(catch_unwind)]
pub fn queue_get_into(
    env: Env,
    number: u32,
    mut into: Uint8Array,
    timeout_ms: f64,
    claimed_at: Option<f64>,
) -> Result<i32> {
    let queue = queue(f64::from(number))?;
    let claim = claimed_at.map(|place| claim(env, place)).transpose()?;
    allocator::keep_what_is_freed();
    // SAFETY: JavaScript waits for the call, and nobody else knows the memory.
    let room = unsafe { into.as_mut() };
    waiting(env, |interrupts| {
        let came = queue.get(room, claim, Deadline::after_ms(timeout_ms), interrupts)?;
        if let Came::Done(length) = came {
            LAST_LENGTH.set(length);
            return Ok(Came::Done(1));
        }
        Ok(came)
    })
}

/// One message more is done with. False if all were.
#[napi(catch_unwind)]
pub fn queue_task_done(number: u32) -> Result<bool> {
    Ok(queue(f64::from(number))?.task_done())
}

/// Messages that are not done with.
#[napi(catch_unwind)]
pub fn queue_unfinished(number: u32) -> Result<u32> {
    Ok(queue(f64::from(number))?.unfinished())
}

/// Waits until all messages are done with. 1 once that is so.
#[napi(catch_unwind)]
pub fn queue_join(env: Env, number: u32, timeout_ms: f64) -> Result<i32> {
    let until = queue(f64::from(number))?.until(What::End);
    waiting(env, |interrupts| {
        Ok(
            match wait::obtain(until, Deadline::after_ms(timeout_ms), interrupts)? {
                Outcome::Done(_) => Came::Done(1),
                Outcome::TimedOut => Came::TimedOut,
                Outcome::Interrupted(signal) => Came::Interrupted(signal),
            },
        )
    })
}

/// No message may come any more; `immediate`: nor go.
#[napi(catch_unwind)]
pub fn queue_shut_down(env: Env, number: u32, immediate: bool) -> Result<()> {
    let done = queue(f64::from(number))?.shut_down(immediate, Interrupts::NONE);
    done.map_err(|error| to_js(env, &error))
}
