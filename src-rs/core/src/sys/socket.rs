//! Local sockets: connected pairs, and messages with descriptors, without ever waiting.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;

use crate::error::{Error, Result};

/// Most descriptors that the kernel takes with one message.
pub const MOST_DESCRIPTORS: usize = 253;

/// Most pieces that one call takes (`IOV_MAX` is 1,024).
pub const MOST_PIECES: usize = 256;

/// What may lie unread in a pair, if the system allows (`net.core.wmem_max`). More would only fall out of the caches.
const SEND_BUFFER: libc::c_int = 1 << 20;

/// What kind of file a descriptor is, as far as messages are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A socket that keeps packets apart.
    Packets,
    /// A socket that carries a stream of bytes.
    Stream,
    /// A pipe, or anything else that can be read and written.
    NoSocket,
}

/// What the kind of a descriptor is.
pub fn kind_of(fd: BorrowedFd<'_>) -> Result<Kind> {
    let mut kind: libc::c_int = 0;
    let mut size = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: `kind` is a valid place of the given size.
    let status = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_TYPE,
            (&raw mut kind).cast(),
            &raw mut size,
        )
    };
    match (status, kind) {
        (0, libc::SOCK_SEQPACKET) => Ok(Kind::Packets),
        (0, libc::SOCK_STREAM) => Ok(Kind::Stream),
        (0, _) => Err(Error::System {
            syscall: "getsockopt",
            errno: Errno::EPROTOTYPE,
        }),
        _ => match Error::last("getsockopt") {
            Error::System {
                errno: Errno::ENOTSOCK,
                ..
            } => Ok(Kind::NoSocket),
            error => Err(error),
        },
    }
}

/// Two connected sockets, close-on-exec; they keep packets apart where the system can do that.
pub fn pair() -> Result<(OwnedFd, OwnedFd)> {
    // macOS has no such packets.
    let kind = if cfg!(target_os = "linux") {
        libc::SOCK_SEQPACKET
    } else {
        libc::SOCK_STREAM
    };
    #[cfg(target_os = "linux")]
    let kind = kind | libc::SOCK_CLOEXEC;
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for the two descriptors.
    if unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) } < 0 {
        return Err(Error::last("socketpair"));
    }
    // SAFETY: socketpair has just returned both and nobody else knows them.
    let ends = unsafe { ends.map(|end| OwnedFd::from_raw_fd(end)) };
    for end in &ends {
        #[cfg(not(target_os = "linux"))]
        close_on_exec(end);
        let size = SEND_BUFFER;
        // A smaller buffer works as well.
        // SAFETY: setsockopt reads the given integer.
        unsafe {
            libc::setsockopt(
                end.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_SNDBUF,
                (&raw const size).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            );
        }
    }
    let [first, second] = ends;
    Ok((first, second))
}

/// Has `fd` closed in programs that this one starts.
#[cfg(not(target_os = "linux"))]
fn close_on_exec(fd: &OwnedFd) {
    // SAFETY: F_SETFD only sets a flag of our own descriptor.
    unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
}

/// Room for the descriptors of one message, aligned as the kernel wants it.
#[repr(C, align(8))]
struct Control([u8; CONTROL]);

// It only computes.
const CONTROL: usize =
    // SAFETY: no memory is touched.
    unsafe { libc::CMSG_SPACE((MOST_DESCRIPTORS * size_of::<RawFd>()) as u32) } as usize;

#[cfg(target_os = "linux")]
const SEND_FLAGS: libc::c_int = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
// A process that sends here does not die of SIGPIPE: node ignores it.
#[cfg(not(target_os = "linux"))]
const SEND_FLAGS: libc::c_int = libc::MSG_DONTWAIT;

#[cfg(target_os = "linux")]
const RECEIVE_FLAGS: libc::c_int = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
#[cfg(not(target_os = "linux"))]
const RECEIVE_FLAGS: libc::c_int = libc::MSG_DONTWAIT;

