//! Options of clients' sockets.

use sse_core::Manager;

/// Reads the timer that probes a silent peer from the kernel's own list of sockets.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn serve_sets_the_socket_options() {
    let app = crate::app::App::start(Manager::builder()).await;
    let client = app.open("/events").await;
    let local = client.local_address().unwrap();
    let ends = format!(
        "0100007F:{:04X} 0100007F:{:04X} 01 ",
        app.address.port(),
        local.port()
    );
    let probed = || {
        let sockets = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
        // The list is no snapshot: while other sockets are opened and closed, a line can be
        // missing.
        let line = sockets
            .lines()
            .find(|line| line.contains(&ends))?
            .to_owned();
        let timer = line.split_whitespace().nth(5).unwrap();
        let (kind, jiffies) = timer.split_once(':').unwrap();
        (kind == "02").then(|| u64::from_str_radix(jiffies, 16).unwrap())
    };
    // While data is unacknowledged, the list shows the timer of that data.
    let mut due = None;
    app.until(|_| {
        due = probed();
        due.is_some()
    })
    .await;
    assert!(
        due.is_some_and(|due| (1..=3000).contains(&due)),
        "within 30 s, in hundredths: {due:?}"
    );
}
