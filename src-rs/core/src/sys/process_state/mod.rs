//! Whether a process, any process, still lives, and since when.
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::{clock_ns, look};
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
pub use macos::{clock_ns, look};

/// What the system says of a process id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existence {
    /// There is no such process.
    Gone,
    /// It has ended, with this status word if that can be seen, and its parent has not waited for it.
    Zombie(Option<i32>),
    /// It lives. When it was started, in nanoseconds on the clock of [`clock_ns`], if that can be seen.
    Alive(Option<u64>),
}

/// What is known without any view of the process table.
fn ask_by_signal(pid: i32) -> Existence {
    match crate::sys::signal::kill(pid, 0) {
        Err(crate::Error::System {
            errno: nix::errno::Errno::ESRCH,
            ..
        }) => Existence::Gone,
        _ => Existence::Alive(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_lives_then_is_a_zombie_then_is_gone() {
        let mut child = std::process::Command::new("sh")
            .args(["-c", "read line; exit 3"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let pid = child.id() as i32;
        let Existence::Alive(started) = look(pid) else {
            panic!("{:?}", look(pid));
        };
        #[cfg(target_os = "linux")]
        assert!(started.unwrap() <= clock_ns());
        let _ = started;
        drop(child.stdin.take());
        while matches!(look(pid), Existence::Alive(_)) {
            std::thread::yield_now();
        }
        #[cfg(target_os = "linux")]
        assert_eq!(look(pid), Existence::Zombie(Some(3 << 8)));
        child.wait().unwrap();
        assert_eq!(look(pid), Existence::Gone);
    }
}
