//! Are all other threads asleep, and have they stayed asleep?
//!
//! A thread that sleeps in the kernel holds no lock that it would release "soon"; V8's and libuv's workers sleep on
//! their queues between jobs. "State S now" is not enough, since it may wake and lock the next instant, so a look also
//! takes the scheduler's counters (time run, times put on a CPU): equal counters before and after mean that it slept
//! all the time in between.

use std::ffi::CStr;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::sys::clock::Deadline;
use crate::sys::proc_fs;

#[derive(Debug)]
struct Thread {
    tid: i32,
    /// `schedstat`, kept open for the second look; `None` if the thread has ended.
    file: Option<OwnedFd>,
    schedule: Schedule,
}

/// A line of `schedstat`: run time, wait time, number of times the thread got a CPU.
type Schedule = [u8; 64];

/// The threads that were found asleep at the last fork, and their counters then. A thread whose counters are still the
/// same has slept ever since: its state, which takes longest to ask for, is known.
static RESTED: Mutex<Vec<(i32, Schedule)>> = Mutex::new(Vec::new());

/// All threads but the caller's, as a first look found them.
#[derive(Debug)]
pub struct Threads {
    me: i32,
    tasks: OwnedFd,
    seen: Vec<Thread>,
}

/// Waits until every thread but `me` sleeps. Whether they have slept on since is for [`Threads::still_quiet`] to say.
pub fn wait(me: i32, deadline: Deadline) -> Result<Threads> {
    let mut pause = Duration::from_micros(50);
    loop {
        // A thread that was just woken may be queued behind this one and look as if it slept on, until it runs during the
        // fork and makes the copy worthless.
        std::thread::yield_now();
        let (tasks, ids) = open_tasks(me)?;
        let seen = look(&tasks, me, &ids)?;
        let threads = Threads { me, tasks, seen };
        let Some((tid, state)) = threads.busy()? else {
            return Ok(threads);
        };
        if deadline.passed() {
            return Err(Error::ThreadBusy {
                tid,
                name: threads.name(tid),
                state,
            });
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(2));
    }
}

/// The directory of this process's threads and their ids, if `/proc` is of this process's namespace.
fn open_tasks(me: i32) -> Result<(OwnedFd, Vec<i32>)> {
    let missing = Error::NoProc("/proc/self/task");
    let tasks = proc_fs::open(None, c"/proc/self/task", libc::O_DIRECTORY)?.ok_or(missing.clone())?;
    let ids = thread_ids(&tasks)?;
    if ids.contains(&me) {
        Ok((tasks, ids))
    } else {
        Err(missing)
    }
}

impl Threads {
    /// True when no thread has run, started or ended since the first look.
    pub fn still_quiet(&self) -> Result<bool> {
        let ids = thread_ids(&self.tasks)?;
        let others = ids.into_iter().filter(|&tid| tid != self.me);
        if !others.eq(self.seen.iter().map(|thread| thread.tid)) {
            return Ok(false);
        }
        let rested = self.seen.iter().all(Thread::has_rested);
        if rested {
            let seen = self.seen.iter().map(|thread| (thread.tid, thread.schedule));
            let mut last = RESTED.lock().unwrap_or_else(PoisonError::into_inner);
            last.clear();
            last.extend(seen);
        }
        Ok(rested)
    }

    /// Child: closes the descriptors and leaves the memory as it is.
    pub fn close(self) {
        let Self { tasks, mut seen, .. } = self;
        drop(tasks);
        for thread in &mut seen {
            drop(thread.file.take());
        }
        std::mem::forget(seen);
    }

    /// The error for threads that sleep at each look and yet keep waking, starting or ending in between.
    #[must_use]
    pub fn restless(&self) -> Error {
        let woken = self.seen.iter().find(|thread| !thread.has_rested());
        let tid = woken.or(self.seen.first()).map(|thread| thread.tid);
        let tid = tid.unwrap_or_default();
        Error::ThreadBusy {
            tid,
            name: self.name(tid),
            state: "waking again and again",
        }
    }

