//! Inputs of calls in the documents.

use std::{fs, path::Path};

use serde_json::Value;

use crate::hub::Hub;

/// A call that a document shows.
#[derive(Debug)]
struct Example {
    file: String,
    procedure: String,
    input: String,
}

/// Returns the calls in a text: `` `sse.NAME` with `{…}` `` in prose, and `sse.NAME` followed by
/// `-d '{…}'` in a command. An ellipsis stands for any object or text.
fn examples(file: &str, text: &str) -> Vec<Example> {
    let text = text.replace("\n", " ");
    let after_names = text.match_indices("sse.").map(|(at, _)| &text[at..]);
    let examples = after_names.filter_map(|text| {
        let end = text[4..].find(|it: char| !it.is_ascii_alphanumeric())? + 4;
        let (procedure, rest) = text.split_at(end);
        let input = match rest.strip_prefix("` with `") {
            Some(rest) => rest.split('`').next()?,
            None => {
                let command = rest.split("```").next()?.split("sse.").next()?;
                command.split_once("-d '")?.1.split('\'').next()?
            }
        };
        let input = input.replace("{…}", "{}").replace('…', "\"x\"");
        input.starts_with("{\"").then(|| Example {
            file: file.to_owned(),
            procedure: procedure.to_owned(),
            input,
        })
    });
    examples.collect()
}

fn documents() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folders = [root.join("docs"), root.clone()].into_iter().chain(
        fs::read_dir(root.join("crates"))
            .unwrap()
            .map(|folder| folder.unwrap().path()),
    );
    let files = folders.flat_map(|folder| fs::read_dir(folder).unwrap());
    let files = files.map(|file| file.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| {
            (
                path.display().to_string(),
                fs::read_to_string(&path).unwrap(),
            )
        })
        .collect()
}

#[tokio::test]
async fn every_input_in_a_document_is_accepted() {
    let plain = Hub::start(&[]).await;
    let superjson = Hub::start(&["--trpc-transformer", "superjson"]).await;
    let documents = documents();
    let examples: Vec<_> = documents
        .iter()
        .flat_map(|(file, text)| examples(file, text))
        .collect();
    assert!(examples.len() >= 7, "{examples:#?}");
    for example in examples {
        let place = format!(
            "{}: {} with {}",
            example.file, example.procedure, example.input
        );
        let input: Value =
            serde_json::from_str(&example.input).unwrap_or_else(|error| panic!("{error}: {place}"));
        let hub = match input.get("json") {
            Some(_) => &superjson,
            None => &plain,
        };
        let is_query = ["sse.getStats", "sse.getConnections"].contains(&&*example.procedure);
        let status = if is_query {
            let input: String = form_urlencoded::byte_serialize(example.input.as_bytes()).collect();
            let path = format!("/api/trpc/{}?input={input}", example.procedure);
            hub.request("GET", &path).await.status
        } else {
            let procedure = format!("{}?user=42", &example.procedure["sse.".len()..]);
            hub.post(&procedure, &example.input).await.0
        };
        // A demo hub issues no tickets.
        let expected = if example.procedure == "sse.createTicket" {
            501
        } else {
            200
        };
        assert_eq!(status, expected, "{place}");
    }
}
