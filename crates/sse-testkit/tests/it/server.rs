//! Server processes, played by a shell.
#![cfg(unix)]

use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, test_kill_process};
use sse_testkit::{Error, Server, Signal};

const LONG: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_millis(50);

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

#[tokio::test]
async fn the_first_address_on_stdout_is_the_servers() {
    let script = "echo http://127.0.0.1:1/ >&2; echo hello; echo on http://127.0.0.1:2/ http://127.0.0.1:3/; read x";
    let mut server = Server::spawn(shell(script)).await.unwrap();
    assert_eq!(server.address().to_string(), "127.0.0.1:2");
    let status = server.wait_exit(LONG).await.unwrap();
    assert!(
        !status.success(),
        "standard input is empty, so `read` fails"
    );
    assert_eq!(server.id(), None);
}

#[tokio::test]
async fn a_signal_reaches_the_server() {
    for (signal, number) in [
        (Signal::Terminate, 15),
        (Signal::Interrupt, 2),
        (Signal::Kill, 9),
    ] {
        use std::os::unix::process::ExitStatusExt;
        // A shell that runs the tests in the background ignores SIGINT, and so do its children.
        let script = "echo http://127.0.0.1:1; exec env --default-signal sleep 1000";
        let mut server = Server::spawn(shell(script)).await.unwrap();
        assert!(
            matches!(server.wait_exit(MOMENT).await, Err(Error::Server { .. })),
            "the server exited without a signal"
        );
        server.signal(signal).unwrap();
        assert_eq!(server.wait_exit(LONG).await.unwrap().signal(), Some(number));
        assert!(
            matches!(server.signal(signal), Err(Error::Server { .. })),
            "the server has exited"
        );
    }
}

#[tokio::test]
async fn early_exit_is_an_error_with_the_output() {
    let error = Server::spawn(shell("echo hello; echo no such setting >&2; exit 2"))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("exit status: 2"), "{error}");
    assert!(
        error.contains("hello\n") && error.contains("no such setting\n"),
        "{error}"
    );
}

#[tokio::test]
async fn server_without_address_is_killed() {
    let mut limit = Duration::from_millis(500);
    let id = loop {
        let result = Server::spawn_within(shell("echo pid $$; exec sleep 1000"), limit).await;
        let Err(Error::Server { reason, output }) = result else {
            panic!("{result:?}")
        };
        assert!(reason.starts_with("printed no address"), "{reason}");
        // On a busy machine a shell takes longer to say something.
        if output.is_empty() && limit < LONG {
            limit *= 2;
        } else {
            break output
                .trim()
                .strip_prefix("pid ")
                .and_then(|id| id.parse().ok())
                .unwrap();
        }
    };
    exited(id).await;
}

#[tokio::test]
async fn failed_start_is_an_error() {
    assert!(matches!(
        Server::spawn(Command::new("./no-such-server")).await,
        Err(Error::Io(_))
    ));
}

#[tokio::test]
async fn dropping_the_server_kills_it() {
    let server = Server::spawn(shell("echo http://127.0.0.1:1; exec sleep 1000"))
        .await
        .unwrap();
    let id = i32::try_from(server.id().unwrap()).unwrap();
    drop(server);
    exited(id).await;
}

#[tokio::test]
async fn output_keeps_the_last_lines() {
    // More than a pipe holds: without a reader, the shell would never reach its end.
    let script = "echo http://127.0.0.1:1; i=0; while [ $i -lt 3000 ]; do i=$((i+1)); \
                  echo line $i of a server that says a good deal about what it does; done; echo the end >&2";
    let mut server = Server::spawn(shell(script)).await.unwrap();
    assert!(server.wait_exit(LONG).await.unwrap().success());
    // The reader may lag after the exit.
    while !(server.output().contains("line 3000 ") && server.output().contains("the end")) {
        tokio::task::yield_now().await;
    }
    assert!(server.output().lines().count() <= 200);
}

/// Waits until a process no longer exists; a process that stays makes the test hang until its
/// runner ends it.
async fn exited(id: i32) {
    let waiting = async {
        while test_kill_process(Pid::from_raw(id).unwrap()).is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, waiting)
        .await
        .expect("the process did not exit");
}
