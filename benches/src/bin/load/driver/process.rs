//! Information from `/proc` about a process, and requests of this process to the system.

use std::fs;
use std::time::Duration;

use anyhow::{Context, ensure};
use nix::time::ClockId;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Another process, or this one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process {
    pid: u32,
}

impl Process {
    pub(crate) fn new(pid: u32) -> Self {
        Self { pid }
    }

    pub(crate) fn this() -> Self {
        Self::new(std::process::id())
    }

    /// Returns the user and system time so far of all threads of the process, and of its running
    /// child processes.
    ///
    /// Read from the process's CPU-time clock, since the times of `/proc` are rounded to 10 ms,
    /// which is more than a thousand connects take.
    pub(crate) fn cpu(self) -> anyhow::Result<Duration> {
        let pid =
            i32::try_from(self.pid).with_context(|| format!("{} is not a process id", self.pid))?;
        let clock = ClockId::pid_cpu_clock_id(nix::unistd::Pid::from_raw(pid));
        let own = clock
            .and_then(ClockId::now)
            .with_context(|| format!("processor time of process {pid}"))?;
        self.children()
            .try_fold(own.into(), |sum, child| Ok(sum + child.cpu()?))
    }

    /// Returns the private anonymous memory of the process and of its running child processes, in
    /// bytes: heap and stacks, without files, and without the kernel's socket buffers.
    pub(crate) fn memory(self) -> anyhow::Result<u64> {
        let rollup = self.read("smaps_rollup")?;
        let kib = anonymous_kib(&rollup).context("no `Anonymous` in smaps_rollup")?;
        self.children()
            .try_fold(kib * 1024, |sum, child| Ok(sum + child.memory()?))
    }

    /// Asks the process to end.
    pub(crate) fn terminate(self) {
        // Fails only if the process has already ended.
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
    }

    /// Returns the processes that any thread of this process has started; none if the system does
    /// not report them.
    fn children(self) -> impl Iterator<Item = Self> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.pid))
            .into_iter()
            .flatten()
            .flatten();
        let lists =
            threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
        lists
            .flat_map(|list| {
                list.split_whitespace()
                    .filter_map(|pid| pid.parse().ok())
                    .collect::<Vec<_>>()
            })
            .map(Self::new)
    }

    fn read(self, name: &str) -> anyhow::Result<String> {
        let path = format!("/proc/{}/{name}", self.pid);
        fs::read_to_string(&path).with_context(|| format!("reading {path}"))
    }
}

fn anonymous_kib(rollup: &str) -> Option<u64> {
    let value = rollup
        .lines()
        .find_map(|line| line.strip_prefix("Anonymous:"))?;
    value.trim().strip_suffix(" kB")?.parse().ok()
}

/// Raises the soft limit of open files to the hard limit. Fails if the hard limit does not allow
/// `streams` streams and 64 further files.
pub(crate) fn allow_streams(streams: usize) -> anyhow::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    )
    .context("raising the limit of open files")?;
    let needed = streams as u64 + 64;
    let limit = maximum.unwrap_or(u64::MAX);
    ensure!(
        needed <= limit,
        "{streams} streams need {needed} open files, and the hard limit is {limit}"
    );
    Ok(())
}

/// Pins the calling thread, and threads and processes that it starts from now on, to these
/// processors.
pub(crate) fn pin(cpus: &[usize]) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    for cpu in cpus {
        ensure!(*cpu < CpuSet::MAX_CPU, "processor {cpu} does not exist");
        set.set(*cpu);
    }
    sched_setaffinity(None, &set).with_context(|| format!("pinning to processors {cpus:?}"))
}

/// Returns the processors that the calling thread may use.
pub(crate) fn allowed_cpus() -> anyhow::Result<Vec<usize>> {
    let set = sched_getaffinity(None).context("asking for the processors of this process")?;
    Ok((0..CpuSet::MAX_CPU)
        .filter(|cpu| set.is_set(*cpu))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_precise_and_includes_ended_threads() {
        let before = Process::this().cpu().unwrap();
        std::thread::spawn(|| (0..200_000_u64).map(std::hint::black_box).sum::<u64>())
            .join()
            .unwrap();
        let used = Process::this().cpu().unwrap() - before;
        assert!(used > Duration::ZERO, "a thread that ended took no time");
    }

    #[test]
    fn missing_process_has_no_cpu_time() {
        // Above the largest process id of Linux, 2^22.
        assert!(Process::new((1 << 22) + 1).cpu().is_err());
        assert!(Process::new(u32::MAX).cpu().is_err());
    }

    #[test]
    fn reads_anonymous_memory() {
        assert_eq!(
            anonymous_kib("Rss:  9 kB\nAnonymous:          1234 kB\nAnonHugePages: 0 kB\n"),
            Some(1234)
        );
    }

    #[test]
    fn this_process_has_memory_and_grows() {
        let before = Process::this().memory().unwrap();
        let block = std::hint::black_box(vec![1_u8; 64 << 20]);
        let grown = Process::this().memory().unwrap() - before;
        assert!(grown >= 32 << 20, "grew by {grown}");
        drop(std::hint::black_box(block));
        Process::this().cpu().unwrap();
    }

    #[test]
    fn too_many_streams_for_the_file_limit_is_an_error() {
        assert!(allow_streams(1).is_ok());
    }
}
