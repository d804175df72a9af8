//! The assignment of processors.

use anyhow::{Context, bail};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Returns two processors that this program may use.
pub(crate) fn two() -> anyhow::Result<[usize; 2]> {
    let allowed = sched_getaffinity(None).context("asking for the processors of this process")?;
    let mut allowed = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu));
    let (Some(one), Some(two)) = (allowed.next(), allowed.next()) else {
        bail!("two processors are needed: one for the server, one for its clients");
    };
    Ok([one, two])
}

/// Pins the calling thread, and everything that it starts from now on, to one processor.
pub(crate) fn pin(cpu: usize) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).with_context(|| format!("pinning to processor {cpu}"))
}
