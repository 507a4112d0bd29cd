//! Blocks with a generated name, `nmp_<process id of the creator>_<16 hexadecimal digits>`. The user's bytes follow a page of
//! ours that says whether the block was unlinked: a name that only leads to open descriptors cannot be removed.

use std::ffi::CStr;
use std::fs::File;
use std::mem::offset_of;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};

use nix::sys::stat::fstat;

use super::{Mapping, check_file_size, kept, system};
use crate::error::{Context, Result};

#[repr(C)]
struct Head {
    /// Written last.
    magic: AtomicU64,
    version: AtomicU32,
    unlinked: AtomicU32,
    /// Of the user's bytes.
    size: AtomicU64,
}

const MAGIC: u64 = u64::from_le_bytes(*b"nmp-shm\0");
const VERSION: u32 = 1;

/// A new block that only this process can find.
pub fn create(name: &CStr, size: u64) -> Result<(File, Mapping)> {
    let page = page_size();
    let length = size + page;
    check_file_size(length)?;
    let file = system::create_anonymous(name, length)?;
    let mapping = Mapping::new(file.as_fd(), page as usize, length)?;
    let head = head(&mapping);
    head.version.store(VERSION, SeqCst);
    head.size.store(size, SeqCst);
    head.magic.store(MAGIC, SeqCst);
    Ok((file, mapping))
}

/// The block of that name; `None` if there is none that is not unlinked.
pub fn attach(name: &CStr) -> Result<Option<(File, Mapping)>> {
    let Some(file) = find(name) else { return Ok(None) };
    let Some(size) = size_of_linked(&file) else {
        return Ok(None);
    };
    let page = page_size();
    let mapping = Mapping::new(file.as_fd(), page as usize, size + page)?;
    Ok(Some((file, mapping)))
}

/// The descriptor of the block of that name, if there is one that is not unlinked.
pub fn find(name: &CStr) -> Option<File> {
    let creator = creator_of(name)?;
    let is_linked = |file: &File| size_of_linked(file).is_some();
    kept::get(name)
        .filter(is_linked)
        .or_else(|| system::find_anonymous(name, creator, is_linked))
}

/// Marks the block as unlinked, for all processes. False if it was.
pub fn unlink(name: &CStr, file: &File) -> Result<bool> {
    let mapping = Mapping::new(file.as_fd(), page_size() as usize, page_size())?;
    let first = head(&mapping)
        .unlinked
        .compare_exchange(0, 1, SeqCst, SeqCst)
        .is_ok();
    if first {
        system::unlink_anonymous(name);
    }
    Ok(first)
}

/// Whether nobody can attach to the block any more.
pub fn is_unlinked(file: &File) -> bool {
    size_of_linked(file).is_none()
}

/// How many bytes of the user's a block has that is one of ours and not unlinked.
fn size_of_linked(file: &File) -> Option<u64> {
    let mut bytes = [0_u8; size_of::<Head>()];
    file.read_exact_at(&mut bytes, 0).ok()?;
    let u32_at = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let u64_at = |at: usize| Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    let size = u64_at(offset_of!(Head, size))?;
    let length = fstat(file).during("fstat").ok()?.st_size as u64;
    let ours = u64_at(offset_of!(Head, magic))? == MAGIC
        && u32_at(offset_of!(Head, version))? == VERSION
        && size.checked_add(page_size())? <= length
        && system::cannot_shrink(file);
    (ours && u32_at(offset_of!(Head, unlinked))? == 0).then_some(size)
}

fn head(mapping: &Mapping) -> &Head {
    // SAFETY: the mapping begins with a page of ours, aligned as pages are, and everybody uses it with atomics.
    unsafe { mapping.base().cast::<Head>().as_ref() }
}

/// The process that made the name; `None` if it is not one of ours.
fn creator_of(name: &CStr) -> Option<i32> {
    let (pid, random) = name.to_str().ok()?.strip_prefix("nmp_")?.split_once('_')?;
    let hexadecimal = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let ours = random.len() == 16
        && random.bytes().all(hexadecimal)
        && pid.bytes().all(|byte| byte.is_ascii_digit());
    pid.parse().ok().filter(|_| ours)
}

fn page_size() -> u64 {
    // SAFETY: sysconf takes a number.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as u64 }
}

#[cfg(test)]
mod tests {
    use super::creator_of;

    #[test]
    fn only_generated_names_have_a_creator() {
        assert_eq!(creator_of(c"nmp_12_0123456789abcdef"), Some(12));
        for other in [
            c"nmp_12_0123456789abcde",
            c"nmp_12_0123456789abcdeF",
            c"nmp__0123456789abcdef",
            c"nmp_+1_0123456789abcdef",
            c"nmp_99999999999_0123456789abcdef",
            c"psm_12",
            c"",
            c"\xff",
        ] {
            assert_eq!(creator_of(other), None, "{other:?}");
        }
    }
}
