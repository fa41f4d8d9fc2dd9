//! `gpubench serve`: the browser's page on localhost.

use super::terminal;
use crate::error::{Error, Result};
use clap::Args;
use std::fs::File;
use std::path::{Component, Path, PathBuf};
use tiny_http::{Header, Request, Response, Server, StatusCode};

/// Options of `gpubench serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Folder that `make web` filled
    #[arg(default_value = "target/page")]
    pub folder: PathBuf,
    /// Port; 0 takes any that is free
    #[arg(long, value_name = "N", default_value_t = 8000)]
    pub port: u16,
}

/// Sent with every file. The first two isolate the page from other origins, for which browsers give it finer clocks.
const HEADERS: [(&str, &str); 5] = [
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Embedder-Policy", "require-corp"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-cache"),
];

/// Media types by the end of a file's name; all else is plain bytes.
const TYPES: [(&str, &str); 6] = [
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("wasm", "application/wasm"),
    ("json", "application/json"),
    ("svg", "image/svg+xml"),
];

/// Serves a folder on the loopback interface until the program is ended.
///
/// # Errors
/// [`Error::Usage`] if the folder holds no page or the port is taken.
pub fn serve(args: &ServeArgs) -> Result<()> {
    let server = bind(&args.folder, args.port)?;
    let address = server
        .server_addr()
        .to_ip()
        .map_or_else(String::new, |address| format!("http://localhost:{}/", address.port()));
    terminal::output(&address)?;
    terminal::message(&format!("serving {}; Ctrl-C ends it", args.folder.display()));
    for request in server.incoming_requests() {
        answer(request, &args.folder);
    }
    Ok(())
}

fn bind(folder: &Path, port: u16) -> Result<Server> {
    if !folder.join("index.html").is_file() {
        return Err(Error::Usage(format!(
            "{} holds no page: `make web` builds one into target/page",
            folder.display()
        )));
    }
    Server::http(("127.0.0.1", port)).map_err(|error| {
        Error::Usage(format!("port {port} cannot be listened on ({error}): choose another with --port"))
    })
}

fn answer(request: Request, folder: &Path) {
    let header = |name: &str, value: &str| Header::from_bytes(name, value).ok();
    let path = file_of(folder, request.url());
    let opened = path.as_ref().filter(|path| path.is_file()).and_then(|path| File::open(path).ok());
    // A visitor who goes away before the answer is whole is no error.
    let _ = match (path, opened) {
        (Some(path), Some(file)) => {
            let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
            let kind =
                TYPES.iter().find(|(end, _)| *end == extension).map_or("application/octet-stream", |(_, kind)| kind);
            let mut response = Response::from_file(file);
            for (name, value) in HEADERS.into_iter().chain([("Content-Type", kind)]) {
                if let Some(header) = header(name, value) {
                    response.add_header(header);
                }
            }
            request.respond(response)
        }
        _ => request.respond(Response::from_string("not found\n").with_status_code(StatusCode(404))),
    };
}

/// The file below `folder` that `url` names; none for paths that would leave it.
fn file_of(folder: &Path, url: &str) -> Option<PathBuf> {
    let path = url.split(['?', '#']).next()?.trim_start_matches('/');
    let path = if path.is_empty() { "index.html" } else { path };
    let inside = Path::new(path).components().all(|component| matches!(component, Component::Normal(_)));
    inside.then(|| folder.join(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_below_the_folder_are_served() {
        let folder = Path::new("web");
        assert_eq!(file_of(folder, "/"), Some(PathBuf::from("web/index.html")));
        assert_eq!(file_of(folder, "/?quick=1"), Some(PathBuf::from("web/index.html")));
        assert_eq!(file_of(folder, "/pkg/gpubench.js?x"), Some(PathBuf::from("web/pkg/gpubench.js")));
        for url in ["/../secret", "/pkg/../../secret", "/./index.html/.."] {
            assert_eq!(file_of(folder, url), None, "{url}");
        }
    }

    #[test]
    fn a_folder_without_a_page_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = bind(folder.path(), 0).err().expect("there is no page");
        assert!(error.exit_code() == 2 && error.to_string().contains("make web"), "{error}");
    }
}
