//! What `/proc` says about a process, and what this process asks of the system.

use std::fs;
use std::time::Duration;

use anyhow::{Context, ensure};
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

    /// User and system time so far of all its threads, and of the processes that it has started and that are there.
    pub(crate) fn cpu(self) -> anyhow::Result<Duration> {
        let stat = self.read("stat")?;
        let ticks =
            cpu_ticks(&stat).with_context(|| format!("/proc/{}/stat is not as expected", self.pid))?;
        let per_second = rustix::param::clock_ticks_per_second();
        let own = Duration::from_millis(ticks * 1000 / per_second.max(1));
        self.children().try_fold(own, |sum, child| Ok(sum + child.cpu()?))
    }

    /// Their private anonymous memory in bytes: heap and stacks, without files, and without the kernel's socket buffers.
    pub(crate) fn memory(self) -> anyhow::Result<u64> {
        let rollup = self.read("smaps_rollup")?;
        let kib = anonymous_kib(&rollup).context("no `Anonymous` in smaps_rollup")?;
        self.children().try_fold(kib * 1024, |sum, child| Ok(sum + child.memory()?))
    }

    /// Asks it to end.
    pub(crate) fn terminate(self) {
        // It fails only if the process has already ended.
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
    }

    /// Processes that it has started, by any of its threads. A system that does not tell has none.
    fn children(self) -> impl Iterator<Item = Self> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.pid)).into_iter().flatten().flatten();
        let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
        lists
            .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
            .map(Self::new)
    }

    fn read(self, name: &str) -> anyhow::Result<String> {
        let path = format!("/proc/{}/{name}", self.pid);
        fs::read_to_string(&path).with_context(|| format!("reading {path}"))
    }
}

/// Fields 14 and 15 of proc_pid_stat(5); the second one may hold spaces and brackets, so count from its end.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn anonymous_kib(rollup: &str) -> Option<u64> {
    let value = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:"))?;
    value.trim().strip_suffix(" kB")?.parse().ok()
}

/// Raises the soft limit of open files to the hard one, and makes sure that it allows `streams`.
pub(crate) fn allow_streams(streams: usize) -> anyhow::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .context("raising the limit of open files")?;
    let needed = streams as u64 + 64;
    let limit = maximum.unwrap_or(u64::MAX);
    ensure!(needed <= limit, "{streams} streams need {needed} open files, and the hard limit is {limit}");
    Ok(())
}

/// Keeps the calling thread, and what it starts from now on, on these processors.
pub(crate) fn pin(cpus: &[usize]) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    for cpu in cpus {
        ensure!(*cpu < CpuSet::MAX_CPU, "there is no processor {cpu}");
        set.set(*cpu);
    }
    sched_setaffinity(None, &set).with_context(|| format!("pinning to processors {cpus:?}"))
}

/// The processors that the calling thread may use.
pub(crate) fn allowed_cpus() -> anyhow::Result<Vec<usize>> {
    let set = sched_getaffinity(None).context("asking for the processors of this process")?;
    Ok((0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_times_behind_an_awkward_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 12 30 5 6 20 0 1 0 100 1000";
        assert_eq!(cpu_ticks(stat), Some(42));
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
    fn says_when_there_cannot_be_so_many_streams() {
        assert!(allow_streams(1).is_ok());
    }
}
