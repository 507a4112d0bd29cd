//! Messages over a descriptor: whole, of any size, with descriptors.
//!
//! Every step is made without waiting; what a message has come to is kept here, so that a wait can end in the middle of one
//! and any later call goes on with it. Nothing is read that belongs to the next message: several processes may read from one
//! end.
mod packets;
mod stream;

use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use crate::error::Result;
use crate::process::blocking::{self, Interrupts, Outcome, Wake};
use crate::sync::spin::Spin;
use crate::sys::clock::Deadline;
use crate::sys::fd::Wanted;
use crate::sys::socket::{self, Kind, MOST_PIECES};

pub use packets::{HEADER, SCRATCH};
pub use stream::PIECE;

/// How a blocking call waits for a partner that is at work: each round is a system call.
static SPIN: Spin = Spin::new(4, 200);

/// Rounds without a system call between two with one, which would hold up the partner.
const PAUSES: u32 = 16;

/// A message to be sent.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// Its bytes, one part after the other.
    pub parts: &'a [&'a [u8]],
    /// Descriptors that go with it.
    pub descriptors: &'a [RawFd],
}

impl<'a> Outgoing<'a> {
    /// Its length.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.parts.iter().map(|part| part.len() as u64).sum()
    }

    /// Up to `most` bytes from `start` on, put after what `pieces` has. How many bytes those are.
    fn slice(&self, start: u64, most: usize, pieces: &mut Vec<IoSlice<'a>>) -> usize {
        let mut skipped = start;
        let mut taken = 0;
        for part in self.parts {
            let length = part.len() as u64;
            if skipped >= length {
                skipped -= length;
                continue;
            }
            let rest = &part[skipped as usize..];
            skipped = 0;
            let piece = &rest[..rest.len().min(most - taken)];
            pieces.push(IoSlice::new(piece));
            taken += piece.len();
            if taken == most || pieces.len() == MOST_PIECES {
                break;
            }
        }
        taken
    }
}

/// Memory for the bytes of one message, of whatever kind the caller wants them in.
///
/// # Safety
/// `start` is the same address each time, that of as many bytes as were asked for. They can be written to as long as the
/// object exists, and nobody else uses them meanwhile.
pub unsafe trait Place: Sized + std::fmt::Debug {
    /// Where the bytes begin.
    fn start(&mut self) -> *mut u8;
}

/// A message that has arrived in memory of its own.
#[derive(Debug)]
pub struct Message<P> {
    /// Its bytes.
    pub place: P,
    /// Descriptors that came with it.
    pub descriptors: Vec<OwnedFd>,
}

/// What receiving is given.
#[allow(missing_debug_implementations, reason = "it holds a closure")]
pub struct Intake<'a, P> {
    /// [`SCRATCH`] bytes.
    pub scratch: &'a mut [u8],
    /// Most bytes that a message may have.
    pub limit: u64,
    /// Makes memory for a message that does not come at once.
    pub allocate: &'a mut dyn FnMut(usize) -> Result<P>,
    /// This process's id.
    pub process: u32,
}

/// What there was to receive.
#[derive(Debug)]
pub enum Received<P> {
    /// A message in the scratch memory, from `HEADER` on: its length.
    Scratch(usize),
    /// Any other message.
    Message(Message<P>),
    /// There will be no more: everybody who could write is gone. Whether somebody was in the middle of a message.
    End {
        /// In the middle of a message.
        inside: bool,
    },
    /// A message is longer than the limit. Nothing can be received after it.
    TooLong(u64),
}

/// How messages become bytes.
#[derive(Debug)]
enum Wire<P> {
    Packets(packets::Packets<P>),
    Stream(stream::Stream<P>),
}

/// One end of a pipe.
#[derive(Debug)]
pub struct Connection<P> {
    fd: OwnedFd,
    wire: Wire<P>,
    /// The process that this state belongs to; in a forked child, what its parent was in the middle of is the parent's.
    owner: u32,
}

impl<P: Place> Connection<P> {
    /// Both ends of a new pipe, each of which can send and receive.
    pub fn pair() -> Result<(Self, Self)> {
        let (first, second) = socket::pair()?;
        Ok((Self::open(first)?, Self::open(second)?))
    }

    /// Messages over `fd`.
    pub fn open(fd: OwnedFd) -> Result<Self> {
        let kind = socket::kind_of(fd.as_fd())?;
        Ok(Self {
            fd,
            wire: Self::wire(kind)?,
            owner: std::process::id(),
        })
    }

