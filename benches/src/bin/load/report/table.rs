//! The comparison as a section of a Markdown page.

use anyhow::{Context, ensure};

use crate::driver::tracker::Faults;
use crate::report::figures::{
    after_kib, burst_per_cpu, burst_rate, connect_cpu, idle_kib, longest_stall, paced_cpu,
};
use crate::report::summary::Summary;

const HEAD: &str = "\
| server | CPU per delivery, paced | to the floor | to its own | latency p50 / p99 / max, paced | burst, deliveries/s | \
to its own | burst, deliveries per CPU s | to its own | memory per idle stream | to its own | after traffic | CPU per connect | longest stall | \
missing / doubled / out of order / ended |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
";

/// Returns the section, without its markers.
pub(crate) fn section(setting: &str, command: &str, summaries: &[Summary]) -> String {
    let table = table(summaries);
    let names: Vec<_> = summaries
        .iter()
        .map(|summary| summary.name.replace('`', ""))
        .collect();
    let names = names.join(", ");
    format!(
        "{setting} \"To its own\": to what the framework's users have without us.\n\n{table}\n\
         ![The table as bars: {names}](benchmarks.svg)\n\n```sh\n{command}\n```\n"
    )
}

/// Returns the table, with a row for each server.
pub(crate) fn table(summaries: &[Summary]) -> String {
    let rows: String = summaries.iter().map(row).collect();
    format!("{HEAD}{rows}")
}

/// Replaces the text of `page` between the markers of `what`. Appends markers and text if there are
/// none.
///
/// # Errors
///
/// If one of the two markers is missing.
pub(crate) fn replace_section(page: &str, what: &str, section: &str) -> anyhow::Result<String> {
    let (begin, end) = (
        format!("<!-- load {what}: begin -->"),
        format!("<!-- load {what}: end -->"),
    );
    let section = format!("{begin}\n\n{section}\n{end}");
    let Some((before, rest)) = page.split_once(&begin) else {
        ensure!(
            !page.contains(&end),
            "the page has `{end}` without `{begin}`"
        );
        return Ok(format!("{}\n\n{section}\n", page.trim_end()));
    };
    let (_, after) = rest
        .split_once(&end)
        .with_context(|| format!("the page has `{begin}` without `{end}`"))?;
    Ok(format!("{before}{section}{after}"))
}

fn row(summary: &Summary) -> String {
    let cells = [
        summary.name.replace('|', "\\|"),
        format!("{:.1} µs", summary.median(paced_cpu)),
        ratio(summary.ratio()),
        ratio(summary.native_ratio(|ratios| &ratios.paced_cpu)),
        latency(summary),
        thousands(summary.median(burst_rate)),
        ratio(summary.native_ratio(|ratios| &ratios.burst)),
        thousands(summary.median(burst_per_cpu)),
        ratio(summary.native_ratio(|ratios| &ratios.burst_per_cpu)),
        format!("{:.2} KiB", summary.median(idle_kib)),
        ratio(summary.native_ratio(|ratios| &ratios.memory)),
        format!("{:.2} KiB", summary.median(after_kib)),
        microseconds(summary.median(connect_cpu)),
        format!("{:.0} ms", summary.worst(longest_stall)),
        faults(summary),
    ];
    format!("| {} |\n", cells.join(" | "))
}

/// Formats microseconds, with a dash if they were not measured.
pub(crate) fn microseconds(number: f64) -> String {
    if number.is_finite() {
        format!("{number:.0} µs")
    } else {
        "–".to_owned()
    }
}

/// Formats a ratio, with a dash if there is nothing to compare with.
pub(crate) fn ratio(ratio: f64) -> String {
    if ratio.is_finite() {
        format!("{ratio:.2}")
    } else {
        "–".to_owned()
    }
}

fn latency(summary: &Summary) -> String {
    let latency = [
        summary.median(|report| report.paced.latency_us.p50),
        summary.median(|report| report.paced.latency_us.p99),
        summary.median(|report| report.paced.latency_us.max),
    ];
    let [p50, p99, max] = latency.map(|microseconds| format!("{:.1}", microseconds / 1000.0));
    format!("{p50} / {p99} / {max} ms")
}

fn faults(summary: &Summary) -> String {
    let Faults {
        missing,
        doubled,
        out_of_order,
        ended,
        ..
    } = summary.faults();
    format!("{missing} / {doubled} / {out_of_order} / {ended}")
}

/// Formats a number without fraction, with commas.
pub(crate) fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::summary::tests::{measured, report};
    use crate::servers::stack::Stack;

    #[test]
    fn writes_a_row_for_each_server() {
        let rounds = |cpu, rate| vec![report(cpu, rate, 512.0)];
        let mut servers = vec![
            measured(Stack::Floor, rounds(10.0, 1.0)),
            measured(Stack::SseHyper, rounds(15.0, 123_456.0)),
            measured(Stack::HyperNative, rounds(20.0, 61_728.0)),
        ];
        servers[1].contender.name = "a|b".to_owned();
        let section = section("Here.", "run it", &Summary::all(servers));
        let row = "| a\\|b | 15.0 µs | 1.50 | 0.75 | 1.5 / 2.5 / 12.0 ms | 123,456 | 2.00 | 66,667 | 1.33 | 0.50 KiB | 1.00 \
                   | 1.00 KiB | – | 3 ms | 0 / 0 / 0 / 0 |\n";
        assert!(section.contains(row), "{section}");
        assert!(
            section.contains("| hyper channel body | 20.0 µs | 2.00 | – |"),
            "{section}"
        );
        assert!(section.starts_with("Here. ") && section.contains("\n\n| server |"));
        let columns = |line: &str| line.replace("\\|", "").matches('|').count();
        let lines: Vec<_> = section
            .lines()
            .filter(|line| line.starts_with('|'))
            .map(columns)
            .collect();
        assert_eq!(lines, [16; 5]);
    }

    #[test]
    fn writes_between_the_markers_only() {
        let (begin, end) = ("<!-- load growth: begin -->", "<!-- load growth: end -->");
        let page = replace_section("# Benchmarks\n", "growth", "one").unwrap();
        assert_eq!(page, format!("# Benchmarks\n\n{begin}\n\none\n{end}\n"));
        let page = replace_section(&format!("{page}\nMore.\n"), "growth", "two").unwrap();
        assert_eq!(
            page,
            format!("# Benchmarks\n\n{begin}\n\ntwo\n{end}\n\nMore.\n")
        );
        assert!(replace_section(begin, "growth", "").is_err());
        assert!(replace_section(end, "growth", "").is_err());
        assert!(replace_section(end, "compare", "").is_ok());
    }

    #[test]
    fn groups_digits() {
        assert_eq!(thousands(1_234_567.4), "1,234,567");
        assert_eq!(thousands(999.0), "999");
    }
}
