//! An HTTP/1.1 client: it resolves a name, leaves out the addresses that may not be reached, connects to one of those
//! that are left, and keeps connections for the next request. What it takes of the process is bounded, for all
//! components together. Proxies that the environment names are not used: a request goes where its URL says, or nowhere.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response, Uri};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::ffi::OsStr;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, WasiBody};

/// What a connection holds of a response at most: its head, and what has come of the body and was not taken.
const BUFFER_BYTES: usize = 64 * 1024;
/// More headers than these are an error.
const HEADERS_MAX: usize = 256;
/// How long a connection is kept.
const IDLE_TIME: Duration = Duration::from_secs(30);
/// So many threads look names up at most; files need the others.
const LOOKUPS_MAX: usize = 8;

/// What the guests of the process may have open at once.
pub struct Bounds {
    http: Arc<Semaphore>,
    idle_max: usize,
    pub sockets: Arc<Semaphore>,
}

static BOUNDS: OnceLock<Bounds> = OnceLock::new();

pub fn bounds() -> &'static Bounds {
    BOUNDS.get_or_init(|| Bounds::new(256, 64, 256))
}

impl Bounds {
    fn new(http: u32, idle: u32, sockets: u32) -> Bounds {
        let semaphore = |most| Arc::new(Semaphore::new(most as usize));
        Bounds { http: semaphore(http), idle_max: idle as usize, sockets: semaphore(sockets) }
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn weir_outbound_bound(http_connections: u32, idle_connections: u32, sockets: u32) -> bool {
    BOUNDS.set(Bounds::new(http_connections, idle_connections, sockets)).is_ok()
}

/// How long each step may take.
#[derive(Clone, Copy)]
pub struct TimeLimits {
    pub connect: Duration, // looking the name up, TCP and TLS together
    pub first_byte: Duration,
    pub between_bytes: Duration,
}

/// Whether this address may be connected to.
pub type AddressCheck = dyn Fn(&SocketAddr) -> bool + Send + Sync;

/// Where a connection leads.
#[derive(Clone, PartialEq)]
pub struct Origin {
    pub tls: bool,
    pub host: String, // an IPv6 address has no brackets here
    pub port: u16,
}

impl Origin {
    pub fn of(uri: &Uri) -> Result<Origin, Error> {
        let tls = uri.scheme_str() == Some("https");
        let authority = uri.authority().ok_or(Error::HttpRequestUriInvalid)?;
        let host = authority.host();
        if host.is_empty() || authority.as_str().contains('@') {
            return Err(Error::HttpRequestUriInvalid);
        }
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        // Text after the last ":" that is no port is an error, not the scheme's own port.
        let port = match authority.as_str().strip_prefix(host).unwrap_or_default() {
            "" | ":" => {
                if tls {
                    443
                } else {
                    80
                }
            }
            _ => authority.port_u16().ok_or(Error::HttpRequestUriInvalid)?,
        };
        Ok(Origin { tls, host: bare.unwrap_or(host).to_string(), port })
    }
}

struct Idle {
    origin: Origin,
    address: SocketAddr,
    since: Instant,
    sender: SendRequest<WasiBody>,
}

/// The connections that are kept, the oldest first.
fn idle() -> MutexGuard<'static, Vec<Idle>> {
    static IDLE: Mutex<Vec<Idle>> = Mutex::new(Vec::new());
    let mut idle = IDLE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    idle.retain(|idle| idle.sender.is_ready() && idle.since.elapsed() < IDLE_TIME);
    idle
}

fn take_kept(origin: &Origin, check: &AddressCheck) -> Option<(SendRequest<WasiBody>, SocketAddr)> {
    let mut idle = idle();
    let index = idle.iter().rposition(|idle| idle.origin == *origin && check(&idle.address))?;
    let Idle { sender, address, .. } = idle.remove(index);
    Some((sender, address))
}

fn keep_when_ready(origin: Origin, address: SocketAddr, mut sender: SendRequest<WasiBody>) {
    tokio::spawn(async move {
        // When the response has been read to its end. It fails when it will not be. At the bound nothing is kept:
        // somebody may wait for it.
        let is_whole = sender.ready().await.is_ok();
        if !is_whole || bounds().idle_max == 0 || bounds().http.available_permits() == 0 {
            return;
        }
        {
            let mut idle = idle();
            if idle.len() >= bounds().idle_max {
                idle.remove(0);
            }
            idle.push(Idle { origin, address, since: Instant::now(), sender });
        }
        sleep(IDLE_TIME).await;
        drop(idle());
    });
}

/// Send a request, whose URI is absolute, and wait for the response's head. In a Tokio runtime.
pub async fn send(
    mut request: Request<WasiBody>,
    limits: TimeLimits,
    check: &AddressCheck,
) -> Result<Response<Limited<Incoming>>, Error> {
    let origin = Origin::of(request.uri())?;
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    // What stands behind an authority is "" or begins with "/" or "?".
    let target = if path.starts_with('/') { path.to_string() } else { format!("/{path}") };
    *request.uri_mut() = Uri::try_from(target).map_err(|_| Error::HttpRequestUriInvalid)?;
    loop {
        let kept = take_kept(&origin, check);
        let is_kept = kept.is_some();
        let spare = if is_kept { repeat(&request) } else { None };
        let (mut sender, address) = match kept {
            Some(kept) => kept,
            None => connect(&origin, limits.connect, check).await?,
        };
        match timeout(limits.first_byte, sender.try_send_request(request)).await {
            Err(_) => return Err(Error::ConnectionReadTimeout),
            Ok(Ok(response)) => {
                keep_when_ready(origin, address, sender);
                return Ok(response.map(|incoming| Limited::new(incoming, limits.between_bytes)));
            }
            // The server had closed a connection that was kept: either nothing of the request has been sent, or
            // it may be sent again (RFC 9110, section 9.2.2).
            Ok(Err(mut failure)) => match failure.take_message().or(spare) {
                Some(again) if is_kept => request = again,
                _ => return Err(failure.into_error().into()),
            },
        }
    }
}

/// A copy of a request that may be made twice: one of an idempotent method, without a body.
fn repeat(request: &Request<WasiBody>) -> Option<Request<WasiBody>> {
    if !request.method().is_idempotent() || !request.body().is_end_stream() {
        return None;
    }
    let mut copy = Request::new(no_body());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

/// As Tokio's own, but that only some of its threads wait for resolvers: each until that has answered, also when
/// nobody is interested any more.
pub async fn look_up(host: &str, port: u16) -> Option<Vec<SocketAddr>> {
    static LOOKUPS: Semaphore = Semaphore::const_new(LOOKUPS_MAX);
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some(vec![(address, port).into()]);
    }
    let turn = LOOKUPS.acquire().await.ok()?;
    let host = host.to_string();
    let look = move || {
        let found = (host.as_str(), port).to_socket_addrs();
        drop(turn);
        Some(found.ok()?.collect())
    };
    tokio::task::spawn_blocking(look).await.ok()?
}

async fn resolve(origin: &Origin, check: &AddressCheck) -> Result<Vec<SocketAddr>, Error> {
    let found = look_up(&origin.host, origin.port).await.filter(|found| !found.is_empty());
    let unknown = || Error::DnsError { rcode: Some("address not available".to_string()), info_code: Some(0) };
    let mut addresses = found.ok_or_else(unknown)?;
    addresses.retain(|address| check(address));
    if addresses.is_empty() { Err(Error::DestinationIpProhibited) } else { Ok(addresses) }
}

/// The right to one more connection. Where all are taken, the oldest that is kept gives way.
async fn permit() -> Result<OwnedSemaphorePermit, Error> {
    let bound = &bounds().http;
    if let Ok(permit) = bound.clone().try_acquire_owned() {
        return Ok(permit);
    }
    let oldest = Some(idle()).filter(|idle| !idle.is_empty()).map(|mut idle| idle.remove(0));
    drop(oldest);
    bound.clone().acquire_owned().await.map_err(|_| Error::ConnectionLimitReached)
}

async fn connect(
    origin: &Origin,
    limit: Duration,
    check: &AddressCheck,
) -> Result<(SendRequest<WasiBody>, SocketAddr), Error> {
    let until = Instant::now() + limit;
    let permit = timeout_at(until, permit()).await.map_err(|_| Error::ConnectionLimitReached)??;
    let addresses = timeout_at(until, resolve(origin, check)).await.map_err(|_| Error::DnsTimeout)??;
    open(origin, &addresses, until, tls_settings, permit).await
}

/// A connection to one of these addresses; `held` is dropped when it has ended.
pub async fn open<H: Send + 'static>(
    origin: &Origin,
    addresses: &[SocketAddr],
    until: Instant,
    tls: impl FnOnce() -> TlsSettings,
    held: H,
) -> Result<(SendRequest<WasiBody>, SocketAddr), Error> {
    let in_time = |_| Error::ConnectionTimeout;
    let stream = timeout_at(until, TcpStream::connect(addresses)).await.map_err(in_time)?.map_err(Error::Connect)?;
    let address = stream.peer_addr().map_err(Error::Connect)?;
    let _ = stream.set_nodelay(true); // only faster
    if !origin.tls {
        return Ok((start(stream, held).await?, address));
    }
    let name = ServerName::try_from(origin.host.clone()).map_err(Error::from)?;
    let connector = TlsConnector::from(tls().map_err(|why| Error::InternalError(Some(why)))?);
    let stream = timeout_at(until, connector.connect(name, stream)).await.map_err(in_time)?.map_err(Error::Tls)?;
    Ok((start(stream, held).await?, address))
}