    /// A thread that does not sleep.
    fn busy(&self) -> Result<Option<(i32, &'static str)>> {
        let rested = RESTED.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in &self.seen {
            if rested.contains(&(thread.tid, thread.schedule)) {
                continue;
            }
            let mut line = [0; 512];
            let line = read(&self.tasks, thread.tid, "stat", &mut line)?;
            // The name may hold anything, parentheses too: the state follows the last one.
            let state = line
                .iter()
                .rposition(|&byte| byte == b')')
                .and_then(|at| line.get(at + 2));
            let state = match state {
                Some(b'S') => continue,
                Some(b'R') => "R (running)",
                Some(b'D') => "D (waiting for a disk)",
                Some(b'T' | b't') => "T (stopped)",
                // It ended while we looked: the counters will tell.
                _ => "not readable",
            };
            return Ok(Some((thread.tid, state)));
        }
        Ok(None)
    }

    fn name(&self, tid: i32) -> String {
        let mut name = [0; 512];
        match read(&self.tasks, tid, "comm", &mut name) {
            Ok(name) if !name.is_empty() => String::from_utf8_lossy(name).trim_end().to_owned(),
            _ => "it has ended".to_owned(),
        }
    }
}

impl Thread {
    /// Whether its counters stand as they stood.
    fn has_rested(&self) -> bool {
        self.file
            .as_ref()
            .is_some_and(|file| schedule(file) == self.schedule)
    }
}

fn look(tasks: &OwnedFd, me: i32, ids: &[i32]) -> Result<Vec<Thread>> {
    let mut threads = Vec::with_capacity(16);
    for &tid in ids.iter().filter(|&&tid| tid != me) {
        let file = open(tasks, tid, "schedstat")?;
        let schedule = file.as_ref().map_or([0; 64], schedule);
        threads.push(Thread { tid, file, schedule });
    }
    Ok(threads)
}

/// The line of an open `schedstat`, as it is now; zeros once the thread has ended.
fn schedule(file: &OwnedFd) -> Schedule {
    let mut line = [0; 64];
    // SAFETY: `line` is writable for its whole length.
    unsafe { libc::pread(file.as_raw_fd(), line.as_mut_ptr().cast(), line.len(), 0) };
    line
}

/// Whether the other threads of this process can be looked at.
pub fn check() -> Result<()> {
    // SAFETY: gettid has no precondition.
    let me = unsafe { libc::syscall(libc::SYS_gettid) } as i32;
    let (tasks, _) = open_tasks(me)?;
    let mine = open(&tasks, me, "schedstat")?.map(|file| schedule(&file));
    // A kernel that does not count gives zeros: threads would seem to rest for ever.
    if mine.is_some_and(|line| line.starts_with(b"0 0 0")) {
        return Err(Error::NoProc("what /proc/self/task/*/schedstat should count"));
    }
    Ok(())
}

/// Reads one file of one thread; empty when the thread has ended. A missing file of a living thread is an error.
fn read<'a>(tasks: &OwnedFd, tid: i32, file: &'static str, into: &'a mut [u8]) -> Result<&'a [u8]> {
    let Some(fd) = open(tasks, tid, file)? else {
        return Ok(&[]);
    };
    // SAFETY: `into` is writable for its whole length.
    let got = unsafe { libc::read(fd.as_raw_fd(), into.as_mut_ptr().cast(), into.len()) };
    Ok(into.get(..got.max(0) as usize).unwrap_or_default())
}

/// Opens one file of one thread; `None` when the thread has ended. A missing file of a living thread is an error.
fn open(tasks: &OwnedFd, tid: i32, file: &'static str) -> Result<Option<OwnedFd>> {
    let mut path = [0_u8; 32];
    // 32 bytes hold the largest thread id, a slash, the longest of the three names and the final zero.
    let _ = write!(&mut path[..31], "{tid}/{file}");
    let path = CStr::from_bytes_until_nul(&path).map_err(|_| Error::NoProc("/proc/self/task"))?;
    let opened = proc_fs::open(Some(tasks), path, 0)?;
    // SAFETY: tgkill with signal 0 only asks whether the thread exists.
    if opened.is_none() && unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), tid, 0) } == 0 {
        return Err(Error::NoProc("/proc/self/task/*/schedstat"));
    }
    Ok(opened)
}

