//! Starts that fail and report why.

use std::{fs, process::Command};

use crate::hub::{Hub, bare_command, command, refusal};

/// Asserts that a start ends with this code, and that its output contains all of these texts.
async fn refused(command: Command, code: u8, said: &[&str]) {
    let shown = format!("{command:?}");
    let text = refusal(command).await;
    assert!(
        text.contains(&format!("(exit status: {code})")),
        "{shown}: {text}"
    );
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
    arguments_refused(
        &["--max-connections", "0"],
        &["--max-connections", "must be 1 to"],
    )
    .await;
    arguments_refused(&["--log", "loud=very"], &["--log"]).await;
    let mut hub = bare_command();
    hub.args(["--listen", "localhost"]);
    refused(hub, 2, &["--listen", "127.0.0.1:8080"]).await;
}

#[tokio::test]
async fn a_wrong_variable() {
    variable_refused(
        "SSE_HUB_HEARTBEAT",
        "loud",
        &["SSE_HUB_HEARTBEAT", "loud", "comment"],
    )
    .await;
    variable_refused(
        "SSE_HUB_RETRY",
        "2h",
        &["SSE_HUB_RETRY", "must be 0s to 1h"],
    )
    .await;
    variable_refused("SSE_HUB_DRAIN", "", &["SSE_HUB_DRAIN"]).await;
    variable_refused("SSE_HUB_MAX_CONNEXIONS", "5", &["SSE_HUB_MAX_CONNEXIONS"]).await;
}

#[tokio::test]
async fn a_wrong_file() {
    file_refused(
        "drain = 3\n[streams]\nmax_connexions = 5\n",
        &["line 3", "max_connexions"],
    )
    .await;
    file_refused(
        "\n[streams]\nheartbeat = \"loud\"\n",
        &["line 3", "heartbeat", "loud"],
    )
    .await;
    file_refused(
        "[streams]\n\nretry = \"2h\"\n",
        &["line 3", "streams.retry must be"],
    )
    .await;
    file_refused("listen = \n", &["line 1"]).await;
    file_refused(
        "\nbackplane = \"memories\"\n",
        &["line 2", "backplane must be memory, file:DIR"],
    )
    .await;
    file_refused(
        "[streams.log]\nage = \"1ms\"\n",
        &["line 1", "streams.log is for a hub that logs events"],
    )
    .await;
    file_refused(
        "backplane = \"memory\"\n[streams.log]\nage = \"1ms\"\n",
        &["line 3", "log.age must be"],
    )
    .await;
    file_refused("backend_key = \"geheim\"\n", &["line 1", "backend_key"]).await;
    file_refused("[access]\nauth = \"oauth\"\n", &["line 2", "oauth"]).await;
}

#[tokio::test]
async fn a_file_that_cannot_be_read() {
    arguments_refused(
        &["--config", "/no/such/file.toml"],
        &["/no/such/file.toml", "No such file"],
    )
    .await;
    arguments_refused(
        &["--config", env!("CARGO_MANIFEST_DIR")],
        &[env!("CARGO_MANIFEST_DIR"), "directory"],
    )
    .await;
}

