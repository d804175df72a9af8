//! The comparison as an SVG bar chart, readable on a light and on a dark page.

use crate::report::Report;
use crate::report::figures::{burst_rate, idle_kib, paced_cpu};
use crate::report::summary::Summary;
use crate::report::table::thousands;

const WIDTH: f64 = 860.0;
const LABELS: f64 = 200.0;
const BARS: f64 = 520.0;
const ROW: f64 = 26.0;
const TITLE: f64 = 40.0;
const MARGIN: f64 = 20.0;
const FOOT: f64 = 46.0;

const STYLE: &str = "\
text{font:13px system-ui,sans-serif;fill:#1f2328}
.title{font-weight:600}
.note{font-size:11px;fill:#59636e}
.bar{fill:#8c959f}
.floor{fill:#d1d9e0}
.hub{fill:#0969da}
.round{fill:none;stroke:#1f2328;stroke-width:1.2;opacity:.65}
.axis{stroke:#8c959f}
@media(prefers-color-scheme:dark){
text{fill:#f0f6fc}
.note{fill:#9198a1}
.bar{fill:#656c76}
.floor{fill:#3d444d}
.hub{fill:#4493f8}
.round{stroke:#f0f6fc}
}
";

/// One quantity of all servers.
struct Panel {
    title: &'static str,
    number: fn(&Report) -> f64,
    label: fn(f64) -> String,
}

const PANELS: [Panel; 3] = [
    Panel {
        title: "CPU per delivery, paced (less is better)",
        number: paced_cpu,
        label: |number| format!("{number:.1} µs"),
    },
    Panel {
        title: "Deliveries per second in a burst, on one core (more is better)",
        number: burst_rate,
        label: thousands,
    },
    Panel {
        title: "User memory per idle stream (less is better)",
        number: idle_kib,
        label: |number| format!("{number:.2} KiB"),
    },
];

/// Returns the drawing; `setting` describes the measurement.
pub(crate) fn draw(setting: &str, summaries: &[Summary]) -> String {
    let panel_height = TITLE + ROW * summaries.len() as f64;
    let height = MARGIN + panel_height * 3.0 + FOOT;
    let setting = escape(setting);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n\
         <title>Benchmarks</title>\n<desc>{setting}</desc>\n<style>\n{STYLE}</style>\n"
    );
    let mut top = MARGIN;
    for panel in &PANELS {
        svg += &panel.draw(top, summaries);
        top += panel_height;
    }
    let notes = [setting.as_str(), "Bars: medians. Strokes: single rounds."];
    for (note, y) in notes.into_iter().zip([top + 18.0, top + 34.0]) {
        svg += &format!("<text class=\"note\" x=\"{MARGIN}\" y=\"{y}\">{note}</text>\n");
    }
    svg + "</svg>\n"
}

impl Panel {
    fn draw(&self, top: f64, summaries: &[Summary]) -> String {
        let all = summaries
            .iter()
            .flat_map(|summary| summary.each(self.number));
        let largest = all
            .filter(|number| number.is_finite())
            .fold(f64::MIN_POSITIVE, f64::max);
        let mut svg = format!(
            "<text class=\"title\" x=\"{MARGIN}\" y=\"{}\">{}</text>\n",
            top + 20.0,
            self.title
        );
        let mut y = top + TITLE - 8.0;
        for summary in summaries {
            svg += &self.row(y, largest, class(&summary.name), summary);
            y += ROW;
        }
        let (start, end) = (top + TITLE - 10.0, y - 2.0);
        svg + &format!("<path class=\"axis\" d=\"M{LABELS} {start:.1}V{end:.1}\"/>\n")
    }

    fn row(&self, y: f64, largest: f64, class: &str, summary: &Summary) -> String {
        let at = |number: f64| {
            if number.is_finite() {
                BARS * (number.max(0.0) / largest)
            } else {
                0.0
            }
        };
        let median = summary.median(self.number);
        let rounds = summary.each(self.number);
        let furthest = rounds.iter().copied().fold(median, f64::max);
        let (middle, name) = (y + 14.5, escape(&summary.name.replace('`', "")));
        let mut svg = format!(
            "<text x=\"{}\" y=\"{middle:.1}\" text-anchor=\"end\">{name}</text>\n",
            LABELS - 8.0
        );
        svg += &format!(
            "<rect class=\"{class}\" x=\"{LABELS}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{}\"/>\n",
            at(median),
            ROW - 6.0
        );
        for round in rounds {
            svg += &format!(
                "<path class=\"round\" d=\"M{:.1} {:.1}v10\"/>\n",
                LABELS + at(round),
                y + 5.0
            );
        }
        let (x, label) = (LABELS + at(furthest) + 8.0, (self.label)(median));
        svg + &format!("<text x=\"{x:.1}\" y=\"{middle:.1}\">{label}</text>\n")
    }
}

fn class(name: &str) -> &'static str {
    match name {
        "floor" => "floor",
        name if name.starts_with("sse-") => "hub",
        _ => "bar",
    }
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::summary::tests::{measured, report};
    use crate::servers::stack::Stack;

    #[test]
    fn draws_a_labelled_bar_per_server_and_quantity() {
        let servers = [
            (Stack::Floor, 10.0),
            (Stack::AxumNative, 20.0),
            (Stack::SseAxum, 11.0),
        ];
        let rounds = |cpu| vec![report(cpu, 5000.0, 1024.0); 2];
        let mut servers: Vec<_> = servers
            .into_iter()
            .map(|(stack, cpu)| measured(stack, rounds(cpu)))
            .collect();
        servers[1].contender.name = "<axum>".to_owned();
        let svg = draw("Here & now.", &Summary::all(servers));
        assert_eq!(svg.matches("<rect ").count(), 9);
        assert_eq!(svg.matches("class=\"round\"").count(), 18);
        assert!(svg.contains("&lt;axum&gt;") && svg.contains("Here &amp; now."));
        assert!(
            svg.contains("width=\"260.0\"") && svg.contains("width=\"520.0\""),
            "{svg}"
        );
        assert!(svg.contains("11.0 µs") && svg.contains("5,000") && svg.contains("1.00 KiB"));
    }

    #[test]
    fn missing_numbers_are_not_drawn() {
        let mut report = report(1.0, 1.0, 1.0);
        report.memory = None;
        let svg = draw(
            "",
            &Summary::all(vec![measured(Stack::Floor, vec![report])]),
        );
        assert!(
            !svg.contains("width=\"NaN\"") && !svg.contains("MNaN"),
            "{svg}"
        );
    }
}
