//! The page as `gpubench serve` serves it, and a browser that looks at it.

use super::common::ROOT;
use super::common::process::PROGRAM;
use super::driver::{Browser, Running, Session, program};
use gpubench::result::RunResult;
use serde_json::{Value, json};
use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What all tests share: the server and the driver.
pub struct Site {
    _server: Running,
    _driver: Running,
    /// Where the page is served; ends in a slash.
    pub address: String,
    driver: String,
}

/// The folder that `make web` builds.
pub fn built() -> PathBuf {
    Path::new(ROOT).join("target/page")
}

/// Why the page cannot be tested here, if that is so.
pub fn missing() -> Option<&'static str> {
    match () {
        () if program("chromedriver").is_none() => Some("there is no chromedriver here"),
        () if program("chromium").is_none() => Some("there is no Chromium here"),
        () if !built().join("pkg/gpubench_bg.wasm").is_file() => Some("the page is not built: run `make web`"),
        () => None,
    }
}

impl Site {
    /// Serves the page and starts chromedriver, each on a port of its own.
    pub fn start() -> Self {
        let mut serve = Command::new(PROGRAM);
        serve.args(["serve", "--port", "0"]).arg(built());
        let (server, address) = Running::start(&mut serve, |line| line.starts_with("http").then(|| line.to_owned()));
        let (driver, port) = Running::start(Command::new("chromedriver").arg("--port=0"), |line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            Some(port.trim_end_matches('.').to_owned())
        });
        Self { _server: server, _driver: driver, address, driver: format!("http://127.0.0.1:{port}") }
    }

    /// A browser with WebGPU at the page with these settings in its address.
    pub fn visit(&self, settings: &str) -> Visit {
        let visit = self.open(true, &[]);
        visit.go(&format!("{}{settings}", self.address));
        visit.until(
            "an adapter line",
            30,
            "return !document.getElementById('adapter').innerText.startsWith('Looking')",
        );
        visit
    }

    /// A browser that has not loaded anything.
    pub fn open(&self, webgpu: bool, arguments: &[&str]) -> Visit {
        let downloads = TempDir::new().unwrap();
        let session = Session::open(&self.driver, Browser { webgpu, arguments, downloads: downloads.path() });
        Visit { session, downloads, origin: self.address.clone() }
    }
}

/// A browser at the page.
pub struct Visit {
    session: Session,
    downloads: TempDir,
    origin: String,
}

impl Deref for Visit {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Visit {
    /// Waits until the run at hand has left a result or said why it has none; gives the result's heading.
    pub fn result_title(&self, limit_s: u64) -> String {
        let ended = "const shown = (id) => !document.getElementById(id).hidden;
            return (shown('result') || shown('problem')) && !shown('progress') && !shown('second')";
        self.until("the end of the run", limit_s, ended);
        assert_eq!(self.text("#problem"), "");
        self.text("#result-title")
    }

    /// Clicks on "Download JSON" and gives the file that the browser wrote, as a path and as a result.
    pub fn download(&self) -> (PathBuf, RunResult) {
        self.click("#download");
        let start = Instant::now();
        loop {
            let mut files = fs::read_dir(self.downloads.path()).unwrap().map(|entry| entry.unwrap().path());
            let whole = files.find(|path| path.extension().is_some_and(|extension| extension == "json"));
            if let Some(path) = whole {
                let text = fs::read_to_string(&path).unwrap();
                // The name may be there before the contents.
                if text.ends_with('\n') {
                    return (path, RunResult::from_json(&text).unwrap());
                }
            }
            assert!(start.elapsed() < Duration::from_secs(20), "no file was downloaded");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Complains about errors in the console and about requests to anywhere but the page's own origin.
    pub fn assert_clean(&self) {
        let errors: Vec<Value> = self.log("browser").into_iter().filter(|entry| entry["level"] == "SEVERE").collect();
        assert!(errors.is_empty(), "the console shows errors: {errors:?}");
        let requests: Vec<String> = self.log("performance").iter().filter_map(requested).collect();
        assert!(requests.iter().any(|url| url.ends_with("page.js")), "the log of requests is not one: {requests:?}");
        for url in requests {
            assert!([&*self.origin, "data:", "blob:"].iter().any(|own| url.starts_with(own)), "a request left: {url}");
        }
    }

    /// Lets the page believe that the system prefers this colour scheme.
    pub fn emulate_scheme(&self, scheme: &str) {
        let feature = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.chromium("Emulation.setEmulatedMedia", &feature);
    }

    /// Leaves pictures of the whole page, narrow and wide, light and dark, in `target/page-screenshots/`.
    pub fn pictures(&self, name: &str) {
        let folder = Path::new(ROOT).join("target/page-screenshots");
        fs::create_dir_all(&folder).unwrap();
        for (width, scheme) in [390, 768, 1280].into_iter().flat_map(|width| [(width, "light"), (width, "dark")]) {
            let size = json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false});
            self.chromium("Emulation.setDeviceMetricsOverride", &size);
            self.emulate_scheme(scheme);
            let overflow = self.run("return document.documentElement.scrollWidth - innerWidth", &[]);
            assert!(
                overflow.as_i64().is_some_and(|pixels| pixels <= 0),
                "{name}: {overflow} px too wide for {width} px"
            );
            let whole = json!({"format": "png", "captureBeyondViewport": true, "fromSurface": true});
            let picture = self.chromium("Page.captureScreenshot", &whole);
            let bytes = from_base64(picture["data"].as_str().unwrap());
            fs::write(folder.join(format!("{name}-{width}-{scheme}.png")), bytes).unwrap();
        }
        self.chromium("Emulation.clearDeviceMetricsOverride", &json!({}));
        self.chromium("Emulation.setEmulatedMedia", &json!({"features": []}));
    }
}

/// The URL of an entry of the performance log that is a request.
fn requested(entry: &Value) -> Option<String> {
    let message: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
    let message = &message["message"];
    (message["method"] == "Network.requestWillBeSent")
        .then(|| message["params"]["request"]["url"].as_str().unwrap_or_default().to_owned())
}

/// Decodes base 64 without line breaks, as WebDriver sends pictures.
fn from_base64(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => panic!("{byte} is no digit of base 64"),
    };
    let digits: Vec<u8> = text.trim_end_matches('=').bytes().map(value).collect();
    let bytes = |group: &[u8]| {
        let word =
            group.iter().enumerate().fold(0, |word, (place, &digit)| word | u32::from(digit) << (18 - 6 * place));
        word.to_be_bytes()[1..group.len()].to_vec()
    };
    digits.chunks(4).flat_map(bytes).collect()
}
