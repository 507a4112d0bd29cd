//! Blocks of memory that processes attach to by name.
//!
//! A *named* block is a POSIX shared memory object: its name stays until it is unlinked. An *anonymous* block has a
//! generated name, which leads to it only as long as some process has it open: nothing is left when the last one ends.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::stat::{FileStat, fstat};

use crate::error::{Context, Error, Result};
use crate::sys::segment::file_size_limit;

mod anonymous;
mod kept;
mod mapping;
mod named;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as system;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
use macos as system;

pub use mapping::Mapping;

/// One process's handle of a block.
#[derive(Debug)]
pub struct Block {
    name: CString,
    anonymous: bool,
    /// An anonymous one made by this object, whose name nobody has heard of: it is kept for this object alone.
    secret: bool,
    /// What tells it from another block that has its name later.
    identity: String,
    /// Until it is closed.
    mapping: Option<Arc<Mapping>>,
    /// Of anonymous ones that this process only attached to: what others find it by.
    file: Option<File>,
}

impl Block {
    /// A new zero-filled block. `EEXIST` if there is one of that name.
    pub fn create(name: &str, size: u64, anonymous: bool) -> Result<Self> {
        let name = c_string(name)?;
        if anonymous && (kept::has(&name) || named::exists(&name)) {
            return Err(Error::System {
                syscall: "memfd_create",
                errno: Errno::EEXIST,
            });
        }
        if !anonymous {
            let (file, mapping) = named::create(&name, size)?;
            return Self::new(name, &file, mapping);
        }
        let (file, mapping) = anonymous::create(&name, size)?;
        let mut block = Self::new(name, &file, mapping)?;
        (block.anonymous, block.secret) = (true, true);
        kept::keep(block.name.clone(), file);
        Ok(block)
    }

    /// The block of that name. `ENOENT` if there is none.
    pub fn attach(name: &str) -> Result<Self> {
        let name = c_string(name)?;
        if let Some((file, mapping)) = anonymous::attach(&name)? {
            let mut block = Self::new(name, &file, mapping)?;
            (block.anonymous, block.file) = (true, Some(file));
            return Ok(block);
        }
        let (file, mapping) = named::attach(&name)?;
        Self::new(name, &file, mapping)
    }

    fn new(name: CString, file: &File, mapping: Mapping) -> Result<Self> {
        Ok(Self {
            name,
            anonymous: false,
            secret: false,
            identity: identity(file)?,
            mapping: Some(Arc::new(mapping)),
            file: None,
        })
    }

    /// What tells this block from all others.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// The memory; `None` once closed.
    #[must_use]
    pub fn mapping(&self) -> Option<&Arc<Mapping>> {
        self.mapping.as_ref()
    }

    /// Somebody may know the name from now on: the block outlives this object.
    pub fn publish(&mut self) {
        self.secret = false;
    }

    /// Lets go of the memory, which reads as private zeros from now on wherever somebody still looks.
    pub fn close(&mut self) {
        if let Some(mapping) = self.mapping.take() {
            mapping.blank();
        }
        self.file = None;
    }

    /// Removes the name: nobody can attach any more. `ENOENT` if that was done before.
    pub fn unlink(&mut self) -> Result<()> {
        if !self.anonymous {
            return named::unlink(&self.name);
        }
        self.secret = false;
        let kept = kept::take(&self.name);
        match self.file.take().or(kept).or_else(|| anonymous::find(&self.name)) {
            Some(file) if anonymous::unlink(&self.name, &file)? => Ok(()),
            _ => Err(Error::System {
                syscall: "shm_unlink",
                errno: Errno::ENOENT,
            }),
        }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if self.secret {
            kept::take(&self.name);
        }
    }
}

/// The identity of the block that has the name now; `None` if there is none.
pub fn identity_of(name: &str) -> Result<Option<String>> {
    let name = c_string(name)?;
    let file = match anonymous::find(&name) {
        Some(file) => file,
        None => match named::open(&name) {
            Err(Error::System {
                errno: Errno::ENOENT, ..
            }) => return Ok(None),
            file => file?,
        },
    };
    identity(&file).map(Some)
}

fn identity(file: &File) -> Result<String> {
    let FileStat { st_dev, st_ino, .. } = fstat(file).during("fstat")?;
    Ok(format!("{st_dev}:{st_ino}"))
}