    fn wire(kind: Kind) -> Result<Wire<P>> {
        Ok(match kind {
            Kind::Packets => Wire::Packets(packets::Packets::new()?),
            Kind::Stream => Wire::Stream(stream::Stream::new(true)),
            Kind::NoSocket => Wire::Stream(stream::Stream::new(false)),
        })
    }

    /// Its descriptor.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Begins afresh in a forked child. `process` is this process's id.
    fn own(&mut self, process: u32) -> Result<()> {
        if self.owner != process {
            self.wire = Self::wire(socket::kind_of(self.fd.as_fd())?)?;
            self.owner = process;
        }
        Ok(())
    }

    /// Whether part of a message has been sent.
    #[must_use]
    pub fn is_sending(&self) -> bool {
        match &self.wire {
            Wire::Packets(packets) => packets.is_sending(),
            Wire::Stream(stream) => stream.is_sending(),
        }
    }

    /// Goes on sending `message`, which is the same until all of it is sent, for `steps` steps at most. Whether all of it
    /// is sent.
    pub fn send(&mut self, message: Outgoing<'_>, process: u32, steps: u32) -> Result<bool> {
        self.own(process)?;
        match &mut self.wire {
            Wire::Packets(packets) => packets.send(self.fd.as_fd(), message, steps),
            Wire::Stream(stream) => stream.send(self.fd.as_fd(), message, steps),
        }
    }

    /// Receives a message, in `steps` steps at most. `None` if none is there yet.
    pub fn receive(&mut self, intake: &mut Intake<'_, P>, steps: u32) -> Result<Option<Received<P>>> {
        self.own(intake.process)?;
        match &mut self.wire {
            Wire::Packets(packets) => packets.receive(self.fd.as_fd(), intake, steps),
            Wire::Stream(stream) => stream.receive(self.fd.as_fd(), intake, steps),
        }
    }

    /// Receives after a short spin, if that brings it.
    pub fn receive_soon(&mut self, intake: &mut Intake<'_, P>) -> Result<Option<Received<P>>> {
        let mut result = Ok(None);
        SPIN.until(|| {
            result = self.receive(intake, u32::MAX);
            if !matches!(result, Ok(None)) {
                return true;
            }
            for _ in 0..PAUSES {
                std::hint::spin_loop();
            }
            false
        });
        result
    }

    /// Receives, waiting asleep.
    pub fn receive_asleep(
        &mut self,
        intake: &mut Intake<'_, P>,
        interrupts: Interrupts<'_>,
    ) -> Result<Outcome<Received<P>>> {
        // Another name for the same descriptor.
        // SAFETY: `self` owns it, keeps it open, and is not dropped before this call ends.
        let fd = unsafe { BorrowedFd::borrow_raw(self.fd.as_raw_fd()) };
        let never = Deadline::after_ms(f64::INFINITY);
        blocking::wait(Wake::Any(&[Wanted::Read(fd)]), never, interrupts, || {
            self.receive(intake, u32::MAX)
        })
    }
}

/// A message of which some has come.
#[derive(Debug)]
struct Filling<P> {
    place: P,
    total: usize,
    filled: usize,
}

impl<P: Place> Filling<P> {
    fn new(total: u64, allocate: &mut dyn FnMut(usize) -> Result<P>) -> Result<Self> {
        let total = total as usize;
        let place = allocate(total)?;
        Ok(Self {
            place,
            total,
            filled: 0,
        })
    }

    /// Where the next bytes belong, `most` of them at most.
    fn room(&mut self, most: usize) -> &mut [u8] {
        let length = (self.total - self.filled).min(most);
        // SAFETY: the range lies inside of what was asked for. It is only lent to the kernel, to be written to.
        unsafe { std::slice::from_raw_parts_mut(self.place.start().add(self.filled), length) }
    }

    /// As many bytes more have come; not more than there was room for.
    fn advance(&mut self, length: usize) {
        self.filled += length;
        debug_assert!(self.filled <= self.total);
    }

    /// `bytes` have come, not more than there is room for.
    fn put(&mut self, bytes: &[u8]) {
        self.room(bytes.len()).copy_from_slice(bytes);
        self.advance(bytes.len());
    }

    fn is_whole(&self) -> bool {
        self.filled == self.total
    }
}

#[cfg(test)]
mod tests;
