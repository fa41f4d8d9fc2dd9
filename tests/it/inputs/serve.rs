//! `gpubench serve` against clients that mean well and clients that do not.

use crate::common::process::PROGRAM;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv6Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A folder with a page, served.
struct Served {
    folder: TempDir,
    process: Child,
    port: u16,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An answer: its status, its head in lower case, its body.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

/// The bytes of the module that the page has.
fn module() -> Vec<u8> {
    (0..300_000u32).map(|index| (index % 251) as u8).collect()
}

fn page() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("pkg")).unwrap();
    for (name, content) in [
        ("index.html", &b"<!doctype html><title>page</title>"[..]),
        ("page.js", b"export {};"),
        ("style.css", b"body {}"),
        ("pkg/gpubench_bg.wasm", &module()),
        ("pkg/a b.json", b"{}"),
        ("data.bin", b"\0\x01"),
    ] {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

fn start(command: &mut Command) -> (Child, u16) {
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let port = line.trim().strip_prefix("http://localhost:").and_then(|rest| rest.strip_suffix('/')).unwrap();
    (process, port.parse().unwrap())
}

fn served() -> Served {
    let folder = page();
    let mut command = Command::new(PROGRAM);
    let (process, port) = start(command.args(["serve", "--port", "0"]).arg(folder.path()));
    Served { folder, process, port }
}

impl Served {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    /// Sends `request` and reads to the end of the connection, which the server may break off.
    fn raw(&self, request: &[u8]) -> Answer {
        answer_on(self.connect(), request)
    }

    /// The answer to a request of one line and a host, with further header lines.
    fn ask(&self, line: &str, more: &str) -> Answer {
        self.raw(format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{more}\r\n").as_bytes())
    }

    fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), "")
    }
}

fn answer_on(mut stream: TcpStream, request: &[u8]) -> Answer {
    // A server that refuses need not read all.
    let _ = stream.write_all(request);
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("the answer has a head") + 4;
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: bytes[end..].to_vec() }
}

impl Answer {
    fn has(&self, line: &str) -> bool {
        self.head.contains(&format!("\r\n{line}\r\n"))
    }
}

#[test]
fn files_come_with_their_types_and_every_answer_with_the_headers_that_isolate_the_page() {
    let served = served();
    for (path, kind, body) in [
        ("/", "text/html; charset=utf-8", Some(&b"<!doctype html><title>page</title>"[..])),
        ("/?autostart=1", "text/html; charset=utf-8", None),
        ("/index.html", "text/html; charset=utf-8", None),
        ("/page.js", "text/javascript; charset=utf-8", Some(b"export {};")),
        ("/style.css", "text/css; charset=utf-8", None),
        ("/pkg/gpubench_bg.wasm", "application/wasm", Some(&module())),
        ("/pkg/a%20b.json", "application/json", Some(b"{}")),
        ("/data.bin", "application/octet-stream", None),
    ] {
        let answer = served.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.head);
        assert!(answer.has(&format!("content-type: {kind}")), "{path}: {}", answer.head);
        assert!(body.is_none_or(|body| body == answer.body), "{path}");
    }
    for answer in
        [served.get("/"), served.get("/nowhere"), served.ask("POST /", ""), served.raw(b"GET / HTTP/1.1\r\n\r\n")]
    {
        for line in [
            "cross-origin-opener-policy: same-origin",
            "cross-origin-embedder-policy: require-corp",
            "x-content-type-options: nosniff",
            "x-frame-options: deny",
            "content-security-policy: frame-ancestors 'none'",
            "referrer-policy: no-referrer",
            "cache-control: no-cache",
        ] {
            assert!(answer.has(line), "{line:?} is not in: {}", answer.head);
        }
    }
}

