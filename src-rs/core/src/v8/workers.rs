//! Threads that run V8's background tasks in a forked child, where node's own worker threads do not exist.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::sys::signal::Blocked;

/// A `v8::Task` that we own.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Task(*mut TaskObject);

#[repr(C)]
#[derive(Debug)]
struct TaskObject {
    vtable: *const TaskVtable,
}

/// Itanium C++ ABI: complete destructor, deleting destructor, then the virtual functions in order.
#[repr(C)]
#[derive(Debug)]
struct TaskVtable {
    complete_destructor: unsafe extern "C" fn(*mut TaskObject),
    deleting_destructor: unsafe extern "C" fn(*mut TaskObject),
    run: unsafe extern "C" fn(*mut TaskObject),
}

// SAFETY: V8 posts tasks in order to have them run on another thread.
unsafe impl Send for Task {}

impl Task {
    /// Takes the task out of a `std::unique_ptr<v8::Task>` that was passed by value, which arrives as its address.
    ///
    /// # Safety
    /// `holder` is such an address.
    pub unsafe fn take(holder: *mut *mut libc::c_void) -> Option<Self> {
        // SAFETY: the caller vouches that `holder` points at the pointer inside the unique_ptr, which is its only field.
        let task = unsafe { std::ptr::replace(holder, std::ptr::null_mut()) };
        (!task.is_null()).then_some(Self(task.cast()))
    }

    fn run(self) {
        // SAFETY: the object is a live task that only we own; it is run once and then deleted by its own destructor.
        unsafe {
            let vtable = (*self.0).vtable;
            ((*vtable).run)(self.0);
            ((*vtable).deleting_destructor)(self.0);
        }
    }
}

#[derive(Debug, Default)]
struct Queue {
    ready: VecDeque<Task>,
    later: BinaryHeap<Reverse<(Instant, usize, Task)>>,
    posted: usize,
    threads: usize,
    idle: usize,
}

/// The pool of one process.
#[derive(Debug)]
pub struct Workers {
    queue: Mutex<Queue>,
    work: Condvar,
    /// Tasks posted for "now" and not finished yet; a program with one is not at its end.
    outstanding: AtomicUsize,
    /// Threads that were started.
    started: AtomicUsize,
    limit: usize,
    drained: fn(),
}

impl Workers {
    /// A pool of at most `limit` threads, none started yet. `drained` is called on a worker when nothing is left.
    #[must_use]
    pub fn new(limit: usize, drained: fn()) -> Self {
        Self {
            queue: Mutex::default(),
            work: Condvar::new(),
            outstanding: AtomicUsize::new(0),
            started: AtomicUsize::new(0),
            limit: limit.max(1),
            drained,
        }
    }

    /// Tasks that were posted without delay and are not finished.
    pub fn outstanding(&self) -> usize {
        if self.started.load(Ordering::Relaxed) == 0 {
            // Not one thread could be started: nothing is to be waited for.
            return 0;
        }
        // Pairs with the release in `serve`: who sees 0 also sees what the tasks did.
        self.outstanding.load(Ordering::Acquire)
    }

    /// Runs `task` on a worker as soon as one is free.
    pub fn post(&'static self, task: Task) {
        self.outstanding.fetch_add(1, Ordering::Relaxed);
        let mut queue = self.lock();
        queue.ready.push_back(task);
        self.wake(&mut queue);
    }

    /// Runs `task` after `seconds`.
    pub fn post_delayed(&'static self, task: Task, seconds: f64) {
        let delay = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::from_secs(3600));
        let mut queue = self.lock();
        queue.posted += 1;
        let key = (Instant::now() + delay, queue.posted, task);
        queue.later.push(Reverse(key));
        self.wake(&mut queue);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&'static self, queue: &mut Queue) {
        if queue.idle > 0 {
            self.work.notify_one();
        } else if queue.threads < self.limit {
            // Signals belong to the main thread, so the worker starts with all of them blocked.
            let _signals = Blocked::all();
            let thread = std::thread::Builder::new()
                .name("mp-v8-worker".into())
                .stack_size(8 << 20);
            if thread.spawn(|| self.serve()).is_ok() {
                queue.threads += 1;
                self.started.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn serve(&'static self) {
        let mut queue = self.lock();
        loop {
            let now = Instant::now();
            while queue.later.peek().is_some_and(|Reverse((due, _, _))| *due <= now) {
                if let Some(Reverse((_, _, task))) = queue.later.pop() {
                    self.outstanding.fetch_add(1, Ordering::Relaxed);
                    queue.ready.push_back(task);
                }
            }
            if let Some(task) = queue.ready.pop_front() {
                if !queue.ready.is_empty() {
                    self.wake(&mut queue);
                }
                drop(queue);
                task.run();
                if self.outstanding.fetch_sub(1, Ordering::Release) == 1 {
                    (self.drained)();
                }
                queue = self.lock();
                continue;
            }
            let until_next = queue
                .later
                .peek()
                .map(|Reverse((due, _, _))| due.saturating_duration_since(now));
            queue.idle += 1;
            queue = match until_next {
                Some(pause) => {
                    self.work
                        .wait_timeout(queue, pause)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
                None => self.work.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
            queue.idle -= 1;
        }
    }
}
