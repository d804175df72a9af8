//! Tests of statuses, headers and entity tags.

use sse_browser::{CLIENT, File, FileRequest, StaticFiles, StaticResponse};

fn ask(method: &str, path: &str, if_none_match: Option<&str>) -> StaticResponse {
    CLIENT.answer(&FileRequest {
        method,
        path,
        if_none_match: if_none_match.map(str::as_bytes),
    })
}

fn header<'a>(answer: &'a StaticResponse, name: &str) -> Option<&'a str> {
    answer
        .headers
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, value)| &**value)
}

#[test]
fn file_response_has_type_and_etag() {
    for path in ["client.js", "/client.js"] {
        let answer = ask("GET", path, None);
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains("export function createSSE"));
        assert_eq!(
            header(&answer, "content-type"),
            Some("text/javascript; charset=utf-8")
        );
        assert_eq!(header(&answer, "cache-control"), Some("public, no-cache"));
        assert_eq!(header(&answer, "x-content-type-options"), Some("nosniff"));
        let etag = header(&answer, "etag").unwrap();
        assert!(
            etag.starts_with('"') && etag.ends_with('"') && etag.len() == 18,
            "{etag}"
        );
        assert_eq!(ask("HEAD", path, None), answer);
    }
    let types = ask("GET", "app-router.d.ts", None);
    assert_eq!(
        header(&types, "content-type"),
        Some("text/plain; charset=utf-8")
    );
}

#[test]
fn matching_etag_is_not_modified() {
    let etag = CLIENT.find("client.js").unwrap().etag();
    let other = CLIENT.find("react.js").unwrap().etag();
    for tags in [
        etag.clone(),
        format!("W/{etag}"),
        format!("\"x\", {etag}"),
        format!("{other},W/{etag} "),
        " * ".into(),
    ] {
        let answer = ask("GET", "client.js", Some(&tags));
        assert_eq!((answer.status, answer.body), (304, ""), "{tags}");
        assert_eq!(header(&answer, "etag"), Some(&*etag), "{tags}");
        assert_eq!(
            header(&answer, "cache-control"),
            Some("public, no-cache"),
            "{tags}"
        );
    }
    for tags in [
        String::new(),
        other,
        etag.trim_matches('"').into(),
        format!("w/{etag}"),
        "\"*\"".into(),
    ] {
        assert_eq!(ask("GET", "client.js", Some(&tags)).status, 200, "{tags}");
    }
    assert_eq!(
        CLIENT
            .answer(&FileRequest {
                method: "GET",
                path: "client.js",
                if_none_match: Some(b"\xFF")
            })
            .status,
        200
    );
}

#[test]
fn other_paths_and_methods_are_refused() {
    for path in [
        "",
        "/",
        "clients.js",
        "client",
        "src/client.js",
        "../Cargo.toml",
        "client.js/",
        "types.js",
    ] {
        assert_eq!(ask("GET", path, Some("*")).status, 404, "{path}");
    }
    let answer = ask("POST", "client.js", None);
    assert_eq!(
        (answer.status, header(&answer, "allow"), answer.body),
        (405, Some("GET,HEAD"), "")
    );
}

#[test]
fn a_folder_is_answered_with_its_index() {
    const FILES: StaticFiles = StaticFiles::new(&[
        File::new("index.html", "<p>"),
        File::new("a.css", ""),
        File::new("b.svg", ""),
    ]);
    for path in ["", "/", "/index.html"] {
        let answer = FILES.answer(&FileRequest {
            method: "GET",
            path,
            if_none_match: None,
        });
        assert_eq!(
            (answer.body, header(&answer, "content-type")),
            ("<p>", Some("text/html; charset=utf-8")),
            "{path}"
        );
    }
    assert_eq!(
        FILES
            .answer(&FileRequest {
                method: "GET",
                path: "//",
                if_none_match: None
            })
            .status,
        404
    );
    assert_eq!(
        FILES.iter().map(File::content_type).collect::<Vec<_>>()[1..],
        ["text/css; charset=utf-8", "image/svg+xml"]
    );
}
