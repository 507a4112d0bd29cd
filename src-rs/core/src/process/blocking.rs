//! Waiting that holds up the whole program, and what must go on meanwhile: signals that the program listens for end the
//! wait, and other children that end are reaped.

use std::os::fd::BorrowedFd;

use super::reaper::Aside;
use crate::error::Result;
use crate::sys::clock::Deadline;
use crate::sys::fd::{Readiness, Wanted, wait_any, wait_any_readable};
use crate::sys::semaphore::{Semaphore, Woken};

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome<T> {
    /// What was waited for has come.
    Done(T),
    /// The deadline passed first.
    TimedOut,
    /// A signal came that asks the program to end and that it listens for: its listener can run only after the wait.
    Interrupted(i32),
}

/// The signals that end a wait.
#[allow(missing_debug_implementations, reason = "it holds a closure")]
#[derive(Clone, Copy)]
pub struct Interrupts<'a> {
    /// Whether the program listens for one of them; a signal that it does not listen for ends it without our help.
    pub listens: bool,
    /// One that was caught and whose listener has not run.
    pub undelivered: &'a dyn Fn() -> Option<i32>,
}

impl Interrupts<'_> {
    /// At the end of a process nobody is left to listen.
    pub const NONE: Self = Interrupts {
        listens: false,
        undelivered: &|| None,
    };
}

/// Longest sleep without a look for signals, in milliseconds: one may come between a look and the sleep.
const LOOK_MS: f64 = 100.0;

/// First sleep without anything to wake it, in milliseconds; each is longer than the one before.
const FIRST_SLEEP_MS: f64 = 1.0;

/// Longest sleep without a look at what is waited for, in milliseconds.
const LONGEST_SLEEP_MS: f64 = 200.0;

/// The same, if children of this process may end meanwhile, which nothing but a look shows.
const LONGEST_SLEEP_OF_PARENT_MS: f64 = 50.0;

/// What wakes a wait.
#[derive(Debug, Clone, Copy)]
pub enum Wake<'a> {
    /// This descriptor, or the end of a child of ours other than the one waited for; that one is left to `done`.
    Readable(Option<BorrowedFd<'a>>, Option<i32>),
    /// Any of these descriptors, or the end of a child of ours.
    Any(&'a [Wanted<'a>]),
    /// A post of this semaphore. What is waited for is looked at now and then even without one, since a process that is
    /// killed posts nothing.
    Posted(&'a Semaphore),
    /// Nothing: what is waited for can only be asked for again and again, up to this many milliseconds apart.
    Asking(f64),
}

/// Waits until `done` has a result.
pub fn wait<T>(
    wake: Wake<'_>,
    deadline: Deadline,
    interrupts: Interrupts<'_>,
    mut done: impl FnMut() -> Result<Option<T>>,
) -> Result<Outcome<T>> {
    let mut aside = Aside::default();
    let mut pause = FIRST_SLEEP_MS;
    loop {
        if let Some(result) = done()? {
            return Ok(Outcome::Done(result));
        }
        if interrupts.listens
            && let Some(signal) = (interrupts.undelivered)()
        {
            return Ok(Outcome::Interrupted(signal));
        }
        let turn = if interrupts.listens {
            deadline.at_most_ms(LOOK_MS)
        } else {
            deadline
        };
        let readiness = match wake {
            Wake::Readable(fd, child) => {
                let watched = Aside::watched();
                let fds: Vec<_> = fd.into_iter().chain(watched).collect();
                let readiness = wait_any_readable(&fds, turn)?;
                aside.reap(child);
                readiness
            }
            Wake::Any(wanted) => {
                let watched = Aside::watched().map(Wanted::Read);
                let all: Vec<_> = wanted.iter().copied().chain(watched).collect();
                let readiness = wait_any(&all, turn)?;
                aside.reap(None);
                readiness
            }
            Wake::Posted(semaphore) => {
                let longest = match Aside::watched() {
                    Some(_) => LONGEST_SLEEP_OF_PARENT_MS,
                    None => LONGEST_SLEEP_MS,
                };
                pause = f64::min(pause * 2.0, longest);
                let woken = semaphore.wait(turn.at_most_ms(pause));
                if woken == Woken::Posted
                    && let Some(result) = done()?
                {
                    return Ok(Outcome::Done(result));
                }
                aside.reap(None);
                match woken {
                    Woken::Posted => Readiness::Ready,
                    Woken::TimedOut => Readiness::TimedOut,
                    Woken::Interrupted => Readiness::Interrupted,
                }
            }
            Wake::Asking(longest) => {
                pause = f64::min(pause * 1.5, longest);
                wait_any_readable(&[], turn.at_most_ms(pause))?
            }
        };
        if readiness == Readiness::TimedOut && deadline.passed() {
            return Ok(done()?.map_or(Outcome::TimedOut, Outcome::Done));
        }
    }
}
