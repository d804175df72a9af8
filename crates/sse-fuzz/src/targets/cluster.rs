//! Anything that a node receives as a message or a lease of another node is read, or is an error.

use sse_cluster::fuzzing::{rewrite_message, rewrite_summary};

pub(crate) fn play(input: &[u8]) {
    for rewrite in [rewrite_message, rewrite_summary] {
        if let Some(written) = rewrite(input) {
            assert_eq!(
                rewrite(&written),
                Some(written),
                "a written value is read back"
            );
        }
    }
}
