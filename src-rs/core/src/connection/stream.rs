//! Messages over a stream of bytes, in the form that Python's connections have: the length in four bytes, most significant
//! first, and the bytes; from 2 GiB on, -1 and the length in eight bytes.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{BorrowedFd, OwnedFd};

use super::{Filling, HEADER, Intake, Message, Outgoing, Place, Received};
use crate::error::{Error, Result};
use crate::sys::socket;

/// Most bytes that one step moves.
pub const PIECE: usize = 256 << 10;

const SHORT: usize = 4;
const LONG: usize = 12;

/// What one end has in hand.
#[derive(Debug)]
pub(super) struct Stream<P> {
    is_socket: bool,
    /// How much of the message under way is sent, with its header.
    sent: u64,
    /// The header under way.
    header: [u8; LONG],
    have: usize,
    /// How many bytes the message under way has; `None` before its header is complete.
    total: Option<u64>,
    /// What has come of it, if that was not all at once.
    filling: Option<Filling<P>>,
    descriptors: Vec<OwnedFd>,
}

impl<P: Place> Stream<P> {
    pub(super) fn new(is_socket: bool) -> Self {
        Self {
            is_socket,
            sent: 0,
            header: [0; LONG],
            have: 0,
            total: None,
            filling: None,
            descriptors: Vec::new(),
        }
    }

    pub(super) fn is_sending(&self) -> bool {
        self.sent > 0
    }

    pub(super) fn send(&mut self, fd: BorrowedFd<'_>, message: Outgoing<'_>, steps: u32) -> Result<bool> {
        let total = message.total();
        let mut header = [0; LONG];
        let header = if let Ok(short) = i32::try_from(total) {
            header[..SHORT].copy_from_slice(&short.to_be_bytes());
            &header[..SHORT]
        } else {
            header[..SHORT].copy_from_slice(&(-1_i32).to_be_bytes());
            header[SHORT..].copy_from_slice(&total.to_be_bytes());
            &header[..]
        };
        let all = header.len() as u64 + total;
        for _ in 0..steps {
            let mut pieces = Vec::with_capacity(message.parts.len().min(64) + 1);
            let head = header.get(self.sent as usize..).unwrap_or_default();
            if !head.is_empty() {
                pieces.push(IoSlice::new(head));
            }
            message.slice(self.sent.saturating_sub(header.len() as u64), PIECE, &mut pieces);
            let moved = if self.is_socket {
                let descriptors = if self.sent == 0 { message.descriptors } else { &[] };
                socket::send(fd, &pieces, descriptors)?
            } else {
                if !message.descriptors.is_empty() {
                    return Err(Error::System {
                        syscall: "sendmsg",
                        errno: nix::errno::Errno::ENOTSOCK,
                    });
                }
                socket::write(fd, pieces.first().map_or(&[], |piece| piece))?
            };
            let Some(moved) = moved else { return Ok(false) };
            self.sent += moved as u64;
            if self.sent == all {
                self.sent = 0;
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn receive(
        &mut self,
        fd: BorrowedFd<'_>,
        intake: &mut Intake<'_, P>,
        steps: u32,
    ) -> Result<Option<Received<P>>> {
        for _ in 0..steps {
            let Some(total) = self.total else {
                match self.receive_header(fd)? {
                    Some(true) => {}
                    Some(false) => return Ok(Some(self.end())),
                    None => return Ok(None),
                }
                if self.total.is_some_and(|total| total > intake.limit) {
                    return Ok(Some(Received::TooLong(self.total.take().unwrap_or_default())));
                }
                continue;
            };
            let moved = if let Some(filling) = &mut self.filling {
                let room = filling.room(PIECE);
                // A read of nothing would look like the end.
                if room.is_empty() {
                    Some(0)
                } else {
                    let moved = receive_some(self.is_socket, fd, room, &mut self.descriptors)?;
                    filling.advance(moved.unwrap_or(0));
                    moved
                }
            } else {
                let scratch = &mut intake.scratch[HEADER..];
                let most = scratch.len().min(total as usize);
                let moved = match most {
                    0 => Some(0),
                    _ => receive_some(self.is_socket, fd, &mut scratch[..most], &mut self.descriptors)?,
                };
                // What fits and comes at once is not copied.
                if moved.map(|moved| moved as u64) == Some(total) && self.descriptors.is_empty() {
                    self.total = None;
                    return Ok(Some(Received::Scratch(most)));
                }
                if let Some(moved) = moved {
                    let mut filling = Filling::new(total, intake.allocate)?;
                    filling.put(&intake.scratch[HEADER..HEADER + moved]);
                    self.filling = Some(filling);
                }
                moved
            };
            let Some(moved) = moved else { return Ok(None) };
            if let Some(whole) = self.filling.take_if(|filling| filling.is_whole()) {
                self.total = None;
                return Ok(Some(Received::Message(Message {
                    place: whole.place,
                    descriptors: std::mem::take(&mut self.descriptors),
                })));
            }
            if moved == 0 {
                return Ok(Some(self.end()));
            }
        }
        Ok(None)
    }

    /// Receives a header or a part of it. False at the end of the stream.
    fn receive_header(&mut self, fd: BorrowedFd<'_>) -> Result<Option<bool>> {
        let short = |header: &[u8; LONG]| i32::from_be_bytes([header[0], header[1], header[2], header[3]]);
        let wanted = if self.have >= SHORT { LONG } else { SHORT };
        let place = &mut self.header[self.have..wanted];
        match receive_some(self.is_socket, fd, place, &mut self.descriptors)? {
            None => return Ok(None),
            Some(0) => return Ok(Some(false)),
            Some(moved) => self.have += moved,
        }
        self.total = match (self.have, short(&self.header)) {
            (SHORT, length @ 0..) => Some(length as u64),
            (SHORT, ..=-2) => return Err(Error::Corrupt("a message with a negative length")),
            (LONG, _) => {
                let mut long = [0; LONG - SHORT];
                long.copy_from_slice(&self.header[SHORT..]);
                Some(u64::from_be_bytes(long))
            }
            _ => None,
        };
        if self.total.is_some() {
            self.have = 0;
        }
        Ok(Some(true))
    }

    fn end(&mut self) -> Received<P> {
        let inside = self.have > 0 || self.total.is_some();
        *self = Self {
            sent: self.sent,
            ..Self::new(self.is_socket)
        };
        Received::End { inside }
    }
}

fn receive_some(
    is_socket: bool,
    fd: BorrowedFd<'_>,
    place: &mut [u8],
    descriptors: &mut Vec<OwnedFd>,
) -> Result<Option<usize>> {
    if is_socket {
        socket::receive(fd, &mut [IoSliceMut::new(place)], descriptors)
    } else {
        socket::read(fd, place)
    }
}
