//! The private anonymous mappings of a process, from `/proc/<pid>/maps`.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::sys::proc_fs;

/// Address ranges in ascending order.
pub type Ranges = Vec<Range<usize>>;

/// Reads the private anonymous mappings of `pid` (`None`: this process).
pub fn private_anonymous(pid: Option<i32>, scratch: &mut Vec<u8>) -> Result<Ranges> {
    let path = match pid {
        None => c"/proc/self/maps".to_owned(),
        Some(pid) => std::ffi::CString::new(format!("/proc/{pid}/maps"))
            .map_err(|_| Error::NoProc("/proc/<pid>/maps"))?,
    };
    let file = proc_fs::open(None, &path, 0)?.ok_or(Error::NoProc("/proc/<pid>/maps"))?;
    scratch.clear();
    proc_fs::read_to_end(&file, scratch)?;
    Ok(scratch.split(|&byte| byte == b'\n').filter_map(parse).collect())
}

/// One line: `start-end perms offset dev inode name`; `None` unless private and anonymous.
fn parse(line: &[u8]) -> Option<Range<usize>> {
    let mut fields = line.splitn(6, |&byte| byte == b' ');
    let range = fields.next()?;
    let permissions = fields.next()?;
    let inode = fields.nth(2)?;
    let name = fields.next().unwrap_or_default().trim_ascii_start();
    let of_the_kernel = name.starts_with(b"[v");
    if permissions.get(3) != Some(&b'p') || inode != b"0" || of_the_kernel {
        return None;
    }
    let dash = range.iter().position(|&byte| byte == b'-')?;
    Some(hexadecimal(range.get(..dash)?)?..hexadecimal(range.get(dash + 1..)?)?)
}

fn hexadecimal(digits: &[u8]) -> Option<usize> {
    digits.iter().try_fold(0_usize, |sum, &digit| {
        let value = char::from(digit).to_digit(16)? as usize;
        sum.checked_mul(16).map(|sum| sum + value)
    })
}

/// What is in `all` and not in `some`; both ascending and free of overlap.
#[must_use]
pub fn difference(all: &Ranges, some: &Ranges) -> Ranges {
    let mut left = Ranges::new();
    let mut next = 0;
    for range in all {
        let mut start = range.start;
        while let Some(other) = some.get(next) {
            if other.end <= start {
                next += 1;
                continue;
            }
            if other.start >= range.end {
                break;
            }
            if other.start > start {
                left.push(start..other.start);
            }
            start = other.end.min(range.end);
            if other.end > range.end {
                break;
            }
        }
        if start < range.end {
            left.push(start..range.end);
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_private_anonymous_lines_count() {
        let parse = |line: &str| parse(line.as_bytes());
        assert_eq!(parse("7f00-7f10 rw-p 00000000 00:00 0 "), Some(0x7f00..0x7f10));
        assert_eq!(
            parse("7f00-7f10 rw-p 00000000 00:00 0                          [heap]"),
            Some(0x7f00..0x7f10)
        );
        assert_eq!(parse("7f00-7f10 rw-s 00000000 00:01 0 "), None);
        assert_eq!(parse("7f00-7f10 r-xp 00000000 08:01 1234 /usr/lib/a b.so"), None);
        assert_eq!(
            parse("7f00-7f10 r-xp 00000000 00:00 0                          [vdso]"),
            None
        );
        assert_eq!(parse(""), None);
        assert_eq!(parse("garbage"), None);
    }

    #[test]
    #[allow(
        clippy::single_range_in_vec_init,
        reason = "lists of ranges are what is tested"
    )]
    fn difference_cuts_ranges() {
        assert_eq!(difference(&vec![0..10, 20..30], &vec![0..10]), vec![20..30]);
        assert_eq!(
            difference(&vec![0..10], &vec![2..4, 6..8]),
            vec![0..2, 4..6, 8..10]
        );
        assert_eq!(difference(&vec![0..10, 10..20], &vec![5..15]), vec![0..5, 15..20]);
        assert_eq!(difference(&vec![0..10], &vec![]), vec![0..10]);
        assert_eq!(difference(&vec![4..6, 8..9], &vec![0..20]), Vec::new());
    }

    #[test]
    fn this_process_has_some() {
        assert!(!private_anonymous(None, &mut Vec::new()).unwrap().is_empty());
    }
}
