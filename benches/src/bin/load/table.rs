//! The comparison as a section of a Markdown page.

use anyhow::{Context, ensure};

use crate::summary::{Summary, after_kib, burst_rate, idle_kib, paced_cpu};

const BEGIN: &str = "<!-- load compare: begin -->";
const END: &str = "<!-- load compare: end -->";
const HEAD: &str = "\
| server | CPU per delivery, paced | to the floor | latency p50 / p99 / max, paced | burst, deliveries/s | \
memory per idle stream | after traffic | missing / doubled / out of order |
|---|---|---|---|---|---|---|---|
";

/// The section, without its markers.
pub(crate) fn section(setting: &str, command: &str, summaries: &[Summary]) -> String {
    let rows: String = summaries.iter().map(row).collect();
    let names: Vec<_> = summaries.iter().map(|summary| summary.name.replace('`', "")).collect();
    let names = names.join(", ");
    format!(
        "{setting}\n\n{HEAD}{rows}\n![The table as bars: {names}](benchmarks.svg)\n\n```sh\n{command}\n```\n"
    )
}

/// `page` with the text between the markers replaced, or with markers and text at its end if there are none.
///
/// # Errors
///
/// If one marker is without the other.
pub(crate) fn replace_section(page: &str, section: &str) -> anyhow::Result<String> {
    let section = format!("{BEGIN}\n\n{section}\n{END}");
    let Some((before, rest)) = page.split_once(BEGIN) else {
        ensure!(!page.contains(END), "the page has `{END}` without `{BEGIN}`");
        return Ok(format!("{}\n\n{section}\n", page.trim_end()));
    };
    let (_, after) =
        rest.split_once(END).with_context(|| format!("the page has `{BEGIN}` without `{END}`"))?;
    Ok(format!("{before}{section}{after}"))
}

fn row(summary: &Summary) -> String {
    let latency = [
        summary.median(|report| report.paced.latency_us.p50),
        summary.median(|report| report.paced.latency_us.p99),
        summary.median(|report| report.paced.latency_us.max),
    ];
    let [p50, p99, max] = latency.map(|microseconds| format!("{:.1}", microseconds / 1000.0));
    let faults = summary.faults();
    format!(
        "| {} | {:.1} µs | {:.2} | {p50} / {p99} / {max} ms | {} | {:.2} KiB | {:.2} KiB | {} / {} / {} |\n",
        summary.name.replace('|', "\\|"),
        summary.median(paced_cpu),
        summary.ratio(),
        thousands(summary.median(burst_rate)),
        summary.median(idle_kib),
        summary.median(after_kib),
        faults.missing,
        faults.doubled,
        faults.out_of_order,
    )
}

/// A number without fraction, with commas.
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
    use crate::summary::tests::report;

    #[test]
    fn writes_a_row_for_each_server() {
        let rounds = |cpu| vec![report(cpu, 123_456.0, 512.0)];
        let summaries =
            Summary::all(vec![("floor".to_owned(), rounds(10.0)), ("a|b".to_owned(), rounds(15.0))]);
        let section = section("Here.", "run it", &summaries);
        let row =
            "| a\\|b | 15.0 µs | 1.50 | 1.5 / 2.5 / 12.0 ms | 123,456 | 0.50 KiB | 1.00 KiB | 0 / 0 / 0 |\n";
        assert!(section.contains(row), "{section}");
        assert!(section.starts_with("Here.\n\n| server |"));
    }

    #[test]
    fn writes_between_the_markers_only() {
        let page = replace_section("# Benchmarks\n", "one").unwrap();
        assert_eq!(page, format!("# Benchmarks\n\n{BEGIN}\n\none\n{END}\n"));
        let page = replace_section(&format!("{page}\nMore.\n"), "two").unwrap();
        assert_eq!(page, format!("# Benchmarks\n\n{BEGIN}\n\ntwo\n{END}\n\nMore.\n"));
        assert!(replace_section(BEGIN, "").is_err());
        assert!(replace_section(END, "").is_err());
    }

    #[test]
    fn groups_digits() {
        assert_eq!(thousands(1_234_567.4), "1,234,567");
        assert_eq!(thousands(999.0), "999");
    }
}
