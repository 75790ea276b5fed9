//! How this process shares the processors with others.

/// Lets others go first, at no loss of share.
///
/// A background worker computes for long, a session's backend for a moment. Linux lets a process
/// that wakes up go before one with a longer time slice, and divides time as before: so a worker
/// asks for the longest slice there is. Kernels before 6.12 ignore that, as does every other
/// system; nothing depends on it.
pub fn let_others_go_first() {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: numbers, all of which may be zero.
        let mut attributes: libc::sched_attr = unsafe { std::mem::zeroed() };
        let size = size_of::<libc::sched_attr>();
        // SAFETY: a structure of the size that is said; 0 is this process. A refusal changes
        // nothing.
        unsafe {
            let own = libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0);
            let usual = libc::SCHED_OTHER as u32;
            if own == 0 && attributes.sched_policy == usual {
                attributes.sched_runtime = LONGEST_SLICE_NS;
                libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0);
            }
        }
    }
}

/// What Linux grants at most.
#[cfg(target_os = "linux")]
const LONGEST_SLICE_NS: u64 = 100_000_000;
