//! Quantities over the number of streams as an SVG line chart, readable on a light and on a dark
//! page.

use crate::report::Report;
use crate::report::figures::{after_kib, burst_rate, connect_cpu, idle_kib, p99, paced_cpu};
use crate::report::plot::escape;
use crate::report::size::Size;
use crate::report::table::thousands;

const WIDTH: f64 = 860.0;
const PANEL: (f64, f64) = (420.0, 220.0);
/// Plot area of a panel: offset from the left, offset from the top, width, height.
const PLOT: (f64, f64, f64, f64) = (70.0, 36.0, 320.0, 140.0);
const FOOT: f64 = 40.0;
const LEGEND: f64 = 22.0;

const STYLE: &str = "\
text{font:12px system-ui,sans-serif;fill:#1f2328}
.title{font-weight:600;font-size:13px}
.note{font-size:11px;fill:#59636e}
.axis{stroke:#8c959f;fill:none}
.grid{stroke:#8c959f;stroke-opacity:.25;fill:none}
polyline{fill:none;stroke-width:2}
@media(prefers-color-scheme:dark){
text{fill:#f0f6fc}
.note{fill:#9198a1}
}
";

const COLOURS: [&str; 8] = [
    "#8c959f", "#1f77d0", "#d9822b", "#2da160", "#b04ac4", "#c9302c", "#8a6d3b", "#17a2b8",
];

struct Panel {
    title: &'static str,
    number: fn(&Report) -> f64,
    label: fn(f64) -> String,
}

const PANELS: [Panel; 6] = [
    Panel {
        title: "CPU per delivery, paced, µs",
        number: paced_cpu,
        label: |number| format!("{number:.1}"),
    },
    Panel {
        title: "p99 of a paced delivery, ms",
        number: p99,
        label: thousands,
    },
    Panel {
        title: "Deliveries per second in a burst",
        number: burst_rate,
        label: thousands,
    },
    Panel {
        title: "CPU per connect, µs",
        number: connect_cpu,
        label: thousands,
    },
    Panel {
        title: "User memory per idle stream, KiB (log)",
        number: idle_kib,
        label: |number| format!("{number:.2}"),
    },
    Panel {
        title: "The same after traffic, KiB (log)",
        number: after_kib,
        label: |number| format!("{number:.2}"),
    },
];

/// Returns the drawing; `setting` describes the measurement.
pub(crate) fn draw(setting: &str, sizes: &[Size]) -> String {
    let names: Vec<_> = sizes
        .first()
        .into_iter()
        .flat_map(|size| &size.servers)
        .map(|server| &server.name)
        .collect();
    let rows = PANELS.len().div_ceil(2) as f64;
    let legend_rows = names.len().div_ceil(4) as f64;
    let height = PANEL.1 * rows + LEGEND * legend_rows + FOOT;
    let setting = escape(setting);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n\
         <title>Growth over the number of streams</title>\n<desc>{setting}</desc>\n<style>\n{STYLE}</style>\n"
    );
    for (place, panel) in PANELS.iter().enumerate() {
        let (left, top) = (
            (place % 2) as f64 * PANEL.0 + 10.0,
            (place / 2) as f64 * PANEL.1,
        );
        svg += &panel.draw((left, top), sizes, names.len());
    }
    for (place, name) in names.iter().enumerate() {
        let (x, y) = (
            30.0 + (place % 4) as f64 * 205.0,
            PANEL.1 * rows + (place / 4) as f64 * LEGEND + 14.0,
        );
        let name = escape(&name.replace('`', ""));
        svg += &format!(
            "<path d=\"M{x} {:.0}h18\" stroke=\"{}\" stroke-width=\"3\"/>\n",
            y - 4.0,
            colour(place)
        );
        svg += &format!("<text x=\"{}\" y=\"{y:.0}\">{name}</text>\n", x + 24.0);
    }
    svg += &format!(
        "<text class=\"note\" x=\"20\" y=\"{:.0}\">{setting}</text>\n",
        height - 12.0
    );
    svg + "</svg>\n"
}

fn colour(place: usize) -> &'static str {
    COLOURS[place % COLOURS.len()]
}

impl Panel {
    fn draw(&self, (left, top): (f64, f64), sizes: &[Size], servers: usize) -> String {
        let (left, top) = (left + PLOT.0, top + PLOT.1);
        let scale = self.scale(sizes);
        let most = sizes.iter().map(|size| size.streams).max().unwrap_or(1) as f64;
        let x = |streams: usize| left + PLOT.2 * streams as f64 / most;
        let y = |number: f64| top + PLOT.3 * (1.0 - scale.at(number));
        let mut svg = format!(
            "<text class=\"title\" x=\"{left}\" y=\"{:.0}\">{}</text>\n",
            top - 12.0,
            self.title
        );
        for mark in scale.marks() {
            let (at, label) = (y(mark), (self.label)(mark));
            svg += &format!("<path class=\"grid\" d=\"M{left} {at:.1}h{}\"/>\n", PLOT.2);
            svg += &format!(
                "<text class=\"note\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>\n",
                left - 6.0,
                at + 4.0
            );
        }
        svg += &format!(
            "<path class=\"axis\" d=\"M{left} {top}v{}h{}\"/>\n",
            PLOT.3, PLOT.2
        );
        for size in sizes {
            let label = thousands(size.streams as f64);
            svg += &format!(
                "<text class=\"note\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>\n",
                x(size.streams),
                top + PLOT.3 + 16.0
            );
        }
        for server in 0..servers {
            let points = sizes.iter().filter_map(|size| {
                let number = size.servers.get(server)?.median(self.number);
                number
                    .is_finite()
                    .then(|| format!("{:.1},{:.1}", x(size.streams), y(number)))
            });
            let points: Vec<_> = points.collect();
            svg += &format!(
                "<polyline stroke=\"{}\" points=\"{}\"/>\n",
                colour(server),
                points.join(" ")
            );
            for point in points.iter().filter_map(|point| point.split_once(',')) {
                svg += &format!(
                    "<circle cx=\"{}\" cy=\"{}\" r=\"2.5\" fill=\"{}\"/>\n",
                    point.0,
                    point.1,
                    colour(server)
                );
            }
        }
        svg
    }

    fn scale(&self, sizes: &[Size]) -> Scale {
        let servers = sizes.iter().flat_map(|size| &size.servers);
        let numbers: Vec<_> = servers
            .map(|server| server.median(self.number))
            .filter(|number| number.is_finite())
            .collect();
        let most = numbers.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let least = numbers.iter().copied().fold(most, f64::min).max(0.01);
        if self.title.ends_with("(log)") {
            Scale::Log(least.min(most / 2.0), most)
        } else {
            Scale::Linear(most)
        }
    }
}

/// A mapping from a number to a fraction of the height.
enum Scale {
    /// Linear, from zero to this value.
    Linear(f64),
    /// Logarithmic, from the first value to the second.
    Log(f64, f64),
}

impl Scale {
    fn at(&self, number: f64) -> f64 {
        match self {
            Self::Linear(most) => (number / most).clamp(0.0, 1.0),
            Self::Log(least, most) => {
                ((number.max(*least) / least).ln() / (most / least).ln()).clamp(0.0, 1.0)
            }
        }
    }

    fn marks(&self) -> Vec<f64> {
        match self {
            Self::Linear(most) => (0..=4)
                .map(|quarter| most * f64::from(quarter) / 4.0)
                .collect(),
            Self::Log(least, most) => {
                let step = (most / least).powf(0.25);
                (0..=4).map(|quarter| least * step.powi(quarter)).collect()
            }
        }
    }
}
