//! The files of a folder as answers to requests: what may be asked for, by whom, and what every answer says.

use crate::error::{Error, Result};
use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::http::uri::Authority;
use hyper::{Request, Response, StatusCode, Uri};
use percent_encoding::percent_decode_str;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Component, Path, PathBuf};
use tower_http::services::ServeDir;
use tower_http::services::fs::ServeFileSystemResponseBody;

/// The page that stands for the folder.
const PAGE: &str = "/index.html";

/// Sent with every answer. The first two isolate the page from other origins, for which browsers give it finer clocks;
/// the others keep it out of other origins' pages and frames.
const HEADERS: [(&str, &str); 8] = [
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-embedder-policy", "require-corp"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("content-security-policy", "frame-ancestors 'none'"),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-cache"),
];

/// Media types of text that have to name its encoding, by the end of a file's name.
const TEXTS: [(&str, &str); 4] = [
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
];

/// The body of an answer: a sentence, or a file.
pub type Body = Either<Full<Bytes>, ServeFileSystemResponseBody>;

/// A folder that holds a page.
pub struct Site {
    /// Without links and relative parts.
    root: PathBuf,
    files: ServeDir,
}

impl Site {
    /// The site in `folder`.
    ///
    /// # Errors
    /// [`Error::Usage`] if it holds no page.
    pub fn of(folder: &Path) -> Result<Self> {
        let no_page = || {
            let shown = folder.display();
            Error::Usage(format!("{shown} holds no page: `make web` builds one into target/page"))
        };
        let root = folder.canonicalize().map_err(|_| no_page())?;
        if !root.join(&PAGE[1..]).is_file() {
            return Err(no_page());
        }
        let files = ServeDir::new(&root).append_index_html_on_directories(false);
        Ok(Self { root, files })
    }

    /// The answer to a request. Its body is not read.
    pub async fn answer(&self, mut request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let mut response = if !asks_for_loopback(request.uri(), request.headers()) {
            sentence(StatusCode::MISDIRECTED_REQUEST, "this server answers to localhost alone\n")
        } else {
            if path == "/" {
                *request.uri_mut() = Uri::from_static(PAGE);
            }
            match self.inside(request.uri().path()).await {
                true => self.file(request).await,
                false => sentence(StatusCode::NOT_FOUND, "not found\n"),
            }
        };
        let headers = response.headers_mut();
        for (name, value) in HEADERS {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        response
    }

    async fn file(&self, request: Request<Incoming>) -> Response<Body> {
        let extension = request.uri().path().rsplit_once('.').map_or("", |(_, extension)| extension).to_owned();
        match self.files.clone().try_call(request).await {
            Ok(response) if response.status() == StatusCode::NOT_FOUND => {
                sentence(StatusCode::NOT_FOUND, "not found\n")
            }
            Ok(response) => {
                let mut response = response.map(Either::Right);
                let kind = TEXTS.iter().find(|(end, _)| *end == extension).map(|(_, kind)| *kind);
                if let (Some(kind), true) = (kind, response.headers().contains_key(CONTENT_TYPE)) {
                    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
                }
                response
            }
            Err(_) => sentence(StatusCode::INTERNAL_SERVER_ERROR, "the file cannot be read\n"),
        }
    }

    /// Whether `path` of a URL is that of a file in the folder once all links are followed.
    async fn inside(&self, path: &str) -> bool {
        let Some(path) = file_of(&self.root, path) else { return false };
        let root = self.root.clone();
        let real = tokio::task::spawn_blocking(move || path.canonicalize().is_ok_and(|path| path.starts_with(root)));
        real.await.unwrap_or(false)
    }
}

/// The path below `root` that a URL's path names; none for paths that would leave it.
fn file_of(root: &Path, path: &str) -> Option<PathBuf> {
    let decoded = percent_decode_str(path.trim_start_matches('/')).decode_utf8().ok()?;
    let path = Path::new(&*decoded);
    path.components().all(|component| matches!(component, Component::Normal(_))).then(|| root.join(path))
}

/// Whether a request was sent to a name of this machine for itself. Another site's name that was made to lead here must
/// not let that site's pages read what is served.
fn asks_for_loopback(uri: &Uri, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let host = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
    let named = uri.authority().is_none_or(|authority| is_loopback(authority.host()));
    named && host.is_some_and(|authority| is_loopback(authority.host()))
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || address.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback())
}

fn sentence(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_below_the_folder_are_looked_at() {
        let root = Path::new("web");
        for (path, file) in
            [("/index.html", "web/index.html"), ("/pkg/a%20b.js", "web/pkg/a b.js"), ("//pkg/x", "web/pkg/x")]
        {
            assert_eq!(file_of(root, path), Some(PathBuf::from(file)), "{path}");
        }
        for path in ["/../secret", "/pkg/../../secret", "/%2e%2e/secret", "/..%2fsecret", "/%ff"] {
            assert_eq!(file_of(root, path), None, "{path}");
        }
    }

    #[test]
    fn only_names_of_the_machine_for_itself_are_answered() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.8.9.10", "[::1]", "::1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in
            ["", "example.org", "localhost.example.org", "127.0.0.1.example.org", "0.0.0.0", "192.168.0.1", "[::]"]
        {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
