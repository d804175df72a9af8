//! Runs each program of `docs/publishing.md` against a hub.

use std::{
    path::Path,
    process::{Output, Stdio},
};

use serde_json::json;
use sse_testkit::RawRequest;
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    hub::{Hub, TIMEOUT, command, next},
    tokens::{BACKEND, SECRET, token},
};

const DOCUMENT: &str = include_str!("../../../../docs/publishing.md");

/// A language: its fence in the document, the name of a program's file, and the command that runs
/// the file.
struct Language {
    fence: &'static str,
    file: &'static str,
    runner: &'static [&'static str],
    /// Another program that must be installed.
    needs: &'static str,
    /// Timeout for the hub in a program: the five seconds of the document, and a replacement that
    /// suffices on a busy machine.
    limit: Option<(&'static str, &'static str)>,
}

const LANGUAGES: [Language; 5] = [
    Language {
        fence: "sh",
        file: "publish.sh",
        runner: &["sh", "-e"],
        needs: "curl",
        limit: None,
    },
    Language {
        fence: "php",
        file: "publish.php",
        runner: &["php"],
        needs: "php",
        limit: Some(("'timeout' => 5,", "'timeout' => 60,")),
    },
    Language {
        fence: "python",
        file: "publish.py",
        runner: &["python3"],
        needs: "python3",
        limit: Some(("timeout=5)", "timeout=60)")),
    },
    Language {
        fence: "go",
        file: "publish.go",
        runner: &["go", "run"],
        needs: "go",
        limit: Some(("5 * time.Second}", "60 * time.Second}")),
    },
    Language {
        fence: "js",
        file: "publish.mjs",
        runner: &["node"],
        needs: "node",
        limit: Some(("timeout(5000)", "timeout(60000)")),
    },
];

/// Returns the programs of a language, in the order of the document.
fn programs(fence: &str) -> Vec<String> {
    let begin = format!("\n```{fence}\n");
    let blocks = DOCUMENT.split(&begin).skip(1);
    blocks
        .map(|block| block.split_once("\n```").unwrap().0.to_owned() + "\n")
        .collect()
}

impl Language {
    fn first_program(&self) -> String {
        let program = programs(self.fence).swap_remove(0);
        let Some((limit, patient)) = self.limit else {
            return program;
        };
        assert_eq!(program.matches(limit).count(), 1, "{limit:?} in {program}");
        program.replace(limit, patient)
    }

