//! Names of streams and subjects.

use async_nats::Subject;

/// The names under one prefix.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) log_stream: String,
    /// The log's subject without its epoch, which follows.
    pub(crate) log: String,
    /// The stream that keeps one message for each of its subjects: the current time, and a lease
    /// for each node.
    pub(crate) state_stream: String,
    pub(crate) states: String,
    pub(crate) now: Subject,
    pub(crate) leases: String,
    pub(crate) signal: Subject,
}

const MAX_PREFIX_BYTES: usize = 64;

impl Names {
    pub(crate) fn under(prefix: &str) -> Result<Self, String> {
        let is_word = |word: &str| {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        if prefix.len() > MAX_PREFIX_BYTES || !prefix.split('.').all(is_word) {
            return Err(format!(
                "prefix {prefix:?} must be 1 to 64 letters, digits, - and _, with dots in between"
            ));
        }
        let stream = prefix.replace('.', "_");
        Ok(Self {
            log_stream: format!("{stream}_log"),
            log: format!("{prefix}.log."),
            state_stream: format!("{stream}_state"),
            states: format!("{prefix}.state.>"),
            now: format!("{prefix}.state.now").into(),
            leases: format!("{prefix}.state.lease."),
            signal: format!("{prefix}.signal").into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_names_streams_and_subjects() {
        let names = Names::under("sse.hub-1").unwrap();
        assert_eq!(
            (&*names.log_stream, &*names.log),
            ("sse_hub-1_log", "sse.hub-1.log.")
        );
        for prefix in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "a b",
            "a.*",
            ">",
            "ä",
            "a\r\nb",
            &"a".repeat(65),
        ] {
            assert!(Names::under(prefix).is_err(), "{prefix:?}");
        }
    }
}
