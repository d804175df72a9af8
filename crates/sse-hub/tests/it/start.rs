//! Starts that fail, and say why.

use std::{fs, process::Command};

use crate::hub::{Hub, bare_command, command, refusal};

/// Asserts that a start ends with this code, and says all of these.
async fn refused(command: Command, code: u8, said: &[&str]) {
    let shown = format!("{command:?}");
    let text = refusal(command).await;
    assert!(text.contains(&format!("(exit status: {code})")), "{shown}: {text}");
    for said in said {
        assert!(text.contains(said), "{shown}: {said:?} is not in {text}");
    }
}

async fn arguments_refused(arguments: &[&str], said: &[&str]) {
    let mut command = command();
    command.args(arguments);
    refused(command, 2, said).await;
}

async fn variable_refused(name: &str, value: &str, said: &[&str]) {
    let mut command = command();
    command.env(name, value);
    refused(command, 2, said).await;
}

async fn file_refused(text: &str, said: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.toml");
    fs::write(&file, text).unwrap();
    let mut command = command();
    command.arg("--config").arg(&file);
    refused(command, 2, &[&[file.to_str().unwrap()], said].concat()).await;
}

#[tokio::test]
async fn a_wrong_command_line() {
    arguments_refused(&["--bogus"], &["--bogus"]).await;
    arguments_refused(&["--drain", "soon"], &["--drain", "soon"]).await;
    arguments_refused(&["--max-connections", "0"], &["--max-connections", "must be 1 to"]).await;
    arguments_refused(&["--log", "loud=very"], &["--log"]).await;
    let mut hub = bare_command();
    hub.args(["--listen", "localhost"]);
    refused(hub, 2, &["--listen", "127.0.0.1:8080"]).await;
}

#[tokio::test]
async fn a_wrong_variable() {
    variable_refused("SSE_HUB_HEARTBEAT", "loud", &["SSE_HUB_HEARTBEAT", "loud", "comment"]).await;
    variable_refused("SSE_HUB_RETRY", "2h", &["SSE_HUB_RETRY", "must be 0s to 1h"]).await;
    variable_refused("SSE_HUB_DRAIN", "", &["SSE_HUB_DRAIN"]).await;
    variable_refused("SSE_HUB_MAX_CONNEXIONS", "5", &["SSE_HUB_MAX_CONNEXIONS"]).await;
}

#[tokio::test]
async fn a_wrong_file() {
    file_refused("drain = 3\n[streams]\nmax_connexions = 5\n", &["line 3", "max_connexions"]).await;
    file_refused("\n[streams]\nheartbeat = \"loud\"\n", &["line 3", "heartbeat", "loud"]).await;
    file_refused("[streams]\n\nretry = \"2h\"\n", &["line 3", "streams.retry must be"]).await;
    file_refused("listen = \n", &["line 1"]).await;
    file_refused("\nauth = \"jwt\"\n", &["line 2", "auth jwt is not built yet"]).await;
    file_refused("backend_key = \"geheim\"\n", &["line 1", "backend_key is not built yet"]).await;
}

#[tokio::test]
async fn a_file_that_cannot_be_read() {
    arguments_refused(&["--config", "/no/such/file.toml"], &["/no/such/file.toml", "No such file"]).await;
    arguments_refused(&["--config", env!("CARGO_MANIFEST_DIR")], &[env!("CARGO_MANIFEST_DIR"), "directory"])
        .await;
}

#[tokio::test]
async fn what_is_not_built_yet() {
    for (arguments, said) in [
        (["--backplane", "redis://127.0.0.1/"], "--backplane is not built yet"),
        (["--auth", "nextauth"], "--auth nextauth is not built yet"),
        (["--auth", "jwt"], "--auth jwt is not built yet"),
        (["--tls-cert", "a.pem"], "--tls-cert is not built yet"),
        (["--tls-key", "a.key"], "--tls-key is not built yet"),
    ] {
        arguments_refused(&arguments, &[said]).await;
    }
    for name in ["SSE_HUB_BACKEND_KEY", "SSE_HUB_BACKPLANE", "SSE_HUB_TLS_CERT", "SSE_HUB_TLS_KEY"] {
        variable_refused(name, "x", &[name, "is not built yet"]).await;
    }
    variable_refused("SSE_HUB_BACKEND_KEY", "", &["SSE_HUB_BACKEND_KEY"]).await;
    variable_refused("SSE_HUB_AUTH", "jwt", &["SSE_HUB_AUTH", "is not built yet"]).await;
}

#[tokio::test]
async fn secrets_of_others_are_no_reason_to_end() {
    let mut command = command();
    command.args(["--auth", "none"]).envs([
        ("AUTH_SECRET", "x"),
        ("NEXTAUTH_SECRET", "y"),
        ("JWT_SECRET", "z"),
    ]);
    Hub::spawn(command).await;
}

#[tokio::test]
async fn demo_mode_is_for_this_machine() {
    let mut open = bare_command();
    open.args(["--listen", "0.0.0.0:0"]);
    refused(open, 2, &["0.0.0.0:0", "--demo"]).await;
    let mut open = bare_command();
    open.args(["--listen", "0.0.0.0:0", "--demo"]);
    let hub = Hub::spawn(open).await;
    assert!(hub.address().ip().is_unspecified());
    arguments_refused(&["--demo", "--auth", "jwt"], &["--auth jwt"]).await;
}

#[tokio::test]
async fn a_taken_port() {
    let hub = Hub::start(&[]).await;
    let address = hub.address().to_string();
    let mut second = bare_command();
    second.args(["--listen", &address]);
    refused(second, 1, &["cannot listen on", &address, "Address already in use", "--listen"]).await;
}

#[tokio::test]
async fn help_and_version_are_no_errors() {
    for (argument, said) in
        [("--help", "SSE_HUB_HEARTBEAT_INTERVAL"), ("--version", env!("CARGO_PKG_VERSION"))]
    {
        let output = bare_command().arg(argument).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty());
        assert!(String::from_utf8(output.stdout).unwrap().contains(said));
    }
}
