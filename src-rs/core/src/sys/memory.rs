//! Reading memory of this process at an address that may be anything: the kernel checks it.

/// The words at `address`; `None` unless all of them can be read.
#[must_use]
pub fn words<const N: usize>(address: usize) -> Option<[usize; N]> {
    let mut into = [0; N];
    (read(address, &mut into) == N).then_some(into)
}

/// The words at `address`, as many of `N` as can be read.
#[must_use]
pub fn words_up_to<const N: usize>(address: usize) -> Vec<usize> {
    let mut into = vec![0; N];
    let got = read(address, &mut into);
    into.truncate(got);
    into
}

#[cfg(target_os = "linux")]
fn read(address: usize, into: &mut [usize]) -> usize {
    let local = libc::iovec {
        iov_base: into.as_mut_ptr().cast(),
        iov_len: size_of_val(into),
    };
    let remote = libc::iovec {
        iov_base: address as *mut libc::c_void,
        iov_len: size_of_val(into),
    };
    // SAFETY: `local` is writable for its length; the kernel checks the remote range, here of this same process.
    let got = unsafe { libc::process_vm_readv(libc::getpid(), &raw const local, 1, &raw const remote, 1, 0) };
    got.max(0) as usize / size_of::<usize>()
}

#[cfg(not(target_os = "linux"))]
fn read(_: usize, _: &mut [usize]) -> usize {
    0
}

/// Where the stack of the main thread begins (its highest address); 0 if that is not known.
#[cfg(target_os = "linux")]
pub fn main_stack_end() -> usize {
    static END: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    *END.get_or_init(|| {
        // SAFETY: an all-zero attribute is a valid place for pthread_getattr_np to initialise; destroyed once after that.
        unsafe {
            let mut attributes: libc::pthread_attr_t = std::mem::zeroed();
            if libc::pthread_getattr_np(libc::pthread_self(), &raw mut attributes) != 0 {
                return 0;
            }
            let (mut lowest, mut size) = (std::ptr::null_mut(), 0);
            let known =
                libc::pthread_attr_getstack(&raw const attributes, &raw mut lowest, &raw mut size) == 0;
            libc::pthread_attr_destroy(&raw mut attributes);
            if known { lowest as usize + size } else { 0 }
        }
    })
}

/// Elsewhere nothing is searched for there.
#[cfg(not(target_os = "linux"))]
pub fn main_stack_end() -> usize {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wild_addresses_are_refused_not_followed() {
        assert_eq!(words::<1>(0x1_0000), None);
        let value = 42_usize;
        let address = std::ptr::from_ref(&value) as usize;
        #[cfg(target_os = "linux")]
        assert_eq!(words::<1>(address), Some([42]));
        let _ = address;
    }
}
