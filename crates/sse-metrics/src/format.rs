//! The two text formats.

/// A text format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Prometheus' own format, version 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// Chooses the format for an `Accept` header. OpenMetrics is for clients that name OpenMetrics
    /// and do not prefer text. All others receive text.
    pub(crate) fn of(accept: Option<&[u8]>) -> Self {
        let mut quality = [0.0, 0.0];
        for range in accept.unwrap_or_default().split(|byte| *byte == b',') {
            let Some((place, value)) = read(&String::from_utf8_lossy(range)) else {
                continue;
            };
            quality[place as usize] = f32::max(quality[place as usize], value);
        }
        let [text, open_metrics] = quality;
        if open_metrics > 0.0 && open_metrics >= text {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }

    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Returns the format that a media range names, and its quality value (RFC 9110, section 12.5.1).
fn read(range: &str) -> Option<(Format, f32)> {
    let mut parts = range.split(';').map(str::trim);
    let format = match parts
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase()
        .as_str()
    {
        "text/plain" => Format::Text,
        "application/openmetrics-text" => Format::OpenMetrics,
        _ => return None,
    };
    let mut quality = 1.0;
    for parameter in parts {
        let Some((name, value)) = parameter.split_once('=') else {
            continue;
        };
        let value = value.trim().trim_matches('"');
        match name.trim().to_ascii_lowercase().as_str() {
            "q" => quality = value.parse().unwrap_or(0.0),
            // Versions before 1.0 differ only in features that are not used here. Later versions
            // are unknown.
            "version" if format == Format::OpenMetrics && !["1.0.0", "0.0.1"].contains(&value) => {
                return None;
            }
            _ => {}
        }
    }
    Some((format, quality))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_header_selects_format() {
        const PROMETHEUS_2: &str = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        const PROMETHEUS_3: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for accept in [
            PROMETHEUS_2,
            PROMETHEUS_3,
            "application/openmetrics-text",
            "Application/OpenMetrics-Text ; Q=0.1",
        ] {
            assert_eq!(
                Format::of(Some(accept.as_bytes())),
                Format::OpenMetrics,
                "{accept}"
            );
        }
        for accept in [
            "",
            "*/*",
            "text/html,application/xhtml+xml,*/*;q=0.8",
            "text/plain",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;version=2.0.0",
            "application/openmetrics-text;q=0.5,text/plain;q=0.6",
            "application/openmetrics-text;q=much",
            "\u{fffd};;=,,;q",
        ] {
            assert_eq!(
                Format::of(Some(accept.as_bytes())),
                Format::Text,
                "{accept}"
            );
        }
        assert_eq!(Format::of(None), Format::Text);
        assert_eq!(Format::of(Some(b"\xff\xfe")), Format::Text);
    }
}
