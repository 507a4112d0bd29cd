//! Waiting for whichever of several descriptors and queues is ready first, holding up the event loop.

use std::os::fd::{AsFd, BorrowedFd};

use napi::{Env, Result};
use napi_derive::napi;

use node_multiprocessing_core::Error;
use node_multiprocessing_core::process::blocking::{self, Interrupts, Outcome, Wake};
use node_multiprocessing_core::queue::queue::{Until, What};
use node_multiprocessing_core::sync::doorbell;
use node_multiprocessing_core::sync::wait::{Queued, Wait, Want};
use node_multiprocessing_core::sys::clock::Deadline;
use node_multiprocessing_core::sys::fd::{Wanted, bell, drain, ready_now};

use super::children::{about_to_block, with_interrupts};
use super::error::to_js;
use super::queue::until;
use super::sync::begin_by_doorbell;

/// How a wait for several things ended.
#[napi(object)]
#[derive(Default)]
pub struct AnyReady {
    /// The places of the descriptors that are ready.
    pub ready: Vec<u32>,
    /// The places of the queues that have something.
    pub ready_queues: Vec<u32>,
    /// The signal that interrupted the wait.
    pub interrupted_by: Option<i32>,
}

type Answer<T> = std::result::Result<T, Error>;

/// What is waited for.
struct Any<'a> {
    fds: &'a [i32],
    write: bool,
    queues: &'a [Until],
}

impl Any<'_> {
    fn look(&self) -> Answer<Option<AnyReady>> {
        let ready = ready_now(self.fds, self.write)?;
        let queues = self.queues.iter().enumerate();
        let ready_queues: Vec<_> = queues
            .filter(|(_, queue)| queue.holds())
            .map(|(place, _)| place as u32)
            .collect();
        let is_any = !ready.is_empty() || !ready_queues.is_empty();
        Ok(is_any.then_some(AnyReady {
            ready,
            ready_queues,
            interrupted_by: None,
        }))
    }

    fn wait(&self, deadline: Deadline, interrupts: Interrupts<'_>) -> Answer<Outcome<AnyReady>> {
        // SAFETY: the numbers are only lent to poll, and were found to be open just now.
        let lent = self.fds.iter().map(|&fd| unsafe { BorrowedFd::borrow_raw(fd) });
        let mut wanted: Vec<_> = if self.write {
            lent.map(Wanted::Write).collect()
        } else {
            lent.map(Wanted::Read).collect()
        };
        if self.queues.is_empty() {
            return blocking::wait(Wake::Any(&wanted), deadline, interrupts, || self.look());
        }
        let mut asleep = Asleep::default();
        let (heard, rung) = bell()?;
        doorbell::ring_also(Some(rung));
        for &queue in self.queues {
            let begin = || Ok(Box::new(Wait::begin(queue, true)?) as Box<dyn Queued>);
            asleep.waits.push(begin_by_doorbell(begin)?);
        }
        wanted.push(Wanted::Read(heard.as_fd()));
        let outcome = blocking::wait(Wake::Any(&wanted), deadline, interrupts, || {
            drain(heard.as_fd());
            for wait in &mut asleep.waits {
                // Asks to be told anew.
                wait.attempt();
            }
            self.look()
        });
        drop(asleep);
        // It is there for others, too: nothing was taken.
        self.queues.iter().for_each(Want::pass_on);
        outcome
    }
}

/// Waits by doorbell while the call lasts.
#[derive(Default)]
struct Asleep {
    waits: Vec<Box<dyn Queued>>,
}

impl Drop for Asleep {
    fn drop(&mut self) {
        for wait in self.waits.drain(..) {
            wait.end(false);
            doorbell::end();
        }
        doorbell::ring_also(None);
    }
}

/// Blocks until any of `fds` can be read, or written, any of `queues` has something, the timeout has passed, or a signal that
/// the program handles asks it to end. With queues, `watchWaits()` comes first.
#[napi(catch_unwind)]
pub fn wait_any(env: Env, fds: Vec<i32>, write: bool, queues: Vec<f64>, timeout_ms: f64) -> Result<AnyReady> {
    let fail = |error: Error| to_js(env, &error);
    let untils = queues.into_iter().map(|number| until(number, What::Items));
    let any = Any {
        fds: &fds,
        write,
        queues: &untils.collect::<Answer<Vec<_>>>().map_err(fail)?,
    };
    if let Some(ready) = any.look().map_err(fail)? {
        return Ok(ready);
    }
    if timeout_ms <= 0.0 {
        return Ok(AnyReady::default());
    }
    about_to_block()?;
    let deadline = Deadline::after_ms(timeout_ms);
    let outcome = with_interrupts(env, |interrupts| any.wait(deadline, interrupts))?;
    Ok(match outcome.map_err(fail)? {
        Outcome::Done(ready) => ready,
        Outcome::TimedOut => AnyReady::default(),
        Outcome::Interrupted(signal) => AnyReady {
            interrupted_by: Some(signal),
            ..AnyReady::default()
        },
    })
}

/// Whether there is something in the queue, or it was shut down. Nothing is taken: if so, the next one who waits is told, too.
#[napi(catch_unwind)]
pub fn queue_peek(env: Env, number: f64) -> Result<bool> {
    let items = until(number, What::Items).map_err(|error| to_js(env, &error))?;
    items.pass_on();
    Ok(items.holds())
}