#[tokio::test]
async fn invalid_backplanes_are_rejected() {
    for url in [
        "memory:",
        "disk",
        "file:",
        "file://host/dir",
        "http://a",
        "redis",
        "://",
        "memory://",
    ] {
        arguments_refused(&["--backplane", url], &["--backplane"]).await;
    }
    variable_refused(
        "SSE_HUB_BACKPLANE",
        "",
        &["SSE_HUB_BACKPLANE (--backplane) is empty"],
    )
    .await;
    for (arguments, said) in [
        (
            &["--log-age", "1h"][..],
            &["--log-age is for a hub that logs events", "--backplane"][..],
        ),
        (
            &["--backplane-prefix", "a"],
            &["--backplane-prefix is for a hub that logs events"],
        ),
        (
            &["--backplane-memory", "1"],
            &["--backplane-memory is for a hub that logs events"],
        ),
        (
            &["--node-name", "a"],
            &["--node-name is for a hub that logs events"],
        ),
        (
            &["--backplane=memory", "--node-name=a"],
            &["--node-name is for Redis and NATS"],
        ),
        (
            &["--backplane=redis://127.0.0.1", "--node-name="],
            &["--node-name must have 1 to 128 bytes"],
        ),
        (
            &["--backplane-ca=x"],
            &["--backplane-ca is for a hub that logs events"],
        ),
        (
            &["--backplane=memory", "--backplane-ca=x"],
            &["--backplane-ca is for Redis and NATS"],
        ),
        (
            &["--backplane=rediss://a", "--backplane-cert=x"],
            &["--backplane-cert needs --backplane-key"],
        ),
        (
            &["--backplane=rediss://a", "--backplane-key=x"],
            &["--backplane-key needs --backplane-cert"],
        ),
        (
            &["--backplane=rediss://a", "--backplane-ca=no/such"],
            &["no/such cannot be read"],
        ),
        (
            &["--backplane=redis+sentinel://a"],
            &["redis+sentinel://[[user]:password@]host"],
        ),
        (
            &["--backplane=memory", "--backplane-prefix=a"],
            &["--backplane-prefix is for Redis and NATS"],
        ),
        (
            &["--backplane-replicas", "3"],
            &["--backplane-replicas is for a hub that logs events"],
        ),
        (
            &["--backplane=redis://a", "--backplane-replicas=3"],
            &["--backplane-replicas is for NATS"],
        ),
        (
            &["--backplane=nats://a", "--backplane-replicas=6"],
            &["--backplane-replicas must be 1 to 5"],
        ),
        (
            &["--backplane=memory", "--backplane-memory=5000"],
            &["--backplane-memory is for an external log"],
        ),
        (
            &["--backplane=file:x", "--backplane-memory=5"],
            &["--backplane-memory must be 1024 to"],
        ),
        (
            &["--backplane=memory", "--log-entries=0"],
            &["--log-entries must be 1 to"],
        ),
        (
            &["--backplane=memory", "--backplane-file=x"],
            &["--backplane and --backplane-file are both given"],
        ),
        (
            &["--backplane-file=no/such/file"],
            &["no/such/file cannot be read"],
        ),
    ] {
        arguments_refused(arguments, said).await;
    }
}

#[tokio::test]
async fn a_backplane_s_password_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let url = "memcached://me:hunter2@127.0.0.1:11211";
    fs::write(path("url"), url).unwrap();
    fs::write(path("hub.toml"), format!("backplane = \"{url}\"\n")).unwrap();
    fs::write(path("broken.toml"), format!("backplane = \"{url}\n")).unwrap();
    for (arguments, said) in [
        (
            ["--backplane".to_owned(), url.to_owned()],
            "--backplane must be",
        ),
        (["--backplane-file".to_owned(), path("url")], "url must be"),
        (
            ["--config".to_owned(), path("hub.toml")],
            "backplane must be",
        ),
        (
            ["--config".to_owned(), path("broken.toml")],
            "memcached://…@127.0.0.1",
        ),
    ] {
        let mut command = command();
        command.args(arguments);
        let text = refusal(command).await;
        let (_, output) = text
            .split_once("(exit status: 2)")
            .unwrap_or_else(|| panic!("{text}"));
        assert!(
            output.contains(said) && !output.contains("hunter2"),
            "{output}"
        );
    }
}

#[tokio::test]
async fn tls_needs_a_certificate_and_its_key() {
    arguments_refused(&["--tls-cert", "a.pem"], &["--tls-cert needs --tls-key"]).await;
    arguments_refused(&["--tls-key", "a.pem"], &["--tls-key needs --tls-cert"]).await;
    arguments_refused(
        &["--tls-cert", "no.pem", "--tls-key", "no.pem"],
        &["--tls-cert cannot be read"],
    )
    .await;
    variable_refused(
        "SSE_HUB_TLS_CERT",
        "x",
        &["SSE_HUB_TLS_CERT", "needs --tls-key"],
    )
    .await;
}

#[tokio::test]
async fn auth_none_ignores_secrets_of_the_site() {
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
}

#[tokio::test]
async fn a_taken_port() {
    let hub = Hub::start(&[]).await;
    let address = hub.address().to_string();
    let mut second = bare_command();
    second.args(["--listen", &address]);
    refused(
        second,
        1,
        &[
            "cannot listen on",
            &address,
            "Address already in use",
            "--listen",
        ],
    )
    .await;
}

#[tokio::test]
async fn help_and_version_exit_with_0() {
    for (argument, said) in [
        ("--help", "SSE_HUB_HEARTBEAT_INTERVAL"),
        ("--version", env!("CARGO_PKG_VERSION")),
    ] {
        let output = bare_command().arg(argument).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty());
        assert!(String::from_utf8(output.stdout).unwrap().contains(said));
    }
}