async fn start<T, H: Send + 'static>(stream: T, held: H) -> Result<SendRequest<WasiBody>, Error>
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(BUFFER_BYTES).max_headers(HEADERS_MAX);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        // What goes wrong with it comes back with the request, or with the response's body.
        drop(connection.await);
        drop(held);
    });
    Ok(sender)
}

pub type TlsSettings = Result<Arc<ClientConfig>, String>;

/// Certificates are trusted that lead to one of Mozilla's roots, which are compiled in, or to one in the file that
/// SSL_CERT_FILE names instead, as for OpenSSL, curl and Go.
pub fn tls_settings() -> TlsSettings {
    static SETTINGS: OnceLock<TlsSettings> = OnceLock::new();
    let make = || match std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()) {
        None => trusting(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }),
        Some(path) => authorities("SSL_CERT_FILE: ", &path),
    };
    SETTINGS.get_or_init(make).clone()
}

/// Those in a PEM file; `of` stands before its name when something is wrong with it.
pub fn authorities(of: &str, path: &OsStr) -> TlsSettings {
    let why = |why: String| format!("{of}{}: {why}", path.to_string_lossy());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| why(error.to_string()))? {
        let certificate = certificate.map_err(|error| why(error.to_string()))?;
        let _ = roots.add(certificate); // one that rustls cannot use vouches for nobody
    }
    if roots.is_empty() {
        return Err(why("no certificate of an authority is in it".to_string()));
    }
    trusting(roots)
}

