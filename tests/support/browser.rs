//! A page in Chromium, driven as its user would: by the commands of the DevTools protocol, over pipes.

use super::require::{Feature, skip};
use super::wait::LIMIT;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;
use tempfile::TempDir;

/// The browser reads commands from descriptor 3, and answers on descriptor 4.
const START: &str = r#"exec chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
    --disable-background-networking --user-data-dir="$0/profile" --window-size=1200,900 \
    --remote-debugging-pipe about:blank 3<"$0/commands" 4>"$0/answers""#;

/// A browser that shows a page.
pub(crate) struct Browser {
    process: Child,
    commands: File,
    messages: Receiver<Value>,
    session: Option<String>,
    sent: u64,
    /// What the page has complained of: exceptions of its script, and what its policy has refused.
    pub(crate) complaints: Vec<Value>,
    _folder: TempDir,
}

impl Browser {
    /// Shows a file; `None` where there is no Chromium that runs.
    pub(crate) fn open(page: &Path) -> Option<Self> {
        if Command::new("chromium").arg("--version").stdout(Stdio::null()).status().is_err() {
            skip(Feature::Browser, "no chromium");
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = |name: &str| {
            let path = folder.path().join(name);
            mkfifo(&path, Mode::S_IRWXU).expect("the folder is ours");
            // For reading and writing: to open it waits for nobody.
            File::options().read(true).write(true).open(path).expect("it was made")
        };
        let (commands, answers) = (pipe("commands"), pipe("answers"));
        let mut start = Command::new("sh");
        start.args(["-c", START]).arg(folder.path()).env("HOME", folder.path());
        start.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = start.spawn().expect("a shell");
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(answers).split(0) {
                let message = message.ok().and_then(|text| serde_json::from_slice(&text).ok());
                let Some(message) = message else { return };
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let (session, complaints) = (None, Vec::new());
        let mut browser =
            Self { process, commands, messages, session, sent: 0, complaints, _folder: folder };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", &target);
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Runtime.enable", "Log.enable", "Page.enable"] {
            browser.call(domain, &json!({}));
        }
        browser.call("Page.navigate", &json!({ "url": format!("file://{}", page.display()) }));
        browser.wait_for("document.readyState", &json!("complete"));
        Some(browser)
    }

    /// The result of a command.
    fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.sent += 1;
        let mut message = json!({ "id": self.sent, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        let text = [message.to_string().as_bytes(), &[0]].concat();
        self.commands.write_all(&text).expect("the browser reads");
        let deadline = Instant::now() + LIMIT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = self.messages.recv_timeout(left);
            let message = message.unwrap_or_else(|why| panic!("{method}: no answer: {why}"));
            if message["id"] == self.sent {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
            if matches!(
                message["method"].as_str(),
                Some("Runtime.exceptionThrown" | "Log.entryAdded")
            ) {
                self.complaints.push(message);
            }
        }
    }

    /// The value of an expression in the page.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let parameters = json!({ "expression": expression, "returnByValue": true });
        self.call("Runtime.evaluate", &parameters)["result"]["value"].clone()
    }

    /// Waits until an expression has a value.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, expression: &str, expected: &Value) {
        let deadline = Instant::now() + LIMIT;
        loop {
            let value = self.value(expression);
            if value == *expected {
                return;
            }
            assert!(Instant::now() < deadline, "{expression} is {value}, not {expected}");
        }
    }

    /// Clicks with the mouse into the middle of the first element that a selector finds.
    pub(crate) fn click(&mut self, selector: &str) {
        let middle = self.value(&format!(
            "(() => {{ const e = document.querySelector({selector:?}); e.scrollIntoView(); \
             const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({
                "type": kind, "x": middle[0], "y": middle[1], "button": "left", "clickCount": 1
            });
            self.call("Input.dispatchMouseEvent", &event);
        }
    }

    /// Types text where the last click was.
    pub(crate) fn type_text(&mut self, text: &str) {
        self.call("Input.insertText", &json!({ "text": text }));
    }

    /// Pretends that the user prefers `light` or `dark`.
    pub(crate) fn prefer(&mut self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", &json!({ "features": features }));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may be gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