/// Asserts that a start with these variables and arguments is rejected with these texts.
async fn access_refused(variables: &[(&str, &str)], arguments: &[&str], said: &[&str]) {
    let mut command = command();
    command.args(arguments).envs(variables.iter().copied());
    refused(command, 2, said).await;
}

#[tokio::test]
async fn contradictory_access_settings_are_rejected() {
    const KEY: (&str, &str) = ("SSE_HUB_BACKEND_KEY", "0123456789abcdef0123456789abcdef");
    const JWT: (&str, &str) = ("JWT_SECRET", "0123456789abcdef0123456789abcdef");
    for (variables, arguments, said) in [
        (
            &[][..],
            &["--auth", "nextauth"][..],
            &["--auth nextauth", "AUTH_SECRET", "NEXTAUTH_SECRET"][..],
        ),
        (
            &[],
            &["--auth", "jwt"],
            &["--auth jwt", "JWT_SECRET", "--auth-jwks"],
        ),
        (&[], &["--auth", "oauth"], &["--auth", "oauth"]),
        (
            &[("AUTH_SECRET_1", "x")],
            &[],
            &["AUTH_SECRET_1", "--auth nextauth", "--auth none"],
        ),
        (&[JWT], &[], &["JWT_SECRET", "--auth jwt", "--auth none"]),
        (
            &[("AUTH_SECRET", "")],
            &["--auth", "nextauth"],
            &["AUTH_SECRET", "is empty"],
        ),
        (
            &[("JWT_SECRET", "short")],
            &["--auth", "jwt"],
            &["JWT_SECRET"],
        ),
        (
            &[JWT, ("SSE_HUB_BACKEND_KEY", "")],
            &["--auth", "jwt"],
            &["SSE_HUB_BACKEND_KEY", "is empty"],
        ),
        (
            &[("SSE_HUB_BACKEND_KEY", "short"), JWT],
            &["--auth", "jwt"],
            &["SSE_HUB_BACKEND_KEY"],
        ),
        (
            &[KEY],
            &["--auth-issuer", "me"],
            &["--auth-issuer", "needs --auth"],
        ),
        (
            &[KEY, JWT],
            &["--auth", "jwt", "--backend-key-file", "x"],
            &["both given"],
        ),
        (&[JWT], &["--auth", "jwt", "--demo"], &["--demo"]),
        (
            &[],
            &["--join", "news"],
            &["--join", "needs --auth or a backend key"],
        ),
        (
            &[],
            &["--origins", "https://a.example/"],
            &["--origins", "is not an origin"],
        ),
        (
            &[],
            &["--hosts", "https://a.example"],
            &["--hosts", "without scheme and port"],
        ),
        (&[], &["--publish", "news"], &["--publish", "demo mode"]),
        (
            &[],
            &["--auth-anonymous"],
            &["--auth-anonymous", "demo mode"],
        ),
        (
            &[],
            &["--rate-calls", "1/1s"],
            &["--rate-calls", "demo mode"],
        ),
        (
            &[JWT],
            &["--auth", "jwt", "--rate-calls", "often"],
            &["--rate-calls", "20/1s"],
        ),
        (
            &[JWT],
            &["--auth", "jwt", "--origins", "*"],
            &["--origins", "is not an origin"],
        ),
        (
            &[JWT],
            &["--auth", "jwt", "--trusted-proxies", "0.0.0.0/0"],
            &["--trusted-proxies", "trust every client"],
        ),
        (
            &[JWT],
            &["--auth", "jwt", "--trusted-proxies", "proxy"],
            &["--trusted-proxies", "proxy"],
        ),
        (
            &[JWT],
            &["--auth", "jwt", "--join", "a*"],
            &["--join", "a*"],
        ),
        (
            &[JWT],
            &["--auth", "jwt", "--auth-admin", "admin"],
            &["--auth-admin", "role=admin"],
        ),
        (
            &[],
            &["--auth", "jwt", "--auth-jwks", "https://a.example/jwks"],
            &["--auth-jwks", "--auth-audience"],
        ),
        (
            &[],
            &["--auth", "jwt", "--auth-jwks", "no/such/file"],
            &["--auth-jwks", "no/such/file"],
        ),
        (
            &[],
            &["--auth", "jwt", "--auth-public-key", "no.pem"],
            &["no.pem"],
        ),
        (
            &[("AUTH_SECRET", "x")],
            &["--auth", "nextauth", "--auth-audience", "me"],
            &["--auth-audience", "--auth jwt"],
        ),
    ] {
        access_refused(variables, arguments, said).await;
    }
}
