//! What the page says where it cannot run, and whether it is up to date.

use super::common::ROOT;
use super::site::{Site, built};
use gpubench::result::{AdapterKind, Status};
use serde_json::json;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

/// `make web` copies the page's own files; where they differ, everything else here would test another page.
pub fn the_page_tested_is_the_page_of_these_sources(_: &Site) {
    for entry in fs::read_dir(Path::new(ROOT).join("web")).unwrap() {
        let path = entry.unwrap().path();
        let kind = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if !["html", "js", "css"].contains(&kind) {
            continue;
        }
        let copy = built().join(path.file_name().unwrap());
        assert!(fs::read(&copy).ok() == fs::read(&path).ok(), "{} is out of date: run `make web`", copy.display());
    }
}

/// The page says why there is no WebGPU and what to do, and measures the processor instead.
pub fn without_webgpu_the_processor_gives_a_number(site: &Site) {
    // Chromium with the interface taken away altogether, and as it is on Linux: with the interface, but without an
    // adapter.
    let cases = [
        (true, ["does not offer WebGPU", "Chrome on Linux needs a flag"]),
        (false, ["no adapter", "--enable-unsafe-webgpu"]),
    ];
    for (taken_away, says) in cases {
        let visit = site.open(false, &[]);
        if taken_away {
            let source = json!({"source": "delete Navigator.prototype.gpu"});
            visit.chromium("Page.addScriptToEvaluateOnNewDocument", &source);
        }
        visit.go(&format!("{}?steps=40&seed=3", site.address));
        visit.until("a problem", 20, "return !document.getElementById('problem').hidden");
        let problem = visit.text("#problem");
        for says in says {
            assert!(problem.contains(says), "{says:?} is not in: {problem}");
        }
        visit.until("the button", 10, "return !document.getElementById('quick').disabled");
        visit.pictures(if taken_away { "without-webgpu" } else { "without-adapter" });
        visit.click("#quick");
        assert_eq!(visit.result_title(60), "Result");
        let (_, result) = visit.download();
        let adapter = &result.environment.adapter;
        assert_eq!((adapter.kind, &*adapter.backend, &*result.plan.name), (AdapterKind::Cpu, "cpu", "cpu"));
        assert!(adapter.name.contains("processor") && result.plan.tuning["simd"] == "simd128", "{adapter:?}");
        // A quick run on a machine that is busy is cut short, and complete all the same.
        assert_eq!(result.status, Status::Complete);
        assert!((1..=40).contains(&result.repeats[0].steps()), "{} steps", result.repeats[0].steps());
        assert!(result.check.value().is_some() && result.summary.images_per_s.value().is_some());
        visit.pictures(if taken_away { "result-of-processor" } else { "result-without-adapter" });
        visit.assert_clean();
    }
}

pub fn an_insecure_origin_is_named(site: &Site) {
    let visit = site.open(true, &["--host-resolver-rules=MAP insecure.test 127.0.0.1"]);
    visit.go(&format!("http://insecure.test:{}/", any_host(built())));
    visit.until("a problem", 20, "return !document.getElementById('problem').hidden");
    let problem = visit.text("#problem");
    assert!(problem.starts_with("This page was not loaded securely") && problem.contains("insecure.test"), "{problem}");
    assert!(problem.contains("http://localhost"), "{problem}");
}

/// Serves the files of `folder` under whatever host they are asked for, as a server on the network does and `gpubench
/// serve` does not; returns the port. Ends with the tests.
fn any_host(folder: PathBuf) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut line = String::new();
            let mut reader = BufReader::new(client.try_clone().unwrap());
            reader.read_line(&mut line).unwrap_or_default();
            let name = line.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
            // The rest of the head, so that the client is not cut off while it sends.
            while reader.read_line(&mut line).is_ok_and(|length| length > 2) {}
            let name = if name.is_empty() { "index.html" } else { &name };
            let kind = match Path::new(name).extension().and_then(|end| end.to_str()) {
                Some("html") => "text/html",
                Some("js") => "text/javascript",
                Some("css") => "text/css",
                _ => "application/octet-stream",
            };
            let (status, body) = match fs::read(folder.join(name)) {
                Ok(body) => ("200 OK", body),
                Err(_) => ("404 Not Found", Vec::new()),
            };
            let length = body.len();
            let head = format!("HTTP/1.0 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n");
            let _ = client.write_all(head.as_bytes()).and_then(|()| client.write_all(&body));
        }
    });
    port
}
