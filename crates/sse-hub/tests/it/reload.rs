//! `SIGHUP` of a hub without a terminal: certificates, secrets and keys are read again.
#![cfg(unix)]

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use sse_testkit::Signal;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::{
    access::bearer,
    hub::{Hub, TIMEOUT, command, next, until},
    tokens::{signed, unix},
};

const SECRETS: [&str; 2] = [
    "the first secret of these tests, long enough",
    "the second secret of these tests, long enough",
];
const BACKENDS: [&str; 2] = [
    "0123456789abcdef0123456789abcdef-first",
    "0123456789abcdef0123456789abcdef-second",
];

/// Replaces the content of a file atomically, like tools that issue secrets.
fn put(path: &Path, content: &str) {
    let new = path.with_extension("new");
    fs::write(&new, content).unwrap();
    // Other users must not be able to read secrets.
    fs::set_permissions(&new, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    fs::rename(new, path).unwrap();
}

fn by_secret(secret: &str) -> String {
    signed(
        r#"{"alg":"HS256"}"#,
        &json!({ "sub": "ada", "exp": unix() + 600 }),
        secret,
    )
}

/// Sends the signal, and waits until the output contains `said` this number of times.
async fn reload(hub: &Hub, times: usize, said: &str) {
    hub.0.signal(Signal::Hangup).unwrap();
    until(async || hub.0.output().matches(said).count() >= times).await;
}

async fn opens(hub: &Hub, token: &str) -> bool {
    hub.connect("", &[bearer(token)]).await.is_ok()
}

#[tokio::test]
async fn reload_of_secrets_keeps_streams() {
    let folder = tempfile::tempdir().unwrap();
    let (secret, key) = (folder.path().join("secret"), folder.path().join("key"));
    put(&secret, SECRETS[0]);
    put(&key, BACKENDS[0]);
    let mut hub = command();
    hub.args(["--auth", "jwt", "--auth-secret-file"])
        .arg(&secret)
        .arg("--backend-key-file")
        .arg(&key);
    let hub = Hub::spawn(hub).await;
    let [old, new] = SECRETS.map(by_secret);
    let (mut stream, _) = hub.connect("", &[bearer(&old)]).await.unwrap();
    assert!(!opens(&hub, &new).await);

    put(&secret, SECRETS[1]);
    put(&key, BACKENDS[1]);
    reload(&hub, 1, "reloaded").await;
    assert!(opens(&hub, &new).await && !opens(&hub, &old).await);
    let input = json!({ "target": "all", "event": "news", "data": 7 });
    assert_eq!(
        hub.call("publish", &[bearer(BACKENDS[0])], input.clone())
            .await
            .0,
        401
    );
    assert_eq!(
        hub.call("publish", &[bearer(BACKENDS[1])], input).await.0,
        200
    );
    assert_eq!(next(&mut stream).await, ("news".to_owned(), json!(7)));

    // An invalid file prevents the whole reload, including the files that are valid.
    put(&key, BACKENDS[0]);
    for (times, wrong) in [Some(""), Some("short"), None].into_iter().enumerate() {
        match wrong {
            Some(text) => put(&secret, text),
            None => fs::remove_file(&secret).unwrap(),
        }
        reload(&hub, times + 1, "failed to reload").await;
        assert!(
            opens(&hub, &new).await && !opens(&hub, &old).await,
            "{wrong:?}"
        );
        assert_eq!(
            hub.ask("GET", "/metrics", &[bearer(BACKENDS[1])], "")
                .await
                .status,
            200,
            "{wrong:?}"
        );
        assert_eq!(
            hub.ask("GET", "/metrics", &[bearer(BACKENDS[0])], "")
                .await
                .status,
            401,
            "{wrong:?}"
        );
    }
    for secret in SECRETS.iter().chain(&BACKENDS) {
        assert!(!hub.0.output().contains(secret), "a secret is in the log");
    }
    // Both files are valid again.
    put(&secret, SECRETS[0]);
    reload(&hub, 2, "reloaded").await;
    assert!(opens(&hub, &old).await && !opens(&hub, &new).await);
}

/// Returns the public half of a new key pair as PEM and as a JWKS, and a token signed with the
/// pair.
fn key_pair() -> (String, String, String) {
    let pair = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(pair.as_ref()).unwrap();
    let public = pair.public_key().as_ref();
    // RFC 8410, section 10.1.
    let info = [
        &[
            0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
        ],
        public,
    ]
    .concat();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        Base64::encode_string(&info)
    );
    let part = Base64UrlUnpadded::encode_string;
    let jwks = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "x": part(public) }] });
    let claims = json!({ "sub": "ada", "exp": unix() + 600 }).to_string();
    let text = format!(
        "{}.{}",
        part(br#"{"alg":"EdDSA"}"#),
        part(claims.as_bytes())
    );
    let token = format!("{text}.{}", part(pair.sign(text.as_bytes()).as_ref()));
    (pem, jwks.to_string(), token)
}

