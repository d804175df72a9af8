//! Tests that every file which the files need is present.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use sse_browser::{CLIENT, File};

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// `types.js` contains only types, which nothing imports at run time. `app-router.js` has
/// the folder of its declarations.
#[test]
fn every_module_is_embedded() {
    let there: BTreeSet<_> = fs::read_dir(folder("js/src"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "types.js")
        .chain(["app-router.js".to_owned()])
        .collect();
    let embedded = CLIENT
        .iter()
        .map(|file| file.name().to_owned())
        .filter(|name| name.ends_with(".js"));
    assert_eq!(embedded.collect::<BTreeSet<_>>(), there);
}

#[test]
fn every_import_is_embedded() {
    let mut imports = 0;
    for file in CLIENT.iter() {
        // Skips comments, which import types.
        let code = file
            .content()
            .lines()
            .filter(|line| line.starts_with("import ") || line.starts_with("export "));
        for line in code {
            let Some((_, from)) = line.split_once(" from \"") else {
                continue;
            };
            let name = from.split('"').next().unwrap();
            match name.strip_prefix("./") {
                Some(name) if file.name().ends_with(".js") => {
                    imports += 1;
                    assert!(CLIENT.find(name).is_some(), "{}: {name}", file.name());
                }
                _ => assert_eq!((file.name(), name), ("react.js", "react")),
            }
        }
    }
    assert!(imports > 10, "{imports}");
}

#[test]
fn tags_differ() {
    let tags: BTreeSet<_> = CLIENT.iter().map(File::etag).collect();
    assert_eq!(tags.len(), CLIENT.iter().count());
}

/// With `UPDATE=1` in the environment the test writes the copy.
#[test]
fn management_types_match_sse_trpc() {
    let (copy, original) = (
        folder("js/app-router.d.ts"),
        folder("../sse-trpc/types/app-router.d.ts"),
    );
    let original = fs::read_to_string(original).unwrap();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&copy, &original).unwrap();
    }
    let copy = fs::read_to_string(copy).unwrap();
    assert!(copy == original, "run `UPDATE=1 cargo test -p sse-browser`");
}
