//! Credentials, rights and TLS.

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use sse_core::backplane::{
    Backplane, BackplaneError, Cursor, Lease, NewEntry, Position, ReadLimit,
};
use sse_nats::{NatsBackplane, NatsConfig};

use crate::server::{Server, config};

/// Checks that a node connects and appends as the given user.
async fn works(url: &str, config: NatsConfig) {
    let node = NatsBackplane::connect(url, config).await.unwrap();
    node.bounds().await.unwrap();
}

async fn is_refused(url: &str, config: NatsConfig) -> String {
    match NatsBackplane::connect(url, config).await {
        Err(error @ BackplaneError::Rejected { .. }) => format!("{error} {error:?}"),
        other => panic!("{other:?}"),
    }
}

fn with_user(server: &Server, user: &str) -> String {
    server.url().replace("nats://", &format!("nats://{user}@"))
}

#[tokio::test]
async fn user_and_password_authenticate() {
    let extra = |_: &Path| r#"authorization { user: "us@er", password: "p:w/hunter2" }"#.to_owned();
    let Some(server) = Server::start_with(0, extra).await else {
        return;
    };
    works(&with_user(&server, "us%40er:p%3Aw%2Fhunter2"), config()).await;
    works(&server.url(), config().password("us@er", "p:w/hunter2")).await;
    works(
        &with_user(&server, "us%40er:wrong"),
        config().password("us@er", "p:w/hunter2"),
    )
    .await;
    is_refused(&server.url(), config()).await;
    let reason = is_refused(&with_user(&server, "us%40er:hunter3"), config()).await;
    assert!(!reason.contains("hunter3"), "{reason}");
}

#[tokio::test]
async fn token_authenticates() {
    let extra = |_: &Path| r#"authorization { token: "s3cret" }"#.to_owned();
    let Some(server) = Server::start_with(0, extra).await else {
        return;
    };
    works(&with_user(&server, "s3cret"), config()).await;
    works(&server.url(), config().token("s3cret")).await;
    is_refused(&server.url(), config().token("other")).await;
}

#[tokio::test]
async fn nkey_authenticates() {
    // The example of the documentation of NATS.
    const SEED: &str = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
    const PUBLIC: &str = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";
    let extra = |_: &Path| format!(r#"authorization {{ users: [ {{ nkey: "{PUBLIC}" }} ] }}"#);
    let Some(server) = Server::start_with(0, extra).await else {
        return;
    };
    works(&server.url(), config().nkey(SEED)).await;
    is_refused(&server.url(), config().nkey("SUnonsense")).await;
    is_refused(&server.url(), config()).await;
}

#[tokio::test]
async fn unreadable_credentials_are_rejected() {
    let Some(server) = Server::start().await else {
        return;
    };
    is_refused(
        &server.url(),
        config().credentials_file(server.directory().join("missing.creds")),
    )
    .await;
    is_refused(&server.url(), config().credentials("nonsense")).await;
}

#[tokio::test]
async fn missing_rights_are_reported() {
    let extra = |_: &Path| {
        let denied = r#"permissions: { publish: { deny: ["$JS.API.STREAM.CREATE.>"] } }"#;
        format!(r#"authorization {{ users: [ {{ user: "u", password: "p", {denied} }} ] }}"#)
    };
    let Some(server) = Server::start_with(0, extra).await else {
        return;
    };
    let reason = is_refused(&with_user(&server, "u:p"), config()).await;
    assert!(reason.contains("STREAM.CREATE"), "{reason}");
}

#[tokio::test]
async fn rights_in_readme_suffice() {
    let readme = include_str!("../../README.md");
    let rights = readme
        .split("\npublish: ")
        .nth(1)
        .and_then(|text| text.split("\n```").next())
        .unwrap();
    let rights = format!("publish: {rights}")
        .replace("shop.", "test.suite.")
        .replace("shop_", "test_suite_");
    let extra = |_: &Path| {
        format!(
            "authorization {{ users: [ {{ user: \"u\", password: \"p\", permissions: {{ {rights} }} }} ] }}"
        )
    };
    let Some(server) = Server::start_with(0, extra).await else {
        return;
    };
    let node = NatsBackplane::connect(&with_user(&server, "u:p"), config())
        .await
        .unwrap();
    let start = Cursor::new(node.bounds().await.unwrap().epoch, Position::ZERO);
    let entry = NewEntry {
        payload: Bytes::from_static(b"x"),
        key: "key".try_into().ok(),
    };
    node.append(entry).await.unwrap();
    let limit = ReadLimit {
        entries: 10,
        bytes: 1000,
    };
    assert_eq!(node.read(&start, limit).await.unwrap().entries.len(), 1);
    assert_eq!(
        node.tail(&start)
            .await
            .unwrap()
            .next()
            .await
            .unwrap()
            .entries
            .len(),
        1
    );
    let mut signals = node.signals().await.unwrap();
    node.signal(Bytes::from_static(b"signal")).await.unwrap();
    assert_eq!(signals.next().await.unwrap(), "signal");
    let lease = |node: &str| Lease {
        node: node.into(),
        payload: Bytes::new(),
    };
    node.hold_lease(lease("a"), Duration::from_secs(600))
        .await
        .unwrap();
    node.hold_lease(lease("b"), Duration::from_secs(600))
        .await
        .unwrap();
    node.hold_lease(lease("c"), Duration::ZERO).await.unwrap();
    node.drop_lease("b").await.unwrap();
    assert_eq!(node.leases().await.unwrap(), [lease("a")]);
    node.rewind(1).await.unwrap();
}

#[tokio::test]
async fn missing_jetstream_is_reported() {
    let Some(server) = Server::start_with(0, |_| {
        "accounts { A { users: [ { user: a, password: a } ] } }".to_owned()
    })
    .await
    else {
        return;
    };
    let node = NatsBackplane::connect(&with_user(&server, "a:a"), config()).await;
    let text = format!("{node:?}");
    assert!(node.is_err() && text.contains("JetStream"), "{text}");
}

struct Certificates {
    root: CertifiedIssuer<'static, KeyPair>,
}

impl Certificates {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self {
            root: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap(),
        }
    }

    /// Writes a certificate and its key into a directory.
    fn write(&self, directory: &Path, name: &str, purpose: ExtendedKeyUsagePurpose) {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.extended_key_usages = vec![purpose];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.root).unwrap();
        fs::write(directory.join(format!("{name}.pem")), certificate.pem()).unwrap();
        fs::write(directory.join(format!("{name}.key")), key.serialize_pem()).unwrap();
        fs::write(directory.join("root.pem"), self.root.pem()).unwrap();
    }
}