fn c_string(name: &str) -> Result<CString> {
    CString::new(name).map_err(|_| Error::System {
        syscall: "shm_open",
        errno: Errno::EINVAL,
    })
}

/// As POSIX wants it.
fn with_slash(name: &CStr) -> CString {
    let bytes = name.to_bytes().iter().copied();
    // What was read up to a NUL has none.
    CString::new([b'/'].into_iter().chain(bytes).collect::<Vec<_>>()).unwrap_or_default()
}

/// A file longer than the limit would not be refused: the process would be ended by SIGXFSZ.
fn check_file_size(size: u64) -> Result<()> {
    if size <= file_size_limit() {
        return Ok(());
    }
    Err(Error::System {
        syscall: "ftruncate",
        errno: Errno::EFBIG,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU8, Ordering::SeqCst};

    fn name(what: &str) -> String {
        format!("nmp_{}_{what:0>16}", std::process::id())
    }

    fn byte(block: &Block, index: usize) -> &AtomicU8 {
        let mapping = block.mapping().unwrap();
        assert!(index < mapping.size());
        // SAFETY: the byte lies in the mapping, and everybody uses it with atomics.
        unsafe { mapping.data().add(index).cast().as_ref() }
    }

    fn errno<T: std::fmt::Debug>(result: Result<T>) -> Errno {
        match result.unwrap_err() {
            Error::System { errno, .. } => errno,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn both_kinds_are_shared_by_name_until_unlinked() {
        for anonymous in [true, false] {
            let name = name(if anonymous { "a1" } else { "b1" });
            let mut first = Block::create(&name, 5000, anonymous).unwrap();
            let mut second = Block::attach(&name).unwrap();
            assert_eq!(second.mapping().unwrap().size(), 5000);
            assert_eq!(first.identity(), second.identity());
            byte(&first, 4999).store(7, SeqCst);
            assert_eq!(byte(&second, 4999).load(SeqCst), 7);
            first.close();
            assert_eq!(byte(&second, 4999).load(SeqCst), 7);
            second.unlink().unwrap();
            assert_eq!(errno(first.unlink()), Errno::ENOENT);
            assert_eq!(errno(second.unlink()), Errno::ENOENT);
            assert_eq!(errno(Block::attach(&name)), Errno::ENOENT);
            assert_eq!(identity_of(&name).unwrap(), None);
            assert_eq!(byte(&second, 4999).load(SeqCst), 7);
        }
    }

    #[test]
    fn an_anonymous_block_outlives_its_handle_once_published() {
        let [kept, dropped] = [name("c1"), name("c2")];
        let mut block = Block::create(&kept, 10, true).unwrap();
        byte(&block, 0).store(3, SeqCst);
        block.publish();
        drop(block);
        drop(Block::create(&dropped, 10, true).unwrap());
        assert_eq!(errno(Block::attach(&dropped)), Errno::ENOENT);
        assert_eq!(errno(Block::create(&kept, 10, true)), Errno::EEXIST);
        let mut again = Block::attach(&kept).unwrap();
        assert_eq!(byte(&again, 0).load(SeqCst), 3);
        again.unlink().unwrap();
    }

    #[test]
    fn a_taken_name_is_refused() {
        let name = name("d1");
        let mut block = Block::create(&name, 10, false).unwrap();
        assert_eq!(errno(Block::create(&name, 10, false)), Errno::EEXIST);
        assert_eq!(errno(Block::create(&name, 10, true)), Errno::EEXIST);
        block.unlink().unwrap();
    }

    #[test]
    fn closed_memory_reads_as_zeros_and_is_nobody_elses() {
        let mut block = Block::create(&name("e1"), 10, true).unwrap();
        byte(&block, 0).store(3, SeqCst);
        let mapping = Arc::clone(block.mapping().unwrap());
        block.close();
        // SAFETY: the mapping is there until it is dropped.
        unsafe {
            assert_eq!(mapping.data().read(), 0);
            mapping.data().write(9);
        }
        block.unlink().unwrap();
    }

    #[test]
    fn what_the_system_cannot_have_is_refused_and_leaves_no_name() {
        let name = name("f1");
        assert!(Block::create(&name, 1 << 52, false).is_err());
        assert_eq!(errno(Block::attach(&name)), Errno::ENOENT);
        assert!(Block::create(&name, 1 << 52, true).is_err());
    }
}
