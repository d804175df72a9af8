//! Plays the corpus, which has inputs for each target, among them every input that was ever a
//! finding.

use std::{collections::BTreeSet, fs, path::PathBuf};

use sse_fuzz::TARGETS;

/// Maximum length of an input, so that a person can read it and the repository stays small.
const LARGEST: usize = 8 << 10;

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Returns the paths in a folder, in order.
fn paths(name: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder(name)).expect("an existing folder");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("the folder is read").path())
        .collect();
    paths.sort_unstable();
    paths
}

/// Returns the names in a folder without their extensions.
fn names(name: &str) -> BTreeSet<String> {
    let stem = |path: PathBuf| {
        path.file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
    };
    paths(name).into_iter().filter_map(stem).collect()
}

fn replay(target: &str) {
    let files = paths(&format!("corpus/{target}"));
    assert!(files.len() >= 5, "{target} has {} inputs", files.len());
    for file in files {
        let input = fs::read(&file).expect("an input is read");
        assert!(input.len() <= LARGEST, "{} is too large", file.display());
        // Captured output names the input that panics.
        println!("{}", file.display());
        sse_fuzz::play(target, &input);
    }
}

macro_rules! replayed {
    ($($target:ident)*) => {
        $(
            #[test]
            fn $target() {
                replay(stringify!($target));
            }
        )*

        #[test]
        fn every_target_is_replayed_and_has_an_executable() {
            let replayed: BTreeSet<_> = [$(stringify!($target).to_owned()),*].into();
            let targets: BTreeSet<_> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
            assert_eq!(replayed, targets);
            assert_eq!(names("corpus"), targets);
            assert_eq!(names("fuzz/fuzz_targets"), targets);
            let manifest = fs::read_to_string(folder("fuzz/Cargo.toml")).unwrap();
            for target in targets {
                assert!(manifest.contains(&format!("\"fuzz_targets/{target}.rs\"")), "{target}");
                let source = fs::read_to_string(folder("fuzz/fuzz_targets").join(format!("{target}.rs")));
                assert!(source.unwrap().contains(&format!("play(\"{target}\"")), "{target}");
            }
        }
    };
}

replayed! { cluster cookies encode envelope handshake hub nats redis segments session token trpc }
