//! The effects of each signal.
#![cfg(unix)]

use std::process::Command;

use sse_testkit::{Server, Signal};

use crate::{
    hub::{Hub, TIMEOUT, bare_command, expect_fence, until},
    shutdown::expect_shutdown,
};

#[tokio::test]
async fn ignored_signals_change_nothing() {
    let mut hub = Hub::start(&[]).await;
    let mut stream = hub.stream("").await;
    for signal in [
        Signal::User1,
        Signal::User2,
        Signal::Pipe,
        Signal::FileSize,
        Signal::Hangup,
    ] {
        hub.0.signal(signal).unwrap();
        hub.fence().await;
        expect_fence(&mut stream).await;
        assert_eq!(
            hub.request("GET", "/health/ready").await.status,
            200,
            "{signal:?}"
        );
        hub.stream("").await;
    }
    for said in ["SIGUSR1", "SIGUSR2", "SIGXFSZ", "nothing is reloaded"] {
        until(async || hub.0.output().contains(said)).await;
    }
    hub.0.signal(Signal::Terminate).unwrap();
    expect_shutdown(&mut stream).await;
    assert_eq!(hub.0.wait_exit(TIMEOUT).await.unwrap().code(), Some(0));
}

/// Starts a hub in a separate terminal. Dropping the hub closes the terminal. Returns `None` if
/// `script` is not installed.
async fn in_terminal(arguments: &[&str]) -> Option<Hub> {
    let script = sse_testkit::executable("script").unwrap()?;
    let hub = bare_command();
    let mut words = vec![
        hub.get_program().to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
    ];
    words.extend(arguments);
    let mut command = Command::new(script);
    for (name, value) in hub.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    // The shell replaces itself with the hub, so the hub leads the session of the terminal.
    command.args([
        "--quiet",
        "--flush",
        "--command",
        &format!("exec {}", words.join(" ")),
        "/dev/null",
    ]);
    Some(Hub(Server::spawn(command).await.unwrap()))
}

#[tokio::test]
async fn a_terminal_that_closes_drains_the_hub() {
    let Some(hub) = in_terminal(&["--drain-delay", "0"]).await else {
        return;
    };
    let mut streams = Vec::new();
    for _ in 0..20 {
        streams.push(hub.stream("").await);
    }
    // Killing `script` closes the terminal abruptly. From then on, nothing reads the hub's logs.
    hub.0.signal(Signal::Kill).unwrap();
    for stream in &mut streams {
        expect_shutdown(stream).await;
    }
    let address = hub.address();
    until(async || tokio::net::TcpStream::connect(address).await.is_err()).await;
}
