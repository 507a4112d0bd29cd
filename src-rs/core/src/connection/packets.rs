//! Messages over a socket that keeps packets apart.
//!
//! A message that fits is one packet, which the kernel hands over whole, so that any number of processes may write to an end
//! and read from it without a lock. A longer one is several packets that say which message they are part of: messages
//! of several writers do not mix, and one whose writer has died is never taken for another.
//!
//! A packet begins with two numbers: the length of the whole message, or, with the highest bit, how much of it came before;
//! and which message it is.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::{Filling, Intake, Message, Outgoing, Place, Received};
use crate::error::{Error, Result};
use crate::sys::entropy;
use crate::sys::socket;

/// Bytes before those of the message.
pub const HEADER: usize = 16;

/// Most bytes of a message in one packet: somewhat more than 64 KiB, as a block of that size comes with a few bytes of
/// its own. What is larger costs the kernel more to find memory for than it saves in calls.
const ROOM: usize = 68 << 10;

/// Bytes that receiving needs for packets.
pub const SCRATCH: usize = HEADER + ROOM;

/// Marks packets after the first of a message.
const CONTINUED: u64 = 1 << 63;

/// Most messages of which a part is there. Each has a writer that has died or is still at work.
const MOST_PARTIAL: usize = 1024;

#[derive(Debug)]
struct Partial<P> {
    id: u64,
    filling: Filling<P>,
    descriptors: Vec<OwnedFd>,
}

/// What one end has in hand.
#[derive(Debug)]
pub(super) struct Packets<P> {
    /// Which of all ends in all processes this is.
    writer: u32,
    /// Messages that were begun here.
    begun: u32,
    /// How much of the message under way is sent; at least one packet, if there is one.
    sent: Option<u64>,
    partial: Vec<Partial<P>>,
}

impl<P: Place> Packets<P> {
    pub(super) fn new() -> Result<Self> {
        static LAST: AtomicU32 = AtomicU32::new(0);
        // Drawn for each end: a process that was forked cannot know what its siblings have drawn.
        let mut random = [0; 4];
        entropy::fill(&mut random)?;
        Ok(Self {
            writer: u32::from_ne_bytes(random) ^ LAST.fetch_add(1, Relaxed),
            begun: 0,
            sent: None,
            partial: Vec::new(),
        })
    }

    pub(super) fn is_sending(&self) -> bool {
        self.sent.is_some()
    }

    pub(super) fn send(&mut self, socket: BorrowedFd<'_>, message: Outgoing<'_>, steps: u32) -> Result<bool> {
        let total = message.total();
        for _ in 0..steps {
            let (first, descriptors) = match self.sent {
                None => (total, message.descriptors),
                Some(sent) => (sent | CONTINUED, &[][..]),
            };
            let id = u64::from(self.writer) << 32 | u64::from(self.begun);
            let mut header = [0; HEADER];
            header[..8].copy_from_slice(&first.to_le_bytes());
            header[8..].copy_from_slice(&id.to_le_bytes());
            let before = self.sent.unwrap_or(0);
            let length = if let [only] = message.parts
                && only.len() <= ROOM
            {
                // The usual case, for which no list is made.
                let pieces = [IoSlice::new(&header), IoSlice::new(only)];
                if socket::send(socket, &pieces, descriptors)?.is_none() {
                    return Ok(false);
                }
                only.len()
            } else {
                let mut pieces = Vec::with_capacity(message.parts.len().min(64) + 1);
                pieces.push(IoSlice::new(&header));
                let length = message.slice(before, ROOM, &mut pieces);
                if self.put(socket, &pieces, descriptors)?.is_none() {
                    return Ok(false);
                }
                length
            };
            let sent = before + length as u64;
            if sent == total {
                self.sent = None;
                self.begun = self.begun.wrapping_add(1);
                return Ok(true);
            }
            self.sent = Some(sent);
        }
        Ok(false)
    }