/// Sends what `pieces` hold, with `descriptors`, without waiting. How many bytes that were; `None` if there is no room.
///
/// On a stream that may be a part. At most [`MOST_PIECES`] pieces and [`MOST_DESCRIPTORS`] descriptors.
pub fn send(socket: BorrowedFd<'_>, pieces: &[IoSlice<'_>], descriptors: &[RawFd]) -> Result<Option<usize>> {
    let mut control = Control([0; CONTROL]);
    // SAFETY: an all-zero header is a valid one of nothing.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = pieces.as_ptr().cast_mut().cast();
    header.msg_iovlen = pieces.len() as _;
    if !descriptors.is_empty() {
        let size = size_of_val(descriptors);
        header.msg_control = control.0.as_mut_ptr().cast();
        // SAFETY: CMSG_SPACE and CMSG_LEN only compute; the room was made for as many descriptors as there may be.
        unsafe {
            header.msg_controllen = libc::CMSG_SPACE(size as u32) as _;
            let first = libc::CMSG_FIRSTHDR(&raw const header);
            (*first).cmsg_level = libc::SOL_SOCKET;
            (*first).cmsg_type = libc::SCM_RIGHTS;
            (*first).cmsg_len = libc::CMSG_LEN(size as u32) as _;
            std::ptr::copy_nonoverlapping(descriptors.as_ptr().cast(), libc::CMSG_DATA(first), size);
        }
    }
    loop {
        // SAFETY: the header leads to `pieces` (IoSlice is laid out as iovec) and `control`, which outlive the call.
        let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const header, SEND_FLAGS) };
        if sent >= 0 {
            return Ok(Some(sent as usize));
        }
        match Errno::last() {
            Errno::EINTR => {}
            Errno::EAGAIN => return Ok(None),
            // One of the many ways in which a peer is gone.
            Errno::ECONNRESET | Errno::ENOTCONN | Errno::ECONNREFUSED => {
                return Err(Error::System {
                    syscall: "sendmsg",
                    errno: Errno::EPIPE,
                });
            }
            errno => {
                return Err(Error::System {
                    syscall: "sendmsg",
                    errno,
                });
            }
        }
    }
}

/// Receives into `pieces`, and `descriptors` that come along, without waiting. How many bytes that were, 0 at the end;
/// `None` if nothing is there.
pub fn receive(
    socket: BorrowedFd<'_>,
    pieces: &mut [IoSliceMut<'_>],
    descriptors: &mut Vec<OwnedFd>,
) -> Result<Option<usize>> {
    let mut control = std::mem::MaybeUninit::<Control>::uninit();
    // SAFETY: an all-zero header is a valid one of nothing.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = pieces.as_mut_ptr().cast();
    header.msg_iovlen = pieces.len() as _;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = CONTROL as _;
    let received = loop {
        // SAFETY: the header leads to `pieces` (IoSliceMut is laid out as iovec) and `control`, which outlive the call.
        let received = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, RECEIVE_FLAGS) };
        if received >= 0 {
            break received as usize;
        }
        match Errno::last() {
            // A peer that left something unread: said once, what it sent comes after.
            Errno::EINTR | Errno::ECONNRESET => {}
            Errno::EAGAIN => return Ok(None),
            errno => {
                return Err(Error::System {
                    syscall: "recvmsg",
                    errno,
                });
            }
        }
    };
    if header.msg_controllen != 0 {
        // SAFETY: the kernel has filled the header and, as far as it says, the control buffer.
        unsafe { collect(&header, descriptors) };
    }
    if header.msg_flags & libc::MSG_CTRUNC != 0 {
        // There was room for all that can be sent: this process may not have more open.
        return Err(Error::System {
            syscall: "recvmsg",
            errno: Errno::EMFILE,
        });
    }
    Ok(Some(received))
}

/// Takes the descriptors out of a received header.
unsafe fn collect(header: &libc::msghdr, descriptors: &mut Vec<OwnedFd>) {
    // SAFETY: the caller's: each of these steps stays inside of what the kernel has written.
    unsafe {
        let mut each = libc::CMSG_FIRSTHDR(header);
        while !each.is_null() {
            if (*each).cmsg_level == libc::SOL_SOCKET && (*each).cmsg_type == libc::SCM_RIGHTS {
                let data: *const RawFd = libc::CMSG_DATA(each).cast();
                let bytes = (*each).cmsg_len as usize - libc::CMSG_LEN(0) as usize;
                for index in 0..bytes / size_of::<RawFd>() {
                    // The kernel has just made it for this process.
                    let fd = OwnedFd::from_raw_fd(data.add(index).read_unaligned());
                    #[cfg(not(target_os = "linux"))]
                    close_on_exec(&fd);
                    descriptors.push(fd);
                }
            }
            each = libc::CMSG_NXTHDR(header, each);
        }
    }
}

