//! Logins, rights and TLS.

use std::time::Duration;

use bytes::Bytes;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use sse_core::backplane::{Backplane, BackplaneError, Lease};
use sse_redis::RedisBackplane;
use tokio::time::timeout;

use crate::{
    redis_server::{RedisServer, free_port, patient, words},
    steps::{TIMEOUT, append, beginning, eventually, fails, is_refused, keyed, read, take},
};

/// Checks that every operation works.
async fn works(node: &RedisBackplane) {
    let start = beginning(node).await;
    let mut tail = node.tail(&start).await.unwrap();
    let mut signals = node.signals().await.unwrap();
    append(node, "one").await;
    node.append(keyed("two", "key")).await.unwrap();
    assert_eq!(take(&mut tail, 2).await, ["one", "two"]);
    assert_eq!(read(node, &node.rewind(1).await.unwrap()).await, ["two"]);
    node.signal(Bytes::from_static(b"signal")).await.unwrap();
    assert_eq!(
        timeout(TIMEOUT, signals.next()).await.unwrap().unwrap(),
        "signal"
    );
    let lease = Lease {
        node: "node".into(),
        payload: Bytes::from_static(b"x"),
    };
    node.hold_lease(lease.clone(), TIMEOUT).await.unwrap();
    assert_eq!(node.leases().await.unwrap(), [lease]);
    node.drop_lease("node").await.unwrap();
}

async fn connect(url: &str) -> Result<RedisBackplane, BackplaneError> {
    RedisBackplane::connect(url, patient()).await
}

#[tokio::test]
async fn password_is_required_and_never_shown() {
    let Some(server) = RedisServer::start(&["--requirepass", "s3cret"]).await else {
        return;
    };
    let url = |user: &str| format!("redis://{user}127.0.0.1:{}", server.port);
    let node = connect(&url(":s3cret@")).await.unwrap();
    works(&node).await;
    assert!(!format!("{node:?}").contains("s3cret"));
    for user in ["", ":wr0ng@", "nobody:wr0ng@"] {
        let error = fails(connect(&url(user))).await;
        assert!(is_refused(&error), "{user}: {error:?}");
        assert!(!format!("{error} {error:?}").contains("wr0ng"), "{error:?}");
    }
    // A second attempt right afterwards fails in the same way.
    let node = RedisBackplane::new(&url(":wr0ng@"), patient()).unwrap();
    for _ in 0..3 {
        assert!(is_refused(&fails(node.bounds()).await));
    }
}

/// The rights that the README lists.
#[tokio::test]
async fn user_needs_few_rights() {
    let Some(server) = RedisServer::start(&[]).await else {
        return;
    };
    let rights = include_str!("../../README.md")
        .split_once("An ACL user needs")
        .unwrap()
        .1;
    let rights = rights
        .split('`')
        .nth(1)
        .unwrap()
        .replace("{prefix}", "{sse}");
    server
        .ask(&format!("ACL SETUSER hub on >pw {rights}"))
        .await;
    let node = connect(&format!("redis://hub:pw@127.0.0.1:{}", server.port))
        .await
        .unwrap();
    works(&node).await;
    server.ask("ACL SETUSER hub -xadd -evalsha").await;
    let error = fails(node.append(crate::steps::entry("x"))).await;
    assert!(is_refused(&error), "{error:?}");
}

#[tokio::test]
async fn prefixes_share_nothing() {
    let Some(server) = RedisServer::start(&[]).await else {
        return;
    };
    let one = server.node_with(patient().prefix("one")).await;
    let two = server.node_with(patient().prefix("two")).await;
    let [start_one, start_two] = [beginning(&one).await, beginning(&two).await];
    assert_ne!(start_one.epoch, start_two.epoch);
    let mut signals = two.signals().await.unwrap();
    one.append(keyed("one", "key")).await.unwrap();
    one.signal(Bytes::from_static(b"one")).await.unwrap();
    one.hold_lease(
        Lease {
            node: "one".into(),
            payload: Bytes::new(),
        },
        TIMEOUT,
    )
    .await
    .unwrap();
    assert!(!two.append(keyed("two", "key")).await.unwrap().duplicate);
    two.signal(Bytes::from_static(b"two")).await.unwrap();
    assert_eq!(
        timeout(TIMEOUT, signals.next()).await.unwrap().unwrap(),
        "two"
    );
    assert_eq!(read(&one, &start_one).await, ["one"]);
    assert_eq!(read(&two, &start_two).await, ["two"]);
    assert_eq!(two.leases().await.unwrap(), []);
}

#[tokio::test]
async fn databases_share_nothing() {
    let Some(server) = RedisServer::start(&[]).await else {
        return;
    };
    let one = connect(&format!("{}/1", server.url())).await.unwrap();
    let two = connect(&format!("{}/2", server.url())).await.unwrap();
    let mut signals = two.signals().await.unwrap();
    append(&one, "one").await;
    one.signal(Bytes::from_static(b"one")).await.unwrap();
    two.signal(Bytes::from_static(b"two")).await.unwrap();
    assert_eq!(
        timeout(TIMEOUT, signals.next()).await.unwrap().unwrap(),
        "two"
    );
    assert_eq!(read(&two, &beginning(&two).await).await, [""; 0]);
}

#[tokio::test]
async fn unix_socket_works() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let Some(_server) = RedisServer::start(&["--unixsocket", socket.to_str().unwrap()]).await
    else {
        return;
    };
    works(
        &connect(&format!("unix://{}", socket.display()))
            .await
            .unwrap(),
    )
    .await;
}