#[test]
fn parts_of_files_and_heads_alone_are_served_and_other_methods_refused() {
    let served = served();
    let part = served.ask("GET /pkg/gpubench_bg.wasm", "Range: bytes=100-199\r\n");
    assert!(part.status == 206 && part.has("content-range: bytes 100-199/300000"), "{}", part.head);
    assert_eq!(part.body, module()[100..200]);
    assert_eq!(served.ask("GET /page.js", "Range: bytes=900-\r\n").status, 416);
    let head = served.ask("HEAD /pkg/gpubench_bg.wasm", "");
    assert!(head.status == 200 && head.body.is_empty() && head.has("content-length: 300000"), "{}", head.head);
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let refused = served.ask(&format!("{method} /index.html"), "");
        assert!(refused.status == 405 && refused.has("allow: get,head"), "{}", refused.head);
    }
}

#[test]
fn nothing_outside_the_folder_is_served() {
    let served = served();
    let secret = served.folder.path().parent().unwrap().join(format!("secret-{}", served.port));
    fs::write(&secret, "secret").unwrap();
    let name = secret.file_name().unwrap().to_str().unwrap();
    for path in [
        format!("/../{name}"),
        format!("/pkg/../../{name}"),
        format!("/%2e%2e/{name}"),
        format!("/..%2f{name}"),
        format!("/pkg/..%5c..%5c{name}"),
        format!("/{}", secret.display()),
        "/pkg".to_owned(),
        "/pkg/".to_owned(),
        "/nowhere".to_owned(),
        "/%00".to_owned(),
    ] {
        let answer = served.get(&path);
        assert!(answer.status == 404 && answer.body == b"not found\n", "{path}: {}", answer.head);
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        let folder = served.folder.path();
        symlink(&secret, folder.join("link.html")).unwrap();
        symlink(secret.parent().unwrap(), folder.join("above")).unwrap();
        symlink(folder.join("page.js"), folder.join("inside.js")).unwrap();
        assert_eq!(served.get("/link.html").status, 404);
        assert_eq!(served.get(&format!("/above/{name}")).status, 404);
        assert_eq!(served.get("/inside.js").body, b"export {};");
    }
    fs::remove_file(&secret).unwrap();
}

#[test]
fn only_requests_to_names_of_this_machine_are_answered() {
    let served = served();
    let port = served.port;
    for host in
        ["localhost".to_owned(), format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}")]
    {
        assert_eq!(served.raw(request_to(&host).as_bytes()).status, 200, "{host}");
    }
    for host in ["example.org", "example.org:80", "localhost.example.org", "192.168.1.1", "", "::", "a b"] {
        let answer = served.raw(request_to(host).as_bytes());
        assert!(answer.status == 421 && !answer.body.starts_with(b"<!doctype"), "{host}: {}", answer.head);
    }
    let foreign = "GET http://example.org/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let two = "GET / HTTP/1.1\r\nHost: localhost\r\nHost: example.org\r\nConnection: close\r\n\r\n";
    for request in [foreign, two] {
        assert_eq!(served.raw(request.as_bytes()).status, 421, "{request}");
    }
}

fn request_to(host: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

#[test]
fn both_loopback_addresses_are_served_and_a_port_in_use_is_named() {
    let served = served();
    // Containers may have no IPv6.
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        let stream = TcpStream::connect((Ipv6Addr::LOCALHOST, served.port)).unwrap();
        assert_eq!(answer_on(stream, request_to("localhost").as_bytes()).status, 200);
    }
    let mut command = Command::new(PROGRAM);
    let output =
        command.args(["serve", "--port", &served.port.to_string()]).arg(served.folder.path()).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && output.stdout.is_empty(), "{stderr}");
    assert!(stderr.contains(&format!("port {} cannot be listened on", served.port)), "{stderr}");
    assert!(stderr.contains("choose another with --port"), "{stderr}");
}

#[test]
fn lengths_that_cannot_be_and_heads_without_end_do_no_harm() {
    let served = served();
    for length in ["99999999999999", "5000000000", "18446744073709551615", "99999999999999999999999", "-1"] {
        let line = format!("Content-Length: {length}\r\n");
        for method in ["GET", "POST"] {
            let answer = served.ask(&format!("{method} /"), &line);
            assert!([200, 400, 405, 431].contains(&answer.status), "{length}: {}", answer.head);
        }
    }
    for request in [
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}", "x".repeat(10_000_000)),
        format!("GET / HTTP/1.1\r\n{}", "X: y\r\n".repeat(100_000)),
        format!("GET /{} HTTP/1.1\r\n", "x".repeat(1_000_000)),
    ] {
        let mut stream = served.connect();
        let _ = stream.write_all(request.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    }
    for bytes in [&b"\0\xff\x16\x03\x01"[..], b"GET\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\r\n\r\n\r\n"] {
        let mut stream = served.connect();
        stream.write_all(bytes).unwrap();
    }
    assert_eq!(served.get("/").status, 200);
}

