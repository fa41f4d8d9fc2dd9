//! `gpubench serve`: the browser's page on the loopback interface.

use super::site::Site;
use super::terminal;
use crate::error::{Error, Result};
use clap::Args;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener as Listener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_io_timeout::TimeoutStream;

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

/// How long a client may take to send the head of a request, the first or a further one.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may take nothing of an answer.
const STALL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may last, whatever happens on it.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(300);
/// How long to wait before a connection is accepted after one could not be.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// The most bytes of a request's head.
const HEAD_LIMIT_BYTES: usize = 16 * 1024;
/// The most connections at a time, where the system allows as many.
const MOST_CONNECTIONS: usize = 512;
/// How often a pair of free ports is looked for.
const PORT_ATTEMPTS: usize = 20;

/// Serves a folder on the loopback interface until the program is ended.
///
/// # Errors
/// [`Error::Usage`] if the folder holds no page or the port is taken; [`Error::Output`] if the server cannot be
/// started.
pub fn serve(args: &ServeArgs) -> Result<()> {
    let site = Arc::new(Site::of(&args.folder)?);
    let (listeners, port) = bind(args.port)?;
    let cannot =
        |error: io::Error| Error::Output(format!("the server cannot be started ({error}); end other programs"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().map_err(cannot)?;
    runtime.block_on(async {
        let listeners =
            listeners.into_iter().map(TcpListener::from_std).collect::<io::Result<Vec<_>>>().map_err(cannot)?;
        terminal::output(&format!("http://localhost:{port}/"))?;
        terminal::message(&format!("serving {}; Ctrl-C ends it", args.folder.display()));
        accept_all(&listeners, site).await;
        Ok(())
    })
}

/// Listeners on the loopback addresses of IPv4 and IPv6, of those that the machine has, and their common port.
fn bind(port: u16) -> Result<(Vec<Listener>, u16)> {
    let taken = |error: &io::Error| {
        Error::Usage(format!("port {port} cannot be listened on ({error}): choose another with --port"))
    };
    let mut last = io::Error::from(ErrorKind::AddrInUse);
    for _ in 0..PORT_ATTEMPTS {
        match bind_pair(port) {
            Ok(bound) => return Ok(bound),
            // Of a port that was chosen freely the other address family may have another user.
            Err(error) if port == 0 && error.kind() == ErrorKind::AddrInUse => last = error,
            Err(error) => return Err(taken(&error)),
        }
    }
    Err(taken(&last))
}

fn bind_pair(port: u16) -> io::Result<(Vec<Listener>, u16)> {
    let absent = |error: &io::Error| !matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied);
    let mut listeners = Vec::new();
    let mut port = port;
    let mut problem = None;
    for address in [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()] {
        match Listener::bind(SocketAddr::new(address, port)) {
            Ok(listener) => {
                listener.set_nonblocking(true)?;
                port = listener.local_addr()?.port();
                listeners.push(listener);
            }
            Err(error) if absent(&error) => problem = Some(error),
            Err(error) => return Err(error),
        }
    }
    match problem {
        Some(error) if listeners.is_empty() => Err(error),
        _ => Ok((listeners, port)),
    }
}

/// A connection that is being served, and when it last had a request.
struct Connection {
    task: AbortHandle,
    used: Arc<AtomicU64>,
}

/// Accepts connections for ever. Where there are too many, the one that has been idle for longest makes room.
async fn accept_all(listeners: &[TcpListener], site: Arc<Site>) {
    let most = MOST_CONNECTIONS.min(descriptors() / 2).max(4);
    let clock = Arc::new(AtomicU64::new(0));
    let mut open: Vec<Connection> = Vec::new();
    loop {
        let accepted = accept(listeners).await;
        open.retain(|connection| !connection.task.is_finished());
        if accepted.is_err() || open.len() >= most {
            let longest_idle = open.iter().enumerate().min_by_key(|(_, one)| one.used.load(Ordering::Relaxed));
            if let Some((index, _)) = longest_idle {
                open.swap_remove(index).task.abort();
            }
        }
        match accepted {
            Ok(stream) => {
                let used = Arc::new(AtomicU64::new(clock.fetch_add(1, Ordering::Relaxed)));
                let task = tokio::spawn(connection(stream, site.clone(), clock.clone(), used.clone()));
                open.push(Connection { task: task.abort_handle(), used });
            }
            // The descriptor of the connection that had to go is free a moment later.
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// The next connection of any of the listeners.
async fn accept(listeners: &[TcpListener]) -> io::Result<TcpStream> {
    std::future::poll_fn(|context| {
        let mut ready = listeners.iter().map(|listener| listener.poll_accept(context));
        ready.find(|one| one.is_ready()).unwrap_or(std::task::Poll::Pending)
    })
    .await
    .map(|(stream, _)| stream)
}

/// Serves one connection; `used` is set to the next number of `clock` at each request.
async fn connection(stream: TcpStream, site: Arc<Site>, clock: Arc<AtomicU64>, used: Arc<AtomicU64>) {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(STALL_TIMEOUT));
    let service = service_fn(move |request| {
        used.store(clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        let site = site.clone();
        async move { Ok::<_, Infallible>(site.answer(request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_LIMIT_BYTES)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    // A visitor who goes away or breaks the protocol is no error of the server.
    let _ = tokio::time::timeout(CONNECTION_TIMEOUT, served).await;
}

/// The number of files that the process may have open.
fn descriptors() -> usize {
    #[cfg(unix)]
    if let Ok((soft, _)) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE) {
        return usize::try_from(soft).unwrap_or(usize::MAX);
    }
    usize::MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn a_folder_without_a_page_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = Site::of(folder.path()).err().expect("there is no page");
        assert!(error.exit_code() == 2 && error.to_string().contains("make web"), "{error}");
        assert!(Site::of(Path::new("/nowhere/at/all")).is_err());
    }

    #[test]
    fn a_port_in_use_is_named() {
        let (listeners, port) = bind(0).unwrap();
        assert!(!listeners.is_empty() && port != 0);
        let error = bind(port).unwrap_err();
        assert!(error.exit_code() == 2 && error.to_string().contains(&format!("port {port} ")), "{error}");
    }
}