fn thread_ids(tasks: &OwnedFd) -> Result<Vec<i32>> {
    let mut ids = Vec::with_capacity(16);
    // SAFETY: lseek on our own directory descriptor, back to its start.
    unsafe { libc::lseek(tasks.as_raw_fd(), 0, libc::SEEK_SET) };
    let mut buffer = [0_u64; 512];
    loop {
        // SAFETY: the kernel writes at most the given number of bytes of directory entries.
        let got = unsafe {
            libc::syscall(
                libc::SYS_getdents64,
                tasks.as_raw_fd(),
                buffer.as_mut_ptr(),
                size_of_val(&buffer),
            )
        };
        if got < 0 {
            return Err(Error::last("getdents64"));
        }
        if got == 0 {
            return Ok(ids);
        }
        // SAFETY: the buffer is initialised memory and the kernel wrote `got` of its bytes.
        let bytes = unsafe { std::slice::from_raw_parts(buffer.as_ptr().cast::<u8>(), got as usize) };
        let mut at = 0;
        // A linux_dirent64 is: inode (8), offset (8), record length (2), type (1), name up to a zero.
        while let Some(entry) = bytes.get(at..) {
            let (Some(&[low, high]), Some(name)) = (
                entry.get(16..18).and_then(|b| b.first_chunk::<2>()),
                entry.get(19..),
            ) else {
                break;
            };
            let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
            if let Some(id) = std::str::from_utf8(name).ok().and_then(|name| name.parse().ok()) {
                ids.push(id);
            }
            at += usize::from(u16::from_ne_bytes([low, high])).max(24);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, mpsc};

    /// Each test has a thread that must be the only busy one.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

    fn me() -> i32 {
        // SAFETY: gettid has no precondition.
        unsafe { libc::syscall(libc::SYS_gettid) as i32 }
    }

    #[test]
    fn a_running_thread_is_named_and_a_sleeping_one_is_not_in_the_way() {
        let _alone = ONE_AT_A_TIME.lock().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (start, started) = mpsc::channel();
        let spinner = std::thread::Builder::new()
            .name("spinner".into())
            .spawn({
                let stop = Arc::clone(&stop);
                move || {
                    start.send(()).unwrap();
                    while !stop.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                }
            })
            .unwrap();
        started.recv().unwrap();
        let error = wait(me(), Deadline::after_ms(30.0)).unwrap_err();
        stop.store(true, Ordering::Relaxed);
        spinner.join().unwrap();
        assert!(
            matches!(&error, Error::ThreadBusy { name, .. } if name == "spinner"),
            "{error:?}"
        );
    }

    #[test]
    fn a_thread_that_was_asleep_is_looked_at_again_once_it_has_run() {
        let _alone = ONE_AT_A_TIME.lock().unwrap();
        let runs = Arc::new(AtomicBool::new(false));
        let stop = Arc::new(AtomicBool::new(false));
        let (start, started) = mpsc::channel();
        let spinner = std::thread::spawn({
            let (runs, stop) = (Arc::clone(&runs), Arc::clone(&stop));
            move || {
                started.recv().unwrap();
                runs.store(true, Ordering::Relaxed);
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            }
        });
        // Other tests have threads of their own: the look may have to be repeated.
        while !wait(me(), Deadline::after_ms(10_000.0))
            .unwrap()
            .still_quiet()
            .unwrap()
        {}
        assert!(!RESTED.lock().unwrap().is_empty());
        start.send(()).unwrap();
        while !runs.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        let result = wait(me(), Deadline::after_ms(30.0));
        stop.store(true, Ordering::Relaxed);
        spinner.join().unwrap();
        assert!(matches!(result, Err(Error::ThreadBusy { .. })), "{result:?}");
    }
}
