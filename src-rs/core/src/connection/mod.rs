//! Messages over a descriptor: whole, of any size, with descriptors.
//!
//! Every step is made without waiting; what a message has come to is kept here, so that a wait can end in the middle of one
//! and any later call goes on with it. Nothing is read that belongs to the next message: several processes may read from one
//! end.
mod packets;
mod stream;

use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use crate::error::{Error, Result};
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

/// A message that has arrived by itself.
#[derive(Debug)]
pub struct Message {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Descriptors that came with it.
    pub descriptors: Vec<OwnedFd>,
}

/// What there was to receive.
#[derive(Debug)]
pub enum Received {
    /// A message in the scratch memory, from `HEADER` on: its length.
    Scratch(usize),
    /// Any other message.
    Message(Message),
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
enum Wire {
    Packets(packets::Packets),
    Stream(stream::Stream),
}

/// One end of a pipe.
#[derive(Debug)]
pub struct Connection {
    fd: OwnedFd,
    wire: Wire,
    /// The process that this state belongs to; in a forked child, what its parent was in the middle of is the parent's.
    owner: u32,
}

impl Connection {
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

    fn wire(kind: Kind) -> Result<Wire> {
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

    /// Receives a message that is not longer than `limit`, in `steps` steps at most. `None` if none is there yet. `scratch`
    /// has [`SCRATCH`] bytes.
    pub fn receive(
        &mut self,
        scratch: &mut [u8],
        limit: u64,
        process: u32,
        steps: u32,
    ) -> Result<Option<Received>> {
        self.own(process)?;
        match &mut self.wire {
            Wire::Packets(packets) => packets.receive(self.fd.as_fd(), scratch, limit, steps),
            Wire::Stream(stream) => stream.receive(self.fd.as_fd(), scratch, limit, steps),
        }
    }

    /// Receives after a short spin, if that brings it.
    pub fn receive_soon(&mut self, scratch: &mut [u8], limit: u64, process: u32) -> Result<Option<Received>> {
        let mut result = Ok(None);
        SPIN.until(|| {
            result = self.receive(scratch, limit, process, u32::MAX);
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
        scratch: &mut [u8],
        limit: u64,
        process: u32,
        interrupts: Interrupts<'_>,
    ) -> Result<Outcome<Received>> {
        // Another name for the same descriptor.
        // SAFETY: `self` owns it, keeps it open, and is not dropped before this call ends.
        let fd = unsafe { BorrowedFd::borrow_raw(self.fd.as_raw_fd()) };
        let never = Deadline::after_ms(f64::INFINITY);
        blocking::wait(Wake::Any(&[Wanted::Read(fd)]), never, interrupts, || {
            self.receive(scratch, limit, process, u32::MAX)
        })
    }
}

/// Most bytes that a message gets before more than that have come.
const FIRST: usize = 16 << 20;

/// Room for messages of which the length is known and the bytes are still to come: as they come, so that a length that is
/// a lie costs nothing.
fn grow(bytes: &mut Vec<u8>, total: u64, step: usize) -> Result<()> {
    let missing = total - bytes.len() as u64;
    if bytes.capacity() - bytes.len() >= (step as u64).min(missing) as usize {
        return Ok(());
    }
    let more = missing.min(bytes.len().max(FIRST) as u64) as usize;
    bytes.try_reserve_exact(more).map_err(|_| Error::System {
        syscall: "malloc",
        errno: nix::errno::Errno::ENOMEM,
    })
}

#[cfg(test)]
mod tests;
