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

/// How the memory at `address` is protected, if it is mapped from a program or a library; `None` if that is not known.
#[cfg(target_os = "linux")]
#[must_use]
pub fn protection(address: usize) -> Option<libc::c_int> {
    static FILES: std::sync::OnceLock<Vec<(std::ops::Range<usize>, libc::c_int)>> =
        std::sync::OnceLock::new();
    let files = FILES.get_or_init(|| {
        let text = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
        text.lines().filter_map(mapped_file).collect()
    });
    let (_, protection) = files.iter().find(|(range, _)| range.contains(&address))?;
    Some(*protection)
}

/// One line of `/proc/self/maps`: `start-end perms offset dev inode name`; `None` unless it has an inode.
#[cfg(target_os = "linux")]
fn mapped_file(line: &str) -> Option<(std::ops::Range<usize>, libc::c_int)> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let permissions = fields.next()?;
    if fields.nth(2)? == "0" {
        return None;
    }
    let number = |digits| usize::from_str_radix(digits, 16).ok();
    let bits = [
        ('r', libc::PROT_READ),
        ('w', libc::PROT_WRITE),
        ('x', libc::PROT_EXEC),
    ];
    let protection = bits
        .into_iter()
        .filter(|&(letter, _)| permissions.contains(letter))
        .fold(libc::PROT_NONE, |all, (_, bit)| all | bit);
    Some((number(start)?..number(end)?, protection))
}

/// Elsewhere nothing is replaced that would need it.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn protection(_: usize) -> Option<libc::c_int> {
    None
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

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_is_protected_as_the_linker_wants_it() {
        static CONSTANT: [u8; 3] = [1, 2, 3];
        let code = memory_is_protected_as_the_linker_wants_it as *const () as usize;
        assert_eq!(protection(code), Some(libc::PROT_READ | libc::PROT_EXEC));
        assert_eq!(protection(CONSTANT.as_ptr() as usize), Some(libc::PROT_READ));
        assert_eq!(protection(0x1_0000), None);
    }
}