/// Bytes that can be written to a pipe which is ready, whatever its mode, without waiting.
const PIPE_STEP: usize = 4096;

/// Writes some of `bytes` to something that is no socket, without waiting. `None` if there is no room.
pub fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> Result<Option<usize>> {
    if !is_ready(fd, libc::POLLOUT) {
        return Ok(None);
    }
    let step = &bytes[..bytes.len().min(PIPE_STEP)];
    match nix::unistd::write(fd, step) {
        Ok(written) => Ok(Some(written)),
        Err(Errno::EINTR | Errno::EAGAIN) => Ok(None),
        Err(errno) => Err(Error::System {
            syscall: "write",
            errno,
        }),
    }
}

/// Reads from something that is no socket, without waiting. How many bytes that were, 0 at the end; `None` if nothing is
/// there. (If another process takes it first, this one waits.)
pub fn read(fd: BorrowedFd<'_>, into: &mut [u8]) -> Result<Option<usize>> {
    if !is_ready(fd, libc::POLLIN) {
        return Ok(None);
    }
    match nix::unistd::read(fd, into) {
        Ok(read) => Ok(Some(read)),
        Err(Errno::EINTR | Errno::EAGAIN) => Ok(None),
        Err(errno) => Err(Error::System {
            syscall: "read",
            errno,
        }),
    }
}

fn is_ready(fd: BorrowedFd<'_>, events: libc::c_short) -> bool {
    let mut polled = libc::pollfd {
        fd: fd.as_raw_fd(),
        events,
        revents: 0,
    };
    // SAFETY: one valid entry.
    unsafe { libc::poll(&raw mut polled, 1, 0) > 0 }
}

/// Another descriptor for the same file, close-on-exec.
pub fn duplicate(fd: RawFd) -> Result<OwnedFd> {
    // SAFETY: the number is only lent to fcntl, which answers EBADF when it is not open.
    unsafe { BorrowedFd::borrow_raw(fd) }
        .try_clone_to_owned()
        .map_err(|_| Error::last("fcntl"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn packets_stay_apart_and_carry_descriptors() {
        let (one, other) = pair().unwrap();
        let (read, write) = crate::sys::fd::pipe().unwrap();
        let sent = send(
            one.as_fd(),
            &[IoSlice::new(b"ab"), IoSlice::new(b"c")],
            &[read.as_raw_fd()],
        )
        .unwrap();
        assert_eq!(sent, Some(3));
        send(one.as_fd(), &[IoSlice::new(b"d")], &[]).unwrap();
        drop(read);
        let mut bytes = [0; 10];
        let mut descriptors = Vec::new();
        let received = receive(
            other.as_fd(),
            &mut [IoSliceMut::new(&mut bytes)],
            &mut descriptors,
        )
        .unwrap();
        if cfg!(target_os = "linux") {
            assert_eq!((received, &bytes[..3]), (Some(3), &b"abc"[..]));
        }
        nix::unistd::write(&write, b"x").unwrap();
        assert_eq!(nix::unistd::read(&descriptors[0], &mut bytes), Ok(1));
        assert_eq!(bytes[0], b'x');
    }

    #[test]
    fn nothing_there_no_room_and_nobody_left() {
        let (one, other) = pair().unwrap();
        let mut bytes = [0; 10];
        let nothing = receive(other.as_fd(), &mut [IoSliceMut::new(&mut bytes)], &mut Vec::new());
        assert_eq!(nothing.unwrap(), None);
        let block = vec![0; 10_000];
        while send(one.as_fd(), &[IoSlice::new(&block)], &[]).unwrap().is_some() {}
        // It leaves all that unread.
        drop(other);
        assert_eq!(
            send(one.as_fd(), &[IoSlice::new(&block)], &[]),
            Err(Error::System {
                syscall: "sendmsg",
                errno: Errno::EPIPE
            })
        );
        let end = receive(one.as_fd(), &mut [IoSliceMut::new(&mut bytes)], &mut Vec::new());
        assert_eq!(end.unwrap(), Some(0));
    }
}