fn trusting(roots: RootCertStore) -> TlsSettings {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = versions.map_err(|error| error.to_string())?.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// A response's body; it breaks off when nothing comes for too long.
pub struct Limited<B> {
    body: Option<B>,
    limit: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<B> Limited<B> {
    pub fn new(body: B, limit: Duration) -> Limited<B> {
        Limited { body: Some(body), limit, waiting: None }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Limited<B>
where
    Error: From<B::Error>,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(context) {
            self.waiting = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Error::from)));
        }
        let limit = self.limit;
        ready!(self.waiting.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(context));
        self.body = None; // which closes the connection
        Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

/// An error as a person can use it: what a guest is told is only a kind.
pub fn explain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source: Option<&(dyn std::error::Error + 'static)> = match error {
        Error::Hyper(error) => std::error::Error::source(error),
        _ => None,
    };
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    match error {
        Error::InternalError(Some(why)) => why.clone(),
        Error::DnsError { .. } => "the host's name could not be resolved".to_string(),
        Error::ConnectionLimitReached => "all connections that guests may have are in use".to_string(),
        Error::DestinationIpProhibited => "every address of the host is in a network that is blocked".to_string(),
        _ => text,
    }
}

/// A body with nothing in it.
pub fn no_body() -> WasiBody {
    http_body_util::Empty::new().map_err(|never| match never {}).boxed_unsync()
}
