use std::os::fd::FromRawFd;

use super::*;
use crate::sys::fd::pipe;

const ALL: u64 = u64::MAX;

fn me() -> u32 {
    std::process::id()
}

fn outgoing<'a>(parts: &'a [&'a [u8]]) -> Outgoing<'a> {
    Outgoing {
        parts,
        descriptors: &[],
    }
}

// SAFETY: the memory of a vector that is not resized.
unsafe impl Place for Vec<u8> {
    fn start(&mut self) -> *mut u8 {
        self.as_mut_ptr()
    }
}

type Connection = super::Connection<Vec<u8>>;

fn step(connection: &mut Connection, scratch: &mut [u8], limit: u64) -> Result<Option<Received<Vec<u8>>>> {
    let mut intake = Intake {
        scratch,
        limit,
        allocate: &mut |size| Ok(vec![0; size]),
        process: me(),
    };
    connection.receive(&mut intake, u32::MAX)
}

/// What is received next, as bytes.
fn receive(connection: &mut Connection, scratch: &mut [u8]) -> Option<Vec<u8>> {
    match step(connection, scratch, ALL).unwrap()? {
        Received::Scratch(length) => Some(scratch[HEADER..HEADER + length].to_vec()),
        Received::Message(message) => Some(message.place),
        other => panic!("{other:?}"),
    }
}

/// A pair of ends of every kind: (one that writes, one that reads).
fn pairs() -> Vec<(Connection, Connection)> {
    let (mut stream, (read, write)) = ([0; 2], pipe().unwrap());
    // SAFETY: there is room for two descriptors, which nobody else knows.
    let (one, other) = unsafe {
        assert_eq!(
            libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, stream.as_mut_ptr()),
            0
        );
        (OwnedFd::from_raw_fd(stream[0]), OwnedFd::from_raw_fd(stream[1]))
    };
    vec![
        Connection::pair().unwrap(),
        (Connection::open(one).unwrap(), Connection::open(other).unwrap()),
        (Connection::open(write).unwrap(), Connection::open(read).unwrap()),
    ]
}

#[test]
fn messages_of_all_sizes_stay_apart() {
    let mut scratch = vec![0; SCRATCH];
    for (mut write, mut read) in pairs() {
        assert!(receive(&mut read, &mut scratch).is_none());
        for size in [
            0,
            1,
            5,
            4096,
            65_536,
            68 << 10,
            (68 << 10) + 1,
            300_000,
            5_000_000,
        ] {
            let bytes: Vec<u8> = (0..size).map(|index| (index * 7 + index / 251) as u8).collect();
            let middle = size / 3;
            let parts: [&[u8]; 3] = [&bytes[..middle], &[], &bytes[middle..]];
            let message = outgoing(&parts);
            let mut received = None;
            while !write.send(message, me(), u32::MAX).unwrap() {
                received = received.or(receive(&mut read, &mut scratch));
            }
            let received = received.unwrap_or_else(|| {
                loop {
                    if let Some(bytes) = receive(&mut read, &mut scratch) {
                        break bytes;
                    }
                }
            });
            assert!(received == bytes, "{size} bytes over {:?}", write.wire);
        }
        drop(write);
        let end = step(&mut read, &mut scratch, ALL).unwrap();
        assert!(matches!(end, Some(Received::End { inside: false })));
    }
}

#[test]
fn the_end_inside_of_a_message_is_told() {
    let mut scratch = vec![0; SCRATCH];
    for (mut write, mut read) in pairs() {
        let bytes = vec![1; 9_000_000];
        let parts: [&[u8]; 1] = [&bytes];
        assert!(!write.send(outgoing(&parts), me(), u32::MAX).unwrap());
        assert!(write.is_sending());
        assert!(receive(&mut read, &mut scratch).is_none());
        drop(write);
        let end = step(&mut read, &mut scratch, ALL).unwrap();
        assert!(matches!(end, Some(Received::End { inside: true })), "{end:?}");
    }
}

#[test]
fn long_messages_of_two_writers_do_not_mix() {
    let mut scratch = vec![0; SCRATCH];
    let (mut one, mut read) = Connection::pair().unwrap();
    let mut other = Connection::open(socket::duplicate(one.fd().as_raw_fd()).unwrap()).unwrap();
    let (first, second) = (vec![1; 2_000_000], vec![2; 3_000_000]);
    let (mut done, mut received) = ([false; 2], Vec::new());
    while received.len() < 3 {
        done[0] = done[0] || one.send(outgoing(&[&first]), me(), 2).unwrap();
        if !done[1] {
            done[1] = other.send(outgoing(&[&second]), me(), 3).unwrap();
            if done[1] {
                assert!(other.send(outgoing(&[b"short"]), me(), 3).unwrap());
            }
        }
        received.extend(receive(&mut read, &mut scratch));
    }
    received.sort_by_key(Vec::len);
    assert!(received == [b"short".to_vec(), first, second]);
}

#[test]
fn garbage_and_lies_are_refused() {
    let mut scratch = vec![0; SCRATCH];
    let cases: [&[u8]; 4] = [
        b"short",
        // Part of a message that was never begun.
        &[1, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 9],
        // Longer than its message.
        &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 9],
        &[0xff; 40],
    ];
    for case in cases {
        let (write, mut read) = Connection::pair().unwrap();
        socket::send(write.fd(), &[IoSlice::new(case)], &[]).unwrap();
        step(&mut read, &mut scratch, ALL).unwrap_err();
    }
    // A length of an exabyte.
    let (write, mut read) = Connection::pair().unwrap();
    let lie = [0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 9];
    socket::send(write.fd(), &[IoSlice::new(&lie)], &[]).unwrap();
    let refused = step(&mut read, &mut scratch, 1 << 40).unwrap();
    assert!(matches!(refused, Some(Received::TooLong(_))));
}

#[test]
fn descriptors_come_with_their_message() {
    let mut scratch = vec![0; SCRATCH];
    for (mut write, mut read) in pairs().into_iter().take(2) {
        for size in [0, 10, 200_000] {
            let (first, _second) = pipe().unwrap();
            let bytes = vec![3; size];
            let message = Outgoing {
                parts: &[&bytes],
                descriptors: &[first.as_raw_fd()],
            };
            let mut result = None;
            let mut done = false;
            while result.is_none() {
                done = done || write.send(message, me(), u32::MAX).unwrap();
                result = step(&mut read, &mut scratch, ALL).unwrap();
            }
            let Some(Received::Message(message)) = result else {
                panic!("{result:?}");
            };
            assert_eq!((message.place.len(), message.descriptors.len()), (size, 1));
        }
    }
}
