//! Connections: messages over descriptors.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use napi::bindgen_prelude::{External, FromNapiValue, Uint8ArraySlice, Unknown};
use napi::{Env, Result, sys};
use napi_derive::napi;

use node_multiprocessing_core::Error;
use node_multiprocessing_core::connection::{
    self, HEADER, Intake, Message, Outgoing, Place, Received, SCRATCH,
};
use node_multiprocessing_core::process::blocking::Outcome;
use node_multiprocessing_core::sys::socket;

use super::children::{about_to_block, with_interrupts};
use super::error::to_js;

/// What receiving returns: the length of a message that is in the scratch memory, or one of these; one below -100 is -100
/// minus the signal that interrupted it.
mod code {
    pub const NOTHING: f64 = -1.0;
    pub const END: f64 = -2.0;
    pub const END_INSIDE: f64 = -3.0;
    pub const MESSAGE: f64 = -4.0;
    pub const TOO_LONG: f64 = -5.0;
    pub const INTERRUPTED: i32 = -100;
}

/// Steps in a row that a call makes which the event loop waits for: some milliseconds' worth.
const STEPS: u32 = 64;

/// This process's id, without asking for it each time.
static PROCESS: AtomicU32 = AtomicU32::new(0);

fn process() -> u32 {
    match PROCESS.load(Relaxed) {
        0 => {
            let id = std::process::id();
            PROCESS.store(id, Relaxed);
            id
        }
        id => id,
    }
}

/// Child: it has an id of its own.
pub fn forget_parents() {
    PROCESS.store(0, Relaxed);
}

type Connection = connection::Connection<Memory>;

/// A `Buffer` that JavaScript does not have yet. It is freed by V8 as it collects garbage, also in a loop that never lets
/// finalizers run.
#[derive(Debug)]
pub struct Memory {
    env: sys::napi_env,
    reference: sys::napi_ref,
    data: *mut u8,
}

// SAFETY: the buffer has the size that it was made with, is kept by the reference, and nobody else has seen it.
unsafe impl Place for Memory {
    fn start(&mut self) -> *mut u8 {
        self.data
    }
}

impl Memory {
    fn new(env: sys::napi_env, size: usize) -> std::result::Result<Self, Error> {
        let (mut data, mut buffer, mut reference) = (null_mut(), null_mut(), null_mut());
        // SAFETY: the environment is that of the native call under way.
        let status = unsafe {
            match sys::napi_create_buffer(env, size, &raw mut data, &raw mut buffer) {
                sys::Status::napi_ok => sys::napi_create_reference(env, buffer, 1, &raw mut reference),
                status => {
                    sys::napi_get_and_clear_last_exception(env, &raw mut buffer);
                    status
                }
            }
        };
        if status != sys::Status::napi_ok {
            return Err(Error::System {
                syscall: "malloc",
                errno: nix::errno::Errno::ENOMEM,
            });
        }
        let data = data.cast();
        Ok(Self { env, reference, data })
    }

    /// The buffer, for JavaScript.
    fn buffer(self) -> Result<Unknown<'static>> {
        let mut buffer = null_mut();
        // SAFETY: the reference is dropped after this, and belongs to the environment of the native call under way.
        unsafe {
            sys::napi_get_reference_value(self.env, self.reference, &raw mut buffer);
            Unknown::from_napi_value(self.env, buffer)
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the reference was made in `new` and is deleted once, on the environment's thread: so are native calls made and
        // connections collected.
        unsafe { sys::napi_delete_reference(self.env, self.reference) };
    }
}

/// A connection as JavaScript holds it.
#[derive(Debug)]
pub struct Held {
    /// `None` after it was closed.
    connection: Option<Connection>,
    /// What `connectionReceive` has announced.
    message: Option<Message<Memory>>,
}

impl Held {
    fn new(connection: Connection) -> External<Self> {
        External::new(Self {
            connection: Some(connection),
            message: None,
        })
    }

    fn open(&mut self) -> Result<&mut Connection> {
        self.connection
            .as_mut()
            .ok_or_else(|| napi::Error::from_reason("the connection is closed"))
    }
}

/// Bytes of the memory that receiving needs.
#[napi]
pub const CONNECTION_SCRATCH: u32 = SCRATCH as u32;

/// Where in that memory a message begins.
#[napi]
pub const CONNECTION_HEADER: u32 = HEADER as u32;

/// Most descriptors with one message.
#[napi]
pub const CONNECTION_MAX_DESCRIPTORS: u32 = socket::MOST_DESCRIPTORS as u32;

/// Both ends of a new pipe.
#[napi(ts_return_type = "[object, object]")]
pub fn create_pipe(env: Env) -> Result<Vec<External<Held>>> {
    let (first, second) = Connection::pair().map_err(|error| to_js(env, &error))?;
    Ok(vec![Held::new(first), Held::new(second)])
}

/// A connection over `fd`, which is its own from now on, unless that fails.
#[napi(ts_return_type = "object")]
pub fn open_connection(env: Env, fd: i32) -> Result<External<Held>> {
    // SAFETY: the number is only lent to a call that answers an error when it is not open.
    let lent = unsafe { BorrowedFd::borrow_raw(fd) };
    socket::kind_of(lent).map_err(|error| to_js(env, &error))?;
    // SAFETY: it is open, and the caller has given it away.
    let owned = unsafe { OwnedFd::from_raw_fd(fd) };
    let connection = Connection::open(owned).map_err(|error| to_js(env, &error))?;
    Ok(Held::new(connection))
}