/// An authority, and a server with a certificate issued by it.
struct Tls {
    authority: CertifiedIssuer<'static, KeyPair>,
    port: u16,
    server: RedisServer,
}

impl Tls {
    /// `clients` is the server's setting for client certificates.
    async fn start(clients: &str) -> Option<Self> {
        let authority = authority();
        let (certificate, key) = issue(&authority, &["localhost", "127.0.0.1"]);
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (certificate, key) = (file("certificate", &certificate), file("key", &key));
        let authorities = file("authority", &authority.pem());
        let port = free_port();
        let extra = [
            "--tls-port",
            &port.to_string(),
            "--tls-cert-file",
            &certificate,
            "--tls-key-file",
            &key,
            "--tls-ca-cert-file",
            &authorities,
            "--tls-auth-clients",
            clients,
            "--requirepass",
            "pw",
        ];
        let server = RedisServer::start(&extra).await?;
        Some(Self {
            authority,
            port,
            server,
        })
    }

    fn url(&self, host: &str) -> String {
        format!("rediss://:pw@{host}:{}", self.port)
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut authority = CertificateParams::new([]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // If issuer and subject have the same name, OpenSSL takes a certificate for self-signed.
    authority
        .distinguished_name
        .push(DnType::CommonName, "an authority");
    CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap()
}

/// Returns a certificate and its key.
fn issue(authority: &CertifiedIssuer<'static, KeyPair>, names: &[&str]) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    let certificate = CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, authority)
        .unwrap();
    (certificate.pem(), key.serialize_pem())
}

#[tokio::test]
async fn tls_server_is_verified() {
    let Some(tls) = Tls::start("no").await else {
        return;
    };
    for host in ["localhost", "127.0.0.1"] {
        let url = tls.url(host);
        let config = patient().prefix(host).authorities(tls.authority.pem());
        works(&RedisBackplane::connect(&url, config).await.unwrap()).await;
        // The system does not know the authority, and the second server does not use TLS.
        assert!(connect(&url).await.is_err());
        assert!(
            RedisBackplane::connect(&url, patient().authorities(authority().pem()))
                .await
                .is_err()
        );
    }
    assert!(
        connect(&format!("rediss://:pw@127.0.0.1:{}", tls.server.port))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn client_certificate_authenticates() {
    let Some(tls) = Tls::start("yes").await else {
        return;
    };
    let url = tls.url("localhost");
    let config = || patient().authorities(tls.authority.pem());
    let (certificate, key) = issue(&tls.authority, &["hub"]);
    works(
        &RedisBackplane::connect(&url, config().client_certificate(certificate, key))
            .await
            .unwrap(),
    )
    .await;
    let (foreign, key) = issue(&authority(), &["hub"]);
    for config in [config(), config().client_certificate(foreign, key)] {
        let error = fails(RedisBackplane::connect(&url, config)).await;
        assert!(
            !format!("{error} {error:?}").contains("PRIVATE"),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn any_server_of_cluster_works() {
    // Redis connects to the other servers of a cluster at a separate port, which must be below
    // 65,536.
    let bus = [free_port().to_string(), free_port().to_string()];
    let extra = |bus| ["--cluster-enabled", "yes", "--cluster-port", bus];
    let Some(one) = RedisServer::start(&extra(&bus[0])).await else {
        return;
    };
    let Some(two) = RedisServer::start(&extra(&bus[1])).await else {
        return;
    };
    one.ask("CLUSTER ADDSLOTSRANGE 0 8191").await;
    two.ask("CLUSTER ADDSLOTSRANGE 8192 16383").await;
    one.ask(&format!("CLUSTER MEET 127.0.0.1 {} {}", two.port, bus[1]))
        .await;
    for server in [&one, &two] {
        eventually("a cluster", async || {
            let mut client = server.client().await.unwrap();
            let info: String = words("CLUSTER INFO")
                .query_async(&mut client)
                .await
                .unwrap();
            info.contains("cluster_state:ok").then_some(())
        })
        .await;
    }
    for prefix in ["a", "b", "c"] {
        for (server, other) in [(&one, &two), (&two, &one)] {
            let config = patient().prefix(format!("{prefix}{}", server.port));
            let node = eventually("a node", async || {
                RedisBackplane::connect(&server.url(), config.clone())
                    .await
                    .ok()
            })
            .await;
            works(&node).await;
            let same = other.node_with(config).await;
            assert_eq!(beginning(&same).await.epoch, beginning(&node).await.epoch);
        }
    }
}

#[tokio::test]
async fn lease_term_is_kept_by_server() {
    let Some(server) = RedisServer::start(&[]).await else {
        return;
    };
    let node = server.node().await;
    let lease = |node: &str| Lease {
        node: node.into(),
        payload: Bytes::new(),
    };
    node.hold_lease(lease("forever"), Duration::MAX)
        .await
        .unwrap();
    node.hold_lease(lease("short"), Duration::from_millis(1))
        .await
        .unwrap();
    eventually("the end of a term", async || {
        (node.leases().await.unwrap() == [lease("forever")]).then_some(())
    })
    .await;
    // The index also drops expired leases.
    node.hold_lease(lease("another"), TIMEOUT).await.unwrap();
    assert_eq!(server.ask("ZCARD {sse}:leases").await, redis::Value::Int(2));
}