    /// Runs a program, or returns `None` if the language is not installed.
    async fn run(&self, program: &str, url: &str, key: Option<&str>) -> Option<Output> {
        sse_testkit::executable(self.needs).unwrap()?;
        let runner = sse_testkit::executable(self.runner[0]).unwrap()?;
        let folder = TempDir::new().unwrap();
        let file = folder.path().join(self.file);
        std::fs::write(&file, program).unwrap();
        let mut command = Command::new(runner);
        command
            .args(&self.runner[1..])
            .arg(&file)
            .env("SSE_URL", url)
            .env("NO_PROXY", "*")
            // The build cache of Go is kept between runs.
            .env("GOCACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("go"))
            .env_remove("SSE_HUB_BACKEND_KEY")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        if let Some(key) = key {
            command.env("SSE_HUB_BACKEND_KEY", key);
        }
        Some(
            tokio::time::timeout(10 * TIMEOUT, command.output())
                .await
                .unwrap()
                .unwrap(),
        )
    }
}

#[test]
fn every_language_of_the_document_has_a_test() {
    let fences = DOCUMENT
        .lines()
        .filter_map(|line| line.strip_prefix("```"))
        .filter(|fence| !fence.is_empty());
    for fence in fences {
        assert!(
            LANGUAGES.iter().any(|language| language.fence == fence),
            "{fence}"
        );
    }
    for language in LANGUAGES {
        assert!(!programs(language.fence).is_empty(), "{}", language.fence);
    }
}

async fn publishes(language: &Language) {
    let hub = Hub::start(&[]).await;
    let mut stream = hub.stream("user=42").await;
    let url = format!("http://{}", hub.address());
    let Some(output) = language.run(&language.first_program(), &url, None).await else {
        return;
    };
    let (said, problems) = texts(&output);
    assert!(output.status.success(), "{problems}");
    let expected = if language.fence == "sh" {
        r#"{"result":{"data":{"matched":1}}}"#
    } else {
        "1"
    };
    assert_eq!(said.trim_end(), expected, "{problems}");
    let (event_type, mut data) = next(&mut stream).await;
    assert!(data["timestamp"].take().is_u64());
    let expected = json!({
        "type": "success", "title": "Reports", "message": "Your export is ready",
        "data": { "url": "/export/7" }, "timestamp": null,
    });
    assert_eq!((event_type.as_str(), data), ("notification", expected));
}

async fn tells_of_a_refusal(language: &Language) {
    let hub = Hub::start(&["--management-title", "3"]).await;
    let url = format!("http://{}", hub.address());
    let Some(output) = language.run(&language.first_program(), &url, None).await else {
        return;
    };
    let (said, problems) = texts(&output);
    assert!(!output.status.success(), "{said}");
    let message = "title: is 7 bytes long, more than 3";
    assert!(
        said.contains(message) || problems.contains(message),
        "{said}{problems}"
    );
}

/// Asserts that the program sends the key to a hub that requires the key of a backend.
async fn sends_the_key(language: &Language) {
    let mut command = command();
    command
        .args(["--auth", "jwt"])
        .env("JWT_SECRET", SECRET)
        .env("SSE_HUB_BACKEND_KEY", BACKEND);
    let hub = Hub::spawn(command).await;
    let bearer = format!("Bearer {}", token("42", 600, &json!({})));
    let request = RawRequest::get(hub.address(), "/api/sse").header("authorization", bearer);
    let mut stream = request.open().await.unwrap();
    assert_eq!(next(&mut stream).await.1["userId"], "42");
    let url = format!("http://{}", hub.address());
    let program = language.first_program();
    let Some(output) = language.run(&program, &url, None).await else {
        return;
    };
    assert!(!output.status.success(), "{:?}", texts(&output));
    let Some(output) = language.run(&program, &url, Some(BACKEND)).await else {
        return;
    };
    assert!(output.status.success(), "{:?}", texts(&output));
    assert_eq!(next(&mut stream).await.1["message"], "Your export is ready");
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

async fn check(language: &Language) {
    publishes(language).await;
    tells_of_a_refusal(language).await;
    sends_the_key(language).await;
}

#[tokio::test]
async fn curl() {
    check(&LANGUAGES[0]).await;
}

#[tokio::test]
async fn php() {
    check(&LANGUAGES[1]).await;
}

#[tokio::test]
async fn python() {
    check(&LANGUAGES[2]).await;
}

#[tokio::test]
async fn go() {
    check(&LANGUAGES[3]).await;
}

#[tokio::test]
async fn node() {
    check(&LANGUAGES[4]).await;
}

#[tokio::test]
async fn other_programs_match_the_document() {
    let shell = &LANGUAGES[0];
    let [_, publish, superjson] = programs("sh").try_into().unwrap();

    let hub = Hub::start(&[]).await;
    let mut stream = hub.stream("topics=orders/7").await;
    let url = format!("http://{}", hub.address());
    let Some(output) = shell.run(&publish, &url, None).await else {
        return;
    };
    assert_eq!(texts(&output).0, r#"{"result":{"data":{"matched":1}}}"#);
    assert_eq!(
        next(&mut stream).await,
        ("order_shipped".to_owned(), json!({ "order": 7 }))
    );

    let hub = Hub::start(&["--trpc-transformer", "superjson"]).await;
    let mut stream = hub.stream("user=42").await;
    let url = format!("http://{}", hub.address());
    let output = shell.run(&superjson, &url, None).await.unwrap();
    assert_eq!(
        texts(&output).0,
        r#"{"result":{"data":{"json":{"matched":1}}}}"#
    );
    assert_eq!(next(&mut stream).await.1["message"], "Hello");
}