/// The descriptor of an open connection.
#[napi]
pub fn connection_fileno(#[napi(ts_arg_type = "object")] held: &mut External<Held>) -> Result<i32> {
    Ok(held.open()?.fd().as_raw_fd())
}

/// Closes a connection's descriptor.
#[napi]
pub fn close_connection(#[napi(ts_arg_type = "object")] held: &mut External<Held>) {
    held.connection = None;
    held.message = None;
}

/// Whether part of a message was sent.
#[napi]
pub fn connection_is_sending(#[napi(ts_arg_type = "object")] held: &mut External<Held>) -> Result<bool> {
    Ok(held.open()?.is_sending())
}

fn send(env: Env, connection: &mut Connection, message: Outgoing<'_>) -> Result<bool> {
    connection
        .send(message, process(), STEPS)
        .map_err(|error| to_js(env, &error))
}

/// Goes on sending a message of one part, without waiting: whether all of it is sent. The same message is to be passed until
/// it is.
#[napi(catch_unwind)]
pub fn connection_send(
    env: Env,
    #[napi(ts_arg_type = "object")] held: &mut External<Held>,
    bytes: &[u8],
) -> Result<bool> {
    let message = Outgoing {
        parts: &[bytes],
        descriptors: &[],
    };
    send(env, held.open()?, message)
}

/// As `connectionSend`, for a message of several parts, with descriptors.
#[napi(catch_unwind)]
pub fn connection_send_parts(
    env: Env,
    #[napi(ts_arg_type = "object")] held: &mut External<Held>,
    parts: Vec<Uint8ArraySlice<'_>>,
    descriptors: Vec<i32>,
) -> Result<bool> {
    let parts: Vec<&[u8]> = parts.iter().map(AsRef::as_ref).collect();
    let message = Outgoing {
        parts: &parts,
        descriptors: &descriptors,
    };
    send(env, held.open()?, message)
}

/// Receives a message that has at most `limit` bytes.
#[napi(catch_unwind)]
pub fn connection_receive(
    env: Env,
    #[napi(ts_arg_type = "object")] held: &mut External<Held>,
    mut scratch: Uint8ArraySlice<'_>,
    limit: f64,
    block: bool,
) -> Result<f64> {
    let fail = |error: Error| to_js(env, &error);
    // SAFETY: JavaScript, which alone has another way to this memory, does not run before this call ends.
    let scratch = unsafe { scratch.as_mut() };
    if scratch.len() < SCRATCH {
        return Err(napi::Error::from_reason("the scratch memory is too small"));
    }
    if block {
        about_to_block()?;
    }
    let connection = held.open()?;
    let mut intake = Intake {
        scratch,
        limit: limit as u64,
        allocate: &mut |size| Memory::new(env.raw(), size),
        process: process(),
    };
    let mut received = if block {
        connection.receive_soon(&mut intake)
    } else {
        connection.receive(&mut intake, STEPS)
    };
    if block && matches!(received, Ok(None)) {
        let outcome = with_interrupts(env, |interrupts| {
            connection.receive_asleep(&mut intake, interrupts)
        })?;
        received = match outcome {
            Ok(Outcome::Done(received)) => Ok(Some(received)),
            Ok(Outcome::TimedOut) => Ok(None),
            Ok(Outcome::Interrupted(signal)) => return Ok(f64::from(code::INTERRUPTED - signal)),
            Err(error) => Err(error),
        };
    }
    Ok(match received.map_err(fail)? {
        None => code::NOTHING,
        Some(Received::Scratch(length)) => length as f64,
        Some(Received::Message(message)) => {
            held.message = Some(message);
            code::MESSAGE
        }
        Some(Received::End { inside: false }) => code::END,
        Some(Received::End { inside: true }) => code::END_INSIDE,
        Some(Received::TooLong(_)) => code::TOO_LONG,
    })
}

/// A message that did not come in the scratch memory.
#[napi(object)]
pub struct Arrived {
    /// Its bytes.
    #[napi(ts_type = "Buffer")]
    pub bytes: Unknown<'static>,
    /// Descriptors that came with it; the caller's from now on.
    pub descriptors: Vec<i32>,
}

/// The message that `connectionReceive` has announced.
#[napi(catch_unwind)]
pub fn connection_take(#[napi(ts_arg_type = "object")] held: &mut External<Held>) -> Result<Arrived> {
    let Some(Message { place, descriptors }) = held.message.take() else {
        return Err(napi::Error::from_reason("connectionReceive() comes first"));
    };
    Ok(Arrived {
        bytes: place.buffer()?,
        descriptors: descriptors.into_iter().map(IntoRawFd::into_raw_fd).collect(),
    })
}

/// Another descriptor for the same file. The caller closes it.
#[napi]
pub fn duplicate_descriptor(env: Env, fd: i32) -> Result<i32> {
    let duplicate = socket::duplicate(fd).map_err(|error| to_js(env, &error))?;
    Ok(duplicate.into_raw_fd())
}
