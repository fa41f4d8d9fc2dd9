//! A client of chromedriver: as much of the WebDriver protocol as the tests of the page need.

use serde_json::{Value, json};
use std::fmt::Display;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The key under which WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A program that is ended with its owner.
pub struct Running {
    child: Child,
}

impl Running {
    /// Starts `command` and gives the first thing that `wanted` finds in a line of its stdout.
    pub fn start(command: &mut Command, wanted: impl Fn(&str) -> Option<String>) -> (Self, String) {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program starts");
        // From here on it is ended with its owner, whatever happens.
        let mut running = Self { child };
        let stdout = running.child.stdout.as_mut().expect("stdout is piped");
        let mut stdout = BufReader::new(stdout);
        let mut said = String::new();
        loop {
            let mut line = String::new();
            let bytes = stdout.read_line(&mut line).expect("the program talks UTF-8");
            assert!(bytes > 0, "{command:?} ended after saying: {said}");
            if let Some(found) = wanted(line.trim()) {
                return (running, found);
            }
            said.push_str(&line);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a browser is started.
#[derive(Debug, Clone, Copy)]
pub struct Browser<'a> {
    /// Whether it offers WebGPU, on its software adapter.
    pub webgpu: bool,
    /// Further arguments.
    pub arguments: &'a [&'a str],
    /// Where it puts downloads.
    pub downloads: &'a Path,
}

/// A browser with one page.
pub struct Session {
    agent: ureq::Agent,
    url: String,
}

impl Session {
    /// Opens a browser through the chromedriver at `driver`, a URL.
    pub fn open(driver: &str, browser: Browser<'_>) -> Self {
        let mut arguments: Vec<&str> = [
            "--headless=new",
            "--no-sandbox",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-quic",
            "--window-size=1280,900",
            "--hide-scrollbars",
        ]
        .to_vec();
        if browser.webgpu {
            arguments.extend(["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]);
        }
        arguments.extend(browser.arguments);
        let options = json!({"args": arguments, "prefs": {"download.default_directory": browser.downloads}});
        let capabilities = json!({
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        });
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(120)));
        let mut session = Self { agent: config.build().into(), url: driver.to_owned() };
        let opened = session.post("/session", &json!({"capabilities": {"alwaysMatch": capabilities}}));
        let id = opened["sessionId"].as_str().expect("a session has an id");
        session.url = format!("{driver}/session/{id}");
        session
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.url);
        let answer = self.agent.post(&url).header("Content-Type", "application/json").send(body.to_string());
        let mut answer = answer.unwrap_or_else(|error| panic!("{url}: {error}"));
        let text =
            answer.body_mut().with_config().limit(1 << 28).read_to_string().expect("chromedriver answers in UTF-8");
        let mut answer: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{url}: {error}: {text}"));
        let value = answer["value"].take();
        assert!(value.get("error").is_none(), "{url}: {}", value["message"].as_str().unwrap_or_default());
        value
    }

    /// Loads a page and waits until it is loaded.
    pub fn go(&self, url: &str) {
        self.post("/url", &json!({"url": url}));
    }

    /// Runs the body of a function in the page and gives what it returns, awaited.
    pub fn run(&self, body: &str, arguments: &[Value]) -> Value {
        self.post("/execute/sync", &json!({"script": body, "args": arguments}))
    }

    /// What the function body `condition` returns, once that is neither false, null, zero nor empty.
    pub fn until(&self, what: impl Display, limit_s: u64, condition: &str) -> Value {
        let start = Instant::now();
        loop {
            let value = self.run(condition, &[]);
            let falsy = matches!(&value, Value::Null | Value::Bool(false)) || value == json!("") || value == json!(0);
            if !falsy {
                return value;
            }
            if start.elapsed() > Duration::from_secs(limit_s) {
                let shown = self.run("return document.body.innerText", &[]);
                panic!(
                    "{what} did not happen within {limit_s} s; the page shows:\n{}",
                    shown.as_str().unwrap_or_default()
                );
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn element(&self, css: &str) -> Value {
        self.post("/element", &json!({"using": "css selector", "value": css}))
    }

    fn element_path(&self, css: &str, command: &str) -> String {
        let element = self.element(css);
        format!("/element/{}/{command}", element[ELEMENT].as_str().expect("elements have names"))
    }

    /// Clicks on what `css` selects.
    pub fn click(&self, css: &str) {
        self.post(&self.element_path(css, "click"), &json!({}));
    }

    /// Types into what `css` selects; into a file input, the files' paths.
    pub fn type_into(&self, css: &str, text: &str) {
        self.post(&self.element_path(css, "value"), &json!({"text": text}));
    }

    /// The text that what `css` selects shows; empty where it is hidden.
    pub fn text(&self, css: &str) -> String {
        let visible = "const found = document.querySelector(arguments[0]); return found?.checkVisibility() ? found.innerText : ''";
        let text = self.run(visible, &[json!(css)]);
        text.as_str().unwrap_or_default().trim().to_owned()
    }

    /// Whether what `css` selects is on the page and not hidden.
    pub fn shows(&self, css: &str) -> bool {
        self.run("return document.querySelector(arguments[0])?.checkVisibility() === true", &[json!(css)])
            == json!(true)
    }

    /// Presses one key and lets it go.
    pub fn press(&self, key: char) {
        let strokes = json!([{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]);
        self.post("/actions", &json!({"actions": [{"type": "key", "id": "keys", "actions": strokes}]}));
    }

    /// Draws a line with the pointer through `points`, in pixels from the middle of what `css` selects.
    pub fn draw(&self, css: &str, points: &[(i32, i32)]) {
        let element = self.element(css);
        let to =
            |&(x, y): &(i32, i32)| json!({"type": "pointerMove", "duration": 30, "origin": element, "x": x, "y": y});
        let mut moves: Vec<Value> = points.iter().map(to).collect();
        moves.insert(1, json!({"type": "pointerDown", "button": 0}));
        moves.push(json!({"type": "pointerUp", "button": 0}));
        self.post("/actions", &json!({"actions": [{"type": "pointer", "id": "pen", "actions": moves}]}));
    }

    /// Chromium's own commands.
    pub fn chromium(&self, command: &str, parameters: &Value) -> Value {
        self.post("/goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
    }

    /// What the log of kind `kind` got since it was asked for last.
    pub fn log(&self, kind: &str) -> Vec<Value> {
        self.post("/se/log", &json!({"type": kind})).as_array().cloned().unwrap_or_default()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A browser that crashed has no session left to end.
        let _ = self.agent.delete(&self.url).call();
    }
}

/// The first of the folders in `PATH` that holds the program `name`.
pub fn program(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}
