//! The atomics of what processes share. Under `--cfg loom` they are loom's, which runs the code that uses them in every order
//! that the memory model allows.

#[cfg(not(loom))]
pub use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

#[cfg(loom)]
pub use model::{AtomicU32, AtomicU64, Ordering};

#[cfg(loom)]
#[allow(missing_docs, reason = "as in std")]
mod model {
    pub use loom::sync::atomic::Ordering;
    use loom::sync::atomic::fence;

    /// Loom takes a sequentially consistent access for acquire and release only. A fence before each such load and after each
    /// such store orders them all, as compilers do it where the processor has no better.
    fn fence_if(order: Ordering) {
        if matches!(order, Ordering::SeqCst) {
            fence(Ordering::SeqCst);
        }
    }

    macro_rules! atomic {
        ($name:ident, $int:ty) => {
            #[derive(Debug, Default)]
            pub struct $name(loom::sync::atomic::$name);

            impl $name {
                #[must_use]
                pub fn new(value: $int) -> Self {
                    Self(loom::sync::atomic::$name::new(value))
                }

                pub fn load(&self, order: Ordering) -> $int {
                    fence_if(order);
                    self.0.load(order)
                }

                pub fn store(&self, value: $int, order: Ordering) {
                    if matches!(order, Ordering::SeqCst) {
                        // To loom, a store and an exchange that go on at once stay without an order between them: it would
                        // have a later exchange read either.
                        self.swap(value, order);
                    } else {
                        self.0.store(value, order);
                    }
                }

                fn change<T>(&self, order: Ordering, by: impl FnOnce(&loom::sync::atomic::$name) -> T) -> T {
                    fence_if(order);
                    let result = by(&self.0);
                    fence_if(order);
                    result
                }

                pub fn swap(&self, value: $int, order: Ordering) -> $int {
                    self.change(order, |atomic| atomic.swap(value, order))
                }

                pub fn fetch_add(&self, value: $int, order: Ordering) -> $int {
                    self.change(order, |atomic| atomic.fetch_add(value, order))
                }

                pub fn fetch_sub(&self, value: $int, order: Ordering) -> $int {
                    self.change(order, |atomic| atomic.fetch_sub(value, order))
                }

                pub fn fetch_and(&self, value: $int, order: Ordering) -> $int {
                    self.change(order, |atomic| atomic.fetch_and(value, order))
                }

                pub fn compare_exchange(
                    &self,
                    current: $int,
                    new: $int,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$int, $int> {
                    self.change(success, |atomic| {
                        atomic.compare_exchange(current, new, success, failure)
                    })
                }
            }
        };
    }

    atomic!(AtomicU32, u32);
    atomic!(AtomicU64, u64);
}
