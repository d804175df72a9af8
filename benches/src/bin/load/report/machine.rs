//! The description of the machine for a published number.

use std::fs;
use std::thread::available_parallelism;

/// Returns processor, number of cores and version of the kernel, as far as the system reports them.
pub(crate) fn describe() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cores = info
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let cores = if cores > 0 {
        cores
    } else {
        available_parallelism().map_or(1, usize::from)
    };
    let release = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
    format!(
        "{} ({cores} cores), Linux {}",
        model(&info).unwrap_or("processor unknown"),
        version(&release)
    )
}

fn model(info: &str) -> Option<&str> {
    let (_, value) = info.lines().find_map(|line| {
        line.split_once(':')
            .filter(|(key, _)| key.trim() == "model name")
    })?;
    Some(value.trim())
}

/// Returns only major and minor version: the rest often names the provider of the kernel.
fn version(release: &str) -> String {
    release
        .split(['.', '-'])
        .take(2)
        .collect::<Vec<_>>()
        .join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_processor_and_not_the_provider() {
        assert_eq!(
            model("processor : 0\nmodel name\t: Some CPU 3\n"),
            Some("Some CPU 3")
        );
        assert_eq!(version("6.18.44-cloud-v7"), "6.18");
        assert!(describe().contains("Linux "));
    }
}
