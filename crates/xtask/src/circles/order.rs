//! The order of the folders of `sse-core`: a folder imports only from folders below it.

/// The crate whose folders have an order.
pub(super) const CRATE: &str = "sse-core";

/// Each folder, the lowest first, and the folders from which it may import. A folder `x` and its
/// file `x.rs` are one. A file or folder that is not listed is a leaf: every folder may use it, and
/// it may use only leaves.
const FOLDERS: &[(&str, &[&str])] = &[
    ("id", &[]),
    ("event", &["id"]),
    ("dialect", &["id", "event"]),
    ("log", &["id", "event", "dialect"]),
    ("backplane", &["id", "event", "log"]),
    ("stream", &["id", "event", "dialect", "log"]),
    ("registry", &["dialect", "id", "stream"]),
    (
        "sequencer",
        &[
            "id",
            "event",
            "dialect",
            "log",
            "backplane",
            "stream",
            "registry",
        ],
    ),
    (
        "manager",
        &[
            "id",
            "event",
            "dialect",
            "log",
            "backplane",
            "stream",
            "registry",
            "sequencer",
        ],
    ),
    (
        "follow",
        &[
            "id",
            "event",
            "dialect",
            "log",
            "backplane",
            "stream",
            "registry",
            "sequencer",
            "manager",
        ],
    ),
];

/// Entry points of fuzz targets, which may use everything.
const EXEMPT: &str = "fuzzing";

/// Returns `true` if a file of the crate may import from another file.
pub(super) fn allows(from: &str, to: &str) -> bool {
    let (from, to) = (folder(from), folder(to));
    let is_leaf = !FOLDERS.iter().any(|(listed, _)| *listed == to);
    match FOLDERS.iter().find(|(listed, _)| *listed == from) {
        _ if from == to || from == EXEMPT => true,
        Some((_, below)) => is_leaf || below.contains(&to),
        None => is_leaf,
    }
}

/// Returns the folder at the root of the crate that contains a file.
fn folder(file: &str) -> &str {
    file.split('/')
        .next()
        .unwrap_or(file)
        .trim_end_matches(".rs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_use_those_below_them() {
        for (from, to) in [
            ("event/frame.rs", "id.rs"),
            ("event/frame.rs", "event/chunk.rs"),
            ("event.rs", "event/chunk.rs"),
            ("follow.rs", "manager/inner.rs"),
            ("manager/builder.rs", "sequencer.rs"),
            ("registry/bans.rs", "stream/shared.rs"),
        ] {
            assert!(allows(from, to), "{from} -> {to}");
            assert_eq!(
                allows(to, from),
                folder(from) == folder(to),
                "{to} -> {from}"
            );
        }
    }

    #[test]
    fn sibling_folders_do_not_import_each_other() {
        for (from, to) in [
            ("backplane.rs", "dialect.rs"),
            ("stream.rs", "backplane.rs"),
            ("registry.rs", "event.rs"),
        ] {
            assert!(!allows(from, to) && !allows(to, from), "{from} -> {to}");
        }
    }

    #[test]
    fn leaves_know_leaves_alone() {
        assert!(allows("log/window.rs", "clock.rs") && allows("throttle.rs", "clock.rs"));
        assert!(!allows("clock.rs", "id.rs") && !allows("slab/page.rs", "id/names.rs"));
    }

    #[test]
    fn the_entry_points_of_fuzz_targets_are_exempt() {
        assert!(allows("fuzzing.rs", "manager/inner.rs") && allows("fuzzing.rs", "clock.rs"));
    }

    #[test]
    fn the_list_goes_upwards() {
        for (place, (folder, below)) in FOLDERS.iter().enumerate() {
            for used in *below {
                assert!(
                    FOLDERS[..place].iter().any(|(lower, _)| lower == used),
                    "{folder} -> {used}"
                );
            }
        }
    }
}
