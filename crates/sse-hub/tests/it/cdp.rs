//! A real browser, controlled over its debugging pipe (Chrome DevTools Protocol).

use std::{fs, path::Path, process::Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use crate::hub::{TIMEOUT, until};

/// Shell command that connects the pipes of the test: the browser reads commands from file
/// descriptor 3 and responds on 4.
const PIPES: &str = r#"exec "$@" 3<&0 4>&1 0</dev/null 1>/dev/null"#;

const OPTIONS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
];

/// A page in a separate browser. Dropping the page kills the browser.
pub(crate) struct Page {
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    session: Option<String>,
    last_id: u64,
    browser: Child,
    profile: TempDir,
}

impl Page {
    pub(crate) async fn open(chromium: &Path, url: &str) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut browser = Command::new("sh")
            .args(["-c", PIPES, "sh"])
            .arg(chromium)
            .args(OPTIONS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut page = Self {
            commands: browser.stdin.take().unwrap(),
            answers: BufReader::new(browser.stdout.take().unwrap()),
            session: None,
            last_id: 0,
            browser,
            profile,
        };
        page.open_tab(url).await;
        page
    }

    /// Opens one more tab, which receives all later commands. Returns the name of the tab.
    pub(crate) async fn open_tab(&mut self, url: &str) -> String {
        self.session = None;
        let target = self
            .call("Target.createTarget", json!({ "url": url }))
            .await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = self.call("Target.attachToTarget", attach).await;
        let session = session["sessionId"].as_str().unwrap().to_owned();
        self.switch(&session);
        session
    }

    /// Sends all later commands to this tab.
    pub(crate) fn switch(&mut self, tab: &str) {
        self.session = Some(tab.to_owned());
    }

    /// Ends the browser, and removes its profile. The browser's processes write to the profile
    /// until the last of them has ended.
    pub(crate) async fn close(mut self) {
        self.session = None;
        self.call("Browser.close", json!({})).await;
        timeout(TIMEOUT, self.browser.wait())
            .await
            .unwrap()
            .unwrap();
        let profile = self.profile.keep();
        until(async || fs::remove_dir_all(&profile).is_ok()).await;
    }

    /// Sends a command and returns its result.
    pub(crate) async fn call(&mut self, method: &str, params: Value) -> Value {
        timeout(TIMEOUT, self.exchange(method, params))
            .await
            .unwrap_or_else(|_| panic!("{method}: no answer"))
    }

    async fn exchange(&mut self, method: &str, params: Value) -> Value {
        self.last_id += 1;
        let mut command = json!({ "id": self.last_id, "method": method, "params": params });
        if let Some(session) = &self.session {
            command["sessionId"] = json!(session);
        }
        self.commands
            .write_all(format!("{command}\0").as_bytes())
            .await
            .unwrap();
        loop {
            let mut message = Vec::new();
            let length = self.answers.read_until(0, &mut message).await.unwrap();
            assert!(length > 0, "{method}: the browser ended");
            let message: Value = serde_json::from_slice(&message[..length - 1]).unwrap();
            // Events can arrive before the response.
            if message["id"] == self.last_id {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
        }
    }

    /// Runs a script in the page. Returns the value of the last expression, after its promise has
    /// resolved.
    pub(crate) async fn run(&mut self, script: &str) -> Value {
        let params = json!({ "expression": script, "awaitPromise": true, "returnByValue": true });
        let result = self.call("Runtime.evaluate", params).await;
        assert!(result["exceptionDetails"].is_null(), "{script}: {result}");
        result["result"]["value"].clone()
    }

    /// Waits until an expression is true in the page.
    pub(crate) async fn wait_for(&mut self, condition: &str) {
        let waiting = async {
            while self.run(condition).await != true {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        if timeout(TIMEOUT, waiting).await.is_err() {
            let text = self.run("document.body.innerText").await;
            panic!(
                "{condition} has not come true; the page:\n{}",
                text.as_str().unwrap_or_default()
            );
        }
    }
}