fn tls(verify: bool) -> impl Fn(&Path) -> String {
    move |directory| {
        let certificates = Certificates::new();
        certificates.write(directory, "server", ExtendedKeyUsagePurpose::ServerAuth);
        certificates.write(directory, "client", ExtendedKeyUsagePurpose::ClientAuth);
        let file = |name: &str| directory.join(name);
        format!(
            "tls {{ cert_file: {:?}, key_file: {:?}, ca_file: {:?}, verify: {verify} }}",
            file("server.pem"),
            file("server.key"),
            file("root.pem")
        )
    }
}

#[tokio::test]
async fn tls_with_own_root_works() {
    let Some(server) = Server::start_with(0, tls(false)).await else {
        return;
    };
    let root = server.directory().join("root.pem");
    works(
        &server.url().replace("nats:", "tls:"),
        config().root_certificates(&root),
    )
    .await;
    works(
        &server.url(),
        config().root_certificates(&root).require_tls(),
    )
    .await;
    // TLS is also used if only the server requests it.
    works(&server.url(), config().root_certificates(&root)).await;
    let untrusted = NatsBackplane::connect(&server.url(), config()).await;
    assert!(untrusted.is_err(), "an untrusted certificate was accepted");
}

#[tokio::test]
async fn tls_with_client_certificate_works() {
    let Some(server) = Server::start_with(0, tls(true)).await else {
        return;
    };
    let file = |name: &str| server.directory().join(name);
    let trusting = || config().root_certificates(file("root.pem"));
    works(
        &server.url(),
        trusting().client_certificate(file("client.pem"), file("client.key")),
    )
    .await;
    assert!(
        NatsBackplane::connect(&server.url(), trusting())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn missing_required_tls_is_an_error() {
    let Some(server) = Server::start().await else {
        return;
    };
    assert!(
        NatsBackplane::connect(&server.url().replace("nats:", "tls:"), config())
            .await
            .is_err()
    );
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn secrets_are_not_logged() {
    // Other tests that run at the same moment can suppress the driver's log lines until the next
    // subscriber is installed.
    assert!((0..20).any(|_| is_written()));
}

/// Checks the log of some connections. Returns `false` if the log is empty.
fn is_written() -> bool {
    let written = Written::default();
    let writer = written.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // A single thread, so that the log lines of the driver's tasks are captured too.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let is_skipped = tracing::subscriber::with_default(subscriber, || {
        runtime.block_on(async {
            let extra = |_: &Path| r#"authorization { user: "u", password: "hunter2" }"#.to_owned();
            let Some(server) = Server::start_with(0, extra).await else {
                return true;
            };
            works(&with_user(&server, "u:hunter2"), config()).await;
            is_refused(&with_user(&server, "u:hunter2x"), config()).await;
            false
        })
    });
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    is_skipped || text.contains("connect")
}