#[tokio::test]
async fn public_keys_are_reloaded() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    for flag in ["--auth-public-key", "--auth-jwks"] {
        let pairs = [key_pair(), key_pair()];
        let text = |(pem, jwks, _): &(String, String, String)| {
            if flag == "--auth-jwks" {
                jwks.clone()
            } else {
                pem.clone()
            }
        };
        put(&file, &text(&pairs[0]));
        let mut hub = command();
        hub.args(["--auth", "jwt", flag]).arg(&file);
        let hub = Hub::spawn(hub).await;
        assert!(
            opens(&hub, &pairs[0].2).await && !opens(&hub, &pairs[1].2).await,
            "{flag}"
        );
        put(&file, &text(&pairs[1]));
        reload(&hub, 1, "reloaded").await;
        assert!(
            opens(&hub, &pairs[1].2).await && !opens(&hub, &pairs[0].2).await,
            "{flag}"
        );
        put(&file, "no key");
        reload(&hub, 1, "failed to reload").await;
        assert!(opens(&hub, &pairs[1].2).await, "{flag}");
    }
}

/// Returns a certificate for localhost and its key.
fn certificate() -> [String; 2] {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    [made.cert.pem(), made.signing_key.serialize_pem()]
}

/// Creates a curl command that trusts only this certificate.
fn curl(program: &Path, hub: &Hub, trusted: &Path, path: &str) -> Command {
    let port = hub.address().port();
    let mut curl = Command::new(program);
    curl.args(["-sS", "-N", "--noproxy", "*", "--max-time", "60"]);
    curl.args([
        "--resolve",
        &format!("localhost:{port}:127.0.0.1"),
        "--cacert",
    ])
    .arg(trusted);
    curl.arg(format!("https://localhost:{port}{path}"));
    curl
}

#[tokio::test]
async fn reload_of_a_certificate_keeps_streams() {
    let Some(program) = sse_testkit::executable("curl").unwrap() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let [old, new] = [certificate(), certificate()];
    put(&path("old"), &old[0]);
    put(&path("new"), &new[0]);
    put(&path("cert"), &old[0]);
    put(&path("key"), &old[1]);
    let mut hub = command();
    hub.arg("--tls-cert")
        .arg(path("cert"))
        .arg("--tls-key")
        .arg(path("key"));
    let hub = Hub::spawn(hub).await;
    let trusts = |trusted: &str| {
        curl(&program, &hub, &path(trusted), "/health/live")
            .stderr(Stdio::null())
            .output()
            .unwrap()
            .stdout
            == b"live\n"
    };
    assert!(trusts("old") && !trusts("new"));
    let mut stream = tokio::process::Command::from(curl(&program, &hub, &path("old"), "/api/sse"))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(stream.stdout.take().unwrap()).lines();
    let mut line_with = async |text: &str| {
        let found = async {
            while !lines
                .next_line()
                .await
                .unwrap()
                .expect("the stream continues")
                .contains(text)
            {}
        };
        tokio::time::timeout(TIMEOUT, found).await.unwrap();
    };
    line_with("event: connection").await;

    // The reload fails while only half of a new pair is in place.
    put(&path("cert"), &new[0]);
    reload(&hub, 1, "failed to reload").await;
    assert!(trusts("old") && !trusts("new"));
    put(&path("key"), &new[1]);
    reload(&hub, 1, "reloaded").await;
    assert!(trusts("new") && !trusts("old"));
    let sent = curl(
        &program,
        &hub,
        &path("new"),
        "/api/trpc/sse.broadcastSystemEvent",
    )
    .args([
        "-H",
        "content-type: application/json",
        "-d",
        r#"{"event":"fence"}"#,
    ])
    .output()
    .unwrap();
    let answer: Value = serde_json::from_slice(&sent.stdout).unwrap();
    assert_eq!(answer["result"]["data"]["matched"], 1);
    line_with("fence").await;

    for (name, text) in [("cert", "no certificate"), ("key", "")] {
        put(&path(name), text);
        reload(&hub, 2, "failed to reload").await;
        assert!(trusts("new"), "{name}");
    }
}
