//! Invalid secrets, and files that other users can read or write.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use crate::{
    hub::{Hub, command, refusal, until},
    tokens::BACKEND,
};

#[tokio::test]
async fn weak_secrets_are_rejected_by_name() {
    let long = "x".repeat(32);
    for (auth, variable, value, said) in [
        ("nextauth", "AUTH_SECRET", "x", "AUTH_SECRET has 1 bytes"),
        (
            "nextauth",
            "NEXTAUTH_SECRET",
            "fifteen bytes..",
            "NEXTAUTH_SECRET has 15 bytes",
        ),
        (
            "nextauth",
            "AUTH_SECRET_2",
            "secret",
            "AUTH_SECRET_2 has 6 bytes",
        ),
        (
            "nextauth",
            "AUTH_SECRET",
            "                    ",
            "AUTH_SECRET is blank",
        ),
        ("jwt", "JWT_SECRET", "thirty-one bytes are one too few", ""),
        (
            "jwt",
            "JWT_SECRET",
            "thirty-one bytes are one to few",
            "JWT_SECRET is invalid: a secret of 31 bytes is too short",
        ),
        (
            "none",
            "SSE_HUB_BACKEND_KEY",
            &long[1..],
            "SSE_HUB_BACKEND_KEY is invalid: a secret of 31 bytes is too short",
        ),
        (
            "none",
            "SSE_HUB_BACKEND_KEY",
            "with a blank, which no header can carry",
            "SSE_HUB_BACKEND_KEY",
        ),
    ] {
        let mut command = command();
        command.args(["--auth", auth]).env(variable, value);
        if said.is_empty() {
            Hub::spawn(command).await;
            continue;
        }
        let text = refusal(command).await;
        let (_, output) = text
            .split_once("(exit status: 2)")
            .unwrap_or_else(|| panic!("{text}"));
        assert!(output.contains(said), "{variable}: {text}");
        assert!(value.len() < 5 || !output.contains(value), "{text}");
    }
}

#[tokio::test]
async fn files_of_secrets_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    let start = |bytes: &[u8], mode: u32| {
        fs::write(&file, bytes).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let mut command = command();
        command.arg("--backend-key-file").arg(&file);
        command
    };
    let key = BACKEND.as_bytes();
    for (bytes, mode, said) in [
        (&b""[..], 0o600, "is empty"),
        (b"\n", 0o600, "is empty"),
        (b" \r\n", 0o600, "is blank"),
        (b"x\n", 0o600, "too short"),
        (&[b"\xef\xbb\xbf", key].concat(), 0o600, "byte order mark"),
        (&[b"\xff\xfe", key].concat(), 0o600, "is not UTF-8"),
        (&[key, b"\n", key].concat(), 0o600, "several lines"),
        (key, 0o602, "can be written by everybody"),
        (key, 0o666, "can be written by everybody"),
    ] {
        let text = refusal(start(bytes, mode)).await;
        assert!(
            text.contains("(exit status: 2)") && text.contains(said),
            "{said}: {text}"
        );
        assert!(
            text.contains(file.to_str().unwrap()) && !text.contains(BACKEND),
            "{text}"
        );
    }
    for (bytes, mode, is_noted) in [
        (key.to_vec(), 0o400, false),
        ([key, b"\r\n"].concat(), 0o600, false),
        (key.to_vec(), 0o640, false),
        // The mode with which Kubernetes mounts secrets.
        (key.to_vec(), 0o644, true),
    ] {
        let hub = Hub::spawn(start(&bytes, mode)).await;
        let authorized = [("authorization", format!("Bearer {BACKEND}"))];
        assert_eq!(
            hub.ask("GET", "/metrics", &authorized, "").await.status,
            200,
            "{mode:o}"
        );
        let noted = || hub.0.output().contains("can be read by everybody");
        match is_noted {
            true => until(async || noted()).await,
            false => assert!(!noted(), "{mode:o}"),
        }
    }
}

#[tokio::test]
async fn world_writable_public_key_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    fs::write(&file, r#"{"keys":[]}"#).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    let started = |flag: &str, file: &Path| {
        let mut command = command();
        command.args(["--auth", "jwt", flag]).arg(file);
        command
    };
    for flag in ["--auth-jwks", "--auth-public-key"] {
        let text = refusal(started(flag, &file)).await;
        assert!(
            text.contains("can be written by everybody"),
            "{flag}: {text}"
        );
    }
}
