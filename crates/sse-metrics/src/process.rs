//! Metrics of the process.

use crate::{collector::Collector, source::Source};

/// Metrics of the process: memory, files and processor time, under the names that all of
/// Prometheus' clients use. Only on Linux; on other systems, this source puts nothing.
///
/// The number of open files is available from Linux 6.2 on, which counts them. On older versions,
/// all files would have to be listed.
///
/// ```
/// use sse_metrics::{Metrics, Process};
///
/// let metrics = Metrics::new().source(Process::new());
/// println!("{}", metrics.scrape(None).body);
/// ```
#[derive(Debug, Clone)]
pub struct Process {
    #[cfg(target_os = "linux")]
    started: Option<f64>,
}

impl Process {
    /// Creates a source for this process.
    #[must_use]
    pub fn new() -> Self {
        Self {
            #[cfg(target_os = "linux")]
            started: linux::started(),
        }
    }
}

impl Default for Process {
    fn default() -> Self {
        Self::new()
    }
}

impl Source for Process {
    #[cfg(target_os = "linux")]
    fn collect(&self, families: &mut Collector) {
        linux::collect(self.started, families);
    }

    #[cfg(not(target_os = "linux"))]
    fn collect(&self, _: &mut Collector) {}
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;

    use rustix::{
        param::{clock_ticks_per_second, page_size},
        time::{ClockId, clock_gettime},
    };

    use crate::{collector::Collector, family::Family};

    const CPU: Family = Family::counter(
        "process_cpu_seconds",
        "Processor time of the program and the kernel, in seconds.",
    );
    const RESIDENT: Family = Family::gauge(
        "process_resident_memory_bytes",
        "Resident memory, in bytes.",
    );
    const VIRTUAL: Family =
        Family::gauge("process_virtual_memory_bytes", "Mapped memory, in bytes.");
    const OPEN_FILES: Family = Family::gauge("process_open_fds", "Open files and sockets.");
    const MOST_FILES: Family = Family::gauge(
        "process_max_fds",
        "Maximum number of open files and sockets.",
    );
    const STARTED: Family = Family::gauge(
        "process_start_time_seconds",
        "Start time of the process, in Unix seconds.",
    );

    /// Puts all available numbers. Numbers that the system does not report are left out.
    pub(super) fn collect(started: Option<f64>, families: &mut Collector) {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        families.put(&CPU, [], time.tv_sec as f64 + time.tv_nsec as f64 / 1e9);
        if let Some((mapped, resident)) = memory() {
            families.put(&RESIDENT, [], resident);
            families.put(&VIRTUAL, [], mapped);
        }
        // The size of the folder is the number of open files, or 0 before Linux 6.2.
        if let Some(open) = fs::metadata("/proc/self/fd")
            .ok()
            .map(|folder| folder.len())
            .filter(|open| *open > 0)
        {
            families.put(&OPEN_FILES, [], open);
        }
        if let Some(most) = most_files() {
            families.put(&MOST_FILES, [], most);
        }
        if let Some(started) = started {
            families.put(&STARTED, [], started);
        }
    }

    fn memory() -> Option<(usize, usize)> {
        let statm = fs::read_to_string("/proc/self/statm").ok()?;
        let mut pages = statm
            .split(' ')
            .map_while(|pages| pages.parse::<usize>().ok());
        let mut bytes = || Some(pages.next()? * page_size());
        Some((bytes()?, bytes()?))
    }

    fn most_files() -> Option<u64> {
        let limits = fs::read_to_string("/proc/self/limits").ok()?;
        let line = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max open files"))?;
        line.split_whitespace().next()?.parse().ok()
    }

    /// Returns the start time. The system reports ticks since its own start (proc(5),
    /// `/proc/pid/stat`).
    pub(super) fn started() -> Option<f64> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        // The second field is a name in parentheses, which can contain any characters.
        let (_, fields) = stat.rsplit_once(')')?;
        let ticks: u64 = fields.split_whitespace().nth(19)?.parse().ok()?;
        let system = fs::read_to_string("/proc/stat").ok()?;
        let booted: u64 = system
            .lines()
            .find_map(|line| line.strip_prefix("btime "))?
            .trim()
            .parse()
            .ok()?;
        Some(booted as f64 + ticks as f64 / clock_ticks_per_second() as f64)
    }
}
