//! Monotonic time and deadlines.

use std::time::{Duration, Instant};

/// Nanoseconds on the monotonic clock, comparable between processes of one machine.
#[must_use]
pub fn monotonic_ns() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is a valid timespec for the call to fill; CLOCK_MONOTONIC exists on every supported system.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// The moment at which a wait gives up; `None` waits for ever.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// From a timeout in milliseconds: negative is "at once", not finite is "never".
    #[must_use]
    pub fn after_ms(timeout_ms: f64) -> Self {
        if !timeout_ms.is_finite() || timeout_ms > 1e15 {
            return Self(None);
        }
        Self(Some(
            Instant::now() + Duration::from_secs_f64(timeout_ms.max(0.0) / 1000.0),
        ))
    }

    /// True once the moment has come.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.0.is_some_and(|at| Instant::now() >= at)
    }

    /// This moment or the one in `ms` milliseconds, whichever is first.
    #[must_use]
    pub fn at_most_ms(self, ms: f64) -> Self {
        let turn = Self::after_ms(ms);
        match (self.0, turn.0) {
            (Some(own), Some(other)) => Self(Some(own.min(other))),
            (own, other) => Self(own.or(other)),
        }
    }

    /// This moment or the one in `ms` milliseconds, whichever is last.
    #[must_use]
    pub fn at_least_ms(self, ms: f64) -> Self {
        match (self.0, Self::after_ms(ms).0) {
            (Some(own), Some(other)) => Self(Some(own.max(other))),
            _ => Self(None),
        }
    }

    /// Time left; `None` for ever.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        self.0.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// Time left in the form `poll` wants: milliseconds rounded up, -1 for ever.
    #[must_use]
    pub fn poll_timeout(&self) -> i32 {
        match self.left() {
            None => -1,
            Some(left) => i32::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_timeouts_have_passed_and_infinite_ones_never_do() {
        assert!(Deadline::after_ms(-5.0).passed());
        assert_eq!(Deadline::after_ms(-5.0).poll_timeout(), 0);
        assert!(!Deadline::after_ms(f64::INFINITY).passed());
        assert_eq!(Deadline::after_ms(f64::INFINITY).poll_timeout(), -1);
    }

    #[test]
    fn a_fraction_of_a_millisecond_is_rounded_up_not_to_zero() {
        assert_eq!(Deadline::after_ms(0.4).poll_timeout(), 1);
    }

    #[test]
    fn the_clock_moves_forward() {
        let before = monotonic_ns();
        std::thread::sleep(Duration::from_millis(2));
        assert!(monotonic_ns() >= before + 2_000_000);
    }
}