    /// Sends a packet. If that fails, the message is given up.
    fn put(
        &mut self,
        socket: BorrowedFd<'_>,
        pieces: &[IoSlice<'_>],
        descriptors: &[i32],
    ) -> Result<Option<usize>> {
        let result = socket::send(socket, pieces, descriptors);
        if result.is_err() && self.sent.take().is_some() {
            self.begun = self.begun.wrapping_add(1);
        }
        result
    }

    pub(super) fn receive(
        &mut self,
        socket: BorrowedFd<'_>,
        intake: &mut Intake<'_, P>,
        steps: u32,
    ) -> Result<Option<Received<P>>> {
        for _ in 0..steps {
            let mut descriptors = Vec::new();
            let scratch = &mut intake.scratch[..SCRATCH];
            let packet = if let Some(partial) = self.partial.last_mut() {
                // Most likely it is the next part of a message under way: it is received where it belongs.
                receive_into(socket, partial, scratch, &mut descriptors)?
            } else {
                let room = &mut [IoSliceMut::new(scratch)];
                socket::receive(socket, room, &mut descriptors)?.map(Packet::Scratch)
            };
            let received = match packet {
                None => return Ok(None),
                Some(Packet::Scratch(received)) => received,
                Some(Packet::Placed) => {
                    if let Some(whole) = self.take_whole() {
                        return Ok(Some(whole));
                    }
                    continue;
                }
            };
            if received == 0 {
                let inside = !self.partial.is_empty();
                self.partial.clear();
                return Ok(Some(Received::End { inside }));
            }
            if received < HEADER {
                return Err(Error::Corrupt("a packet without a header"));
            }
            let (first, id) = header(intake.scratch);
            let payload = &intake.scratch[HEADER..received];
            if first & CONTINUED != 0 {
                self.append(id, first & !CONTINUED, payload)?;
                if let Some(whole) = self.take_whole() {
                    return Ok(Some(whole));
                }
                continue;
            }
            if (payload.len() as u64) > first {
                return Err(Error::Corrupt("a packet that is longer than its message"));
            }
            if first > intake.limit {
                return Ok(Some(Received::TooLong(first)));
            }
            if payload.len() as u64 == first && descriptors.is_empty() {
                return Ok(Some(Received::Scratch(payload.len())));
            }
            // A writer that begins another message has given up the one before.
            self.partial.retain(|partial| partial.id >> 32 != id >> 32);
            if self.partial.len() >= MOST_PARTIAL {
                return Err(Error::Exhausted("messages that were begun and not ended"));
            }
            let mut filling = Filling::new(first, intake.allocate)?;
            filling.put(payload);
            self.partial.push(Partial {
                id,
                filling,
                descriptors,
            });
            if let Some(whole) = self.take_whole() {
                return Ok(Some(whole));
            }
        }
        Ok(None)
    }

    /// A further packet has come.
    fn append(&mut self, id: u64, before: u64, payload: &[u8]) -> Result<()> {
        let Some(index) = self.partial.iter().position(|partial| partial.id == id) else {
            return Err(Error::Torn);
        };
        // The next one is likely to be of the same message.
        let last = self.partial.len() - 1;
        self.partial.swap(index, last);
        let filling = &mut self.partial[last].filling;
        check_part(filling, before, payload.len())?;
        filling.put(payload);
        Ok(())
    }

    /// The message that the last packet was part of, if that is complete.
    fn take_whole(&mut self) -> Option<Received<P>> {
        let whole = self.partial.pop_if(|partial| partial.filling.is_whole())?;
        Some(Received::Message(Message {
            place: whole.filling.place,
            descriptors: whole.descriptors,
        }))
    }
}

enum Packet {
    /// In the scratch memory: its length, 0 at the end.
    Scratch(usize),
    /// Where it belongs.
    Placed,
}

fn header(bytes: &[u8]) -> (u64, u64) {
    let number = |at: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[at..at + 8]);
        u64::from_le_bytes(word)
    };
    (number(0), number(8))
}

/// Whether a packet can be the next part.
fn check_part<P>(filling: &Filling<P>, before: u64, length: usize) -> Result<()> {
    if before == filling.filled as u64 && length > 0 && length <= filling.total - filling.filled {
        return Ok(());
    }
    // Somebody else reads from this end, too.
    Err(Error::Torn)
}

/// Receives a packet to the end of `partial`, or into the scratch memory if it belongs elsewhere.
fn receive_into<P: Place>(
    socket: BorrowedFd<'_>,
    partial: &mut Partial<P>,
    scratch: &mut [u8],
    descriptors: &mut Vec<OwnedFd>,
) -> Result<Option<Packet>> {
    let (head, tail) = scratch.split_at_mut(HEADER);
    let place = partial.filling.room(ROOM);
    let room = place.len();
    let mut pieces = [
        IoSliceMut::new(head),
        IoSliceMut::new(place),
        // What is longer than the rest of this message is of another one.
        IoSliceMut::new(&mut tail[room..]),
    ];
    let Some(received) = socket::receive(socket, &mut pieces, descriptors)? else {
        return Ok(None);
    };
    if received < HEADER {
        return Ok(Some(Packet::Scratch(received)));
    }
    let (first, id) = header(scratch);
    let length = received - HEADER;
    if first & CONTINUED != 0 && id == partial.id {
        check_part(&partial.filling, first & !CONTINUED, length)?;
        partial.filling.advance(length);
        return Ok(Some(Packet::Placed));
    }
    // It belongs elsewhere.
    let here = length.min(room);
    scratch[HEADER..HEADER + here].copy_from_slice(&partial.filling.room(ROOM)[..here]);
    Ok(Some(Packet::Scratch(received)))
}