/// The median time that a request takes, of nine, each on a connection of its own.
fn median_latency(served: &Served) -> Duration {
    let mut times: Vec<Duration> = (0..9)
        .map(|_| {
            let start = Instant::now();
            assert_eq!(served.get("/pkg/gpubench_bg.wasm").body.len(), 300_000);
            start.elapsed()
        })
        .collect();
    times.sort();
    times[4]
}

#[test]
fn two_hundred_idle_connections_leave_a_normal_client_served_within_100_ms() {
    let served = served();
    let idle: Vec<TcpStream> = (0..200)
        .map(|index| {
            let mut stream = served.connect();
            // Some say nothing, some begin a request.
            if index % 2 == 0 {
                stream.write_all(b"GET / HT").unwrap();
            }
            stream
        })
        .collect();
    let latency = median_latency(&served);
    assert!(latency < Duration::from_millis(100), "{latency:?}");
    drop(idle);
}

#[test]
fn clients_that_do_not_read_block_nobody_and_are_let_go() {
    let served = served();
    // More than the buffers of both ends hold.
    let large = fs::File::create(served.folder.path().join("large.bin")).unwrap();
    large.set_len(200_000_000).unwrap();
    let mut slow: Vec<TcpStream> = (0..20).map(|_| served.connect()).collect();
    for stream in &mut slow {
        stream.write_all(b"GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    }
    let latency = median_latency(&served);
    assert!(latency < Duration::from_millis(100), "{latency:?}");
    // Idle ones are let go too: one that never spoke, one that was answered and then kept open.
    let mut silent = served.connect();
    let mut kept = served.connect();
    kept.write_all(b"GET /page.js HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let start = Instant::now();
    for stream in [&mut silent, &mut kept] {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    }
    std::thread::sleep(Duration::from_secs(12).saturating_sub(start.elapsed()));
    for mut stream in slow {
        let mut received = Vec::new();
        let _ = stream.read_to_end(&mut received);
        assert!(received.len() < 200_000_000, "the server waited for a client that did not read");
    }
}

#[cfg(unix)]
#[test]
fn more_connections_than_files_may_be_open_leave_it_serving() {
    let folder = page();
    let program = PROGRAM;
    let script = format!("ulimit -n 40; exec {program} serve --port 0 {}", folder.path().display());
    let (process, port) = start(Command::new("sh").args(["-c", &script]));
    let served = Served { folder, process, port };
    let idle: Vec<TcpStream> = (0..60).map(|_| served.connect()).collect();
    let latency = median_latency(&served);
    assert!(latency < Duration::from_millis(500), "{latency:?}");
    drop(idle);
    assert_eq!(served.get("/").status, 200);
}

#[cfg(unix)]
#[test]
fn interrupting_ends_it_at_once_whatever_its_clients_do() {
    let mut served = served();
    let idle: Vec<TcpStream> = (0..10).map(|_| served.connect()).collect();
    assert_eq!(served.get("/").status, 200);
    let start = Instant::now();
    let interrupt = Command::new("kill").args(["-INT", &served.process.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    let status = served.process.wait().unwrap();
    assert!(start.elapsed() < Duration::from_secs(1) && !status.success(), "{:?}, {status}", start.elapsed());
    drop(idle);
}

#[test]
fn a_folder_without_a_page_is_refused() {
    let folder = TempDir::new().unwrap();
    for place in [folder.path(), Path::new("/nowhere/at/all")] {
        let output = Command::new(PROGRAM).arg("serve").arg(place).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && stderr.contains("holds no page: `make web`"), "{stderr}");
    }
}
